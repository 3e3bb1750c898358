//! The registry under the last head, with what the authority's own surface does not have: the entries in which it came to
//! be, which policy was in force when, and the proofs that its records are the ones that the head commits to.

use crate::lineage;
use crate::proof::ProofError;
use crate::state::{LookError, Published, Shared, read};
use eleven_core::encoding::{Object, Value, parse_canonical};
use eleven_core::hash::Sha3;
use eleven_core::registry::history::{Moment, Term};
use eleven_core::registry::{Fold, Item as _};
use eleven_core::root::{KeyRecord, TrustRoot};
use eleven_core::time::Time;
use std::sync::Arc;

/// The most revocations, or policies, in one answer, and how many where nobody says.
const MOST: u64 = 1024;
const USUAL: u64 = 256;
/// So many seconds after it was given its time an entry is judged.
const JUDGING: i64 = 2;

/// Which policies are asked for.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Those that cover this operation.
    pub(crate) operation: Option<String>,
    /// On this runtime.
    pub(crate) runtime: Option<String>,
    /// Those in force then; without it all that ever were.
    pub(crate) at: Option<Time>,
    /// Those published behind this entry: where the page before ended.
    pub(crate) after: Option<u64>,
    /// How many at once.
    pub(crate) count: Option<u64>,
}

/// How many are shown at once where so many are asked for.
fn at_once(count: Option<u64>) -> usize {
    usize::try_from(count.unwrap_or(USUAL).min(MOST)).unwrap_or(usize::MAX)
}

/// The last head, and the registry that it commits to.
fn under(shared: &Shared) -> Result<(Arc<Published>, Arc<Fold>), ProofError> {
    let sealed = read(&shared.sealed);
    let published = shared.published().filter(|published| published.head.commitment.size == sealed.size);
    published.zip(sealed.registry.clone()).ok_or(ProofError::NotYet("the next head is being signed"))
}

fn begun(registry: &Fold) -> Object {
    Object::new().with("epoch", registry.epoch()).with("hash", registry.hash())
}

/// Who may issue: each key with its window, what became of it and the proof of its record; the roles of every root; and
/// the head that all of it is under.
pub(crate) fn issuers(shared: &Shared) -> Result<Value, ProofError> {
    let (published, registry) = under(shared)?;
    let size = published.head.commitment.size;
    let issuers: Vec<&KeyRecord> = registry.lists().issuers().collect();
    let (mut history, mut proofs) = (Object::new(), Object::new());
    let places = read(&shared.places);
    for key in &issuers {
        let changes = places.history().changes_of(&key.kid).iter().filter(|change| change.moment.seq < size);
        let changes: Vec<Value> =
            changes.map(|change| Value::Object(moment(change.moment).with("event", change.event))).collect();
        history.insert(&key.kid, changes);
        proofs.insert(&key.kid, registry.prove(KeyRecord::KIND, &key.kid).to_value());
    }
    drop(places);
    let header = shared.has_header(registry.epoch()).then(|| shared.header(registry.epoch())).transpose()?;
    let header = header.map(|bytes| parse_canonical(&bytes)).transpose();
    let header = header.map_err(|_| ProofError::Look(LookError::Other("registry header")))?;
    let object = begun(&registry)
        .with("issuers", issuers.iter().map(|key| key.to_value()).collect::<Vec<_>>())
        .with("history", history)
        .with("proofs", proofs)
        .with("roots", registry.roots().map(roles).collect::<Vec<_>>())
        .with_some("header", header)
        .with("head", published.head.to_value());
    Ok(Value::Object(object))
}

fn roles(root: &TrustRoot) -> Value {
    let object = Object::new()
        .with("version", root.version)
        .with("nbf", root.nbf.to_seconds_value())
        .with("exp", root.exp.to_seconds_value())
        .with("roles", root.roles.iter().map(KeyRecord::to_value).collect::<Vec<_>>());
    Value::Object(object)
}

fn moment(moment: Moment) -> Object {
    Object::new().with("seq", moment.seq).with("at", moment.at.to_millis_value())
}

/// The policies that were asked for, each with the entries from which and until which it was in force. For one operation
/// on one runtime at one time there is at most one. The head says as of when that is so, and `final` whether it stays so. Where there
/// are more than are shown at once, `next` is the entry behind which they were published.
pub(crate) fn policies(shared: &Shared, asked: &Asked) -> Result<Value, ProofError> {
    let published = shared.published().ok_or(ProofError::NotYet("there is no signed head yet"))?;
    let size = published.head.commitment.size;
    let known = asked.at.map(|_| known_until(shared, &published)).transpose()?;
    let places = read(&shared.places);
    let terms = places.history().policies().iter().filter(|term| term.since.seq < size);
    let terms = terms.filter(|term| asked.after.is_none_or(|after| term.since.seq > after));
    let mut wanted = terms.filter(|term| {
        let policy = &term.policy;
        let on = |operation: &String| match &asked.runtime {
            Some(runtime) => policy.covers(operation, runtime),
            None => policy.operations.contains(operation),
        };
        asked.operation.as_ref().is_none_or(on) && asked.at.is_none_or(|at| term.holds(at, size))
    });
    let page: Vec<&Term> = wanted.by_ref().take(at_once(asked.count)).collect();
    let next = page.last().map(|term| term.since.seq).filter(|_| wanted.next().is_some());
    let policies: Vec<Value> = page.into_iter().map(|term| shown(term, size)).collect();
    let object = Object::new()
        .with("policies", policies)
        .with_some("operation", asked.operation.as_ref())
        .with_some("runtime", asked.runtime.as_ref())
        .with_some("at", asked.at.map(Time::to_millis_value))
        .with_some("final", asked.at.zip(known).map(|(at, known)| at < known))
        .with_some("next", next)
        .with("head", published.head.to_value());
    Ok(Value::Object(object.with("size", size)))
}

/// The time before which no entry is dated that is not under this head: that of the seal that closes it; and where nothing came
/// since, shortly before its own, for what is being judged at this moment had its time before.
fn known_until(shared: &Shared, published: &Published) -> Result<Time, ProofError> {
    let size = published.head.commitment.size;
    let sealed = shared.entry(size.saturating_sub(1))?.header.at;
    let idle = read(&shared.book).size() == size;
    Ok(if idle { sealed.max(published.head.at.plus_seconds(-JUDGING)) } else { sealed })
}

fn shown(term: &Term, size: u64) -> Value {
    let Value::Object(policy) = term.policy.to_value() else { return Value::Null };
    let until = term.until.filter(|until| until.seq < size);
    let until = until.map_or(Value::Null, |until| Value::Object(moment(until)));
    Value::Object(policy.with("since", moment(term.since)).with("until", until))
}

/// The bundle of a policy that was published, by its hash.
pub(crate) fn policy(shared: &Shared, hash: Sha3) -> Result<Vec<u8>, ProofError> {
    let size = shared.published().map_or(0, |published| published.head.commitment.size);
    if !read(&shared.places).history().was_published(hash, size) {
        return Err(ProofError::Unknown("no policy of this hash was published".to_owned()));
    }
    Ok(shared.blob(&hash)?)
}

/// What is revoked, from behind the artifact `after` on, each with the signed event that revoked it; and what is contained.
pub(crate) fn revocations(shared: &Shared, after: Option<&str>, count: Option<u64>) -> Result<Value, ProofError> {
    let (published, registry) = under(shared)?;
    let lists = registry.lists();
    let count = at_once(count);
    let behind = |artifact: &str| after.is_none_or(|after| artifact > after);
    let mut rows = lists.revoked.iter().filter(|row| behind(&row.artifact)).peekable();
    let mut revoked = Vec::new();
    let mut events = Vec::new();
    let mut last = None;
    for row in rows.by_ref().take(count) {
        let seq = read(&shared.book).revocation_of(&row.artifact).ok_or(LookError::Absent)?;
        let standing = lineage::standing(shared, seq)?;
        let at = standing.header.at.to_millis_value();
        events.push(Value::Object(
            Object::new().with("seq", seq).with("at", at).with("record", standing.record.to_value()),
        ));
        revoked.push(row.to_value());
        last = Some(&row.artifact);
    }
    let next = last.filter(|_| rows.peek().is_some());
    let object = begun(&registry)
        .with("revoked", revoked)
        .with("events", events)
        .with("containments", lists.containments.to_value())
        .with_some("next", next)
        .with("head", published.head.to_value());
    Ok(Value::Object(object))
}
