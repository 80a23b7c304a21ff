//! How a secret is shown to people: enough to tell two apart, too little to use. And knowing such a text again, so that
//! a listing that was edited and fed back does not overwrite the secrets with it.

const HIDDEN: char = '…';
const PREFIX_DIGITS_MAX: usize = 5;
const TAIL_CHARS: usize = 4;
const HIDDEN_CHARS_MIN: usize = 20;

/// A secret as it may be shown: Zoho's prefix of the data centre, `…`, and the last four characters.
///
/// The prefix, one to five digits and a dot, is no secret. The last four characters are there only if at least twenty
/// stay hidden and all four are printable ASCII, which cannot upset a terminal.
///
/// ```
/// use tokcask_zoho::mask;
///
/// assert_eq!(mask("1000.fake0fake0fake0fake0.fake9"), "1000.…ake9");
/// assert_eq!(mask("fake"), "…");
/// ```
#[must_use]
pub fn mask(secret: &str) -> String {
    let (prefix, rest) = split_prefix(secret);
    let tail = rest.char_indices().rev().nth(TAIL_CHARS - 1).map_or("", |(at, _)| &rest[at..]);
    let is_shown = tail.bytes().all(|byte| byte.is_ascii_graphic())
        && rest.chars().nth(HIDDEN_CHARS_MIN + TAIL_CHARS - 1).is_some();
    format!("{prefix}{HIDDEN}{}", if is_shown { tail } else { "" })
}

/// Whether a text looks like what [`mask`] returns.
pub(crate) fn is_masked(text: &str) -> bool {
    let (_, rest) = split_prefix(text);
    rest.strip_prefix(HIDDEN).is_some_and(|tail| matches!(tail.chars().count(), 0 | TAIL_CHARS))
}

/// One to five digits and a dot, if the text begins so, and what follows.
fn split_prefix(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let has_prefix = (1..=PREFIX_DIGITS_MAX).contains(&digits) && text[digits..].starts_with('.');
    text.split_at(if has_prefix { digits + 1 } else { 0 })
}

#[cfg(test)]
mod tests {
    //! What is shown of secrets of every shape.

    use super::{is_masked, mask};

    #[test]
    fn prefix_and_tail_are_shown_only_where_they_give_nothing_away() {
        let hidden = "h".repeat(20);
        for (secret, shown) in [
            (format!("1000.{hidden}tail"), "1000.…tail"),
            (format!("1000.{}tail", &hidden[1..]), "1000.…"),
            (format!("{hidden}tail"), "…tail"),
            (format!("{}tail", &hidden[1..]), "…"),
            (format!("12345.{hidden}tail"), "12345.…tail"),
            (format!("123456.{hidden}tail"), "…tail"),
            (format!(".{hidden}tail"), "…tail"),
            (format!("1000{hidden}tail"), "…tail"),
            ("1000.".to_owned(), "1000.…"),
            ("1000.fake".to_owned(), "1000.…"),
            (String::new(), "…"),
        ] {
            assert_eq!(mask(&secret), shown, "{secret}");
        }
    }

    #[test]
    fn a_tail_that_is_not_printable_ascii_is_left_out() {
        for tail in ["tai\n", "ta l", "\u{1b}[2J", "täil", "tai\u{202e}", "tai💡", "\0tai"] {
            assert_eq!(mask(&format!("{}{tail}", "h".repeat(40))), "…", "{tail:?}");
        }
        assert_eq!(mask(&format!("{}tail", "ü".repeat(20))), "…tail");
        assert_eq!(mask(&format!("{}tail", "ü".repeat(19))), "…", "characters count, not bytes");
    }

    #[test]
    fn masked_texts_are_known_and_others_are_not() {
        for secret in ["", "fake", "1000.fake", &format!("1000.{}", "fake".repeat(20)), &"fake".repeat(20)] {
            assert!(is_masked(&mask(secret)), "{secret}");
            assert!(!is_masked(secret), "{secret}");
        }
        for text in ["...", "1000.", "a…", "…tai", "…tails", "123456.…", ".…", "1000.…tail ", "……"] {
            assert!(!is_masked(text), "{text}");
        }
    }
}
