//! The commit log: every stored record, one after the other, in memory. A record's offset is its position since the
//! first byte ever written; the oldest segment is dropped when the log is larger than its cap.

use std::collections::VecDeque;

/// Room of a segment; a larger record gets one of its own size.
const SEGMENT_BYTES: usize = 1 << 20;

#[derive(Debug)]
struct Segment {
    start: i64,
    bytes: Vec<u8>,
}

/// The records, by commit-log offset.
#[derive(Debug)]
pub(crate) struct CommitLog {
    segments: VecDeque<Segment>,
    end: i64,
    cap: usize,
    held: usize,
}

impl CommitLog {
    /// An empty log that keeps about `cap` bytes.
    pub(crate) fn new(cap: usize) -> Self {
        Self { segments: VecDeque::new(), end: 0, cap, held: 0 }
    }

    /// Offset of the oldest record that is still there.
    pub(crate) fn start(&self) -> i64 {
        self.segments.front().map_or(self.end, |segment| segment.start)
    }

    /// Offset that the next record gets.
    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    /// Appends a record; whether the oldest ones were dropped for it.
    pub(crate) fn append(&mut self, record: &[u8]) -> bool {
        let fits = |segment: &Segment| segment.bytes.capacity() - segment.bytes.len() >= record.len();
        if !self.segments.back().is_some_and(fits) {
            let bytes = Vec::with_capacity(record.len().max(SEGMENT_BYTES));
            self.held += bytes.capacity();
            self.segments.push_back(Segment { start: self.end, bytes });
        }
        if let Some(segment) = self.segments.back_mut() {
            segment.bytes.extend_from_slice(record);
        }
        self.end += record.len() as i64;
        self.drop_oldest()
    }

    fn drop_oldest(&mut self) -> bool {
        let before = self.segments.len();
        while self.held > self.cap && self.segments.len() > 1 {
            if let Some(segment) = self.segments.pop_front() {
                self.held -= segment.bytes.capacity();
            }
        }
        self.segments.len() < before
    }

    /// The record at `offset`; `None` where no record starts or it was dropped.
    pub(crate) fn get(&self, offset: i64) -> Option<&[u8]> {
        let after = self.segments.partition_point(|segment| segment.start <= offset);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        let rest = segment.bytes.get(usize::try_from(offset - segment.start).ok()?..)?;
        let (length, _) = rest.split_first_chunk::<4>()?;
        rest.get(..u32::from_be_bytes(*length) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(length: usize, fill: u8) -> Vec<u8> {
        let mut record = vec![fill; length];
        record[..4].copy_from_slice(&(length as u32).to_be_bytes());
        record
    }

    #[test]
    fn records_are_found_by_offset_across_segments() {
        let mut log = CommitLog::new(usize::MAX);
        let sizes = [10, SEGMENT_BYTES - 20, 30, 3 * SEGMENT_BYTES, 7];
        let mut offsets = Vec::new();
        for (fill, size) in sizes.into_iter().enumerate() {
            offsets.push(log.end());
            log.append(&record(size, fill as u8));
        }
        for ((offset, size), fill) in offsets.into_iter().zip(sizes).zip(0..) {
            let found = log.get(offset).unwrap();
            assert_eq!(found.len(), size);
            assert!(found[4..].iter().all(|byte| *byte == fill));
        }
        assert_eq!(log.get(log.end()), None);
        assert_eq!(log.get(-1), None);
    }

    #[test]
    fn the_oldest_records_make_room() {
        let mut log = CommitLog::new(4 * SEGMENT_BYTES);
        for fill in 0..10 {
            log.append(&record(SEGMENT_BYTES, fill));
        }
        assert_eq!(log.start(), 6 * SEGMENT_BYTES as i64);
        assert_eq!(log.get(0), None);
        assert!(log.get(log.start()).is_some());
    }
}
