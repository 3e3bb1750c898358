//! Where time and randomness enter (DESIGN, invariant 7): a clock and random bytes, handed on as values.

use eleven_core::time::Time;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A clock. Composition hands one to each corner; nothing else reads the time.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Time;
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

/// A clock that stands where it is put: for tests and simulations.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `at`.
    #[must_use]
    pub const fn new(at: Time) -> Self {
        Self(AtomicI64::new(at.0))
    }

    /// Moves it, forwards or back.
    pub fn set(&self, at: Time) {
        self.0.store(at.0, Ordering::SeqCst);
    }

    /// Moves it by milliseconds.
    pub fn advance(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
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

/// Does what may wait for the disk, on this thread: whatever else this thread was to run, others run meanwhile.
pub fn in_place<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current() {
        Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}
