//! What a broker tells a name server about itself (103).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::TopicType;
use super::topics::{TopicConfig, Topics};

/// Body of the registration.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Registration {
    topic_config_serialize_wrapper: TopicTable,
    filter_server_list: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TopicTable {
    topic_config_table: BTreeMap<String, Config>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    topic_name: String,
    read_queue_nums: i32,
    write_queue_nums: i32,
    perm: i32,
    #[serde(default)]
    topic_sys_flag: i32,
    #[serde(default)]
    order: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
}

/// The attribute with the type of a topic.
const TYPE: &str = "message.type";

impl Registration {
    /// Tells about all topics.
    pub(crate) fn of(topics: &Topics) -> Self {
        let config = |name: &str, config: TopicConfig| Config {
            topic_name: name.to_owned(),
            read_queue_nums: config.read_queues,
            write_queue_nums: config.write_queues,
            perm: config.perm,
            topic_sys_flag: config.sys_flag,
            order: config.order,
            attributes: config
                .topic_type
                .map(|kind| (TYPE.to_owned(), kind.name().to_owned()))
                .into_iter()
                .collect(),
        };
        let table = topics.iter().map(|topic| (topic.name.to_string(), config(&topic.name, topic.config)));
        Self {
            topic_config_serialize_wrapper: TopicTable { topic_config_table: table.collect() },
            filter_server_list: Vec::new(),
        }
    }

    /// The topics it tells about.
    pub(crate) fn into_topics(self) -> BTreeMap<String, TopicConfig> {
        let config = |config: Config| TopicConfig {
            read_queues: config.read_queue_nums,
            write_queues: config.write_queue_nums,
            perm: config.perm,
            sys_flag: config.topic_sys_flag,
            order: config.order,
            topic_type: config.attributes.get(TYPE).and_then(|name| TopicType::from_name(name)),
        };
        let table = self.topic_config_serialize_wrapper.topic_config_table;
        table.into_iter().map(|(name, told)| (name, config(told))).collect()
    }
}
