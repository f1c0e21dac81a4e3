//! A timer on the boot clock.
//!
//! tokio's own timers stand still while the machine is suspended, and a lease does not. This timer is armed to the
//! core's next deadline. If the deadline passed in the meantime, it fires on waking.

use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use leasehold_base::time::Moment;

/// A timer that is armed to one moment, or to none.
#[derive(Debug)]
pub struct Timer {
    descriptor: AsyncFd<OwnedFd>,
    /// The moment that it is armed to, as long as it has not fired.
    armed: Cell<Option<Option<Moment>>>,
}

impl Timer {
    /// Makes a timer that is not armed. It must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The kernel's, if it has no descriptors left.
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let descriptor = timerfd_create(TimerfdClockId::Boottime, flags)?;
        // The constructor that replaces this one is `unsafe`, because the descriptor of some types may change under
        // tokio's feet. An `OwnedFd` keeps what it asks for by itself.
        #[expect(deprecated, reason = "its replacement is unsafe, and an OwnedFd cannot break its promise")]
        let descriptor = AsyncFd::with_interest(descriptor, Interest::READABLE)?;
        Ok(Self { descriptor, armed: Cell::new(None) })
    }

    /// Arms it to `at` instead of what it was armed to; a moment that has passed fires at once.
    /// `None` disarms it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn arm(&self, at: Option<Moment>) -> io::Result<()> {
        if self.armed.get() == Some(at) {
            // As after most events.
            return Ok(());
        }
        self.armed.set(None);
        let value = at.map_or(ZERO, timespec);
        let once = Itimerspec { it_interval: ZERO, it_value: value };
        timerfd_settime(self.descriptor.get_ref(), TimerfdTimerFlags::ABSTIME, &once)?;
        self.armed.set(Some(at));
        Ok(())
    }

    /// Returns once when the moment that the timer is armed to has come, and then not before it is armed again. It
    /// can be dropped and called again without losing anything.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn elapsed(&self) -> io::Result<()> {
        loop {
            let mut ready = self.descriptor.readable().await?;
            let mut expirations = [0_u8; 8];
            let read = ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut expirations)?));
            // The timer is not ready after all: it was armed again between the wake-up and the read.
            if let Ok(result) = read {
                self.armed.set(None);
                return result.map(drop);
            }
        }
    }
}

const ZERO: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// Returns the moment as the kernel takes it. Zero would disarm the timer, so the moment of the boot itself is 1 ns
/// later.
fn timespec(at: Moment) -> Timespec {
    let since_boot = at.since_boot();
    Timespec {
        tv_sec: i64::try_from(since_boot.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(since_boot.subsec_nanos()).max(i64::from(since_boot.is_zero())),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::observe::clock;

    const LONG: Duration = Duration::from_secs(3600);

    async fn pending(timer: &Timer) -> bool {
        tokio::select! {
            biased;
            _ = timer.elapsed() => false,
            // Lets the runtime look at its descriptors once.
            () = tokio::time::sleep(Duration::from_millis(1)) => true,
        }
    }

    #[tokio::test]
    async fn it_fires_at_its_moment_and_not_before() {
        let timer = Timer::new().expect("a timer");
        let at = clock::moment().after(Duration::from_millis(30));
        timer.arm(Some(at)).expect("armed");
        timer.elapsed().await.expect("fires");
        assert!(clock::moment() >= at);
        assert!(pending(&timer).await, "it fires once");
    }

    #[tokio::test]
    async fn armed_again_to_the_same_moment_it_fires_again() {
        let timer = Timer::new().expect("a timer");
        let at = Some(clock::moment());
        for _ in 0..2 {
            timer.arm(at).expect("armed");
            timer.arm(at).expect("armed");
            timer.elapsed().await.expect("fires");
        }
        assert!(pending(&timer).await, "it was not armed since");
    }

    #[tokio::test]
    async fn a_moment_that_has_passed_fires_at_once() {
        let timer = Timer::new().expect("a timer");
        for at in [Moment::default(), clock::moment()] {
            timer.arm(Some(at)).expect("armed");
            timer.elapsed().await.expect("fires");
        }
    }

    #[tokio::test]
    async fn arming_to_an_earlier_moment_wakes_who_waits_already() {
        let timer = Timer::new().expect("a timer");
        timer.arm(Some(clock::moment().after(LONG))).expect("armed");
        let sooner = async {
            tokio::task::yield_now().await;
            timer.arm(Some(clock::moment().after(Duration::from_millis(5)))).expect("armed");
        };
        let (fired, ()) = tokio::join!(timer.elapsed(), sooner);
        fired.expect("fires");
    }

    #[tokio::test]
    async fn arming_to_a_later_moment_takes_back_one_that_nobody_saw() {
        let timer = Timer::new().expect("a timer");
        timer.arm(Some(clock::moment())).expect("armed");
        timer.descriptor.readable().await.expect("has fired").retain_ready();
        timer.arm(Some(clock::moment().after(LONG))).expect("armed");
        assert!(pending(&timer).await);
    }

    #[tokio::test]
    async fn disarmed_or_armed_to_the_end_of_time_it_does_not_fire() {
        let timer = Timer::new().expect("a timer");
        assert!(pending(&timer).await);
        timer.arm(Some(clock::moment())).expect("armed");
        timer.arm(None).expect("disarmed");
        assert!(pending(&timer).await);
        timer.arm(Some(Moment::new(Duration::MAX))).expect("armed");
        assert!(pending(&timer).await);
    }
}
