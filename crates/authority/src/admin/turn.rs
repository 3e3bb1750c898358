//! The turn of an act: it begins when what the one before it did is known here.

use super::ActError;
use crate::Authority;
use crate::sequencer::{Committed, SubmitError};
use eleven_core::hash::Sha3;
use eleven_core::signature::Signer as _;
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::MutexGuard;

/// What an act left that this corner may not decide by yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// An event that the ledger has.
    Durable(Sha3),
    /// An event that was sent, and of which nobody said whether the ledger takes it.
    Sent,
}

impl Left {
    /// What is left of an event of which this came; `None` where the ledger has not and gets not.
    pub(super) fn of(submitted: &Result<Committed, SubmitError>) -> Option<Self> {
        match submitted {
            Ok(committed) => Some(Self::Durable(committed.record.hash)),
            Err(SubmitError::Unavailable { sent: true }) => Some(Self::Sent),
            Err(_) => None,
        }
    }

    /// Why the next act is not begun. It says no more than holds in each case: what the ledger has not answered may be another event
    /// by now, and how far it is may not be known.
    const fn why(self) -> &'static str {
        match self {
            Self::Durable(_) => {
                "what the act before this one made is durable, and it is not known here yet that it is in force: this one is not \
                 begun; try again in a moment"
            }
            Self::Sent => {
                "the ledger left open what becomes of what the act before this one sent, and it is not known here yet that all that \
                 it took is in force: this one is not begun; try again in a moment"
            }
        }
    }
}

impl Authority {
    /// Waits until no other act is carried out, and what the last one left is in force.
    pub(super) async fn turn(&self) -> Result<MutexGuard<'_, Option<Left>>, ActError> {
        let mut turn = self.acting.lock().await;
        let Some(left) = *turn else { return Ok(turn) };
        let in_force = match left {
            Left::Durable(event) => self.is_folded(event) || self.has_all().await,
            Left::Sent => self.has_all().await,
        };
        if !in_force {
            return Err(ActError::NotBegun(left.why()));
        }
        *turn = None;
        Ok(turn)
    }

    fn is_folded(&self, event: Sha3) -> bool {
        self.registry.current().is_some_and(|current| current.epoch_of(event).is_some())
    }

    /// Waits until this corner decides by all that the ledger has of what was sent before this; `false` where that takes longer than
    /// five seconds, or the ledger has not said yet what it does with something.
    async fn has_all(&self) -> bool {
        if self.sequencer.progress().stalled.load(Relaxed) {
            return false;
        }
        // Whoever sent it knows its fate by now. An event that was refused makes no epoch, so it is the size that tells.
        match self.ledger.cursor(self.sequencer.key().kid()).await {
            Ok(cursor) => self.registry.reaches(cursor.size).await,
            Err(error) => {
                tracing::warn!(%error, "how far the ledger is, is not known: the next act is not begun");
                false
            }
        }
    }
}
