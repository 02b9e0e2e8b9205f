//! How far each group has come in each queue.

use std::collections::HashMap;

/// Consumer offsets by group, topic and queue.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    by_group: HashMap<String, HashMap<String, Vec<Option<i64>>>>,
    /// Set by an administrator, and not known to the consumers yet.
    resets: HashMap<(String, String, i32), i64>,
}

impl Offsets {
    /// The stored offset; `None` when the group never stored one for this queue.
    pub(crate) fn get(&self, group: &str, topic: &str, queue: i32) -> Option<i64> {
        *self.by_group.get(group)?.get(topic)?.get(usize::try_from(queue).ok()?)?
    }

    /// Stores an offset, also a smaller one than before.
    pub(crate) fn set(&mut self, group: &str, topic: &str, queue: i32, offset: i64) {
        let Ok(queue) = usize::try_from(queue) else { return };
        if !self.by_group.contains_key(group) {
            self.by_group.insert(group.to_owned(), HashMap::new());
        }
        let Some(topics) = self.by_group.get_mut(group) else { return };
        if !topics.contains_key(topic) {
            topics.insert(topic.to_owned(), Vec::new());
        }
        let Some(queues) = topics.get_mut(topic) else { return };
        if queues.len() <= queue {
            queues.resize(queue + 1, None);
        }
        queues[queue] = Some(offset);
    }

    /// Sends the group to `offset`: its next pull from the queue is told.
    pub(crate) fn reset(&mut self, group: &str, topic: &str, queue: i32, offset: i64) {
        self.set(group, topic, queue, offset);
        self.resets.insert((group.to_owned(), topic.to_owned(), queue), offset);
    }

    /// The offset that an administrator set, once.
    pub(crate) fn take_reset(&mut self, group: &str, topic: &str, queue: i32) -> Option<i64> {
        if self.resets.is_empty() {
            return None;
        }
        self.resets.remove(&(group.to_owned(), topic.to_owned(), queue))
    }

    /// Forgets what a deleted group stored.
    pub(crate) fn remove_group(&mut self, group: &str) {
        self.by_group.remove(group);
    }

    /// Forgets what was stored for a deleted topic.
    pub(crate) fn remove_topic(&mut self, topic: &str) {
        self.by_group.values_mut().for_each(|topics| _ = topics.remove(topic));
    }
}
