//! The audit service's wire (PROTOCOL 12): events in, durability out.

use eleven_core::encoding::{Encoded, EncodingError, Item, Most, Object, TOO_MUCH, Value, parse_items};
use eleven_core::event::Record;
use eleven_core::form::{Form, FormError, require};
use eleven_core::hash::{self, Sha3};
use eleven_core::head::checkpoint::Note;
use eleven_core::limits::MAX_RECORDS;
use eleven_core::root::Witnesses;
use eleven_core::time::Time;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// The header in which a request names the level that its answer is to wait for, and an answer the level that is reached.
pub const DURABILITY_HEADER: &str = "eleven-durability";

/// The most of an append that is read: several times the values that so many records hold.
const MOST: Most = Most { items: MAX_RECORDS, values: 128 * MAX_RECORDS };

/// How safe a commit is (PROTOCOL 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Accepted.
    D0,
    /// Durable on one machine: fdatasync returned.
    D1,
    /// Durable on a quorum.
    D2,
    /// Under a signed head.
    D3,
    /// Cosigned by the witness quorum.
    D4,
    /// Mirrored by a replaying auditor.
    D5,
}

impl Durability {
    /// The written name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::D0 => "D0",
            Self::D1 => "D1",
            Self::D2 => "D2",
            Self::D3 => "D3",
            Self::D4 => "D4",
            Self::D5 => "D5",
        }
    }

    /// What a checkpoint, signed by its ledger, makes of the entries under it: D3, cosigned by the quorum of the root's
    /// witnesses D4, by an auditor and as many as the root asks for D5.
    #[must_use]
    pub fn of(note: &Note, witnesses: &Witnesses) -> Self {
        let (all, auditors) = if witnesses.keys.is_empty() { (0, 0) } else { witnesses.cosigned(note) };
        if witnesses.quorum == 0 || all < witnesses.quorum {
            Self::D3
        } else if auditors < witnesses.auditors.max(1) {
            Self::D4
        } else {
            Self::D5
        }
    }

    /// The level of a written name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::D0, Self::D1, Self::D2, Self::D3, Self::D4, Self::D5].into_iter().find(|level| level.name() == text)
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `POST /v1/audit/events`: records of one or more producers, in each producer's order, and the blobs they name.
#[derive(Clone, Debug, Default)]
pub struct Append {
    /// The records, canonically encoded; the audit service reads them one by one, so that one bad record does not refuse
    /// others.
    pub records: Vec<Vec<u8>>,
    /// Content by hash: artifacts, policy bundles, decision inputs, large evidence.
    pub blobs: BTreeMap<Sha3, Vec<u8>>,
}

impl Append {
    /// Adds a record.
    pub fn record(&mut self, record: &Record) {
        self.records.push(record.canonical().to_vec());
    }

    /// Adds canonical bytes under their hash, and returns it.
    pub fn blob(&mut self, bytes: Vec<u8>) -> Sha3 {
        let hash = Sha3::of(&[&bytes]);
        self.blobs.insert(hash, bytes);
        hash
    }

    /// The body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let records: Vec<&[u8]> = self.records.iter().map(Vec::as_slice).collect();
        Self::body(&records, &self.blobs.iter().map(|(hash, bytes)| (*hash, bytes.as_slice())).collect())
    }

    /// The body for records in their canonical encoding and the content that goes with them.
    #[must_use]
    pub fn body(records: &[&[u8]], blobs: &BTreeMap<Sha3, &[u8]>) -> Vec<u8> {
        let content: usize = blobs.values().map(|bytes| bytes.len() * 4 / 3 + 128).sum();
        let size = content + records.iter().map(|record| record.len() + 1).sum::<usize>();
        let mut body = Vec::with_capacity(size + 32);
        body.extend_from_slice(br#"{"blobs":{"#);
        for (i, (hash, bytes)) in blobs.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            body.extend_from_slice(format!("{comma}\"{hash}\":\"{}\"", hash::base64(bytes)).as_bytes());
        }
        body.extend_from_slice(br#"},"records":["#);
        for (i, record) in records.iter().enumerate() {
            if i > 0 {
                body.push(b',');
            }
            body.extend_from_slice(record);
        }
        body.extend_from_slice(b"]}");
        body
    }

    /// Reads a body. Each blob must hash to its name.
    ///
    /// # Errors
    /// Where it is not of that form.
    pub fn read(body: &[u8]) -> Result<Self, FormError> {
        let SentAppend { records, blobs } = SentAppend::read(body)?;
        Ok(Self { records: records.iter().map(|record| record.canonical().to_vec()).collect(), blobs: blobs.read()? })
    }
}

/// An append of which the content is not looked at yet: whoever takes it reads the records first, which are signed.
#[derive(Debug)]
pub struct SentAppend<'a> {
    /// The records.
    pub records: Vec<SentRecord<'a>>,
    /// The content, as it stands in the body.
    pub blobs: SentBlobs,
}

/// A record in an append.
#[derive(Debug)]
pub enum SentRecord<'a> {
    /// It came in its canonical encoding, and is taken apart where it stands.
    Encoded(Encoded<'a>),
    /// It came in another: this is the canonical one.
    Other(Vec<u8>),
}

impl SentRecord<'_> {
    /// Its canonical encoding.
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        match self {
            Self::Encoded(encoded) => encoded.bytes(),
            Self::Other(canonical) => canonical,
        }
    }

    /// The same taken apart; `None` where it is not an object.
    #[must_use]
    pub fn encoded(&self) -> Option<Cow<'_, Encoded<'_>>> {
        match self {
            Self::Encoded(encoded) => Some(Cow::Borrowed(encoded)),
            Self::Other(canonical) => Encoded::of(canonical).ok().map(Cow::Owned),
        }
    }
}

const NOT_A_BLOB: &str = "append request: a blob is not base64 under a sha3-512 hash";

/// Content in an append as it stands there: base64 under the name of a hash.
#[derive(Debug)]
pub struct SentBlobs(Object);

impl<'a> SentAppend<'a> {
    /// Reads a body as far as its records.
    ///
    /// # Errors
    /// Where it is not of that form, or holds more records than [`MAX_RECORDS`].
    pub fn read(body: &'a [u8]) -> Result<Self, FormError> {
        let (value, items) = parse_items(body, "records", MOST).map_err(not_read)?;
        let mut form = Form::of(value, "append request")?;
        form.array("records")?;
        let record = |item| match item {
            Item::Encoded(encoded) => SentRecord::Encoded(encoded),
            Item::Other(value) => SentRecord::Other(value.canonical()),
        };
        let records = items.into_iter().map(record).collect();
        let sent = if form.has("blobs") { form.object("blobs")? } else { Object::new() };
        form.finish()?;
        let named = sent.iter().all(|(name, blob)| Sha3::parse(name).is_some() && blob.as_str().is_some());
        require(named, NOT_A_BLOB)?;
        Ok(Self { records, blobs: SentBlobs(sent) })
    }
}

fn not_read(error: EncodingError) -> FormError {
    if error.what != TOO_MUCH {
        return error.into();
    }
    let each = MOST.values / MOST.items;
    FormError(format!(
        "append request: more than {MAX_RECORDS} records, or than {each} values for each of so many: send them in parts"
    ))
}

impl SentBlobs {
    /// At most how many bytes it is.
    #[must_use]
    pub fn most_bytes(&self) -> usize {
        self.0.iter().filter_map(|(_, blob)| blob.as_str()).map(str::len).sum()
    }

    /// Decodes and hashes all of it.
    ///
    /// # Errors
    /// Where a blob is not base64, or does not hash to its name.
    pub fn read(&self) -> Result<BTreeMap<Sha3, Vec<u8>>, FormError> {
        let decode = |(name, blob): (_, &Value)| {
            let named = Sha3::parse(name).zip(blob.as_str().and_then(hash::unbase64));
            named.ok_or_else(|| FormError(NOT_A_BLOB.into()))
        };
        let blobs: BTreeMap<Sha3, Vec<u8>> = self.0.iter().map(decode).collect::<Result<_, _>>()?;
        let hashed = Sha3::of_each(&blobs.values().map(|bytes| [bytes.as_slice()]).collect::<Vec<_>>());
        require(blobs.keys().eq(&hashed), "append request: a blob does not hash to its name")?;
        Ok(blobs)
    }
}

/// The answer to an append that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// How durable what was sent is now.
    pub durability: Durability,
    /// The next number of the last record's key; the number after its own where the ledger had that record before.
    pub next: u64,
    /// The ledger's size.
    pub size: u64,
}

impl Appended {
    /// The body.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let object = Object::new().with("durability", self.durability.name()).with("next", self.next);
        Value::Object(object.with("size", self.size))
    }

    /// Reads a body.
    ///
    /// # Errors
    /// Where it is not of that form.
    pub fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "append answer")?;
        let level = form.string("durability")?;
        let durability = Durability::parse(&level).ok_or_else(|| form.wrong("durability", "not D0 to D5"))?;
        let (next, size) = (form.uint("next")?, form.uint("size")?);
        form.finish()?;
        Ok(Self { durability, next, size })
    }
}

/// `GET /v1/audit/cursor/{kid}`: where a key's stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The number the ledger expects next from this key.
    pub next: u64,
    /// The hash of the last record, where there is one.
    pub hash: Option<Sha3>,
    /// Whether the key counts now, by the ledger's clock: what it signs is taken. A ledger of an earlier build does not say.
    pub counts: Option<bool>,
    /// When the ledger would date an entry that is made now, where that is asked for (`?at=1`). A ledger of an earlier build does not
    /// say.
    pub at: Option<Time>,
    /// The ledger's size.
    pub size: u64,
}

impl Cursor {
    /// The body.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let object = Object::new().with("next", self.next).with("hash", self.hash.map(Value::from));
        let object = object.with_some("counts", self.counts).with_some("at", self.at.map(Time::to_millis_value));
        Value::Object(object.with("size", self.size))
    }

    /// Reads a body.
    ///
    /// # Errors
    /// Where it is not of that form.
    pub fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "cursor")?;
        let (next, hash) = (form.uint("next")?, form.sha3_or_null("hash")?);
        let counts = if form.has("counts") { Some(form.boolean("counts")?) } else { None };
        let at = if form.has("at") { Some(form.millis("at")?) } else { None };
        let size = form.uint("size")?;
        form.finish()?;
        Ok(Self { next, hash, counts, at, size })
    }
}

/// Lineages that a point began under keys which are closed by now, and did not close (`GET /v1/audit/open`): of each all of
/// its records, in order. Whoever lost its journal knows of them from the ledger alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOpen {
    /// The lineages, in the order of their operation ids.
    pub lineages: Vec<Vec<Record>>,
    /// The last of these operations, where there are more behind it.
    pub after: Option<String>,
}

impl LeftOpen {
    /// The body.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let records = |lineage: &Vec<Record>| Value::from(lineage.iter().map(Record::to_value).collect::<Vec<_>>());
        let lineages: Vec<Value> = self.lineages.iter().map(records).collect();
        Value::Object(Object::new().with("lineages", lineages).with("after", self.after.as_ref().map(Value::from)))
    }

    /// Reads a body.
    ///
    /// # Errors
    /// Where it is not of that form.
    pub fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "open lineages")?;
        let records = |lineage: Value| match lineage {
            Value::Array(records) => records.into_iter().map(Record::read).collect::<Result<Vec<_>, _>>(),
            _ => Err(FormError("open lineages: one is not an array".into())),
        };
        let lineages = form.array("lineages")?.into_iter().map(records).collect::<Result<_, _>>()?;
        let after = match form.take("after")? {
            Value::Null => None,
            Value::Str(after) => Some(after),
            _ => return Err(form.wrong("after", "neither a string nor null")),
        };
        form.finish()?;
        Ok(Self { lineages, after })
    }
}

#[cfg(test)]
mod tests;
