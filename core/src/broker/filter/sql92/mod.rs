//! SQL92 expressions over the properties of a message, as RocketMQ reads them; where its grammar accepts what can never
//! match, this one says so. Pure: text in, answers out.

mod expression;
mod parser;
mod token;
mod value;

use expression::Expression;

/// An expression that is true, false or unknown of a message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition(Expression);

/// What is wrong with an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}, at character {at}")]
pub(super) struct Fault {
    what: String,
    /// Counted from 1.
    at: usize,
}

impl Condition {
    /// Reads an expression.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        parser::parse(text).map(Self)
    }

    /// Whether it is true of a message with these properties; unknown is not enough.
    pub(super) fn holds<'a>(&'a self, property: &dyn Fn(&str) -> Option<&'a str>) -> bool {
        self.0.truth(property) == Some(true)
    }
}

#[cfg(test)]
mod tests;
