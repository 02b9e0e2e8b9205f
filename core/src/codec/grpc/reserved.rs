//! Properties that are not the user's: they have fields of their own in the protocol, or are the servers' business.

use crate::message::properties;

/// Names that servers use beside those of [`properties`].
const OF_SERVERS: [&str; 27] = [
    "ARRIVE_TIME",
    "BORN_TIMESTAMP",
    "BUYER_ID",
    "CONSUME_START_TIME",
    "CORRECTION_FLAG",
    "CORRELATION_ID",
    "EXTEND_UNIQ_INFO",
    "MQ2_FLAG",
    "MSG_TYPE",
    "INNER_MULTI_DISPATCH",
    "INNER_MULTI_QUEUE_OFFSET",
    "POP_CK",
    "PUSH_REPLY_TIME",
    "REPLY_TO_CLIENT",
    "TIMER_DELAY_LEVEL",
    "TIMER_DEL_UNIQKEY",
    "TIMER_DEQUEUE_MS",
    "TIMER_ENQUEUE_MS",
    "TIMER_ROLL_TIMES",
    "TRANSFER_FLAG",
    "TTL",
    "_INNER_NUM",
    "__BORNHOST",
    "__CRC32#",
    "__LITE_TOPIC",
    "POP_CK_OFFSET",
    "TRACE_CONTEXT",
];

/// The names in [`properties`] that travel in fields, or not at all.
const OF_MESSAGES: [&str; 29] = [
    properties::KEYS,
    properties::TAGS,
    properties::WAIT,
    properties::DELAY,
    properties::UNIQ_KEY,
    properties::START_DELIVER_TIME,
    properties::TIMER_DELIVER_MS,
    properties::TIMER_DELAY_MS,
    properties::TIMER_DELAY_SEC,
    properties::TIMER_OUT_MS,
    properties::FIRST_POP_TIME,
    properties::RETRY_TOPIC,
    properties::ORIGIN_MESSAGE_ID,
    properties::RECONSUME_TIME,
    properties::MAX_RECONSUME_TIMES,
    properties::REAL_TOPIC,
    properties::REAL_QID,
    properties::MIN_OFFSET,
    properties::MAX_OFFSET,
    properties::TRAN_MSG,
    properties::PGROUP,
    properties::INSTANCE_ID,
    properties::MSG_REGION,
    properties::TRACE_ON,
    properties::CLUSTER,
    properties::DLQ_ORIGIN_TOPIC,
    properties::DLQ_ORIGIN_MESSAGE_ID,
    properties::PRIORITY,
    properties::SHARDING_KEY,
];

/// Whether a property of this name cannot be a user's property.
pub fn is_reserved(name: &str) -> bool {
    OF_MESSAGES.contains(&name) || OF_SERVERS.contains(&name)
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_of_users_are_theirs() {
        assert!(["TAGS", "TIMER_DELIVER_MS", "__BORNHOST"].into_iter().all(super::is_reserved));
        // Users see what the real server adds to half messages.
        assert!(!["colour", "tags", "__transactionId__", ""].into_iter().any(super::is_reserved));
    }
}
