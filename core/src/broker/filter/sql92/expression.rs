//! Expressions as trees, and what they amount to. Of an absent property nothing is known, and a condition of which
//! nothing is known is neither true nor false.

use super::value::{Operator, Value, compare};

/// Looks a property up.
type Lookup<'a, 'l> = &'l dyn Fn(&str) -> Option<&'a str>;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Property(String),
    Text(String),
    Integer(i64),
    Decimal(f64),
    Boolean(bool),
    Null,
    Not(Box<Expression>),
    /// Conditions joined by AND.
    All(Vec<Expression>),
    /// Conditions joined by OR.
    Any(Vec<Expression>),
    Compare(Box<Expression>, Operator, Box<Expression>),
    IsNull(Box<Expression>),
    In {
        property: String,
        texts: Vec<String>,
    },
    Has {
        property: String,
        place: Place,
        part: String,
    },
}

/// Where in the text of a property a part has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Anywhere,
    Start,
    End,
}

impl Expression {
    /// Whether it is true; `None`: unknown.
    pub(super) fn truth<'a>(&'a self, property: Lookup<'a, '_>) -> Option<bool> {
        match self.value(property)? {
            Value::Boolean(truth) => Some(truth),
            _ => None,
        }
    }

    fn value<'a>(&'a self, property: Lookup<'a, '_>) -> Option<Value<'a>> {
        let truth = match self {
            Self::Property(name) => return property(name).map(Value::Text),
            Self::Text(text) => return Some(Value::Text(text)),
            Self::Integer(number) => return Some(Value::Integer(*number)),
            Self::Decimal(number) => return Some(Value::Decimal(*number)),
            Self::Boolean(truth) => *truth,
            Self::Null => return None,
            Self::Not(condition) => !condition.truth(property)?,
            Self::All(conditions) => joined(conditions, false, property)?,
            Self::Any(conditions) => joined(conditions, true, property)?,
            Self::Compare(left, operator, right) => {
                compare(left.value(property)?, *operator, right.value(property)?)?
            }
            Self::IsNull(value) => value.value(property).is_none(),
            Self::In { property: name, texts } => {
                let text = property(name)?;
                texts.iter().any(|one| one == text)
            }
            Self::Has { property: name, place, part } => {
                let text = property(name)?;
                match place {
                    Place::Anywhere => text.contains(part),
                    Place::Start => text.starts_with(part),
                    Place::End => text.ends_with(part),
                }
            }
        };
        Some(Value::Boolean(truth))
    }
}

/// Conditions of which one that is `decisive` decides: a false one of AND, a true one of OR.
fn joined<'a>(conditions: &'a [Expression], decisive: bool, property: Lookup<'a, '_>) -> Option<bool> {
    let mut all = Some(!decisive);
    for condition in conditions {
        match condition.truth(property) {
            Some(truth) if truth == decisive => return Some(decisive),
            Some(_) => {}
            None => all = None,
        }
    }
    all
}
