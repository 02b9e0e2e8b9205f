//! Who of a group consumes which queues: by average, as every RocketMQ client computes it.

use crate::message::MessageQueue;

/// The part of `queues` that `member` gets when all `members` share. Both lists must be sorted: every member computes
/// its own part from the same lists. Empty if `member` is not in the list.
pub(super) fn by_average<'a>(
    queues: &'a [MessageQueue],
    members: &[String],
    member: &str,
) -> &'a [MessageQueue] {
    let Some(index) = members.iter().position(|m| m == member) else { return &[] };
    let (each, rest) = (queues.len() / members.len(), queues.len() % members.len());
    // The first `rest` members take one queue more.
    let size = each + usize::from(index < rest);
    let start = index * each + index.min(rest);
    &queues[start..start + size]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues(count: i32) -> Vec<MessageQueue> {
        (0..count).map(|id| MessageQueue { topic: "T".into(), broker: "b".into(), id }).collect()
    }

    #[test]
    fn every_queue_goes_to_exactly_one_member() {
        for count in 0..20 {
            for size in 1..9 {
                let (queues, members) =
                    (queues(count), (0..size).map(|m| format!("m{m}")).collect::<Vec<_>>());
                let parts: Vec<_> = members.iter().map(|m| by_average(&queues, &members, m)).collect();
                assert_eq!(parts.concat(), queues);
                let sizes = parts.iter().map(|p| p.len());
                assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1);
            }
        }
    }

    #[test]
    fn a_stranger_gets_nothing() {
        assert!(by_average(&queues(4), &["a".into()], "b").is_empty());
        assert!(by_average(&queues(4), &[], "b").is_empty());
    }
}
