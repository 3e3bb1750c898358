//! Proofs under the last signed head: bundles of all four kinds (PROTOCOL 11), inclusion, consistency and exclusion.
//!
//! Everything in one proof is of one head. What changes from head to head, the index and the registry, is taken under one
//! lock; what only grows is read afterwards, up to that head's size.

use crate::lineage::{self, Standing};
use crate::state::{LookError, Published, Shared, read};
use eleven_core::artifact::{Artifact, UseMode};
use eleven_core::encoding::{Object, Value, parse_canonical};
use eleven_core::event::Record;
use eleven_core::head::checkpoint::Note;
use eleven_core::head::tlog_proof::TlogProof;
use eleven_core::id;
use eleven_core::index::{self, Proof};
use eleven_core::lineage::issued_data;
use eleven_core::registry::{Fold, Header, Item};
use eleven_core::tree;
use eleven_verify::bundle::{Authorization, Bundle, EntryProof, Kind, RegistryPart, RegistryRecord, ShownEntry};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// Why there is no proof.
#[derive(Debug)]
pub(crate) enum ProofError {
    /// No such lineage, entry or size.
    Unknown(String),
    /// No head covers it yet, or the authority has not signed the head's registry yet: ask again.
    NotYet(&'static str),
    /// There is no bundle for events of this kind.
    NoBundle(String),
    /// The log could not be read.
    Look(LookError),
    /// Something beside the log could not be read.
    Failed(String),
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(what) | Self::NoBundle(what) | Self::Failed(what) => f.write_str(what),
            Self::NotYet(what) => write!(f, "{what}: ask again in a second"),
            Self::Look(error) => error.fmt(f),
        }
    }
}

impl From<LookError> for ProofError {
    fn from(error: LookError) -> Self {
        match error {
            LookError::Absent | LookError::Archived => Self::Unknown(error.to_string()),
            other => Self::Look(other),
        }
    }
}

/// Waits until a head covers entry `seq` and what `ready` asks for holds, for at most `wait`.
pub(crate) async fn covered(
    shared: &Shared,
    seq: u64,
    wait: Duration,
    ready: impl Fn(&Shared, &Published) -> bool,
) -> Result<(), ProofError> {
    let deadline = tokio::time::Instant::now() + wait;
    let mut heads = shared.head.subscribe();
    let mut covered = false;
    loop {
        let published = heads.borrow_and_update().clone();
        if let Some(published) = published {
            covered = published.head.commitment.size > seq;
            if covered && ready(shared, &published) {
                return Ok(());
            }
        }
        let poll = tokio::time::Instant::now() + Duration::from_millis(50);
        if tokio::time::timeout_at(poll.min(deadline), heads.changed()).await.is_err()
            && tokio::time::Instant::now() >= deadline
        {
            let why = if covered {
                "the authority has not signed the registry under this head yet"
            } else {
                "no signed head covers this yet"
            };
            return Err(ProofError::NotYet(why));
        }
    }
}

/// Whether all that a bundle needs is there for a head, and durable.
pub(crate) fn has_registry(shared: &Shared, published: &Published) -> bool {
    has_index(shared, published) && shared.has_header(published.head.commitment.registry.epoch)
}

/// Whether the index stands where the head says.
pub(crate) fn has_index(shared: &Shared, published: &Published) -> bool {
    read(&shared.sealed).size == published.head.commitment.size
}

/// What one head commits to, as far as one operation asks.
struct View {
    published: Arc<Published>,
    registry: Arc<Fold>,
    last_event: Proof,
    revoked: Proof,
    first_use: Proof,
}

fn view(shared: &Shared, op: &str) -> Result<View, ProofError> {
    let content = id::split_operation(op).map_or(op, |(content, _)| content);
    let sealed = read(&shared.sealed);
    let published = shared.published().filter(|published| published.head.commitment.size == sealed.size);
    let (Some(published), Some(registry)) = (published, sealed.registry.clone()) else {
        return Err(ProofError::NotYet("the next head is being signed"));
    };
    Ok(View {
        published,
        registry,
        last_event: sealed.index.prove(&index::op_key(op)),
        revoked: sealed.index.prove(&index::revoked_key(&format!("auth_{content}"))),
        first_use: sealed.index.prove(&index::op_key(&format!("{content}.1"))),
    })
}

/// The bundle of an operation under the last head.
pub(crate) fn bundle(shared: &Shared, op: &str) -> Result<Bundle, ProofError> {
    let view = view(shared, op)?;
    let size = view.published.head.commitment.size;
    let events = lineage::events_of(shared, op, size)?;
    let kind = kind_of(shared, op, &events)?;
    let artifact = match (kind, events.first()) {
        (Kind::Denial, _) | (_, None) => None,
        (_, Some(first)) => Some(read_artifact(shared, first)?),
    };
    let seal = lineage::standing(shared, size - 1)?;
    let registered = registration(shared, &view, &events)?;
    let signed = events.iter().chain([&seal]).chain(&registered);
    let registry = registry_part(shared, &view, signed.map(|standing| &standing.record), artifact.as_ref())?;
    let authorization = match artifact {
        Some(artifact) => Some(authorization(shared, &view, kind, artifact, &events, registered)?),
        None => None,
    };
    let events = events.into_iter().map(|event| shown(shared, event, size)).collect::<Result<_, _>>()?;
    Ok(Bundle {
        kind,
        op: op.to_owned(),
        roots: view.registry.roots().cloned().collect(),
        registry,
        events,
        seal: shown(shared, seal, size)?,
        head: view.published.head.clone(),
        checkpoint: view.published.checkpoint.clone(),
        last_event: view.last_event,
        authorization,
    })
}

fn kind_of(shared: &Shared, op: &str, events: &[Standing]) -> Result<Kind, ProofError> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return Err(ProofError::Unknown("there is no such lineage".to_owned()));
    };
    let used = || read(&shared.book).last_of(&format!("{op}.1")).is_some();
    match (first.record.event.as_str(), last.record.event.as_str(), events.len()) {
        ("execution.denied", _, 1) => Ok(Kind::Denial),
        ("authorization.issued", _, 1) if used() => {
            Err(ProofError::NoBundle(format!("this artifact has numbered uses: ask for {op}.1 and so on")))
        }
        ("authorization.issued", _, 1) => Ok(Kind::Unused),
        ("authorization.issued", "evidence.committed", _) => Ok(Kind::Execution),
        ("authorization.issued", _, _) => Ok(Kind::Open),
        (event, _, _) => Err(ProofError::NoBundle(format!("{event} has an inclusion proof, and no bundle"))),
    }
}

fn read_artifact(shared: &Shared, issued: &Standing) -> Result<Artifact, ProofError> {
    let bytes = shared.artifact_of(issued.header.seq)?;
    Artifact::read_canonical(&bytes).map_err(|_| ProofError::Look(LookError::Other("artifact")))
}

fn shown(shared: &Shared, standing: Standing, size: u64) -> Result<ShownEntry, ProofError> {
    let Standing { header, record } = standing;
    let proof = tree::inclusion_proof(&*read(&shared.tree), header.seq, size);
    let proof = proof.ok_or(ProofError::NotYet("no signed head covers this yet"))?;
    Ok(ShownEntry { entry: EntryProof { header, proof }, record })
}

/// The registration of the point that attested, as it was when it consumed, where the registry under the head does not hold
/// it any more.
fn registration(shared: &Shared, view: &View, events: &[Standing]) -> Result<Option<Standing>, ProofError> {
    let attested = events.iter().any(|event| event.record.event == "attestation.signed");
    let Some(consumed) = events.get(1).filter(|_| attested) else { return Ok(None) };
    let point = &consumed.record.by;
    let seq = read(&shared.places).history().registration_at(point, consumed.header.seq);
    let Some(seq) = seq else { return Ok(None) };
    let registered = lineage::standing(shared, seq)?;
    let holds = view.registry.lists().runtimes.get(point).map(Item::to_value);
    let same = holds.is_some_and(|row| row.as_object() == Some(&registered.record.data));
    Ok((!same).then_some(registered))
}

/// The keys that signed anything in the bundle, and the registration of the point.
fn registry_part<'a>(
    shared: &Shared,
    view: &View,
    records: impl Iterator<Item = &'a Record> + Clone,
    artifact: Option<&'a Artifact>,
) -> Result<RegistryPart, ProofError> {
    let epoch = view.published.head.commitment.registry.epoch;
    let bytes = shared.header(epoch).map_err(|error| match error {
        LookError::Absent => ProofError::NotYet("the authority has not signed the registry under this head yet"),
        other => ProofError::Look(other),
    })?;
    let header = parse_canonical(&bytes).map_err(Into::into).and_then(Header::read);
    let (header, sig) = header.map_err(|_| ProofError::Look(LookError::Other("registry header")))?;
    let mut kids: BTreeSet<&str> = records.clone().map(|record| record.kid.as_str()).collect();
    kids.extend(artifact.map(|artifact| artifact.sig.kid.as_str()));
    kids.extend(records.clone().flat_map(envelope_keys));
    let points: BTreeSet<&str> = records.map(|record| record.by.as_str()).collect();
    let (registry, lists) = (&view.registry, view.registry.lists());
    let keys = kids.iter().filter_map(|kid| lists.keys.get(kid));
    let keys = keys.map(|key| RegistryRecord::new(key, registry.prove("key", &key.kid)));
    let runtimes = points.iter().filter_map(|point| lists.runtimes.get(point));
    let runtimes = runtimes.map(|row| RegistryRecord::new(row, registry.prove("runtime", &row.point)));
    Ok(RegistryPart { header, sig, records: keys.chain(runtimes).collect() })
}

/// The keys that a DSSE envelope says it is signed by.
fn envelope_keys(record: &Record) -> impl Iterator<Item = &str> {
    let signatures = record.data.get("envelope").and_then(|envelope| envelope.get("signatures"));
    let signatures = signatures.and_then(Value::as_array).unwrap_or_default();
    signatures.iter().filter_map(|signature| signature.get("keyid").and_then(Value::as_str))
}

fn authorization(
    shared: &Shared,
    view: &View,
    kind: Kind,
    artifact: Artifact,
    events: &[Standing],
    registered: Option<Standing>,
) -> Result<Authorization, ProofError> {
    let size = view.published.head.commitment.size;
    let policy = shared.blob(&artifact.pol.hash)?;
    let policy = parse_canonical(&policy).map_err(|_| ProofError::Look(LookError::Other("policy bundle")))?;
    let seq = read(&shared.places).policy(&artifact.pol.reference);
    let published = lineage::standing(shared, seq.ok_or(LookError::Absent)?)?;
    let revocation = read(&shared.book).revocation_of(&artifact.id).filter(|seq| *seq < size);
    let revocation = revocation.map(|seq| shown(shared, lineage::standing(shared, seq)?, size)).transpose()?;
    let numbered = kind == Kind::Unused && artifact.usage.mode() != UseMode::Single;
    let request = events.first().and_then(|first| issued_data(&first.record.data)).map(|data| data.request);
    let decision =
        request.and_then(|request| shared.blob(&request).ok()).and_then(|bytes| parse_canonical(&bytes).ok());
    Ok(Authorization {
        artifact,
        policy,
        published: shown(shared, published, size)?,
        revoked: view.revoked.clone(),
        revocation,
        registered: registered.map(|standing| shown(shared, standing, size)).transpose()?,
        first_use: numbered.then(|| view.first_use.clone()),
        decision,
        disclosures: Vec::new(),
    })
}

/// That entry `seq` is in the tree of `size` leaves.
pub(crate) fn inclusion(shared: &Shared, seq: u64, size: Option<u64>) -> Result<Value, ProofError> {
    let size = at_size(shared, size)?;
    let tree = read(&shared.tree);
    let unknown = || ProofError::Unknown(format!("a tree of {size} entries has no entry {seq}"));
    let proof = tree::inclusion_proof(&*tree, seq, size).ok_or_else(unknown)?;
    let leaf = tree::Hashes::node(&*tree, 0, seq).ok_or_else(unknown)?;
    let root = tree.root_at(size).ok_or_else(unknown)?;
    let object = Object::new().with("leaf", leaf).with("proof", tree::proof_value(&proof)).with("root", root);
    Ok(Value::Object(object.with("seq", seq).with("size", size)))
}

/// The C2SP tlog-proof of entry `seq` under the last head; `with_entry` puts the entry beside it.
pub(crate) fn tlog(shared: &Shared, seq: u64, with_entry: bool) -> Result<TlogProof, ProofError> {
    let published = shared.published().ok_or(ProofError::NotYet("there is no signed head yet"))?;
    let proof = tree::inclusion_proof(&*read(&shared.tree), seq, published.head.commitment.size);
    let proof = proof.ok_or(ProofError::NotYet("no signed head covers this yet"))?;
    let note = Note::parse(&published.checkpoint).map_err(|_| ProofError::Look(LookError::Other("checkpoint")))?;
    let extra = with_entry.then(|| shared.entry_bytes(seq)).transpose()?;
    Ok(TlogProof { extra, index: seq, proof, note })
}

/// That the tree of `second` leaves begins with the tree of `first`.
pub(crate) fn consistency(shared: &Shared, first: u64, second: Option<u64>) -> Result<Value, ProofError> {
    let second = at_size(shared, second)?;
    let tree = read(&shared.tree);
    let unknown = || ProofError::Unknown(format!("a tree of {second} entries does not begin with {first}"));
    let proof = tree::consistency_proof(&*tree, first, second).ok_or_else(unknown)?;
    let roots = (tree.root_at(first).ok_or_else(unknown)?, tree.root_at(second).ok_or_else(unknown)?);
    let object = Object::new().with("first", first).with("first_root", roots.0).with("second", second);
    Ok(Value::Object(object.with("second_root", roots.1).with("proof", tree::proof_value(&proof))))
}

/// The size that was asked for, or the last head's. None beyond the last head is shown: nobody has signed for it.
fn at_size(shared: &Shared, size: Option<u64>) -> Result<u64, ProofError> {
    let head = shared.published().map(|published| published.head.commitment.size);
    let head = head.ok_or(ProofError::NotYet("there is no signed head yet"))?;
    match size {
        None => Ok(head),
        Some(size) if size <= head => Ok(size),
        Some(size) => Err(ProofError::Unknown(format!("no signed head covers {size} entries, the last covers {head}"))),
    }
}

/// What the index under the last head holds of a lineage, and of an artifact's revocation: that it is there, or that it
/// is not.
pub(crate) fn exclusion(shared: &Shared, named: &str, key: &eleven_core::hash::Sha256) -> Result<Value, ProofError> {
    let (proof, published) = {
        let sealed = read(&shared.sealed);
        let published = shared.published().filter(|published| published.head.commitment.size == sealed.size);
        (sealed.index.prove(key), published.ok_or(ProofError::NotYet("the next head is being signed"))?)
    };
    let present = proof.end.is_some_and(|(end, _)| end == *key);
    let object = Object::new().with("name", named).with("key", *key).with("present", present);
    let object = object.with("proof", proof.to_value()).with("head", published.head.to_value());
    Ok(Value::Object(object))
}
