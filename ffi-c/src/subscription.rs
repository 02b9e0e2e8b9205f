//! Which messages a consumer wants.

use tminus_core::{FilterExpression, Result};

use crate::data::{invalid, tminus_str_t};

/// Tags separated by `||`; `*` (or none) is all.
pub const TMINUS_FILTER_TAG: i32 = 0;
/// An SQL92 expression over properties.
pub const TMINUS_FILTER_SQL92: i32 = 1;

/// Which messages of a topic are wanted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tminus_subscription_t {
    pub topic: tminus_str_t,
    pub expression: tminus_str_t,
    /// `TMINUS_FILTER_*`: how to read `expression`.
    pub filter: i32,
    pub reserved: i32,
}

/// Copies the one subscription that a call adds.
///
/// # Safety
/// `subscription` is NULL, or readable with its texts.
pub(crate) unsafe fn copy_one(
    subscription: *const tminus_subscription_t,
    operation: &'static str,
) -> Result<(String, FilterExpression)> {
    // SAFETY: the caller's promise.
    unsafe {
        let subscription =
            subscription.as_ref().ok_or_else(|| invalid(operation, "the subscription is NULL"))?;
        subscription.copy(operation)
    }
}

impl tminus_subscription_t {
    /// Copies the input.
    ///
    /// # Safety
    /// The texts are readable.
    pub(crate) unsafe fn copy(&self, operation: &'static str) -> Result<(String, FilterExpression)> {
        // SAFETY: the caller's promise is the same.
        let (topic, expression) = unsafe {
            (
                self.topic.read("subscription topic", operation)?,
                self.expression.read_option("expression", operation)?,
            )
        };
        let filter = match (self.filter, expression) {
            (TMINUS_FILTER_TAG, None) => FilterExpression::all(),
            (TMINUS_FILTER_TAG, Some(tags)) => FilterExpression::Tag(tags.to_owned()),
            (TMINUS_FILTER_SQL92, Some(sql)) => FilterExpression::Sql92(sql.to_owned()),
            (TMINUS_FILTER_SQL92, None) => return Err(invalid(operation, "the SQL92 expression is empty")),
            (other, _) => {
                return Err(invalid(operation, format!("filter is {other}; use one of TMINUS_FILTER_*")));
            }
        };
        Ok((topic.to_owned(), filter))
    }
}
