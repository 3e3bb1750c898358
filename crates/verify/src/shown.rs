//! What a bundle shows, each member read once and on its own.
//!
//! A member that is malformed or missing fails the checks that ask for it here, and no other: its error is kept in its place. An
//! unknown member does not keep the structure around it from being read: `bundle.form` refuses it, and the hashes, which cover it,
//! do not follow.

use crate::caller::Caller;
use crate::checks::{Judged, Stop, failed};
use alloc::borrow::{Cow, ToOwned};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::OnceCell;
use eleven_core::artifact::Artifact;
use eleven_core::chain::EntryHeader;
use eleven_core::encoding::{Encoded, Object, Value};
use eleven_core::event::{Record, SEAL};
use eleven_core::form::{Form, FormError};
use eleven_core::hash::{Blake2b, Sha3, Sha256};
use eleven_core::head::Head;
use eleven_core::head::checkpoint::Note;
use eleven_core::id;
use eleven_core::index::Proof;
use eleven_core::policy::PolicyBundle;
use eleven_core::registry::{Header, Item as _};
use eleven_core::root::{KeyRecord, KeyUse, TrustRoot};
use eleven_core::signature::{Signature, VerifyingKey};
use eleven_core::time::Time;
use eleven_core::tree::{leaf_hash, read_proof, verify_inclusion};

type Read<T> = Result<T, FormError>;

/// A bundle and who looks at it.
pub(crate) struct Shown<'a> {
    /// The bundle itself.
    pub(crate) value: &'a Value,
    /// Who looks at it.
    pub(crate) caller: &'a Caller<'a>,
    roots: Read<Vec<TrustRoot>>,
    header: Read<(Header, Signature)>,
    events: Vec<Read<Event>>,
    entries: Vec<Read<Entry>>,
    head: Read<Head>,
    note: Read<Note>,
    artifact: Read<Artifact>,
    policy: Read<PolicyBundle>,
    /// Read when a check asks for it.
    seal: OnceCell<Read<(Entry, Event)>>,
    /// The registry's keys by their names, the first of each.
    keys: BTreeMap<&'a str, Key>,
}

/// An event of a bundle.
pub(crate) struct Event {
    /// What it says.
    pub(crate) record: Record,
    /// The canonical encoding of all that stands in the bundle, unknown members included: hashes and signature have to be over that.
    canonical: Vec<u8>,
    body: Vec<u8>,
    hash: Sha3,
    hash_alt: Blake2b,
}

/// A key of the registry.
struct Key {
    record: Read<KeyRecord>,
    /// Made when a check asks for it: several events are signed by one.
    verifying: OnceCell<Option<Arc<VerifyingKey>>>,
}

/// Where the ledger holds a record, and the proof of it.
pub(crate) struct Entry {
    pub(crate) header: EntryHeader,
    proof: Vec<Sha256>,
}

/// An operation id: the artifact's content id, and the number of the use where uses are numbered.
pub(crate) struct Operation<'a> {
    pub(crate) whole: &'a str,
    pub(crate) base: &'a str,
    pub(crate) number: Option<u64>,
}

impl<'a> Shown<'a> {
    pub(crate) fn read(value: &'a Value, caller: &'a Caller<'a>) -> Self {
        let list = |name: &str| value.get(name).and_then(Value::as_array).unwrap_or_default();
        Self {
            value,
            caller,
            roots: list("roots").iter().map(|root| read_root(root, caller)).collect(),
            header: member(value.get("registry").unwrap_or(&Value::Null), "header").and_then(Header::read),
            events: Event::read_each(list("events")),
            entries: list("entries").iter().map(Entry::read).collect(),
            head: member(value, "head").and_then(Head::read),
            note: member(value, "checkpoint").and_then(|text| Note::parse(text.as_str().unwrap_or_default())),
            artifact: member(value, "artifact").and_then(|value| Artifact::read(known(value, ARTIFACT))),
            policy: member(value, "policy").and_then(PolicyBundle::read),
            seal: OnceCell::new(),
            keys: keys(value),
        }
    }

    /// The bundle's `kind` as it stands there.
    pub(crate) fn kind(&self) -> &'a str {
        self.value.get("kind").and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn is_denial(&self) -> bool {
        self.kind() == "denial"
    }

    /// Stops a check that a denial has nothing for.
    pub(crate) fn not_of_denial(&self) -> Judged {
        if self.is_denial() { Err(Stop::NotChecked("a denial has no artifact")) } else { Ok(()) }
    }

    /// The bundle's `op`.
    pub(crate) fn op(&self) -> Judged<Operation<'a>> {
        let op = self.value.get("op").and_then(Value::as_str);
        let split = op.and_then(|whole| id::split_operation(whole).map(|split| (whole, split)));
        let Some((whole, (base, number))) = split else { return failed("the bundle's `op` is no operation id") };
        Ok(Operation { whole, base, number })
    }

    pub(crate) fn roots(&self) -> Judged<&[TrustRoot]> {
        match read(&self.roots)?.as_slice() {
            [] => failed("the bundle has no roots"),
            roots => Ok(roots),
        }
    }

    /// The last root: the one that has to be in force at the head.
    pub(crate) fn root(&self) -> Judged<&TrustRoot> {
        self.roots()?.last().map_or_else(|| failed("the bundle has no roots"), Ok)
    }

    /// The registry's header and its signature.
    pub(crate) fn header(&self) -> Judged<&(Header, Signature)> {
        read(&self.header)
    }

    /// The registry's records as they stand in the bundle: kind, record and proof.
    pub(crate) fn records(&self) -> impl Iterator<Item = (&'a str, &'a Value, &'a Value)> {
        records(self.value)
    }

    /// The first record of a kind whose member `name` is `value`.
    pub(crate) fn record(&self, kind: &str, name: &str, value: &str) -> Judged<&'a Value> {
        let mut records = self.records().filter(|(other, ..)| *other == kind).map(|(_, record, _)| record);
        let found = records.find(|record| record.get(name).and_then(Value::as_str) == Some(value));
        found.map_or_else(|| lacks(kind, value), Ok)
    }

    /// The registry's key of that name, where its signature counts: it has this use, belongs to `owner` and counts at `at`.
    pub(crate) fn key(&self, usage: KeyUse, kid: &str, owner: &str, at: Time) -> Judged<&VerifyingKey> {
        let Some(Key { record, verifying }) = self.keys.get(kid) else {
            return lacks(KeyRecord::KIND, kid);
        };
        let key = read(record)?;
        if key.usage != usage {
            return failed(format!("`{kid}` is a key for {}, not for {}", key.usage.name(), usage.name()));
        }
        if key.owner != owner {
            return failed(format!("`{kid}` belongs to `{}`, not to `{owner}`", key.owner));
        }
        if !key.counts_at(at) {
            return failed(format!("`{kid}` does not count at {at}"));
        }
        let verifying = verifying.get_or_init(|| self.caller.ready(key)).as_deref();
        verifying.map_or_else(|| failed(format!("`{kid}` has no usable public key")), Ok)
    }

    /// All events; at least one.
    pub(crate) fn events(&self) -> Judged<Vec<&Event>> {
        if self.events.is_empty() {
            return failed("the bundle has no events");
        }
        self.events.iter().map(read).collect()
    }

    /// The event at a position, counted from 0.
    pub(crate) fn event(&self, position: usize) -> Judged<&Event> {
        self.events.get(position).map_or_else(|| failed(format!("there is no event {}", position + 1)), read)
    }

    /// `authorization.consumed`, which is the second event of everything that was used.
    pub(crate) fn consumed(&self) -> Judged<&Event> {
        let event = self.event(1)?;
        match event.record.event.as_str() {
            "authorization.consumed" => Ok(event),
            other => failed(format!("the second event is `{other}`, not the consumption")),
        }
    }

    /// Where the ledger holds the event at a position.
    pub(crate) fn entry(&self, position: usize) -> Judged<&Entry> {
        self.entries.get(position).map_or_else(|| failed(format!("there is no entry of event {}", position + 1)), read)
    }

    /// All entries, one for each event.
    pub(crate) fn entries(&self) -> Judged<Vec<&Entry>> {
        match (self.entries.len(), self.events.len()) {
            (n, m) if n == m => self.entries.iter().map(read).collect(),
            (n, m) => failed(format!("there are {m} events and {n} entries, not one for each")),
        }
    }

    /// An entry that is shown whole: `published`, `revocation`, `registered`.
    pub(crate) fn shown_entry(&self, name: &str) -> Judged<(Entry, Event)> {
        Ok(shown_entry(self.value, name)?)
    }

    /// The seal, which is shown whole, too.
    pub(crate) fn seal(&self) -> Judged<&(Entry, Event)> {
        read(self.seal.get_or_init(|| shown_entry(self.value, "seal")))
    }

    pub(crate) fn head(&self) -> Judged<&Head> {
        read(&self.head)
    }

    /// The checkpoint with its signature lines.
    pub(crate) fn note(&self) -> Judged<&Note> {
        read(&self.note)
    }

    /// The proof `op`, `revoked` or `use` of the index.
    pub(crate) fn index(&self, name: &str) -> Judged<Proof> {
        let index = self.value.get("index").unwrap_or(&Value::Null);
        Ok(Proof::read(known(member(index, name)?, &["siblings", "end"]))?)
    }

    /// The artifact as far as its members are known; nothing of it is verified.
    pub(crate) fn artifact(&self) -> Judged<&Artifact> {
        self.not_of_denial()?;
        read(&self.artifact)
    }

    /// The artifact with whatever stands in it, which an unknown member must not: what its hashes and its signature are over.
    pub(crate) fn whole_artifact(&self) -> Judged<Cow<'_, Artifact>> {
        let known = self.artifact();
        match self.value.get("artifact").and_then(Value::as_object) {
            Some(object) if !self.is_denial() && !is_known(object, ARTIFACT) => {
                Ok(Cow::Owned(Artifact::read(Value::Object(object.clone()))?))
            }
            _ => known.map(Cow::Borrowed),
        }
    }

    pub(crate) fn policy(&self) -> Judged<&PolicyBundle> {
        self.not_of_denial()?;
        read(&self.policy)
    }

    /// What reading the policy came to, whatever the bundle shows.
    pub(crate) const fn policy_as_read(&self) -> &Read<PolicyBundle> {
        &self.policy
    }

    /// Whether the head's tree holds `event` at `entry`.
    pub(crate) fn included(&self, entry: &Entry, event: &Event) -> Judged {
        let head = &self.head()?.commitment;
        let leaf = leaf_hash(&entry.header.bytes(event.canonical()));
        let seq = entry.header.seq;
        let included = verify_inclusion(&leaf, seq, head.size, &entry.proof, &head.root);
        if included {
            Ok(())
        } else {
            failed(format!("entry {seq} is not in the head's tree with what is shown of it"))
        }
    }
}

impl Event {
    pub(crate) fn read(value: &Value) -> Read<Self> {
        let event = Self::read_each(core::slice::from_ref(value)).pop();
        event.unwrap_or_else(|| Err(FormError("there is no event".to_owned())))
    }

    /// Reads each, in their order; several are hashed at a time.
    fn read_each(values: &[Value]) -> Vec<Read<Self>> {
        let unhashed: Vec<Read<Unhashed>> = values.iter().map(Unhashed::read).collect();
        let whole = || unhashed.iter().flatten();
        let hashes = Sha3::of_each(&whole().map(Unhashed::hashed).collect::<Vec<_>>());
        let hashes_alt = Blake2b::of_each(&whole().map(Unhashed::hashed_alt).collect::<Vec<_>>());
        let mut hashes = hashes.into_iter().zip(hashes_alt);
        let event = |unhashed: Read<Unhashed>| {
            let Unhashed { record, canonical, body } = unhashed?;
            // There are both for each that is of an event's form, in their order.
            let hashed = hashes.next().ok_or_else(|| FormError("an event was not hashed".to_owned()));
            hashed.map(|(hash, hash_alt)| Self { record, canonical, body, hash, hash_alt })
        };
        unhashed.into_iter().map(event).collect()
    }

    /// All of it, as the ledger's entry holds it.
    pub(crate) fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// What was signed.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The primary hash that follows from the body and the `prev_hash` that it states.
    pub(crate) const fn hash(&self) -> &Sha3 {
        &self.hash
    }

    /// The secondary hash likewise.
    pub(crate) const fn hash_alt(&self) -> &Blake2b {
        &self.hash_alt
    }

    /// Whether both hashes are those that follow.
    pub(crate) fn hashes_follow(&self) -> Judged {
        let follow = self.hash == self.record.hash && self.hash_alt == self.record.hash_alt;
        if follow { Ok(()) } else { failed(format!("the hashes of `{}` do not follow from it", self.record.event)) }
    }

    /// The content id of the body without `op`: the op of an event that stands alone (PROTOCOL 5).
    pub(crate) fn content_id(&self) -> String {
        let body = Encoded::of(&self.body).map(|body| body.without(&["op"]));
        body.map(|body| id::of_canonical(&body)).unwrap_or_default()
    }
}

/// An event of which nothing is hashed yet.
struct Unhashed {
    record: Record,
    canonical: Vec<u8>,
    body: Vec<u8>,
}

impl Unhashed {
    fn read(value: &Value) -> Read<Self> {
        let object = value.as_object().ok_or_else(|| FormError("an event is not an object".to_owned()))?;
        let canonical = object.canonical();
        if is_known(object, EVENT) {
            let record = Record::read_canonical(&canonical)?;
            let body = record.body().to_vec();
            return Ok(Self { record, canonical, body });
        }
        let body = object.canonical_without(&SEAL);
        Ok(Self { record: Record::read(known(value.clone(), EVENT))?, canonical, body })
    }

    /// What the primary hash covers, as it stands in the bundle.
    fn hashed(&self) -> [&[u8]; 2] {
        [&self.body, self.record.prev.as_ref().map_or(&[], |(hash, _)| &hash.0)]
    }

    /// What the secondary hash covers likewise.
    fn hashed_alt(&self) -> [&[u8]; 2] {
        [&self.body, self.record.prev.as_ref().map_or(&[], |(_, hash_alt)| &hash_alt.0)]
    }
}

impl Key {
    fn read(record: &Value) -> Self {
        Self { record: KeyRecord::read(record.clone()), verifying: OnceCell::new() }
    }
}

impl Entry {
    fn read(value: &Value) -> Read<Self> {
        let mut form = Form::of(value.clone(), "entry")?;
        Ok(Self { header: EntryHeader::take(&mut form)?, proof: read_proof(&form.take("proof")?)? })
    }
}

/// An entry that a bundle shows whole.
fn shown_entry(bundle: &Value, name: &str) -> Read<(Entry, Event)> {
    let value = bundle.get(name).ok_or_else(|| FormError(format!("the bundle has no `{name}`")))?;
    let record = value.get("record").unwrap_or(&Value::Null);
    Ok((Entry::read(value)?, Event::read(record)?))
}

/// A root that a bundle shows, which need not be looked at again where it is the caller's own.
pub(crate) fn read_root(value: &Value, caller: &Caller<'_>) -> Read<TrustRoot> {
    let pinned = caller.root.and_then(|pinned| pinned.sound(value));
    pinned.map_or_else(|| TrustRoot::read(value.clone()), |root| Ok(root.clone()))
}

/// The records of the registry that a bundle shows: kind, record and proof.
fn records(bundle: &Value) -> impl Iterator<Item = (&str, &Value, &Value)> {
    let records = bundle.get("registry").and_then(|registry| registry.get("records"));
    let records = records.and_then(Value::as_array).unwrap_or_default();
    records.iter().map(|record| {
        let kind = record.get("kind").and_then(Value::as_str).unwrap_or_default();
        (kind, record.get("record").unwrap_or(&Value::Null), record.get("proof").unwrap_or(&Value::Null))
    })
}

/// The keys among them that have a name. Each event asks for one, and a file has room for a great many of both.
fn keys(bundle: &Value) -> BTreeMap<&str, Key> {
    let mut keys = BTreeMap::new();
    for (_, record, _) in records(bundle).filter(|(kind, ..)| *kind == KeyRecord::KIND) {
        if let Some(kid) = record.get("kid").and_then(Value::as_str) {
            keys.entry(kid).or_insert_with(|| Key::read(record));
        }
    }
    keys
}

fn lacks<T>(kind: &str, name: &str) -> Judged<T> {
    failed(format!("the registry's records lack the {kind} `{name}`"))
}

fn read<T>(member: &Read<T>) -> Judged<&T> {
    member.as_ref().map_err(|error| Stop::from(error.clone()))
}

fn member(value: &Value, name: &str) -> Read<Value> {
    value.get(name).cloned().ok_or_else(|| FormError(format!("the bundle lacks `{name}`, or what it stands in")))
}

/// The members of an artifact.
const ARTIFACT: &[&str] =
    &["v", "id", "iss", "sub", "op", "pol", "env", "nbf", "exp", "use", "parent", "origin", "holder", "chash", "sig"];

/// The members of an event record.
const EVENT: &[&str] = &[
    "v",
    "event",
    "op",
    "n",
    "prev_hash",
    "prev_hash_alt",
    "ts",
    "by",
    "src_seq",
    "kid",
    "data",
    "identity",
    "operation",
    "artifact_id",
    "issuer",
    "runtime",
    "policy",
    "policy_required",
    "reason",
    "fingerprint",
    "event_hash",
    "event_hash_alt",
    "sig",
];

/// Whether no member of an object is unknown.
fn is_known(object: &Object, names: &[&str]) -> bool {
    object.iter().all(|(name, _)| names.contains(&name))
}

/// The same object without its unknown members.
fn known(value: Value, names: &[&str]) -> Value {
    let Value::Object(object) = value else { return value };
    if is_known(&object, names) {
        return Value::Object(object);
    }
    let members = object.iter().filter(|(name, _)| names.contains(name));
    Value::Object(members.fold(Object::new(), |kept, (name, value)| kept.with(name, value.clone())))
}
