//! Which messages a topic takes. Clients of the remoting protocol are not held to it, as on the real server.

use super::Persona;
use crate::codec::grpc::proto::MessageType;

/// Which messages a topic takes from producers over gRPC and HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicType {
    /// Normal, FIFO, delay and transactional ones; with persona [`Persona::Loopback`] those with a priority, too.
    Mixed,
    /// Those without anything special.
    Normal,
    /// Those with a message group.
    Fifo,
    /// Those with a delivery time.
    Delay,
    /// Half messages of transactions.
    Transaction,
    /// Those with a priority.
    Priority,
}

/// Every type with its name in the topic's attributes.
const NAMES: [(TopicType, &str); 6] = [
    (TopicType::Mixed, "MIXED"),
    (TopicType::Normal, "NORMAL"),
    (TopicType::Fifo, "FIFO"),
    (TopicType::Delay, "DELAY"),
    (TopicType::Transaction, "TRANSACTION"),
    (TopicType::Priority, "PRIORITY"),
];

impl TopicType {
    /// The name that administration commands use.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }

    /// The type of a name, upper or lower case.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(known, _)| *known)
    }

    /// The type that the attributes of an administration command say: `+message.type=DELAY`, among others.
    pub(crate) fn from_attributes(attributes: &str) -> Option<Self> {
        let mut pairs = attributes.split(',').filter_map(|pair| pair.trim().split_once('='));
        let (_, name) = pairs.find(|(key, _)| *key == "+message.type")?;
        Self::from_name(name)
    }

    /// The types of messages that it takes, as routes tell them.
    pub(crate) fn accepts(self, persona: Persona) -> &'static [MessageType] {
        use MessageType::{Delay, Fifo, Normal, Priority, Transaction};
        match self {
            TopicType::Mixed if persona == Persona::Loopback => &[Normal, Fifo, Delay, Transaction, Priority],
            TopicType::Mixed => &[Normal, Fifo, Delay, Transaction],
            TopicType::Normal => &[Normal],
            TopicType::Fifo => &[Fifo],
            TopicType::Delay => &[Delay],
            TopicType::Transaction => &[Transaction],
            TopicType::Priority => &[Priority],
        }
    }
}
