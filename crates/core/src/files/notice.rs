//! Notifies the applications: after the commit, at least once for each generation. A failed notification is retried
//! by itself, and never causes another read.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::interface::ids::NotifierId;
use crate::interface::policy::NotifierPolicy;
use crate::interface::view::NotifierView;
use crate::tools::dice::{Dice, number, pause};
use leasehold_base::time::Moment;

/// The first pause after a failure.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause after a failure.
const MOST: Duration = Duration::from_secs(60);
/// How long after the first generation an application may start, for instance because it waits for our readiness.
const NOT_YET: Duration = Duration::from_secs(60);

/// A reader that goes on with what a file was made of, until it is notified of the file's next content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reader {
    /// The application behind this notifier.
    Notifier(NotifierId),
    /// The process of `exec` with the variables that it was started with. Nothing notifies it of other values.
    Started,
}

/// Readers that are still to be notified, each of what was published at a moment.
#[derive(Debug, Default)]
pub(crate) struct Unaware(BTreeMap<Reader, Moment>);

impl Unaware {
    /// Adds readers of what was published now. One that is there already has to hear of this, too.
    pub(crate) fn add(&mut self, readers: impl IntoIterator<Item = Reader>, now: Moment) {
        for reader in readers {
            let since = self.0.entry(reader).or_insert(now);
            *since = now.max(*since);
        }
    }

    /// Records that a notifier knows of everything that was published up to `until`. Returns whether it was one of these
    /// readers and is none any more.
    pub(crate) fn told(&mut self, notifier: NotifierId, until: Moment) -> bool {
        let reader = Reader::Notifier(notifier);
        let covered = self.0.get(&reader).is_some_and(|since| *since <= until);
        covered && self.0.remove(&reader).is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// All notifiers, by [`NotifierId`].
#[derive(Debug)]
pub(crate) struct Notices {
    all: Vec<Notice>,
    dice: Dice,
}

#[derive(Debug)]
struct Notice {
    name: String,
    splay: Duration,
    on_first: bool,
    /// Until when it may not have started yet: it has never had anything to be notified of.
    expected: Option<Moment>,
    stage: Stage,
    tries: u32,
    draws: u64,
    told: Option<Moment>,
    /// When the notification under way began, or the last one: it covers everything that was published by then.
    began: Moment,
    /// It knows of everything up to this moment. `None` if an earlier run left it without a notification.
    knows: Option<Moment>,
    error: Option<String>,
    sent: u64,
    failed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It knows of the newest generation.
    Told,
    /// A notification is under way; `again` if there is a newer generation since.
    Telling { again: bool },
    /// It waits for the next try, which also covers newer generations.
    Waiting,
}

/// What the engine does when a notification has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum After {
    /// It knows of everything.
    Told,
    /// Notify it again, now. It knows of what was published up to this moment, and there is more since.
    Again { knows: Moment },
    /// The notification failed: retry at this moment.
    Retry { at: Moment, news: News },
}

/// What the log says about a notification that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// The failure is known.
    No,
    /// The application may only not have started yet.
    NotYet,
    /// The application should have been notified.
    Failed,
}

impl Notices {
    pub(crate) fn new(policy: &[NotifierPolicy], dice: Dice) -> Self {
        let all = policy.iter().map(|notifier| Notice {
            name: notifier.name.clone(),
            splay: notifier.splay,
            on_first: notifier.on_first,
            expected: None,
            stage: Stage::Told,
            tries: 0,
            draws: 0,
            told: None,
            began: Moment::default(),
            knows: Some(Moment::default()),
            error: None,
            sent: 0,
            failed: 0,
        });
        Self { all: all.collect(), dice }
    }

    /// Records a new generation for `id`. Returns the delay of its notification, if it is notified now.
    pub(crate) fn publish(&mut self, id: NotifierId, now: Moment) -> Option<Duration> {
        let notice = &mut self.all[id.0];
        match notice.stage {
            Stage::Told => Some(self.tell(id, now)),
            Stage::Telling { .. } => {
                notice.stage = Stage::Telling { again: true };
                None
            }
            Stage::Waiting => None,
        }
    }

    /// Records a first generation for `id`, which no reader can have missed. Returns the delay of its notification,
    /// if it is to be notified: it may start only once we are ready.
    pub(crate) fn publish_first(&mut self, id: NotifierId, now: Moment) -> Option<Duration> {
        let notice = &mut self.all[id.0];
        if !notice.on_first && notice.stage == Stage::Told {
            return None;
        }
        notice.expected = Some(now.after(NOT_YET));
        self.publish(id, now)
    }

    /// Starts its notification. Returns the delay, drawn from its splay.
    pub(crate) fn tell(&mut self, id: NotifierId, now: Moment) -> Duration {
        let notice = &mut self.all[id.0];
        notice.stage = Stage::Telling { again: false };
        notice.began = now;
        notice.draws += 1;
        self.dice.between(Duration::ZERO, notice.splay, number(&notice.name), notice.draws)
    }

    /// Records that it is about to see everything that is published, whatever came since its last notification.
    pub(crate) fn catch_up(&mut self, id: NotifierId, now: Moment) {
        let notice = &mut self.all[id.0];
        notice.stage = Stage::Telling { again: false };
        notice.began = now;
    }

    /// Records that it starts at `now`, with everything that is published.
    pub(crate) fn begin(&mut self, id: NotifierId, now: Moment) {
        self.all[id.0].knows = Some(now);
    }

    /// Returns whether it was not notified of a file that this run last `changed` on disk, if it did.
    pub(crate) fn lacks(&self, id: NotifierId, changed: Option<Moment>) -> bool {
        let notice = &self.all[id.0];
        let is_news = |knows| changed.is_some_and(|at| at > knows);
        notice.stage != Stage::Told && notice.knows.is_none_or(is_news)
    }

    /// Records the outcome of a notification.
    pub(crate) fn told(&mut self, id: NotifierId, result: Result<(), String>, now: Moment) -> After {
        let dice = self.dice;
        let notice = &mut self.all[id.0];
        match result {
            Ok(()) => {
                notice.told = Some(now);
                notice.sent += 1;
                notice.tries = 0;
                notice.error = None;
                notice.expected = None;
                if notice.stage == (Stage::Telling { again: true }) {
                    notice.knows = notice.knows.max(Some(notice.began));
                    return After::Again { knows: notice.began };
                }
                notice.stage = Stage::Told;
                notice.knows = Some(now);
                After::Told
            }
            Err(why) => {
                let early = notice.expected.is_some_and(|until| now < until);
                let late = notice.expected.take_if(|until| now >= *until).is_some();
                let news = match notice.error.as_ref() != Some(&why) {
                    true if early => News::NotYet,
                    first if first || late => News::Failed,
                    _ => News::No,
                };
                notice.failed += 1;
                notice.tries = notice.tries.saturating_add(1);
                notice.draws += 1;
                notice.error = Some(why);
                notice.stage = Stage::Waiting;
                let draw = dice.draw(number(&notice.name), notice.draws);
                After::Retry { at: now.after(pause(notice.tries, FIRST, MOST, draw)), news }
            }
        }
    }

    /// Records that an earlier run left it without a notification.
    pub(crate) fn owe(&mut self, id: NotifierId) {
        let notice = &mut self.all[id.0];
        notice.stage = Stage::Waiting;
        notice.knows = None;
    }

    /// Returns whether it does not know of everything.
    pub(crate) fn is_owed(&self, id: NotifierId) -> bool {
        self.all[id.0].stage != Stage::Told
    }

    /// Returns whether it has to be notified and no notification is under way.
    pub(crate) fn is_waiting(&self, id: NotifierId) -> bool {
        self.all[id.0].stage == Stage::Waiting
    }

    /// Returns why its last notification failed.
    pub(crate) fn error(&self, id: NotifierId) -> Option<&str> {
        self.all[id.0].error.as_deref()
    }

    /// Returns the names of those that do not know of everything.
    pub(crate) fn owed(&self) -> impl Iterator<Item = &str> {
        self.all.iter().filter(|notice| notice.stage != Stage::Told).map(|notice| notice.name.as_str())
    }

    /// Returns its name, for messages.
    pub(crate) fn name(&self, id: NotifierId) -> &str {
        &self.all[id.0].name
    }

    /// Returns what is shown of them.
    pub(crate) fn view(&self) -> Vec<NotifierView> {
        let view = |notice: &Notice| NotifierView {
            name: notice.name.clone(),
            told: notice.told,
            error: notice.error.clone(),
            sent: notice.sent,
            failed: notice.failed,
        };
        self.all.iter().map(view).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: NotifierId = NotifierId(0);

    fn notices(splay: u64) -> Notices {
        let policy =
            NotifierPolicy { name: "nginx".into(), splay: Duration::from_secs(splay), on_first: true };
        Notices::new(&[policy], Dice::new(3))
    }

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    #[test]
    fn a_generation_that_comes_while_telling_is_told_after() {
        let mut notices = notices(0);
        assert_eq!(notices.publish(ID, at(0)), Some(Duration::ZERO));
        assert_eq!(notices.publish(ID, at(0)), None);
        assert_eq!(notices.publish(ID, at(0)), None);
        assert_eq!(notices.told(ID, Ok(()), at(1)), After::Again { knows: at(0) });
        notices.tell(ID, at(1));
        assert_eq!(notices.told(ID, Ok(()), at(2)), After::Told, "the two were told as one");
        assert!(notices.publish(ID, at(0)).is_some(), "the next generation is news again");
    }

    #[test]
    fn a_failing_notifier_is_tried_again_by_itself_less_and_less_often() {
        let mut notices = notices(0);
        notices.publish(ID, at(0));
        let mut now = at(0);
        for round in 0..10_u32 {
            let After::Retry { at, news } = notices.told(ID, Err("no such process".into()), now) else {
                panic!("it failed");
            };
            let expected = if round == 0 { News::Failed } else { News::No };
            assert_eq!(news, expected, "the same failure is news once");
            assert!(now.until(at) >= FIRST.mul_f64(0.9) && now.until(at) <= MOST);
            assert_eq!(notices.publish(ID, now), None, "a newer generation waits for the retry");
            notices.tell(ID, now);
            now = at;
        }
        assert_eq!(notices.told(ID, Ok(()), now), After::Told);
        assert_eq!(notices.view()[0].error, None);
    }

    #[test]
    fn the_delay_is_drawn_from_the_splay() {
        let mut notices = notices(5);
        let delay = notices.publish(ID, at(0)).expect("it is told now");
        assert!(delay < Duration::from_secs(5) && !delay.is_zero(), "{delay:?}");
    }
}
