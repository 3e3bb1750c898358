//! Events (PROTOCOL 5): the signed records of what was decided and what happened, each chained to the one before it in its
//! lineage by two hashes.

mod about;

use crate::encoding::{Encoded, Members, Object, Value, parse_canonical};
use crate::form::{Form, FormError, require};
use crate::hash::{Blake2b, Sha3};
use crate::id;
use crate::limits;
use crate::name;
use crate::signature::{Signature, Signer};
use crate::time::Time;
use alloc::string::String;
use alloc::vec::Vec;

pub use about::About;

/// Who may produce an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Producer {
    /// `ledger://…`.
    Ledger,
    /// `governance://…/authority/…`.
    Authority,
    /// `<runtime>#<point>`.
    Point,
}

impl Producer {
    /// The kind of producer that a name belongs to.
    #[must_use]
    pub fn of(by: &str) -> Option<Self> {
        if name::is_ledger(by) {
            Some(Self::Ledger)
        } else if name::is_authority(by) {
            Some(Self::Authority)
        } else if name::is_point(by) {
            Some(Self::Point)
        } else {
            None
        }
    }
}

/// An event of the catalogue (PROTOCOL 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its name.
    pub name: &'static str,
    /// Who may produce it.
    pub producers: &'static [Producer],
    /// Whether it makes the registry's next epoch.
    pub registry: bool,
}

use Producer::{Authority, Ledger, Point};

const fn event(name: &'static str, producers: &'static [Producer], registry: bool) -> Event {
    Event { name, producers, registry }
}

/// The catalogue. An event that is not here, or by another producer, is refused at append.
const CATALOGUE: &[Event] = &[
    event("ledger.genesis", &[Ledger], true),
    event("ledger.sealed", &[Ledger], false),
    event("ledger.refused", &[Ledger], false),
    event("ledger.recovered", &[Ledger], false),
    event("root.published", &[Authority], true),
    event("key.registered", &[Authority], true),
    event("key.retired", &[Authority], true),
    event("key.compromised", &[Authority], true),
    event("policy.published", &[Authority], true),
    event("policy.retired", &[Authority], true),
    event("runtime.registered", &[Authority], true),
    event("runtime.removed", &[Authority], true),
    event("runtime.step", &[Point], false),
    event("interface.approved", &[Authority], true),
    event("source.registered", &[Authority], true),
    event("source.removed", &[Authority], true),
    event("authorization.revoked", &[Authority], true),
    event("approval.granted", &[Authority], false),
    event("approval.refused", &[Authority], false),
    event("execution.denied", &[Authority, Point], false),
    event("authorization.issued", &[Authority], false),
    event("authorization.consumed", &[Point], false),
    event("admission.granted", &[Point], false),
    event("execution.started", &[Point], false),
    event("attestation.signed", &[Point], false),
    event("execution.completed", &[Point], false),
    event("execution.failed", &[Point], false),
    event("execution.interrupted", &[Point], false),
    event("evidence.committed", &[Point], false),
    event("audit.discontinuity", &[Ledger, Point], false),
    event("audit.resumed", &[Ledger, Point], false),
    event("lifecycle.baseline", &[Authority, Point], false),
    event("lifecycle.authorized", &[Authority, Point], false),
    event("lifecycle.activated", &[Authority, Point], false),
    event("lifecycle.governed", &[Authority, Point], true),
    event("lifecycle.drifting", &[Authority, Point], false),
    event("lifecycle.contained", &[Authority, Point], true),
    event("lifecycle.recovering", &[Authority, Point], true),
    event("lifecycle.revoked", &[Authority, Point], true),
    event("lifecycle.proven", &[Authority, Point], false),
    event("domain.stated", &[Authority], true),
];

impl Event {
    /// The event of a name, where the catalogue has it.
    #[must_use]
    pub fn parse(name: &str) -> Option<&'static Self> {
        CATALOGUE.iter().find(|event| event.name == name)
    }

    /// Whether it belongs to a subject's lineage (PROTOCOL 14.2).
    #[must_use]
    pub fn is_lifecycle(&self) -> bool {
        self.name.starts_with("lifecycle.")
    }
}

/// The tip of a lineage: number and both hashes of its last event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// The last event's number in its lineage.
    pub n: u64,
    /// Its hash.
    pub hash: Sha3,
    /// Its secondary hash.
    pub hash_alt: Blake2b,
}

/// Where an event stands: which lineage it continues or begins.
#[derive(Clone, Debug)]
pub enum Place {
    /// The one event of a lineage of its own; the id is the content's.
    Alone,
    /// The first event of the lineage `op`.
    First {
        /// The lineage.
        op: String,
    },
    /// The event after `tip` in the lineage `op`.
    After {
        /// The lineage.
        op: String,
        /// Its tip.
        tip: Tip,
    },
}

/// An event before it is signed.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its name, of the catalogue.
    pub event: &'static str,
    /// Where it stands.
    pub place: Place,
    /// When, by its producer's clock.
    pub ts: Time,
    /// Its producer.
    pub by: String,
    /// Its number under the producer's key, from 0 without gaps.
    pub src_seq: u64,
    /// What belongs to this event alone.
    pub data: Object,
    /// What it is about.
    pub about: About,
}

impl Draft {
    /// Computes both hashes and signs. Whether `data` holds what the protocol asks for, and no integer beyond 2^53-1, is not checked:
    /// that is for whoever fills it.
    ///
    /// # Errors
    /// Where a name in it is not of its form, or the record would be past 16 KiB or too deep to stand in a list of records.
    pub fn sign(self, signer: &dyn Signer) -> Result<Record, FormError> {
        require(Producer::of(&self.by).is_some(), "event: `by` is not of its form")?;
        require(name::is_key(signer.kid()), "event: `kid` is not of its form")?;
        self.about.check()?;
        let (op, n, tip) = match self.place {
            Place::Alone => (None, 1, None),
            Place::First { op } => (Some(op), 1, None),
            Place::After { op, tip } => (Some(op), tip.n + 1, Some(tip)),
        };
        let prev = tip.map(|tip| (tip.hash, tip.hash_alt));
        let ts = self.ts.millis();
        let mut members = Members::new();
        members.insert("v", "1");
        members.insert("event", self.event);
        members.insert("n", &n);
        members.insert("prev_hash", &prev.map(|(hash, _)| hash));
        members.insert("prev_hash_alt", &prev.map(|(_, hash_alt)| hash_alt));
        members.insert("ts", ts.as_str());
        members.insert("by", self.by.as_str());
        members.insert("src_seq", &self.src_seq);
        members.insert("kid", signer.kid());
        members.insert("data", &self.data);
        self.about.write(&mut members);
        let op = op.unwrap_or_else(|| id::of_canonical(&members.canonical()));
        members.insert("op", op.as_str());
        let body = members.canonical();
        let envelope = self.data.get("envelope").filter(|_| self.event == "attestation.signed");
        let envelope = envelope.filter(|value| value.as_object().is_some()).map(Value::canonical);
        let (hash, hash_alt, envelope) = hashes(&body, prev.as_ref(), envelope.as_deref());
        let sig = signer.signature(&body);
        members.insert("event_hash", &hash);
        members.insert("event_hash_alt", &hash_alt);
        members.insert("sig", &sig.to_value());
        let canonical = members.canonical();
        // No other member is deeper than `data`.
        within_limits(canonical.len(), 1 + self.data.depth())?;
        let record = Record {
            event: self.event.into(),
            op,
            n,
            prev,
            ts: self.ts,
            by: self.by,
            src_seq: self.src_seq,
            kid: signer.kid().into(),
            data: self.data,
            about: self.about,
            hash,
            hash_alt,
            sig,
            envelope,
            body,
            canonical,
        };
        debug_assert!(Record::read_canonical(&record.canonical).is_ok(), "a draft is not of an event's form");
        Ok(record)
    }
}

/// At most 16 KiB, and not so deep that an entry could not hold it.
fn within_limits(length: usize, depth: usize) -> Result<(), FormError> {
    require(length <= limits::MAX_RECORD, "the event record is larger than 16 KiB")?;
    // The request that brings the record and the bundle that shows it hold it in a list: two containers more.
    require(depth + 2 <= limits::MAX_DEPTH, "the event record is too deep to stand in a list of records")
}

/// Both hashes of an event, each over its canonical body and the raw hash before it (PROTOCOL 5); and the digest of the envelope in
/// it, which whoever made the event asks for next. Computed together with the primary hash it costs little.
fn hashes(body: &[u8], prev: Option<&(Sha3, Blake2b)>, envelope: Option<&[u8]>) -> (Sha3, Blake2b, Envelope) {
    let nothing: &[u8] = &[];
    let (before, before_alt) = prev.map_or((nothing, nothing), |(hash, hash_alt)| (&hash.0[..], &hash_alt.0[..]));
    let hashed = [body, before];
    let (hash, envelope) = match envelope.map(|envelope| Sha3::of_both(hashed, [envelope, nothing])) {
        Some((hash, digest)) => (hash, Envelope::Digest(digest)),
        None => (Sha3::of(&hashed), Envelope::None),
    };
    (hash, Blake2b::of(&[body, before_alt]), envelope)
}

/// An event record, of its form but not yet verified.
#[derive(Clone, Debug)]
pub struct Record {
    /// The event's name; [`Record::kind`] looks it up in the catalogue.
    pub event: String,
    /// The lineage it belongs to.
    pub op: String,
    /// Its number in the lineage, from 1.
    pub n: u64,
    /// Both hashes of the event before it; `None` at n = 1.
    pub prev: Option<(Sha3, Blake2b)>,
    /// When, by its producer's clock.
    pub ts: Time,
    /// Its producer.
    pub by: String,
    /// Its number under the producer's key.
    pub src_seq: u64,
    /// The producer's key.
    pub kid: String,
    /// What belongs to this event alone.
    pub data: Object,
    /// What it is about.
    pub about: About,
    /// SHA3-512 chain value.
    pub hash: Sha3,
    /// BLAKE2b-512 chain value.
    pub hash_alt: Blake2b,
    /// Over the canonical body.
    pub sig: Signature,
    envelope: Envelope,
    body: Vec<u8>,
    canonical: Vec<u8>,
}

/// What a record keeps of the envelope in its data.
#[derive(Clone, Debug)]
enum Envelope {
    /// It is no `attestation.signed`, or has none.
    None,
    /// The envelope's canonical bytes, until [`Record::digest_envelopes`] takes their digest.
    Bytes(Vec<u8>),
    /// Its SHA3-512.
    Digest(Sha3),
}

/// All of a record follows from its canonical encoding.
impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for Record {}

/// The members that hashes and signature do not cover: themselves (PROTOCOL 5).
pub const SEAL: [&str; 3] = ["event_hash", "event_hash_alt", "sig"];

impl Record {
    /// Reads a record: every member of its form, none unknown, at most 16 KiB. Hashes and signature are not checked here.
    ///
    /// # Errors
    /// Where it is not of that form.
    pub fn read(value: Value) -> Result<Self, FormError> {
        match value {
            Value::Object(object) => Self::read_canonical(&object.canonical()),
            _ => Err(FormError("the event record is not an object".into())),
        }
    }

    /// Reads a record from its canonical encoding.
    ///
    /// # Errors
    /// As [`Record::read`], and where it is not canonically encoded.
    pub fn read_canonical(canonical: &[u8]) -> Result<Self, FormError> {
        Self::read_encoded(&Encoded::of(canonical)?)
    }

    /// Reads a record where it stands.
    ///
    /// # Errors
    /// As [`Record::read`].
    pub fn read_encoded(encoded: &Encoded<'_>) -> Result<Self, FormError> {
        within_limits(encoded.bytes().len(), encoded.depth())?;
        let mut form = Form::of_encoded(encoded, "event");
        form.version()?;
        let prev = match (form.sha3_or_null("prev_hash")?, form.blake2b_or_null("prev_hash_alt")?) {
            (Some(hash), Some(hash_alt)) => Some((hash, hash_alt)),
            (None, None) => None,
            _ => return Err(FormError("event: only one of `prev_hash` and `prev_hash_alt` is null".into())),
        };
        let event = form.named("event", "an event's name", name::is_segment)?;
        let data = encoded.get("data").filter(|_| event == "attestation.signed");
        let envelope = data.and_then(envelope).map_or(Envelope::None, |bytes| Envelope::Bytes(bytes.to_vec()));
        let record = Self {
            event,
            op: form.named("op", "an operation id", |op| id::split_operation(op).is_some())?,
            n: form.positive("n")?,
            prev,
            ts: form.millis("ts")?,
            by: form.named("by", "a producer", |by| Producer::of(by).is_some())?,
            src_seq: form.uint("src_seq")?,
            kid: form.named("kid", "a key's name", name::is_key)?,
            data: form.object("data")?,
            about: About::take(&mut form)?,
            hash: form.sha3("event_hash")?,
            hash_alt: form.blake2b("event_hash_alt")?,
            sig: Signature::take(&mut form, "sig")?,
            envelope,
            body: encoded.without(&SEAL),
            canonical: encoded.bytes().to_vec(),
        };
        form.finish()?;
        require(record.sig.kid == record.kid, "event: the signature names another key than the body")?;
        require((record.n == 1) == record.prev.is_none(), "event: `prev_hash` is null at n = 1 and only there")?;
        Ok(record)
    }

    /// SHA3-512 of the envelope of an `attestation.signed`, where it has one.
    #[must_use]
    pub(crate) fn envelope_digest(&self) -> Option<Sha3> {
        match &self.envelope {
            Envelope::Digest(digest) => Some(*digest),
            Envelope::Bytes(bytes) => Some(Sha3::of(&[bytes])),
            Envelope::None => {
                let envelope = self.data.get("envelope").filter(|value| value.as_object().is_some());
                envelope.filter(|_| self.event == "attestation.signed").map(Sha3::of_value)
            }
        }
    }

    /// Computes the digest of each one's envelope, where it has one. Several are hashed at a time, which whoever judges one record
    /// after the other can't do.
    pub fn digest_envelopes<'a>(records: impl IntoIterator<Item = &'a mut Self>) {
        let envelopes = records.into_iter().map(|record| &mut record.envelope);
        let mut envelopes: Vec<&mut Envelope> =
            envelopes.filter(|envelope| matches!(envelope, Envelope::Bytes(_))).collect();
        let bytes = envelopes.iter().filter_map(|envelope| match envelope {
            Envelope::Bytes(bytes) => Some([bytes.as_slice()]),
            _ => None,
        });
        let digests = Sha3::of_each(&bytes.collect::<Vec<_>>());
        for (envelope, digest) in envelopes.iter_mut().zip(digests) {
            **envelope = Envelope::Digest(digest);
        }
    }

    /// Its entry in the catalogue, where it has one.
    #[must_use]
    pub fn kind(&self) -> Option<&'static Event> {
        Event::parse(&self.event)
    }

    /// What is signed: the canonical body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether both hashes follow from the body and the `prev_*` it names.
    #[must_use]
    pub fn hashes_follow(&self) -> bool {
        self.hash_follows() && self.hash_alt_follows()
    }

    /// [`Record::hashes_follow`] of each, in their order: several are hashed at a time.
    #[must_use]
    pub fn hashes_follow_each(records: &[&Self]) -> Vec<bool> {
        let hashed: Vec<_> = records.iter().map(|record| record.hashed()).collect();
        let hashed_alt: Vec<_> = records.iter().map(|record| record.hashed_alt()).collect();
        let follows = Sha3::of_each(&hashed).into_iter().zip(Blake2b::of_each(&hashed_alt)).zip(records);
        follows.map(|((hash, hash_alt), record)| (hash, hash_alt) == (record.hash, record.hash_alt)).collect()
    }

    /// What the primary hash covers.
    pub(crate) fn hashed(&self) -> [&[u8]; 2] {
        [&self.body, self.prev.as_ref().map_or(&[], |(hash, _)| &hash.0)]
    }

    /// What the secondary hash covers.
    fn hashed_alt(&self) -> [&[u8]; 2] {
        [&self.body, self.prev.as_ref().map_or(&[], |(_, hash_alt)| &hash_alt.0)]
    }

    /// Whether the primary hash follows.
    #[must_use]
    pub fn hash_follows(&self) -> bool {
        Sha3::of(&self.hashed()) == self.hash
    }

    /// Whether the secondary hash follows.
    #[must_use]
    pub fn hash_alt_follows(&self) -> bool {
        Blake2b::of(&self.hashed_alt()) == self.hash_alt
    }

    /// Whether its op is the content id of its body without `op`, as for every event that stands alone (PROTOCOL 5).
    #[must_use]
    pub fn op_is_content(&self) -> bool {
        Encoded::of(&self.body).is_ok_and(|body| id::of_canonical(&body.without(&["op"])) == self.op)
    }

    /// Number and hashes: what the next event of the lineage continues.
    #[must_use]
    pub fn tip(&self) -> Tip {
        Tip { n: self.n, hash: self.hash, hash_alt: self.hash_alt }
    }

    /// The canonical bytes of the whole record.
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// The record as a value: it is read anew from its encoding.
    #[must_use]
    pub fn to_value(&self) -> Value {
        parse_canonical(&self.canonical).unwrap_or(Value::Null)
    }

    /// Whether this is a denial that is counted per second instead of being one event each (PROTOCOL 5.3).
    #[must_use]
    pub fn is_counted_denial(&self) -> bool {
        self.event == "execution.denied" && self.data.get("count").is_some()
    }

    /// The string member `name` of `data`.
    #[must_use]
    pub fn data_str(&self, name: &str) -> Option<&str> {
        self.data.get(name).and_then(Value::as_str)
    }
}

/// The envelope in an attestation's data, as it stands there.
fn envelope(data: &str) -> Option<&[u8]> {
    Encoded::of_text(data)?.get("envelope").filter(|envelope| envelope.starts_with('{')).map(str::as_bytes)
}

#[cfg(test)]
mod tests;
