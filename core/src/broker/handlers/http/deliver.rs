//! From stored messages to those of the protocol.

use std::borrow::Cow;

use bytes::Bytes;

use super::call::Call;
use crate::broker::pop::Delivery;
use crate::broker::transactions;
use crate::codec::grpc::reserved::is_reserved;
use crate::codec::http::{Delivered, fit, properties as text};
use crate::codec::remoting::compression::{MAX_DECOMPRESSED_BYTES, decompress, inflate};
use crate::codec::remoting::record::{StoredMessage, sys_flag};
use crate::message::{Properties, properties};

/// The message of a delivery, with the handle that settles it. A body that is no text is shown as far as it can be, and
/// its digest tells.
pub(super) fn delivered(call: &Call<'_>, delivery: Delivery) -> Delivered {
    let Delivery { message, receipt, attempt, first_ms } = delivery;
    let all = &message.properties;
    let id = all.get(properties::UNIQ_KEY).map(Cow::Borrowed);
    let body = body(&message);
    Delivered {
        message_id: fit(&id.unwrap_or_else(|| message.offset_message_id().to_string().into())).into_owned(),
        handle: receipt.handle(&call.node.name),
        body_md5: call.body_md5(&body),
        body: fit(&String::from_utf8_lossy(&body)).into_owned(),
        published_ms: message.born_timestamp,
        next_consume_ms: receipt.ends_ms(),
        first_consume_ms: first_ms,
        consumed_times: attempt,
        tag: fit(all.get(properties::TAGS).unwrap_or_default()).into_owned(),
        properties: shown(all),
    }
}

/// The body as its producer had it: this protocol knows no compression. One that cannot be decompressed stays as it is.
fn body(message: &StoredMessage) -> Bytes {
    let StoredMessage { body, sys_flag, .. } = message;
    if sys_flag & sys_flag::COMPRESSED == 0 {
        return body.clone();
    }
    // The flags of producers over gRPC say no format.
    let plain = decompress(body, *sys_flag, MAX_DECOMPRESSED_BYTES);
    plain.or_else(|_| inflate(body, MAX_DECOMPRESSED_BYTES)).map_or_else(|_| body.clone(), Bytes::from)
}

/// The text of what consumers see: the properties of the user, and the few of RocketMQ's own that this protocol has,
/// under the names it has for them.
fn shown(all: &Properties) -> String {
    const CARRIED: [&str; 2] = [properties::KEYS, properties::SHARDING_KEY];
    let is_shown = |name: &str| match name {
        transactions::TRANSACTION_ID => false,
        name => CARRIED.contains(&name) || !is_reserved(name),
    };
    let deliver_at = all.deliver_at_ms().map(|at| at.to_string());
    let deliver_at = deliver_at.as_deref().map(|at| (properties::START_DELIVER_TIME, at));
    text::encode_lossy(all.iter().filter(|(name, _)| is_shown(name)).chain(deliver_at))
}
