//! Reading one row by its place, through a map or by copying. Checks every byte of what it returns.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Location, append};
use crate::error::{DecodeError, Error, Result};
use crate::format::FRAME_LEN_MAX;
use crate::format::operation::{self, Located, Operation};
use crate::format::seal::{Codec, Contents};
use crate::options::ReadMode;
use crate::storage::{File, Map};
use crate::token::{Token, TokenView};
use crate::wipe::Wiped;

/// An end beyond comes from a page that cannot be right; it is found out when the frames before it are read.
const MAP_LEN_MAX: u64 = 1 << 61;

/// A generation's file as finds see it, and perhaps the one before. Kept alive by whoever still reads from it.
#[derive(Debug)]
pub(crate) struct Source {
    file: Arc<dyn File>,
    path: PathBuf,
    codec: Codec,
    mode: ReadMode,
    map: Option<Map>,
    generation: u64,
    /// The generation before, in which some rows still have their place.
    older: Option<Arc<Source>>,
}

impl Source {
    /// `end`: how far the caller expects to publish soon; a map reaches well beyond.
    pub(crate) fn new(file: Arc<dyn File>, path: &Path, codec: &Codec, mode: ReadMode, end: u64) -> Result<Self> {
        let map = match mode {
            ReadMode::Copy => None,
            ReadMode::Map => {
                // Ahead of the end, so that growth rarely maps anew; nothing beyond what is published is touched.
                let len = end.clamp(FRAME_LEN_MAX.into(), MAP_LEN_MAX).next_power_of_two().saturating_mul(2);
                file.map(len).map_err(|error| Error::io("map", path, error))?
            }
        };
        let (path, codec) = (path.to_owned(), codec.clone());
        Ok(Self { file, path, codec, mode, map, generation: 0, older: None })
    }

    /// The same, giving places of this generation.
    pub(crate) fn of_generation(self, generation: u64) -> Self {
        Self { generation, ..self }
    }

    /// The same, reading also the places that `older` gave, which is of the generation right before.
    pub(crate) fn after(self, older: Arc<Self>) -> Self {
        assert_eq!(
            self.generation,
            older.generation + 1,
            "only two generations that follow each other can be told apart"
        );
        assert!(older.older.is_none(), "places of three generations cannot be told apart");
        Self { older: Some(older), ..self }
    }

    /// Whether places of the generation before are read here too.
    pub(crate) fn has_older(&self) -> bool {
        self.older.is_some()
    }

    /// The place of an operation of this generation.
    pub(crate) fn place(&self, offset: u64, len: u64) -> Result<Location> {
        Location::new(self.generation, offset, len).ok_or_else(|| append::log_full(offset))
    }

    /// Allows reading up to `end`, all of it durable. `None` if this source reaches so far; else the one that does.
    pub(crate) fn publish(&self, end: u64) -> Result<Option<Self>> {
        if self.map.as_ref().is_none_or(|map| map.len() >= end) {
            if let Some(map) = &self.map {
                map.publish(end);
            }
            return Ok(None);
        }
        let longer = Self::new(self.file.clone(), &self.path, &self.codec, self.mode, end)?;
        longer.publish(end)?;
        Ok(Some(Self { generation: self.generation, older: self.older.clone(), ..longer }))
    }

    /// Hands the row at this place to `f`, after checking every byte of its record.
    pub(crate) fn read<R>(&self, at: Location, f: impl FnOnce(&TokenView<'_>) -> R) -> Result<R> {
        let mut row = Row::default();
        self.read_into(at, &mut row)?;
        Ok(row.view(|view| f(view)))
    }

    /// The same into a row, whatever it held: for whoever wants it longer.
    #[inline]
    pub(crate) fn read_into<'a>(&'a self, at: Location, row: &mut Row<'a>) -> Result<()> {
        match &self.older {
            Some(older) if at.is_odd() == older.is_odd() => older.read_here(at, row),
            _ => self.read_here(at, row),
        }
    }

    fn is_odd(&self) -> bool {
        !self.generation.is_multiple_of(2)
    }

    #[inline]
    fn read_here<'a>(&'a self, at: Location, row: &mut Row<'a>) -> Result<()> {
        if let (Some(map), Contents::Plain) = (&self.map, &self.codec.contents) {
            row.copied = None;
            let bytes = map.get(at.offset(), at.len()).ok_or_else(|| self.missing(at))?;
            let read = operation::decode_put_into(self.codec.seed, at.offset(), bytes, &mut row.in_place);
            return read.map_err(|reason| self.damaged(at, reason));
        }
        row.copied = Some(self.copied_row(at)?.into());
        Ok(())
    }

    /// The row at this place in memory of its own: what is read by copying, or opened.
    fn copied_row(&self, at: Location) -> Result<Token> {
        let copied;
        let bytes = if let Some(map) = &self.map {
            map.get(at.offset(), at.len()).ok_or_else(|| self.missing(at))?
        } else {
            copied = self.copy(at)?;
            &*copied
        };
        let mut plain = Wiped::default();
        let read = operation::decode_by(&self.codec, at.offset(), bytes, &mut plain);
        read.and_then(|located| copied_put(&located, at)).map_err(|reason| self.damaged(at, reason))
    }

    fn damaged(&self, at: Location, reason: DecodeError) -> Error {
        Error::Corrupt { path: self.path.clone(), offset: at.offset(), reason }
    }

    fn missing(&self, at: Location) -> Error {
        self.damaged(at, DecodeError::Truncated { needed: at.len(), available: 0 })
    }

    /// A copy of the row at this place.
    pub(crate) fn token(&self, at: Location) -> Result<Token> {
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the method is not general enough in its lifetime"
        )]
        self.read(at, |row| row.to_token())
    }

    fn copy(&self, at: Location) -> Result<Wiped> {
        let len = usize::try_from(at.len()).expect("an operation is at most 2 MiB long");
        let mut bytes = Wiped::zeros(len);
        let read = self.file.read_at(&mut bytes, at.offset());
        let read = read.map_err(|error| Error::io("read", &self.path, error))?;
        bytes.truncate(read);
        Ok(bytes)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self) -> &Arc<dyn File> {
        &self.file
    }
}

/// A row whose record was checked.
#[derive(Default)]
pub(crate) struct Row<'a> {
    in_place: TokenView<'a>,
    /// What was not read in place.
    copied: Option<Box<Token>>,
}

impl Row<'_> {
    #[inline]
    pub(crate) fn view<R>(&self, f: impl FnOnce(&TokenView<'_>) -> R) -> R {
        match &self.copied {
            None => f(&self.in_place),
            Some(token) => f(&token.view()),
        }
    }

    /// Hands it over for good.
    #[inline]
    pub(crate) fn into_view<R>(self, f: impl FnOnce(TokenView<'_>) -> R) -> R {
        match self.copied {
            None => f(self.in_place),
            Some(token) => f(token.view()),
        }
    }

    #[inline]
    pub(crate) fn into_token(self) -> Token {
        match self.copied {
            None => self.in_place.into_token(),
            Some(token) => *token,
        }
    }
}

/// The row that was put here.
fn copied_put(located: &Located<'_>, at: Location) -> Result<Token, DecodeError> {
    match &located.operation {
        Operation::Put(view) if located.len == at.len() => Ok(view.to_token()),
        _ => Err(operation::NO_PUT),
    }
}
