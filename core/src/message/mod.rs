//! What travels: a [`Message`] on its way out, a [`MessageView`] on its way in, and the one rule for delivery times.

mod delivery;
mod id;
mod outgoing;
pub mod properties;
pub(crate) mod text_body;
mod view;

pub use delivery::{BeyondPolicy, DELAY_LEVELS, DelayLimits, DeliveryTime, PastPolicy, Schedule, ServerKind};
pub use id::{OffsetMessageId, UniqueIdGenerator};
pub use outgoing::{MAX_BODY_BYTES, Message};
pub(crate) use outgoing::{check_group, check_topic};
pub use properties::Properties;
pub use view::{MessageQueue, MessageView};

/// Before the name of a consumer group: the topic its failed messages come again through.
pub(crate) const RETRY_PREFIX: &str = "%RETRY%";
/// Before the name of a consumer group: the topic of the messages it has given up.
pub(crate) const DLQ_PREFIX: &str = "%DLQ%";
