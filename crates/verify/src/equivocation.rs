//! Evidence that a ledger told two histories, as one file that anyone verifies (spec/equivocation.md).
//!
//! Each kind is two things that the domain's own keys signed and that no honest ledger signs both of:
//!
//! - `fork`: two statements over trees of which neither begins the other;
//! - `back`: a head that is younger and smaller than another;
//! - `omission`: an event that the domain promised to include, by a tree that holds it or by an artifact that it handed
//!   out, and a later head whose index does not have it.
//!
//! [`Evidence`] is what a witness, an auditor or a caller puts together when it meets this; [`verify`] runs the checks.

mod checks;

use crate::bundle::RegistryPart;
use crate::caller::Caller;
use crate::report::{Check, Report};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use eleven_core::artifact::Artifact;
use eleven_core::chain::EntryHeader;
use eleven_core::encoding::{Object, Value};
use eleven_core::event::{Record, Tip};
use eleven_core::hash::Sha256;
use eleven_core::head::Head;
use eleven_core::index::Proof;
use eleven_core::limits::MAX_ISSUED_LATE_MS;
use eleven_core::root::TrustRoot;
use eleven_core::tree::proof_value;

/// The `type` of every such file.
pub const TYPE: &str = "11-11/equivocation";

/// How late a ledger may see what was handed out before, in milliseconds: the bound of `artifact.window`. An issuance is appended
/// within half of it or never; the rest is for the seal over it and the head.
pub const PROMISED_WITHIN_MS: i64 = 60_000;
const _: () = assert!(2 * MAX_ISSUED_LATE_MS <= PROMISED_WITHIN_MS, "what an honest ledger appends it shows in time");

/// Something that the ledger signed over a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// A head.
    Head(Head),
    /// A checkpoint with its signature lines, as text: all that a witness sees.
    Checkpoint(String),
}

/// One leaf of a tree and that it is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The leaf's hash.
    pub hash: Sha256,
    /// Its inclusion, the hash nearest to it first.
    pub proof: Vec<Sha256>,
}

/// Two leaves of one number, of which only one can be in one history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaves {
    /// The number of the entry.
    pub seq: u64,
    /// In the first statement's tree.
    pub first: Leaf,
    /// In the second's.
    pub second: Leaf,
}

/// How an event was promised.
#[derive(Clone, Debug)]
pub enum Promise {
    /// An earlier statement's tree holds it.
    Included {
        /// That statement.
        under: Statement,
        /// What stands around the record there.
        header: EntryHeader,
        /// Its inclusion.
        proof: Vec<Sha256>,
    },
    /// The authority handed out an artifact, which it does only when its issuance is durable in the ledger.
    Issued {
        /// The artifact.
        artifact: Artifact,
        /// The keys of artifact and issuance, in the registry that the head names.
        registry: RegistryPart,
    },
}

/// What was signed and can't both be true.
#[derive(Clone, Debug)]
pub enum Conflict {
    /// Two statements of one size, or of two with a leaf that differs.
    Fork {
        /// The statements.
        statements: [Statement; 2],
        /// Where the sizes differ: the leaf that does.
        leaves: Option<Leaves>,
    },
    /// The second head is younger and smaller.
    Back {
        /// The heads.
        heads: [Head; 2],
    },
    /// A head without an event that was promised.
    Omission {
        /// The event.
        record: Record,
        /// How it was promised.
        promise: Promise,
        /// The head that lacks it.
        head: Head,
        /// What its index says of the event's lineage.
        index: Proof,
        /// The lineage's last event there, where it has one before this.
        last: Option<Tip>,
    },
}

/// A file of evidence.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Consecutive versions of the trust root: those in force when the statements were signed among them.
    pub roots: Vec<TrustRoot>,
    /// What conflicts.
    pub conflict: Conflict,
}

/// The names of the checks, in the order in which they run and are reported.
pub fn check_names() -> impl ExactSizeIterator<Item = &'static str> {
    checks::CHECKS.iter().map(|(name, _)| *name)
}

/// Whether a document says that it is evidence of equivocation.
#[must_use]
pub fn is_evidence(value: &Value) -> bool {
    value.get("type").and_then(Value::as_str) == Some(TYPE)
}

/// Runs every check over a file of evidence. `verified` means that the equivocation is proven.
#[must_use]
pub fn verify(evidence: &Value, caller: &Caller<'_>) -> Report {
    let shown = checks::Shown::read(evidence, caller);
    let run = |(name, check): &(&'static str, checks::CheckFn)| Check::of(name, check(&shown));
    let checks = checks::CHECKS.iter().map(run).collect();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(String::from);
    let last = evidence.get("statements").and_then(Value::as_array).and_then(<[Value]>::last);
    let head = last.and_then(|last| last.get("head"));
    Report::over(
        caller.root.is_some(),
        text(evidence.get("kind")),
        text(evidence.get("record").and_then(|record| record.get("op"))),
        head.and_then(|head| head.get("size")).and_then(Value::as_int),
        text(head.and_then(|head| head.get("at"))),
        checks,
    )
}

impl Evidence {
    /// The evidence as the file holds it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let roots: Vec<Value> = self.roots.iter().map(TrustRoot::to_value).collect();
        let evidence = Object::new().with("v", "1").with("type", TYPE).with("roots", roots);
        Value::Object(match &self.conflict {
            Conflict::Fork { statements, leaves } => evidence
                .with("kind", "fork")
                .with("statements", statements.iter().map(Statement::to_value).collect::<Vec<_>>())
                .with_some("leaves", leaves.as_ref().map(Leaves::to_value)),
            Conflict::Back { heads } => {
                let heads: Vec<Value> = heads.iter().cloned().map(|head| Statement::Head(head).to_value()).collect();
                evidence.with("kind", "back").with("statements", heads)
            }
            Conflict::Omission { record, promise, head, index, last } => {
                let evidence = evidence.with("kind", "omission").with("record", record.to_value());
                let evidence = evidence.with("index", index.to_value()).with_some("last", last.as_ref().map(tip_value));
                promise.put(evidence, Statement::Head(head.clone()))
            }
        })
    }
}

impl Promise {
    fn put(&self, evidence: Object, head: Statement) -> Object {
        match self {
            Self::Included { under, header, proof } => evidence
                .with("statements", vec![under.to_value(), head.to_value()])
                .with("entry", header.to_object().with("proof", proof_value(proof))),
            Self::Issued { artifact, registry } => evidence
                .with("statements", vec![head.to_value()])
                .with("artifact", artifact.to_value())
                .with("registry", registry.to_object()),
        }
    }
}

impl Statement {
    fn to_value(&self) -> Value {
        Value::Object(match self {
            Self::Head(head) => Object::new().with("head", head.to_value()),
            Self::Checkpoint(text) => Object::new().with("checkpoint", text),
        })
    }
}

impl Leaves {
    fn to_value(&self) -> Value {
        let leaf = |leaf: &Leaf| Object::new().with("hash", leaf.hash).with("proof", proof_value(&leaf.proof));
        let leaves = Object::new().with("seq", self.seq).with("first", leaf(&self.first));
        Value::Object(leaves.with("second", leaf(&self.second)))
    }
}

fn tip_value(tip: &Tip) -> Value {
    Value::Object(Object::new().with("n", tip.n).with("tip", tip.hash).with("tip_alt", tip.hash_alt))
}

#[cfg(test)]
mod tests;
