//! Where time and randomness enter (DESIGN, invariant 7): a clock and random bytes, handed on as values.

use eleven_core::time::Time;
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock. Composition hands one to each corner; nothing else reads the time.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Time;

    /// Milliseconds since some moment, by a clock that nobody sets: it goes on whatever becomes of [`Clock::now`], and while the
    /// machine sleeps. What an age is counted by where it must not come out too small.
    fn steady(&self) -> i64 {
        let since = Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// A moment by both clocks, for its age to be counted by. The time of day agrees with the other corners and is set now and
/// then; the steady one is never set, and stands where a virtual machine is paused. The older age is the one that counts where too
/// long a one refuses, until somebody is heard again, and does no more. Where it also ends what runs, as a backlog does, the steady
/// one counts alone, for admission too: what was behind when a virtual machine was paused is younger by as much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time of day.
    pub at: Time,
    /// The steady clock.
    pub steady: i64,
}

impl Moment {
    /// The present moment.
    #[must_use]
    pub fn now(clock: &dyn Clock) -> Self {
        Self { at: clock.now(), steady: clock.steady() }
    }

    /// The moment of `at`, which lies before this one by the time of day, or is taken to be this one.
    #[must_use]
    pub fn back_to(self, at: Time) -> Self {
        Self { at, steady: self.steady.saturating_sub(self.at.since(at).max(0)) }
    }

    /// Milliseconds from this moment to `now`, by the clock that says more; never less than none.
    #[must_use]
    pub fn age_ms(self, now: Self) -> i64 {
        now.at.since(self.at).max(self.steady_ms(now))
    }

    /// Milliseconds from this moment to `now` by the steady clock alone; never less than none.
    #[must_use]
    pub fn steady_ms(self, now: Self) -> i64 {
        now.steady.saturating_sub(self.steady).max(0)
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands where it is put: for tests and simulations. Its steady side goes on with [`ManualClock::advance`]
/// alone.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicI64,
    steady: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `at`.
    #[must_use]
    pub const fn new(at: Time) -> Self {
        Self { now: AtomicI64::new(at.0), steady: AtomicI64::new(0) }
    }

    /// Sets the time of day, forwards or back, while no time passes.
    pub fn set(&self, at: Time) {
        self.now.store(at.0, Ordering::SeqCst);
    }

    /// Lets so many milliseconds pass.
    pub fn advance(&self, millis: i64) {
        self.now.fetch_add(millis, Ordering::SeqCst);
        self.steady.fetch_add(millis.max(0), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        Time(self.now.load(Ordering::SeqCst))
    }

    fn steady(&self) -> i64 {
        self.steady.load(Ordering::SeqCst)
    }
}

/// Random bytes of the operating system.
///
/// # Panics
/// Where the operating system has none to give: nothing secret can be made then, so the process must not go on.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "without random bytes no nonce, salt or key may be made")]
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// Does what may wait for the disk or takes long, on this thread: whatever else this thread was to run, others run meanwhile.
pub fn in_place<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current() {
        Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// Reading or hashing more bytes than this holds up what else a thread has to do.
const LARGE: usize = 256 * 1024;

/// Does what takes the longer the more bytes there are: as [`in_place`], where they are many.
pub fn at_length<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes > LARGE { in_place(work) } else { work() }
}

#[cfg(test)]
mod tests;
