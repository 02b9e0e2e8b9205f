//! The order of a FIFO group in one queue: messages of a message group form a line, and the next one goes only after
//! all before it were settled. Messages without a message group form one line together. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::in_flight::Past;

/// Messages that wait behind others; no further ones are looked at while there are this many.
const MAX_UNSETTLED: usize = 16_000;

/// No batch has this number: nothing joins it.
const NO_BATCH: u64 = 0;

/// The unsettled messages of a message group, by queue offset.
#[derive(Debug, Default)]
struct Line {
    /// With consumers.
    out: BTreeSet<i64>,
    /// Not with consumers, and how they were delivered so far.
    waiting: BTreeMap<i64, Past>,
    /// The batch that began to hand the line out: more of the line may join it.
    batch: u64,
}

impl Line {
    /// The first message, if it may go: nothing before it is with a consumer.
    fn first_ready(&self) -> Option<i64> {
        let first = *self.waiting.first_key_value()?.0;
        self.out.first().is_none_or(|out| first < *out).then_some(first)
    }

    fn hand_out(&mut self, offset: i64, batch: u64) {
        if self.out.is_empty() {
            self.batch = batch;
        }
        self.out.insert(offset);
    }
}

/// The lines of one group in one queue.
#[derive(Debug)]
pub(crate) struct Lines {
    /// The first message that was not looked at.
    next: i64,
    by_message_group: HashMap<String, Line>,
    unsettled: BTreeSet<i64>,
    /// Lines that may go on, by their first message.
    ready: BTreeMap<i64, String>,
}

impl Lines {
    /// No message before `start` is looked at.
    pub(crate) fn from(start: i64) -> Self {
        Self {
            next: start,
            by_message_group: HashMap::new(),
            unsettled: BTreeSet::new(),
            ready: BTreeMap::new(),
        }
    }

    /// The next message to look at, if there is room for one that has to wait.
    pub(crate) fn next(&self) -> Option<i64> {
        (self.unsettled.len() < MAX_UNSETTLED).then_some(self.next)
    }

    /// The lowest unsettled message: where a consumer without this knowledge has to begin.
    pub(crate) fn floor(&self) -> i64 {
        self.unsettled.first().copied().unwrap_or(self.next)
    }

    /// Whether every message that was looked at is settled.
    pub(crate) fn is_settled(&self) -> bool {
        self.unsettled.is_empty()
    }

    /// Whether a message waits behind others, or was with a consumer before and is not now.
    pub(crate) fn is_waiting(&self, message_group: &str, offset: i64) -> bool {
        let line = self.by_message_group.get(message_group);
        offset >= self.next || line.is_some_and(|line| line.waiting.contains_key(&offset))
    }

    /// The group does not want the message at `next`, or it is not there any more.
    pub(crate) fn skip(&mut self) {
        self.next += 1;
    }

    /// The message at `next` is of this message group: whether it may go with this batch. If not, it waits.
    pub(crate) fn look(&mut self, message_group: &str, batch: u64) -> bool {
        let offset = self.next;
        self.next += 1;
        self.unsettled.insert(offset);
        let line = self.by_message_group.entry(message_group.to_owned()).or_default();
        let goes = line.waiting.is_empty() && (line.out.is_empty() || line.batch == batch);
        if goes {
            line.hand_out(offset, batch);
        } else {
            line.waiting.insert(offset, Past::default());
        }
        goes
    }

    /// Hands out up to `count` messages of the line that has waited longest: its message group, offsets, and how each
    /// was delivered so far. With `again` the messages that were delivered before come again alone: the next of the line
    /// go when these are settled.
    pub(crate) fn take_ready(
        &mut self,
        count: usize,
        batch: u64,
        again: bool,
    ) -> Option<(String, Vec<(i64, Past)>)> {
        let (_, message_group) = self.ready.pop_first()?;
        let line = self.by_message_group.get_mut(&message_group)?;
        let mut taken = Vec::new();
        let end = line.out.first().copied().unwrap_or(i64::MAX);
        let alone = again && line.waiting.first_key_value().is_some_and(|(_, past)| past.times > 0);
        while taken.len() < count
            && let Some(first) = line.waiting.first_entry().filter(|first| *first.key() < end)
            && (!alone || first.get().times > 0)
        {
            let message = first.remove_entry();
            line.hand_out(message.0, if alone { NO_BATCH } else { batch });
            taken.push(message);
        }
        Some((message_group, taken))
    }

    /// A message is done with.
    pub(crate) fn settle(&mut self, message_group: &str, offset: i64) {
        self.change(message_group, |line| line.out.remove(&offset));
        self.unsettled.remove(&offset);
    }

    /// A message is not with its consumer any more, and has to go again.
    pub(crate) fn put_back(&mut self, message_group: &str, offset: i64, past: Past) {
        self.change(message_group, |line| {
            line.out.remove(&offset);
            line.waiting.insert(offset, past);
        });
    }

    fn change<T>(&mut self, message_group: &str, change: impl FnOnce(&mut Line) -> T) {
        let Some(line) = self.by_message_group.get_mut(message_group) else { return };
        if let Some(first) = line.first_ready() {
            self.ready.remove(&first);
        }
        change(line);
        match line.first_ready() {
            Some(first) => _ = self.ready.insert(first, message_group.to_owned()),
            None if line.out.is_empty() => _ = self.by_message_group.remove(message_group),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at messages of these groups and says which go.
    fn look(lines: &mut Lines, groups: &[&str], batch: u64) -> Vec<bool> {
        groups.iter().map(|group| lines.look(group, batch)).collect()
    }

    fn past(times: i32) -> Past {
        Past { times, first_ms: None }
    }

    fn times(taken: Vec<(i64, Past)>) -> Vec<(i64, i32)> {
        taken.into_iter().map(|(offset, past)| (offset, past.times)).collect()
    }

    fn take(lines: &mut Lines, count: usize, batch: u64) -> Vec<(i64, i32)> {
        lines.take_ready(count, batch, false).map_or_else(Vec::new, |(_, taken)| times(taken))
    }

    #[test]
    fn a_line_stops_behind_what_is_out_and_others_go_on() {
        let mut lines = Lines::from(10);
        assert_eq!(look(&mut lines, &["a", "b", "a"], 1), [true, true, true]);
        assert_eq!(look(&mut lines, &["a", "c", "b"], 2), [false, true, false]);
        assert_eq!(take(&mut lines, 9, 3), []);
        lines.settle("a", 10);
        assert_eq!(take(&mut lines, 9, 3), [], "12 is still out");
        lines.settle("a", 12);
        assert_eq!(take(&mut lines, 9, 3), [(13, 0)]);
        assert_eq!(lines.floor(), 11);
        for (group, offset) in [("b", 11), ("c", 14), ("a", 13)] {
            lines.settle(group, offset);
        }
        assert_eq!(take(&mut lines, 9, 4), [(15, 0)]);
        assert!(!lines.is_settled());
        lines.settle("b", 15);
        assert!(lines.is_settled());
        assert_eq!((lines.floor(), lines.next()), (16, Some(16)));
    }

    #[test]
    fn what_comes_back_goes_again_before_the_rest_of_its_line() {
        let mut lines = Lines::from(0);
        look(&mut lines, &["a", "a", "a"], 1);
        lines.put_back("a", 1, past(1));
        assert_eq!(take(&mut lines, 9, 2), [], "0 is before it and still out");
        lines.settle("a", 0);
        assert_eq!(take(&mut lines, 9, 2), [(1, 1)], "2 is behind it and out");
        lines.put_back("a", 2, past(1));
        assert_eq!(take(&mut lines, 9, 3), []);
        assert_eq!(look(&mut lines, &["a"], 3), [false]);
        lines.put_back("a", 1, past(2));
        assert_eq!(take(&mut lines, 2, 4), [(1, 2), (2, 1)]);
        lines.settle("a", 1);
        lines.settle("a", 2);
        assert_eq!(take(&mut lines, 9, 5), [(3, 0)]);
    }

    #[test]
    fn what_comes_again_may_come_alone() {
        let again = |lines: &mut Lines, count, batch| {
            lines.take_ready(count, batch, true).map_or_else(Vec::new, |(_, taken)| times(taken))
        };
        let mut lines = Lines::from(0);
        look(&mut lines, &["a", "a"], 1);
        assert_eq!(look(&mut lines, &["a"], 2), [false]);
        lines.put_back("a", 0, past(1));
        lines.put_back("a", 1, past(1));
        assert_eq!(again(&mut lines, 9, 3), [(0, 1), (1, 1)]);
        assert_eq!(look(&mut lines, &["a"], 3), [false], "a message that comes now does not join either");
        lines.settle("a", 0);
        assert_eq!(again(&mut lines, 9, 4), []);
        lines.settle("a", 1);
        assert_eq!(again(&mut lines, 9, 5), [(2, 0), (3, 0)]);
    }

    #[test]
    fn a_random_history_keeps_every_line_in_order() {
        let mut random = fastrand::Rng::with_seed(11);
        let mut lines = Lines::from(0);
        // By offset: the group, the batch it is out with, and whether it was settled.
        let mut all: Vec<(&str, Option<u64>, bool)> = Vec::new();
        for batch in 1..4000 {
            let mut fresh: Vec<_> =
                take(&mut lines, 3, batch).into_iter().map(|(offset, _)| offset).collect();
            for _ in 0..random.usize(..3) {
                let group = ["a", "b", "c"][random.usize(..3)];
                all.push((group, None, false));
                if lines.look(group, batch) {
                    fresh.push(all.len() as i64 - 1);
                }
            }
            for offset in fresh {
                let (before, rest) = all.split_at_mut(offset as usize);
                let (group, out, settled) = &mut rest[0];
                assert!(out.replace(batch).is_none() && !*settled, "{offset} went twice");
                let passed = before
                    .iter()
                    .find(|(other, out, settled)| other == group && !settled && *out != Some(batch));
                assert_eq!(passed, None, "{offset} overtook");
            }
            for _ in 0..random.usize(..4) {
                let out: Vec<_> = (0..all.len()).filter(|offset| all[*offset].1.is_some()).collect();
                let Some(offset) = random.choice(out) else { break };
                let (group, out, settled) = &mut all[offset];
                *out = None;
                *settled = random.bool();
                if *settled {
                    lines.settle(group, offset as i64);
                } else {
                    lines.put_back(group, offset as i64, past(1));
                }
            }
            let floor = all.iter().position(|(_, _, settled)| !settled).unwrap_or(all.len());
            assert_eq!(lines.floor(), floor as i64);
        }
    }
}
