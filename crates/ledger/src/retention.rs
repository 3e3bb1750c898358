//! How long content is kept follows from the lineage of its event: when its last event was, whether anything of it still runs, and
//! what a hold could name of it. Whoever moves content to an archive and whoever audits that use this fold.

use eleven_core::event::Record;
use eleven_core::id;
use eleven_core::registry::retention::Hold;
use eleven_core::time::Time;

/// What is known of a lineage, or of all uses of an artifact.
pub(crate) struct Life {
    /// Its last event so far.
    pub(crate) last: Time,
    /// Operations begun, less those closed.
    pub(crate) running: i64,
    identity: Option<String>,
}

impl Life {
    /// One that begins with an event at `at`, which is still to be taken.
    pub(crate) const fn new(at: Time) -> Self {
        Self { last: at, running: 0, identity: None }
    }

    /// Takes its next event.
    pub(crate) fn take(&mut self, at: Time, record: &Record) {
        self.last = self.last.max(at);
        self.running += match record.event.as_str() {
            "authorization.consumed" => 1,
            "evidence.committed" => -1,
            _ => 0,
        };
        if let Some(identity) = &record.about.identity {
            self.identity = Some(identity.clone());
        }
    }

    /// The holds that would keep it: on the operation of this content id, and on its identity.
    pub(crate) fn holds(&self, content: &str) -> impl Iterator<Item = Hold> {
        let identity = self.identity.as_deref().and_then(|identity| Hold::on("identity", identity).ok());
        Hold::on("operation", content).ok().into_iter().chain(identity)
    }
}

/// The content id under which an event's lineage is kept for a time: operations and refusals. All else is kept for good.
pub(crate) fn ends_some_day(record: &Record) -> Option<String> {
    let of_operation = crate::rules::is_of_operation(&record.event) || record.event == "execution.denied";
    let (content, _) = id::split_operation(&record.op).filter(|_| of_operation)?;
    Some(content.to_owned())
}
