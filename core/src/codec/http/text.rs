//! What XML 1.0 can carry.

use std::borrow::Cow;

/// The first character of `text` that no XML 1.0 document can hold: a control character other than tab, line feed and
/// carriage return, U+FFFE or U+FFFF.
pub fn unfit(text: &str) -> Option<char> {
    text.chars().find(|c| is_unfit(*c))
}

/// `text` with U+FFFD in the place of every such character, for a server that shows what came by another protocol.
pub fn fit(text: &str) -> Cow<'_, str> {
    match unfit(text) {
        Some(_) => text.replace(is_unfit, "\u{fffd}").into(),
        None => text.into(),
    }
}

fn is_unfit(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_fit_and_everything_else_does() {
        assert!(matches!(fit("a\r"), Cow::Borrowed("a\r")));
        assert_eq!(unfit("a\tb\nc\rd \u{7f}\u{85}é中\u{10ffff}<&>"), None);
        for bad in ['\0', '\u{1}', '\u{b}', '\u{1f}', '\u{fffe}', '\u{ffff}'] {
            let text = format!("fine {bad} fine");
            assert_eq!(unfit(&text), Some(bad));
            assert_eq!(fit(&text), "fine \u{fffd} fine");
        }
    }
}
