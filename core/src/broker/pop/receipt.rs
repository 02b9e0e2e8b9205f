//! Receipt handles: which delivery of a message a consumer means when it settles it. Clients never look inside.

/// One delivery of a message to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Number of the delivery. Every delivery and every change of an invisible time has its own.
    pub(crate) number: u64,
    /// When the invisible time began, Unix ms.
    pub(crate) since_ms: i64,
    pub(crate) invisible_ms: i64,
    /// Whether the message was read from the retry topic of the group.
    pub(crate) retried: bool,
    /// Whether the invisible time was changed since the message was received.
    pub(crate) changed: bool,
    pub(crate) queue_id: i32,
    pub(crate) queue_offset: i64,
    pub(crate) commit_log_offset: i64,
}

/// Why a handle settles nothing, for clients that are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandleFault {
    #[error("the receipt handle is none of this broker, topic and group")]
    Unknown,
    #[error("the receipt handle has expired")]
    Expired,
    #[error("the receipt handle was replaced by a later one of the same message")]
    Replaced,
    #[error("there is nothing left to settle: the message was settled before")]
    Gone,
}

impl Receipt {
    /// What a handle says, if it is one of the broker `broker`.
    pub(crate) fn of(handle: &str, broker: &str) -> Result<Self, HandleFault> {
        let receipt = Self::parse(handle).filter(|(_, named)| *named == broker);
        receipt.map(|(receipt, _)| receipt).ok_or(HandleFault::Unknown)
    }

    /// When the handle expires, unless the broker renews it.
    pub(crate) fn ends_ms(&self) -> i64 {
        self.since_ms.saturating_add(self.invisible_ms)
    }

    /// The text for clients of the broker `broker`: nine parts as from the real server, one more after a change. The
    /// fourth is the number of the delivery, where real servers name the queue of their timers.
    pub(crate) fn handle(&self, broker: &str) -> String {
        let Self { number, since_ms, invisible_ms, queue_id, queue_offset, commit_log_offset, .. } = self;
        let (retried, changed) = (u8::from(self.retried), if self.changed { "0 " } else { "" });
        format!(
            "{queue_offset} {since_ms} {invisible_ms} {number} {retried} {broker} {queue_id} {queue_offset} \
             {changed}{commit_log_offset}"
        )
    }

    /// Reads a handle: the receipt, and the broker that it names.
    pub(crate) fn parse(handle: &str) -> Option<(Self, &str)> {
        let parts: Vec<_> = handle.split(' ').collect();
        let (head, changed, last) = match parts[..] {
            [ref head @ .., last] if head.len() == 8 => (head, false, last),
            [ref head @ .., _, last] if head.len() == 8 => (head, true, last),
            _ => return None,
        };
        let [_, since, invisible, number, retried, broker, queue, offset] = head else { return None };
        let receipt = Self {
            number: number.parse().ok()?,
            since_ms: since.parse().ok()?,
            invisible_ms: invisible.parse().ok()?,
            retried: retried.parse::<u8>().ok()? != 0,
            changed,
            queue_id: queue.parse().ok()?,
            queue_offset: offset.parse().ok()?,
            commit_log_offset: last.parse().ok()?,
        };
        Some((receipt, *broker))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Receipt = Receipt {
        number: 7,
        since_ms: 1_795_229_547_177,
        invisible_ms: 15_000,
        retried: false,
        changed: false,
        queue_id: 1,
        queue_offset: 3,
        commit_log_offset: 900,
    };

    #[test]
    fn handles_have_the_parts_of_the_real_server() {
        assert_eq!(FIRST.handle("bw"), "3 1795229547177 15000 7 0 bw 1 3 900");
        let changed = Receipt { changed: true, retried: true, ..FIRST };
        assert_eq!(changed.handle("bw"), "3 1795229547177 15000 7 1 bw 1 3 0 900");
        for receipt in [FIRST, changed] {
            assert_eq!(Receipt::parse(&receipt.handle("bw")), Some((receipt, "bw")));
        }
        assert_eq!(FIRST.ends_ms(), 1_795_229_562_177);
    }

    #[test]
    fn garbage_is_no_handle() {
        for garbage in
            ["", "garbage-handle", "0 1 2 3 4 b 6 7", "0 1 2 3 0 b 6 7 8 9 10", "0 x 2 3 0 b 6 7 8"]
        {
            assert_eq!(Receipt::parse(garbage), None, "{garbage:?}");
        }
    }
}
