//! An input as numbers, one after the other. It never ends: what is missing is 0.

/// What is left of an input.
pub(crate) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let (first, rest) = self.rest.split_first().unwrap_or((&0, &[]));
        self.rest = rest;
        *first
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u8) -> usize {
        usize::from(self.byte() % bound)
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }

    pub(crate) fn bit(&mut self) -> bool {
        self.byte() & 1 != 0
    }

    pub(crate) fn word(&mut self) -> u64 {
        (0..8).fold(0, |word, byte| word | u64::from(self.byte()) << (8 * byte))
    }
}
