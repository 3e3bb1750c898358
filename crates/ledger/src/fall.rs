//! How the ledger hears that a thread of its own did not do what it is there for: by its word, or because it panicked. The process
//! ends in either case, for it would live on and do nothing of that any more.

use tokio::sync::watch;

/// What a thread holds for as long as it works.
pub(crate) struct Fall {
    name: &'static str,
    fail: watch::Sender<Option<String>>,
}

impl Fall {
    /// For the thread of this name.
    pub(crate) fn of(name: &'static str, fail: &watch::Sender<Option<String>>) -> Self {
        Self { name, fail: fail.clone() }
    }

    /// The ledger has to end for this.
    pub(crate) fn because(self, why: String) {
        self.fail.send_replace(Some(why));
    }
}

impl Drop for Fall {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.fail.send_replace(Some(format!("its thread `{}` panicked", self.name)));
        }
    }
}
