//! A question whether a broker can read a filter (46).

use serde::{Deserialize, Serialize};

use super::super::fastjson::null_as_default;
use super::SubscriptionData;

/// Body of 46.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FilterCheck {
    /// Who asks.
    #[serde(deserialize_with = "null_as_default")]
    pub client_id: String,
    /// For which group.
    #[serde(deserialize_with = "null_as_default")]
    pub group: String,
    /// The subscription with the filter.
    pub subscription_data: SubscriptionData,
}
