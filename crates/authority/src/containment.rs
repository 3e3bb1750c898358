//! Containments that follow from what the ledger says, by nobody's act (PROTOCOL 6.1, 14.2). An operator lifts them.

use crate::Authority;
use eleven_api::serve::stopped;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The pause before what could not be contained, or is not yet known to be, is looked at again.
const AGAIN: Duration = Duration::from_secs(1);

/// Contains what drifts until told to stop.
pub(crate) async fn contain(authority: Arc<Authority>, mut stop: watch::Receiver<bool>) {
    let mut drifts = authority.registry.drifts();
    loop {
        let open = drifts.borrow_and_update().clone();
        for (subject, cause) in &open {
            let (kind, name) = (&subject.kind, &subject.name);
            match authority.contain(subject, cause).await {
                Ok(true) => tracing::error!(
                    kind,
                    name,
                    cause,
                    "contained: find out what the ledger's audit.discontinuity is about, then `eleven subject lift`"
                ),
                Ok(false) => {}
                Err(error) => tracing::error!(kind, name, cause, %error, "what drifted could not be contained yet"),
            }
        }
        tokio::select! {
            changed = drifts.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(AGAIN), if !open.is_empty() => {}
            () = stopped(&mut stop) => return,
        }
    }
}
