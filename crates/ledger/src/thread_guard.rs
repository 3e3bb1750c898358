//! How the ledger hears that one of its threads failed: the thread says so, or it panics while it holds its guard. The process ends
//! in either case. If it went on, nobody would do that thread's work any more.

use tokio::sync::watch;

/// What a thread holds for as long as it works.
pub(crate) struct ThreadGuard {
    name: &'static str,
    fail: watch::Sender<Option<String>>,
}

impl ThreadGuard {
    /// For the thread of this name.
    pub(crate) fn of(name: &'static str, fail: &watch::Sender<Option<String>>) -> Self {
        Self { name, fail: fail.clone() }
    }

    /// The thread's work failed, for this reason: the ledger ends.
    pub(crate) fn because(self, why: String) {
        self.fail.send_replace(Some(why));
    }
}

impl Drop for ThreadGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.fail.send_replace(Some(format!("its thread `{}` panicked", self.name)));
        }
    }
}
