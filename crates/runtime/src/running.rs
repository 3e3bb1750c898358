//! What runs now, and how it is told to stop: a revocation, a containment, a halt (PROTOCOL 14.2), or the end of this point.

use eleven_api::serve::stopped;
use eleven_core::artifact::Artifact;
use eleven_core::reason::Reason;
use eleven_core::registry::View;
use eleven_enforce::containment;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// The cause of an interruption whose point was told to stop.
pub(crate) const STOPPED: &str = "runtime.stopped";

/// The executions of this process.
#[derive(Default)]
pub(crate) struct Running {
    point: String,
    executions: Mutex<HashMap<String, Entry>>,
    /// Operations that are on their way from before their first commit to their last one.
    underway: AtomicUsize,
    /// Whether this point is about to end.
    ending: watch::Sender<bool>,
}

struct Entry {
    artifact: Arc<Artifact>,
    interrupt: watch::Sender<Option<Reason>>,
}

/// An operation that is on its way, for as long as this lives.
pub(crate) struct Underway(Arc<Running>);

/// Ends the entry when the execution does.
pub(crate) struct Registered<'a> {
    running: &'a Running,
    op: String,
    /// Becomes the reason why the execution must stop.
    pub(crate) interrupted: watch::Receiver<Option<Reason>>,
    ending: watch::Receiver<bool>,
}

impl Running {
    pub(crate) fn new(point: String) -> Self {
        Self { point, ..Self::default() }
    }

    /// An operation that is about to take its use; none where this point is about to end, which would not wait for it.
    pub(crate) fn begin(self: &Arc<Self>) -> Option<Underway> {
        // Counted before it is asked: whoever ends this point either finds it counted, or has said so by now.
        self.underway.fetch_add(1, Ordering::AcqRel);
        let underway = Underway(Arc::clone(self));
        let ending = *self.ending.borrow();
        (!ending).then_some(underway)
    }

    /// Enters an execution.
    pub(crate) fn enter(&self, op: &str, artifact: &Arc<Artifact>) -> Registered<'_> {
        let (interrupt, interrupted) = watch::channel(None);
        self.lock().insert(op.to_owned(), Entry { artifact: Arc::clone(artifact), interrupt });
        Registered { running: self, op: op.to_owned(), interrupted, ending: self.ending.subscribe() }
    }

    /// Interrupts what a new view no longer allows.
    pub(crate) fn review(&self, view: &View) {
        for (op, entry) in self.lock().iter() {
            if let Some(reason) = containment::interrupts(view, &self.point, &entry.artifact) {
                tracing::warn!(op, %reason, "an execution is interrupted");
                entry.interrupt.send_replace(Some(reason));
            }
        }
    }

    /// Interrupts everything: the audit bound is passed.
    pub(crate) fn halt(&self, reason: Reason) {
        for entry in self.lock().values() {
            entry.interrupt.send_replace(Some(reason));
        }
    }

    /// Interrupts everything, and whatever is entered from now on, and lets nothing more begin: this point is about to end.
    pub(crate) fn end(&self) {
        self.ending.send_replace(true);
    }

    /// How many operations are on their way, also those that do not run yet.
    pub(crate) fn underway(&self) -> usize {
        self.underway.load(Ordering::Acquire)
    }

    /// How many run.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Entry>> {
        self.executions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registered<'_> {
    /// Waits until the execution must stop, and says why.
    pub(crate) async fn interruption(&mut self) -> Reason {
        let reason = self.interrupted.wait_for(Option::is_some).await.ok().and_then(|reason| *reason);
        match reason {
            Some(reason) => reason,
            None => std::future::pending().await,
        }
    }

    /// The same, also where this point is about to end: then there is no reason.
    pub(crate) async fn stop(&mut self) -> Option<Reason> {
        let mut ending = self.ending.clone();
        tokio::select! {
            reason = self.interruption() => Some(reason),
            () = stopped(&mut ending) => None,
        }
    }
}

/// Whether this point has halted, and what the ledger had acknowledged then.
#[derive(Default)]
pub(crate) struct Halt(Option<u64>);

impl Halt {
    /// Interrupts what runs while the bound is passed, at each look: what passed step 16 before may begin to run only now. Where a halt
    /// begins or ends, gives the event of that, and what the ledger had acknowledged when it began.
    pub(crate) fn look(&mut self, past: bool, acknowledged: u64, running: &Running) -> Option<(&'static str, u64)> {
        if past {
            running.halt(Reason::AuditDiscontinuity);
        }
        match (past, self.0) {
            (true, None) => {
                self.0 = Some(acknowledged);
                Some(("audit.discontinuity", acknowledged))
            }
            (false, Some(from)) => {
                self.0 = None;
                Some(("audit.resumed", from))
            }
            (true, Some(_)) | (false, None) => None,
        }
    }

    /// What a person should know of it: whether the ledger's acknowledgements are late, and heads of the required durability.
    pub(crate) const fn told(late: bool, unproven: bool) -> &'static str {
        match (late, unproven) {
            (true, _) => {
                "the ledger's acknowledgements stay out past the bound: what runs is interrupted, and nothing is admitted until \
                 they are back"
            }
            (false, true) => {
                "heads of the required durability stay out past their window: what runs is interrupted, and nothing is admitted \
                 until they are back; the ledger's log says why"
            }
            (false, false) => "the ledger's acknowledgements and heads are back: calls are admitted again",
        }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.underway.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.running.lock().remove(&self.op);
    }
}
