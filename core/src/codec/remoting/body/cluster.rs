//! Brokers and clusters that a name server knows (106).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::fastjson::null_as_default;
use super::BrokerData;

/// Body of the answer to 106.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterInfo {
    /// Broker name to its addresses.
    #[serde(deserialize_with = "null_as_default")]
    pub broker_addr_table: BTreeMap<String, BrokerData>,
    /// Cluster name to its broker names.
    #[serde(deserialize_with = "null_as_default")]
    pub cluster_addr_table: BTreeMap<String, Vec<String>>,
}
