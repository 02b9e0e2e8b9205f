//! Values and how they compare: as the literal in the comparison is, as RocketMQ does it.

use std::cmp::Ordering;

/// What an expression amounts to; a property is a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Integer(i64),
    Decimal(f64),
    Boolean(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    pub(super) fn of(sign: &str) -> Option<Self> {
        Some(match sign {
            "=" => Self::Equal,
            "<>" => Self::Unequal,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    /// Whether it asks for more than equality, which only numbers have an answer to.
    pub(super) fn is_of_order(self) -> bool {
        !matches!(self, Self::Equal | Self::Unequal)
    }

    fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// Compares; `None` (unknown) where a number is asked for and the text is none. Against an integer a text has to be an
/// integer: RocketMQ takes `3.5` for no number there, so that `weight > 3` misses it and `weight > 3.0` does not.
pub(super) fn compare(left: Value<'_>, operator: Operator, right: Value<'_>) -> Option<bool> {
    let order = match (left, right) {
        (Value::Text(left), Value::Text(right)) if operator.is_of_order() => {
            decimal(left)?.partial_cmp(&decimal(right)?)?
        }
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        (Value::Text(_), Value::Boolean(_)) => boolean(left).cmp(&boolean(right)),
        (Value::Boolean(_), Value::Text(_) | Value::Boolean(_)) => boolean(left).cmp(&boolean(right)),
        // Never equal.
        (Value::Boolean(_), _) | (_, Value::Boolean(_)) => Ordering::Less,
        (Value::Text(left), Value::Integer(right)) => left.parse::<i64>().ok()?.cmp(&right),
        (Value::Integer(left), Value::Text(right)) => left.cmp(&right.parse().ok()?),
        (Value::Integer(left), Value::Integer(right)) => left.cmp(&right),
        _ => number(left)?.partial_cmp(&number(right)?)?,
    };
    Some(operator.accepts(order))
}

fn boolean(value: Value<'_>) -> bool {
    match value {
        Value::Boolean(value) => value,
        Value::Text(text) => text.eq_ignore_ascii_case("true"),
        Value::Integer(_) | Value::Decimal(_) => false,
    }
}

fn number(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Text(text) => decimal(text),
        Value::Integer(number) => Some(number as f64),
        Value::Decimal(number) => Some(number),
        Value::Boolean(_) => None,
    }
}

fn decimal(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}
