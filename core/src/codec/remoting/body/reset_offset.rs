//! Offsets that a consumer is told to go to (220).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::QueueKey;

/// Body of 220: a map of queue to offset. The list of pairs that gson writes and the list of objects that C++ callers
/// get are read too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResetOffset {
    /// New offset of each queue.
    #[serde(rename = "offsetTable", serialize_with = "write", deserialize_with = "read", default)]
    pub offsets: Vec<(QueueKey, i64)>,
}

fn write<S: Serializer>(offsets: &[(QueueKey, i64)], out: S) -> Result<S::Ok, S::Error> {
    let mut map = out.serialize_map(Some(offsets.len()))?;
    for (queue, offset) in offsets {
        map.serialize_entry(&queue.to_key(), offset)?;
    }
    map.end()
}

fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<(QueueKey, i64)>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Item {
        Pair(QueueKey, i64),
        Object {
            offset: i64,
            #[serde(flatten)]
            queue: QueueKey,
        },
    }

    struct Table;
    impl<'de> Visitor<'de> for Table {
        type Value = Vec<(QueueKey, i64)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table of queues and offsets")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut offsets = BTreeMap::new();
            while let Some((key, offset)) = map.next_entry::<String, i64>()? {
                offsets.insert(key, offset);
            }
            let queue = |key: &str| {
                QueueKey::from_key(key).ok_or_else(|| A::Error::custom(format_args!("bad queue {key:?}")))
            };
            offsets.into_iter().map(|(key, offset)| Ok((queue(&key)?, offset))).collect()
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut offsets = Vec::new();
            while let Some(item) = items.next_element::<Item>()? {
                offsets.push(match item {
                    Item::Pair(queue, offset) | Item::Object { offset, queue } => (queue, offset),
                });
            }
            Ok(offsets)
        }
    }
    input.deserialize_any(Table)
}
