//! From characters to tokens.

use super::super::head;
use super::Fault;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A property.
    Name(String),
    Keyword(Keyword),
    Text(String),
    Integer(i64),
    Decimal(f64),
    /// An operator, a bracket or a comma.
    Sign(&'static str),
    End,
}

macro_rules! keywords {
    ($($word:ident = $text:literal),*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Keyword { $($word),* }

        impl Keyword {
            const ALL: &[(Self, &str)] = &[$((Self::$word, $text)),*];
        }
    };
}

keywords! {
    And = "AND", Or = "OR", Not = "NOT", Between = "BETWEEN", In = "IN", Is = "IS", Null = "NULL", True = "TRUE",
    False = "FALSE", Contains = "CONTAINS", StartsWith = "STARTSWITH", EndsWith = "ENDSWITH"
}

impl Keyword {
    fn of(word: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, text)| text.eq_ignore_ascii_case(word));
        found.map(|(keyword, _)| *keyword)
    }

    pub(super) fn text(self) -> &'static str {
        Self::ALL.iter().find(|(keyword, _)| *keyword == self).map_or("", |(_, text)| text)
    }
}

/// Longer ones first.
const SIGNS: [&str; 11] = ["<>", "<=", ">=", "=", "<", ">", "(", ")", ",", "+", "-"];

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => write!(f, "the property {name}"),
            Self::Keyword(keyword) => f.write_str(keyword.text()),
            Self::Text(text) => write!(f, "the text '{text}'"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Decimal(number) => write!(f, "{number}"),
            Self::Sign(sign) => write!(f, "{sign:?}"),
            Self::End => f.write_str("the end"),
        }
    }
}

/// Takes one token after the other from a text.
#[derive(Debug)]
pub(super) struct Tokens<'t> {
    text: &'t str,
    /// Byte offset of what comes next.
    next: usize,
}

impl<'t> Tokens<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, next: 0 }
    }

    /// A fault at a byte offset of the text.
    pub(super) fn fault(&self, at: usize, what: impl AsRef<str>) -> Fault {
        let before = self.text.get(..at).unwrap_or(self.text);
        Fault { what: head(what.as_ref()).to_owned(), at: before.chars().count() + 1 }
    }

    /// The next token and the byte offset it starts at.
    pub(super) fn next(&mut self) -> Result<(Token, usize), Fault> {
        self.skip()?;
        let (start, rest) = (self.next, &self.text[self.next..]);
        let Some(first) = rest.chars().next() else { return Ok((Token::End, start)) };
        let token = match first {
            '\'' => self.string(start)?,
            '0'..='9' | '.' => self.number(start)?,
            c if c.is_ascii_alphabetic() || matches!(c, '_' | '$') => {
                let word = self.take(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$'));
                Keyword::of(word).map_or_else(|| Token::Name(word.to_owned()), Token::Keyword)
            }
            _ => {
                let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) else {
                    let advice = match first {
                        '"' => "; texts stand in single quotes",
                        '!' => "; unequal is written <>",
                        '&' | '|' => "; conditions are joined by AND and OR",
                        _ => "; names have letters, digits, _ and $",
                    };
                    return Err(self.fault(start, format!("{first:?} means nothing here{advice}")));
                };
                self.next += sign.len();
                Token::Sign(sign)
            }
        };
        Ok((token, start))
    }

    /// Passes white space and comments.
    fn skip(&mut self) -> Result<(), Fault> {
        loop {
            self.take(char::is_whitespace);
            let rest = &self.text[self.next..];
            if rest.starts_with("--") {
                self.take(|c| c != '\n');
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let Some(length) = comment.find("*/") else {
                    return Err(self.fault(self.next, "the comment has no end"));
                };
                self.next += length + 4;
            } else {
                return Ok(());
            }
        }
    }

    /// Takes characters as long as they are `wanted`.
    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = &self.text[self.next..];
        let taken = &rest[..rest.find(|c| !wanted(c)).unwrap_or(rest.len())];
        self.next += taken.len();
        taken
    }

    /// A text in single quotes; two of them inside stand for one.
    fn string(&mut self, start: usize) -> Result<Token, Fault> {
        let mut text = String::new();
        loop {
            self.next += 1;
            text.push_str(self.take(|c| c != '\''));
            if self.next == self.text.len() {
                return Err(self.fault(start, "the text that begins here has no closing quote"));
            }
            self.next += 1;
            if !self.text[self.next..].starts_with('\'') {
                return Ok(Token::Text(text));
            }
            text.push('\'');
        }
    }

    /// Digits, perhaps with a point or an exponent.
    fn number(&mut self, start: usize) -> Result<Token, Fault> {
        let is_digit = |c: char| c.is_ascii_digit();
        let whole = self.take(is_digit);
        let mut is_decimal = false;
        if self.text[self.next..].starts_with('.') {
            self.next += 1;
            is_decimal = true;
            if self.take(is_digit).is_empty() && whole.is_empty() {
                return Err(self.fault(start, "a point without digits is no number"));
            }
        }
        if self.text[self.next..].starts_with(['e', 'E']) {
            self.next += 1;
            is_decimal = true;
            if self.text[self.next..].starts_with(['+', '-']) {
                self.next += 1;
            }
            if self.take(is_digit).is_empty() {
                return Err(self.fault(start, "the exponent has no digits"));
            }
        }
        let digits = &self.text[start..self.next];
        if is_decimal {
            let finite = digits.parse().ok().filter(|number: &f64| number.is_finite());
            return finite
                .map(Token::Decimal)
                .ok_or_else(|| self.fault(start, format!("{digits} is no number of 64 bits")));
        }
        if digits.len() > 1 && digits.starts_with('0') {
            return Err(self.fault(start, format!("{digits} is no number: it may not begin with 0")));
        }
        // The mark of a long number in Java.
        if self.text[self.next..].starts_with(['l', 'L']) {
            self.next += 1;
        }
        let integer = digits.parse().map(Token::Integer);
        integer.map_err(|_| self.fault(start, format!("{digits} is no integer of 64 bits")))
    }
}
