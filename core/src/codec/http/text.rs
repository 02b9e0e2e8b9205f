//! What XML 1.0 can carry.

/// The first character of `text` that no XML 1.0 document can hold: a control character other than tab, line feed and
/// carriage return, U+FFFE or U+FFFF.
pub fn unfit(text: &str) -> Option<char> {
    text.chars().find(
        |c| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}'),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_fit_and_everything_else_does() {
        assert_eq!(unfit("a\tb\nc\rd \u{7f}\u{85}é中\u{10ffff}<&>"), None);
        for bad in ['\0', '\u{1}', '\u{b}', '\u{1f}', '\u{fffe}', '\u{ffff}'] {
            assert_eq!(unfit(&format!("fine {bad} fine")), Some(bad));
        }
    }
}
