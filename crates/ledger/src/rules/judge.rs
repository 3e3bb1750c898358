//! The decision on one record (PROTOCOL 6.1).
//!
//! In this order: whose record it is (key and signature; what fails here takes no number, so that nobody can use up
//! another's), where it stands in that key's stream, whether the key still counts, and then everything else, which where
//! it fails takes the number, so that no producer is ever stuck behind a record that will never pass.

use super::book::Book;
use super::candidate::{OpKey, Verified};
use super::cursor::Standing;
use super::is_of_operation;
use super::operations::{Advanced, Begun};
use super::refusal::Refusal;
use eleven_core::artifact::Artifact;
use eleven_core::encoding::{Object, Value};
use eleven_core::event::{Event, Producer, Record};
use eleven_core::hash::Sha3;
use eleven_core::limits::MAX_ISSUED_LATE_MS;
use eleven_core::name;
use eleven_core::recovery::Recovery;
use eleven_core::registry::Fold;
use eleven_core::root::KeyUse;
use eleven_core::time::Time;

/// What is to be done with a record.
#[derive(Debug)]
pub enum Judgement {
    /// It becomes the next entry.
    Accept(Accepted),
    /// It is there already: answered like the first time.
    Repeat,
    /// Another record was sent under its number, by a key that counts.
    Equivocation,
    /// Records before it are missing.
    Gap {
        /// The number that comes next.
        expected: u64,
    },
    /// It is not appended.
    Refused {
        /// Why.
        why: Refusal,
        /// Whether its number is taken, by an entry that names it.
        takes_number: bool,
    },
}

/// That a record passed the rules, and what they found: only [`Book::judge`] makes one.
#[derive(Debug)]
pub struct Accepted {
    pub(super) key: OpKey,
    pub(super) path: Path,
}

/// How a record extends the book.
#[derive(Debug)]
pub(super) enum Path {
    /// It begins an operation's lineage.
    Issued(Begun),
    /// It continues one.
    Lineage(Advanced),
    /// It is a subject's transition.
    Subject,
    /// It stands alone.
    Alone,
    /// It is the first entry of all.
    Genesis(Box<Fold>),
}

impl Book {
    /// Decides on a record at the entry time `at`. An `artifact` that came along with an `authorization.issued` is held
    /// against it; whether one must, and where its other content is, is the commit point's matter.
    #[must_use]
    pub fn judge(&self, record: &Verified, at: Time, artifact: Option<&Artifact>) -> Judgement {
        let refused = |why, takes_number| Judgement::Refused { why, takes_number };
        let Some(registry) = self.registry() else {
            return match judge_genesis(record, at) {
                Ok(accepted) => Judgement::Accept(accepted),
                Err(why) => refused(why, false),
            };
        };
        let Some(key) = registry.key(record.kid()).filter(|key| key.usage == KeyUse::Event) else {
            return refused(Refusal::UnknownKey, false);
        };
        if key.public != *record.public() {
            return refused(Refusal::Signature, false);
        }
        match self.standing(record) {
            Standing::Next => {}
            Standing::Gap => return Judgement::Gap { expected: self.next_of(record.kid()) },
            Standing::Repeat => return Judgement::Repeat,
            Standing::Refused => return refused(Refusal::RefusedBefore, false),
            // What a key signs once it does not count is nobody's: whoever has it then could have its producer contained.
            Standing::Equivocation if key.counts_at(at) => return Judgement::Equivocation,
            Standing::Equivocation => return refused(Refusal::KeyStatus, false),
        }
        if !key.counts_at(at) {
            return refused(Refusal::KeyStatus, false);
        }
        match self.judge_content(registry, &key.owner, record, at, artifact) {
            Ok(accepted) => Judgement::Accept(accepted),
            Err(why) => refused(why, true),
        }
    }

    /// The same for a record that is not in any ledger yet. It has to keep rules that are younger than some logs, which may hold records
    /// that break them: those are read, and none is added (spec/ledger.md).
    #[must_use]
    pub fn judge_new(&self, record: &Verified, at: Time, artifact: Option<&Artifact>) -> Judgement {
        match self.judge(record, at, artifact) {
            Judgement::Accept(accepted) => match self.check_new(record, at) {
                Ok(()) => Judgement::Accept(accepted),
                Err(why) => Judgement::Refused { why, takes_number: true },
            },
            other => other,
        }
    }

    fn check_new(&self, verified: &Verified, at: Time) -> Result<(), Refusal> {
        let record = verified.record().map_err(|error| Refusal::Form(error.clone()))?;
        match record.event.as_str() {
            // No verifier takes the proof of one without a name.
            "execution.denied" => ensure(record.data_str("listener") != Some(""), COUNTED),
            // Every head that is more than a minute younger than an issuance holds it, or convicts the domain
            // (spec/equivocation.md): one that comes later is not begun.
            "authorization.issued" => ensure(at.since(record.ts) <= MAX_ISSUED_LATE_MS, Refusal::Late),
            "root.published" => {
                let registry = self.registry().ok_or(Refusal::Event)?;
                let checked = registry.check_new(at, &record.event, &record.by, &record.data);
                checked.map_err(|error| Refusal::Registry(error.to_string()))
            }
            _ => Ok(()),
        }
    }

    fn standing(&self, record: &Verified) -> Standing {
        match self.cursors.get(record.kid()) {
            Some(cursor) => cursor.standing(record.src_seq(), record.mark(), || record.digest()),
            None if record.src_seq() == 0 => Standing::Next,
            None => Standing::Gap,
        }
    }

    fn next_of(&self, kid: &str) -> u64 {
        self.cursors.get(kid).map_or(0, super::cursor::Cursor::next)
    }

    /// Everything but whose record it is and where it stands in the stream.
    fn judge_content(
        &self,
        registry: &Fold,
        owner: &str,
        verified: &Verified,
        at: Time,
        artifact: Option<&Artifact>,
    ) -> Result<Accepted, Refusal> {
        let record = verified.record().map_err(|error| Refusal::Form(error.clone()))?;
        ensure(owner == record.by, Refusal::Owner)?;
        ensure(verified.hashes_follow(), Refusal::Hashes)?;
        let event = record.kind().ok_or(Refusal::Event)?;
        check_producer(event, &record.by, registry.domain())?;
        let key = OpKey::of(&record.op).ok_or(Refusal::OpContent)?;
        let path = if is_of_operation(event.name) {
            self.judge_operation(registry, &key, record, artifact)?
        } else if event.is_lifecycle() {
            self.subjects.judge(&key, record)?;
            Path::Subject
        } else {
            self.judge_alone(&key, verified, record, registry)?;
            Path::Alone
        };
        registry
            .check(at, event.name, &record.by, &record.data)
            .map_err(|error| Refusal::Registry(error.to_string()))?;
        Ok(Accepted { key, path })
    }

    fn judge_operation(
        &self,
        registry: &Fold,
        key: &OpKey,
        record: &Record,
        artifact: Option<&Artifact>,
    ) -> Result<Path, Refusal> {
        match record.event.as_str() {
            "authorization.issued" => {
                let begun = self.operations.judge_issued(key, record, artifact)?;
                check_policy(registry, record)?;
                Ok(Path::Issued(begun))
            }
            "authorization.consumed" => {
                let revoked = |artifact: &str| registry.lists().revoked.contains(artifact);
                self.operations.judge_consumed(key, record, revoked).map(Path::Lineage)
            }
            _ => self.operations.judge_next(key, record).map(Path::Lineage),
        }
    }

    fn judge_alone(&self, key: &OpKey, verified: &Verified, record: &Record, registry: &Fold) -> Result<(), Refusal> {
        ensure(record.n == 1 && verified.op_is_content(), Refusal::OpContent)?;
        ensure(!self.operations.contains(key), Refusal::OpKnown)?;
        match record.event.as_str() {
            "authorization.revoked" => self.judge_revoked(record),
            "execution.denied" => judge_denied(record),
            "runtime.step" => judge_step(record),
            "ledger.sealed" => self.judge_sealed(record, registry),
            "ledger.refused" => self.judge_refused(&record.data, registry),
            "ledger.recovered" => self.judge_recovered(record, registry),
            _ => Ok(()),
        }
    }

    /// Only the issuer revokes, an artifact that exists, naming its expiry, and only once.
    fn judge_revoked(&self, record: &Record) -> Result<(), Refusal> {
        let artifact = record.data_str("artifact").unwrap_or_default();
        let key = OpKey::of_artifact(artifact).ok_or(Refusal::Revocation)?;
        let issuance = self.operations.issuance(&key).ok_or(Refusal::Revocation)?;
        let exp = record.data_str("exp").and_then(Time::parse_seconds);
        let about = &record.about;
        let named = about.artifact_id.as_deref().is_none_or(|id| id == artifact)
            && about.issuer.as_deref().is_none_or(|issuer| issuer == issuance.issuer);
        let rightful = issuance.issuer == record.by && exp == Some(issuance.exp);
        ensure(rightful && named && !self.revoked.contains_key(&key), Refusal::Revocation)
    }

    /// The root's word for a restored ledger: for this one, from within it, signed by a threshold of the root in force.
    fn judge_recovered(&self, record: &Record, registry: &Fold) -> Result<(), Refusal> {
        let recovery = Recovery::read(Value::Object(record.data.clone())).map_err(Refusal::Form)?;
        let own = recovery.ledger == record.by && recovery.restored.size <= self.size();
        ensure(own, Refusal::Data("it names this ledger and what was restored of it"))?;
        ensure(recovery.is_signed_by(registry.root()), Refusal::Data("a threshold of the root's keys signed it"))
    }

    /// The number that it names is the next of an event key, which it takes, or an earlier one, where it tells of other bytes
    /// than stand there.
    fn judge_refused(&self, data: &Object, registry: &Fold) -> Result<(), Refusal> {
        let text = |name: &str| data.get(name).and_then(Value::as_str);
        let known = data.iter().all(|(name, _)| matches!(name, "hash" | "reason" | "kid" | "src_seq"));
        let reasoned = text("reason").is_some_and(|reason| !reason.is_empty());
        let formed = known && reasoned && text("hash").is_some_and(|hash| Sha3::parse(hash).is_some());
        ensure(formed, Refusal::Data("it names the refused record's hash and the reason"))?;
        let number = data.get("src_seq").and_then(Value::as_uint);
        let numbered = match (text("kid"), number) {
            (Some(kid), Some(number)) => {
                let signs = registry.key(kid).is_some_and(|key| key.usage == KeyUse::Event);
                signs && number <= self.next_of(kid)
            }
            _ => data.get("kid").is_none() && data.get("src_seq").is_none(),
        };
        ensure(
            numbered,
            Refusal::Data("the number that it refuses under is one of an event key, and no later than its next"),
        )
    }

    /// A seal names its own number and the registry in force; that its index is the right one, whoever keeps an index
    /// checks.
    fn judge_sealed(&self, record: &Record, registry: &Fold) -> Result<(), Refusal> {
        let data = &record.data;
        let size = data.get("size").and_then(Value::as_uint);
        let index = record.data_str("index").is_some_and(|index| eleven_core::hash::Sha256::parse(index).is_some());
        let registry = data.get("registry") == Some(&registry.reference());
        let holds = data.len() == 3 && size == Some(self.size()) && index && registry;
        ensure(holds, Refusal::Data("it names its own number, the index and the registry in force"))
    }
}

fn ensure(holds: bool, why: Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(why) }
}

/// The first entry: by the domain's ledger, signed by a key that its own data grants.
fn judge_genesis(verified: &Verified, at: Time) -> Result<Accepted, Refusal> {
    let record = verified.record().map_err(|error| Refusal::Form(error.clone()))?;
    ensure(record.event == "ledger.genesis", Refusal::UnknownKey)?;
    ensure(verified.hashes_follow(), Refusal::Hashes)?;
    ensure(record.n == 1 && verified.op_is_content() && record.src_seq == 0, Refusal::OpContent)?;
    let fold = Fold::genesis(at, &record.by, &record.data).map_err(|error| Refusal::Registry(error.to_string()))?;
    let key = fold.key(&record.kid).filter(|key| key.usage == KeyUse::Event).ok_or(Refusal::UnknownKey)?;
    ensure(key.public == *verified.public(), Refusal::Signature)?;
    ensure(key.owner == record.by, Refusal::Owner)?;
    ensure(key.counts_at(at), Refusal::KeyStatus)?;
    let key = OpKey::of(&record.op).ok_or(Refusal::OpContent)?;
    Ok(Accepted { key, path: Path::Genesis(Box::new(fold)) })
}

/// The catalogue's producers, of this domain. A point needs no row in the registry: one that was removed still closes
/// what it had begun.
fn check_producer(event: &Event, by: &str, domain: &str) -> Result<(), Refusal> {
    let producer = Producer::of(by).filter(|producer| event.producers.contains(producer));
    let own = match producer {
        Some(Producer::Ledger) => name::ledger_domain(by) == Some(domain),
        Some(Producer::Authority) => name::authority_domain(by) == Some(domain),
        Some(Producer::Point) => true,
        None => false,
    };
    ensure(own, Refusal::Producer)
}

/// An artifact is issued under the policy that is in force for its operation and runtime at this entry.
fn check_policy(registry: &Fold, record: &Record) -> Result<(), Refusal> {
    let about = &record.about;
    let (Some(policy), Some(operation), Some(runtime)) = (&about.policy, &about.operation, &about.runtime) else {
        return Err(Refusal::Members);
    };
    let in_force = registry.lists().policies.get(&policy.reference);
    let covers = in_force.is_some_and(|row| row.id == *policy && row.covers(operation, runtime));
    ensure(covers, Refusal::Policy)
}

/// A denial has its reason; a counted one names no party (PROTOCOL 5.3).
fn judge_denied(record: &Record) -> Result<(), Refusal> {
    let reason = record.about.reason.ok_or(Refusal::Members)?;
    let data = &record.data;
    if !["count", "window", "listener"].iter().any(|member| data.get(member).is_some()) {
        return Ok(());
    }
    let about = &record.about;
    let nobody = about.binding() == eleven_core::event::About { runtime: about.runtime.clone(), ..Default::default() };
    ensure(nobody && about.policy_required.is_none() && reason.is_counted(), Refusal::Members)?;
    let count = data.get("count").and_then(Value::as_int).is_some_and(|count| count > 0);
    let window = record.data_str("window").and_then(|window| window.strip_suffix("/PT1S"));
    let window = window.is_some_and(|start| Time::parse_millis(start).is_some());
    let formed = data.len() == 3 && count && window && record.data_str("listener").is_some();
    ensure(formed, COUNTED)
}

/// Why a denial that counts others is refused.
const COUNTED: Refusal = Refusal::Data("a counted denial names count, window and listener");

fn judge_step(record: &Record) -> Result<(), Refusal> {
    let step = record.data.get("step").and_then(Value::as_int).is_some_and(|step| (1..=10).contains(&step));
    let formed = record.data.len() == 2 && step && record.data.get("outcome").is_some();
    ensure(formed, Refusal::Data("a step is numbered 1 to 10 and has an outcome"))
}
