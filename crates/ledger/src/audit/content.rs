//! The content that an event names: durable with it, or it is not appended (PROTOCOL 6.1).

use crate::receive::{Reading, SentArtifact};
use crate::rules::{Refusal, Verified};
use crate::state::{Shared, read};
use eleven_core::artifact::Artifact;
use eleven_core::encoding::{Value, parse};
use eleven_core::event::Record;
use eleven_core::hash::{self, Sha3};
use eleven_core::lineage::issued_data;
use eleven_core::policy::PolicyBundle;
use eleven_core::registry::{Fold, PolicyRecord, PublishedPolicy};
use eleven_core::root::{KeyRecord, KeyUse};
use eleven_core::time::Time;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The content of a POST that no event has taken yet.
pub(super) struct Content {
    artifacts: HashMap<String, SentArtifact>,
    blobs: BTreeMap<Sha3, Vec<u8>>,
    /// How many of the blobs are inputs of decisions, which an `authorization.issued` of the same POST takes by name.
    inputs: usize,
}

/// What goes into the log before an entry.
#[derive(Default)]
pub(super) struct Needed {
    pub(super) blobs: Vec<(Sha3, Vec<u8>)>,
    pub(super) artifact: Option<SentArtifact>,
}

impl Content {
    pub(super) fn new(
        artifacts: HashMap<String, SentArtifact>,
        blobs: BTreeMap<Sha3, Vec<u8>>,
        records: &[Reading],
    ) -> Self {
        let request = |reading: &Reading| match reading {
            Reading::Verified(verified) => input_of(verified.record().ok()?),
            Reading::Unknown(candidate) => input_of(candidate.record().ok()?),
            Reading::Refused(_) => None,
        };
        let named: BTreeSet<Sha3> = records.iter().filter_map(request).collect();
        let inputs = named.iter().filter(|hash| blobs.contains_key(*hash)).count();
        Self { artifacts, blobs, inputs }
    }

    /// Notes that a record was not taken: any other may take the inputs that it would have taken.
    pub(super) fn release(&mut self) {
        self.inputs = 0;
    }

    /// The artifact that an `authorization.issued` issues, where it came along.
    pub(super) fn artifact_of(&self, verified: &Verified) -> Option<&SentArtifact> {
        let record = verified.record().ok().filter(|record| record.event == "authorization.issued")?;
        self.artifacts.get(record.about.artifact_id.as_deref()?)
    }

    /// Takes what an accepted record names out of what was sent; nothing is taken where something is missing.
    pub(super) fn needed(&mut self, verified: &Verified, at: Time, shared: &Shared) -> Result<Needed, Refusal> {
        let Ok(record) = verified.record() else { return Ok(Needed::default()) };
        match record.event.as_str() {
            "authorization.issued" => self.for_issued(record, at, shared),
            "policy.published" => self.for_policy(record),
            _ => Ok(self.named(record, verified.canonical(), shared)),
        }
    }

    fn for_issued(&mut self, record: &Record, at: Time, shared: &Shared) -> Result<Needed, Refusal> {
        let id = record.about.artifact_id.as_deref().unwrap_or_default();
        let sent = self.artifacts.get(id).ok_or(Refusal::Blob("the artifact"))?;
        let signed = read(&shared.book)
            .registry()
            .is_some_and(|registry| issuer_key(registry, &sent.artifact, at).is_some_and(|key| sent.is_signed_by(key)));
        if !signed {
            return Err(Refusal::ArtifactSignature);
        }
        let request = issued_data(&record.data).ok_or(Refusal::Artifact)?.request;
        let blobs = match self.blobs.remove(&request) {
            Some(bytes) => {
                self.inputs = self.inputs.saturating_sub(1);
                vec![(request, bytes)]
            }
            None if read(&shared.places).blob(&request).is_some() => Vec::new(),
            None => return Err(Refusal::Blob("the decision's input")),
        };
        Ok(Needed { blobs, artifact: self.artifacts.remove(id) })
    }

    /// The bundle is well-formed, and what the event says it covers is what it covers.
    fn for_policy(&mut self, record: &Record) -> Result<Needed, Refusal> {
        let data = Value::Object(record.data.clone());
        let published = PublishedPolicy::read(data).map_err(|error| Refusal::Registry(error.to_string()))?.record;
        let bytes = self.blobs.get(&published.id.hash).ok_or(Refusal::Blob("the policy's bundle"))?;
        let bundle = parse(bytes).map_err(eleven_core::form::FormError::from).and_then(PolicyBundle::read);
        let bundle = bundle.map_err(|error| Refusal::Registry(error.to_string()))?;
        if PolicyRecord::of(&bundle) != published {
            return Err(Refusal::Registry("the policy's bundle is not the one that the event describes".to_owned()));
        }
        let taken = self.blobs.remove_entry(&published.id.hash);
        Ok(Needed { blobs: taken.into_iter().collect(), artifact: None })
    }

    /// Whatever else came along and is named: large evidence stands in its event by digest. What no event names is not
    /// kept.
    fn named(&mut self, record: &Record, canonical: &[u8], shared: &Shared) -> Needed {
        // Reading every hash in a record is worth it only where there is a blob that somebody has yet to name.
        if self.blobs.len() <= self.inputs {
            return Needed::default();
        }
        let taken = hashes_named(record, canonical).filter_map(|hash| self.blobs.remove_entry(&hash));
        let places = read(&shared.places);
        Needed { blobs: taken.filter(|(hash, _)| !places.keeps_blob(hash)).collect(), artifact: None }
    }
}

/// The decision's input that a record names, where it is an `authorization.issued`.
fn input_of(record: &Record) -> Option<Sha3> {
    let data = (record.event == "authorization.issued").then_some(&record.data)?;
    Some(issued_data(data)?.request)
}

/// The key that may sign an artifact: its issuer's, at the entry of its issuance.
pub(crate) fn issuer_key<'a>(registry: &'a Fold, artifact: &Artifact, at: Time) -> Option<&'a KeyRecord> {
    let key = registry.key(&artifact.sig.kid)?;
    (key.usage == KeyUse::Issuer && key.owner == artifact.iss && key.counts_at(at)).then_some(key)
}

/// The hashes that a record names, in itself or in its attestation.
pub(crate) fn hashes_named(record: &Record, canonical: &[u8]) -> impl Iterator<Item = Sha3> {
    let payload = record.data.get("envelope").and_then(|envelope| envelope.get("payload")).and_then(Value::as_str);
    let payload = payload.and_then(hash::unbase64).unwrap_or_default();
    let named: Vec<Sha3> = hashes_in(canonical).chain(hashes_in(&payload)).collect();
    named.into_iter()
}

/// The hashes that stand in a text. One pass over it, however many blobs came along.
fn hashes_in(text: &[u8]) -> impl Iterator<Item = Sha3> {
    const LENGTH: usize = Sha3::PREFIX.len() + 128;
    let starts = text.windows(Sha3::PREFIX.len()).enumerate();
    let starts = starts.filter(|(_, window)| *window == Sha3::PREFIX.as_bytes());
    starts.filter_map(|(at, _)| std::str::from_utf8(text.get(at..at + LENGTH)?).ok().and_then(Sha3::parse))
}
