//! What travels: a [`Message`] on its way out, a [`MessageView`] on its way in, and the one rule for delivery times.

mod delivery;
mod id;
mod outgoing;
pub mod properties;
mod view;

pub use delivery::{BeyondPolicy, DELAY_LEVELS, DelayLimits, DeliveryTime, PastPolicy, Schedule, ServerKind};
pub use id::{OffsetMessageId, UniqueIdGenerator};
pub use outgoing::{MAX_BODY_BYTES, Message};
pub(crate) use outgoing::{check_group, check_topic};
pub use properties::Properties;
pub use view::{MessageQueue, MessageView};
