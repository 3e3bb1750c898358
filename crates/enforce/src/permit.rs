//! From an admission to a permit: the types that make "nothing runs without one" a matter of compiling.

use crate::admission::Admitted;
use crate::journal::encode_event;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use eleven_core::artifact::Artifact;
use eleven_core::attestation::{Outcome, StatementResult};
use eleven_core::event::Record;
use eleven_core::hash::Sha3;
use eleven_core::lineage::Lineage;
use eleven_core::time::Time;

/// A proof that records are durable on this machine at least (PROTOCOL 8, D1).
///
/// Only a store has one to give: whoever implements this wraps the store's own proof type, one that nobody else makes or copies.
/// A permit compares how many records a receipt is for; that they are the ones of this [`Opened`] and of no other, whoever
/// implements this vouches for: one receipt for the commit of each.
pub trait DurableReceipt {
    /// How many records the receipt is for, those of other requests in the same sync not among them.
    fn count(&self) -> u64;
}

/// An operation whose use is taken and whose first three records are made, but not yet durable.
#[derive(Debug)]
pub struct Opened {
    pub(crate) execution: Execution,
    pub(crate) records: Vec<Record>,
}

impl Opened {
    /// The records of consumption, admission and start: one commit.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The same as they stand in the journal's log. Beside the consumption stands the artifact's expiry: how long its use is
    /// remembered once the journal is [read back](crate::journal::Reading).
    #[must_use]
    pub fn lines(&self) -> Vec<Vec<u8>> {
        let exp = self.execution.artifact.exp;
        let line = |record: &Record| encode_event(record, (record.event == "authorization.consumed").then_some(exp));
        self.records.iter().map(line).collect()
    }

    /// Step 18: with a receipt for exactly these records, the permit. Their number is what is compared here; see
    /// [`DurableReceipt`].
    ///
    /// # Errors
    /// Gives itself back where the receipt is for another number of records; the use stays taken.
    pub fn permit(self, receipt: &impl DurableReceipt) -> Result<Permit, Self> {
        if usize::try_from(receipt.count()) == Ok(self.records.len()) {
            Ok(Permit { execution: self.execution })
        } else {
            Err(self)
        }
    }
}

/// The right to run one operation once. It is made in one place, from an admission and a durable receipt for exactly its
/// records, and running consumes it.
#[derive(Debug)]
#[must_use = "an operation was admitted and must now run, or be closed as interrupted"]
pub struct Permit {
    execution: Execution,
}

impl Permit {
    /// The operation it is for.
    #[must_use]
    pub fn op(&self) -> &str {
        &self.execution.op
    }

    /// Begins to run: the permit is gone, what is left is the execution that has to be closed.
    #[must_use]
    pub fn run(self) -> Execution {
        self.execution
    }
}

/// An operation that runs, from its permit to its evidence.
#[derive(Debug)]
pub struct Execution {
    /// Its operation id.
    pub op: String,
    /// What was authorised, shared with whoever looks whether it may go on.
    pub artifact: Arc<Artifact>,
    /// The salt of its digests.
    pub salt: String,
    /// What runs: the digest of its image, or of what an upstream is known by.
    pub workload: Sha3,
    /// When it started.
    pub started: Time,
    pub(crate) lineage: Lineage,
}

impl Execution {
    pub(crate) fn new(admitted: Admitted, op: String, workload: Sha3, started: Time, lineage: Lineage) -> Self {
        let token = admitted.into_token();
        Self { op, artifact: Arc::new(token.artifact), salt: token.salt, workload, started, lineage }
    }
}

/// What came of an execution.
#[derive(Clone, Debug)]
pub struct Ending {
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was interrupted or failed: a cause of the catalogue or a short word, never text from outside.
    pub cause: Option<&'static str>,
    /// What was sent to the caller: digest, salted as the policy says, bytes and status.
    pub result: StatementResult,
    /// When it ended, by the clock.
    pub finished: Time,
}
