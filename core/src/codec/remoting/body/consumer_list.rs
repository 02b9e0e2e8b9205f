//! The members of a consumer group (38).

use serde::{Deserialize, Serialize};

use super::super::fastjson::null_as_default;

/// Body of the answer to 38.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerList {
    /// Client ids.
    #[serde(deserialize_with = "null_as_default")]
    pub consumer_id_list: Vec<String>,
}
