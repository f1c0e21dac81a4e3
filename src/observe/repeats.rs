//! The same trouble, said once in a while.

use std::collections::BTreeMap;
use std::time::Duration;

use leasehold_base::time::Moment;

/// The most lines that are told apart at a time.
const MAX_LINES: usize = 1024;

/// Holds back lines that were said already. Pure: time comes in.
#[derive(Debug)]
pub struct Repeats {
    every: Duration,
    said: BTreeMap<String, Said>,
}

#[derive(Debug, Clone, Copy)]
struct Said {
    at: Moment,
    held_back: u64,
}

impl Repeats {
    /// Lets the same line through at most once in `every`.
    #[must_use]
    pub fn new(every: Duration) -> Self {
        Self { every, said: BTreeMap::new() }
    }

    /// Returns whether to log `line` now: `Some` with the number of times that it was held back since it was logged
    /// last, or `None` if it is to be held back.
    pub fn say(&mut self, line: &str, now: Moment) -> Option<u64> {
        if let Some(said) = self.said.get_mut(line) {
            if said.at.until(now) < self.every {
                said.held_back += 1;
                return None;
            }
            let held_back = said.held_back;
            *said = Said { at: now, held_back: 0 };
            return Some(held_back);
        }
        if self.said.len() >= MAX_LINES {
            let every = self.every;
            self.said.retain(|_, said| said.at.until(now) < every);
        }
        // With a thousand lines in one interval, saying all of the others is better than
        // forgetting some: memory stays bounded, and the log says that something is badly wrong.
        if self.said.len() < MAX_LINES {
            self.said.insert(line.to_owned(), Said { at: now, held_back: 0 });
        }
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    #[test]
    fn a_repeat_is_held_back_until_the_interval_is_over_and_then_counted() {
        let mut repeats = Repeats::new(Duration::from_secs(60));
        assert_eq!(repeats.say("denied", at(0)), Some(0));
        assert_eq!(repeats.say("denied", at(1)), None);
        assert_eq!(repeats.say("denied", at(59)), None);
        assert_eq!(repeats.say("denied", at(60)), Some(2));
        assert_eq!(repeats.say("denied", at(61)), None);
        assert_eq!(repeats.say("denied", at(200)), Some(1));
    }

    #[test]
    fn other_lines_are_not_held_back() {
        let mut repeats = Repeats::new(Duration::from_secs(60));
        assert_eq!(repeats.say("a", at(0)), Some(0));
        assert_eq!(repeats.say("b", at(0)), Some(0));
    }

    #[test]
    fn memory_stays_bounded_and_old_lines_make_room() {
        let mut repeats = Repeats::new(Duration::from_secs(60));
        for line in 0..5000 {
            assert_eq!(repeats.say(&line.to_string(), at(0)), Some(0));
        }
        assert_eq!(repeats.said.len(), MAX_LINES);
        assert_eq!(repeats.say("new", at(60)), Some(0));
        assert_eq!(repeats.said.len(), 1);
        assert_eq!(repeats.say("new", at(61)), None);
    }
}
