//! Text from a store or a file, made safe for a terminal: nothing in it can move the cursor, change colours, end a
//! line, or turn the reading direction.

use std::borrow::Cow;

/// The text with such characters written as `\n` or `\u{1b}`.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    // Long enough for the worst case, so that growing leaves no copy of a secret behind.
    let mut escaped = String::with_capacity(10 * text.len());
    for character in text.chars() {
        if is_unsafe(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

fn is_unsafe(character: char) -> bool {
    // Besides controls: zero-width characters, line and paragraph separators, and all that sets a direction.
    let is_invisible = matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}' | '\u{feff}');
    character.is_control() || is_invisible
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn controls_and_directions_are_written_out_and_scripts_are_not() {
        assert_eq!(escape("Zoë 日本 🔑 a\\b"), "Zoë 日本 🔑 a\\b");
        assert_eq!(escape("a\u{1b}[2J\r\n\u{9b}\u{202e}b"), "a\\u{1b}[2J\\r\\n\\u{9b}\\u{202e}b");
    }
}
