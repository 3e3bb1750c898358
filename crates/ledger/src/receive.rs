//! A POST of events, read and verified on whatever core is free, before it reaches the one writer.

use crate::keys::{EventKey, Keys};
use crate::rules::{Candidate, Hashed, Refusal, Verified};
use bytes::Bytes;
use eleven_api::audit::{SentAppend, SentBlobs, SentRecord};
use eleven_core::artifact::Artifact;
use eleven_core::form::{FormError, require};
use eleven_core::hash::Sha3;
use eleven_core::limits::MAX_ARTIFACT;
use eleven_core::root::KeyRecord;
use eleven_core::signature::VerifyingKey;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// From so many records on a POST is worth spreading over cores.
const WORTH_SPREADING: usize = 32;

/// A POST whose records have been read and verified.
#[derive(Debug)]
pub(crate) struct Received {
    /// The records in their order.
    pub(crate) records: Vec<Reading>,
    /// The artifacts among the blobs, by id.
    pub(crate) artifacts: HashMap<String, SentArtifact>,
    /// The other blobs, each of which hashes to its name.
    pub(crate) blobs: BTreeMap<Sha3, Vec<u8>>,
    /// What came along and nobody who is registered has signed for yet.
    unread: Option<SentBlobs>,
    /// The body that it was read from, for as long as that is to count as held.
    _body: Option<Bytes>,
}

/// An artifact that came along: id and `chash` are those of its content.
#[derive(Debug)]
pub(crate) struct SentArtifact {
    /// The artifact.
    pub(crate) artifact: Artifact,
    /// Its canonical bytes.
    pub(crate) bytes: Vec<u8>,
    /// Their hash.
    pub(crate) hash: Sha3,
    /// The key that was found to have signed it.
    signed_by: Option<[u8; 32]>,
}

impl SentArtifact {
    /// An artifact whose signature was not looked at yet.
    #[must_use]
    pub(crate) const fn new(artifact: Artifact, bytes: Vec<u8>, hash: Sha3) -> Self {
        Self { artifact, bytes, hash, signed_by: None }
    }

    /// Verifies the signatures of those whose issuer's key is known by now, each by itself; what they share is said of
    /// [`VerifyingKey::verify_each`].
    pub(crate) fn verify_each<'a>(sent: impl IntoIterator<Item = &'a mut Self>, keys: &Keys) {
        let sent = sent.into_iter().map(|sent| (keys.of_issuer(&sent.artifact.sig.kid), sent));
        let mut sent: Vec<(Option<Arc<EventKey>>, &mut Self)> = sent.collect();
        let known = sent.iter_mut().filter_map(|(key, sent)| Some((key.as_ref()?.verifying()?, sent)));
        let known: Vec<(&VerifyingKey, &mut &mut Self)> = known.collect();
        let signed = known.iter().map(|(key, sent)| (*key, sent.artifact.payload(), &sent.artifact.sig.val));
        let holds = VerifyingKey::verify_each(&signed.collect::<Vec<_>>());
        for ((key, sent), holds) in known.into_iter().zip(holds) {
            sent.signed_by = holds.then(|| *key.as_bytes());
        }
    }

    /// Whether it is signed by this key. Whether that is one of its issuer's, whoever asks has to know.
    #[must_use]
    pub(crate) fn is_signed_by(&self, key: &KeyRecord) -> bool {
        self.signed_by == Some(key.public)
            || key.verifying().is_some_and(|key| key.verifies(self.artifact.payload(), &self.artifact.sig.val))
    }
}

/// How far the reading of a record came.
#[derive(Debug)]
pub(crate) enum Reading {
    /// Its signature is that of the key it names.
    Verified(Verified),
    /// It names a key that is not registered: perhaps an earlier record of the same commit registers it.
    Unknown(Candidate),
    /// It is nobody's.
    Refused(Refusal),
}

impl Reading {
    /// The same by the keys that are registered by now.
    pub(crate) fn again(self, keys: &Keys) -> Self {
        let Self::Unknown(candidate) = self else { return self };
        let Some(key) = keys.get(candidate.kid()) else { return Self::Unknown(candidate) };
        let verified = key.verifying().ok_or(Refusal::UnknownKey).and_then(|key| candidate.verify(key));
        verified.map_or_else(Self::Refused, Self::Verified)
    }
}

impl Received {
    /// Reads a body and verifies its records, on this thread and for many records on others beside it. Content is decoded
    /// and hashed only for a body of which a registered key signed a record: no other is worth anything with it.
    ///
    /// # Errors
    /// Where the body is not that of an append.
    pub(crate) fn read(body: &[u8], keys: &Keys) -> Result<Self, FormError> {
        let SentAppend { records, blobs } = SentAppend::read(body)?;
        require(!records.is_empty(), "append request: no records")?;
        let records = read_all(records, keys);
        let (artifacts, none) = (HashMap::new(), BTreeMap::new());
        let mut received = Self { records, artifacts, blobs: none, unread: None, _body: None };
        if received.is_signed() {
            received.read_content(&blobs, keys)?;
        } else {
            received.unread = Some(blobs);
        }
        Ok(received)
    }

    /// The same with its body, which counts as held until the writer has taken this: also where whoever sent it has left.
    #[must_use]
    pub(crate) fn holding(self, body: Bytes) -> Self {
        Self { _body: Some(body), ..self }
    }

    /// The same by the keys that are registered by now: the record that registers one may have been on its way when this was read.
    /// Where a registered key turns out to have signed a record, the content is read. Content that is malformed counts as not sent.
    #[must_use]
    pub(crate) fn settled(mut self, keys: &Keys) -> Self {
        let Some(unread) = self.unread.take() else { return self };
        self.records = self.records.into_iter().map(|reading| reading.again(keys)).collect();
        if self.is_signed()
            && let Err(error) = self.read_content(&unread, keys)
        {
            tracing::warn!(%error, "content of an append is not read");
        }
        self
    }

    /// Whether a registered key signed any record. A key that is registered in this very POST is so by such a record.
    fn is_signed(&self) -> bool {
        self.records.iter().any(|reading| matches!(reading, Reading::Verified(_)))
    }

    fn read_content(&mut self, sent: &SentBlobs, keys: &Keys) -> Result<(), FormError> {
        (self.artifacts, self.blobs) = split_artifacts(sent.read()?, keys);
        Ok(())
    }

    /// At most how many bytes of log this takes: each record as an entry, or its bytes as evidence beside two entries
    /// that say why it was refused.
    #[must_use]
    pub(crate) fn most_bytes(&self) -> usize {
        const ENTRIES: usize = 8 * 1024;
        let record = |reading: &Reading| match reading {
            Reading::Verified(verified) => verified.canonical().len() + ENTRIES,
            Reading::Unknown(candidate) => candidate.canonical().len() + ENTRIES,
            Reading::Refused(_) => 0,
        };
        let artifacts = self.artifacts.values().map(|sent| sent.bytes.len() + 1);
        let blobs = self.blobs.values().map(|bytes| bytes.len() + 1);
        let unread = self.unread.iter().map(SentBlobs::most_bytes);
        self.records.iter().map(record).chain(artifacts).chain(blobs).chain(unread).sum()
    }
}

/// How many POSTs are being read: where each core has one of its own, spreading one costs the others what it gains.
static BUSY: AtomicUsize = AtomicUsize::new(0);

/// Counts a POST for as long as it is being read.
struct Busy;

impl Busy {
    fn begin() -> (Self, usize) {
        (Self, BUSY.fetch_add(1, Ordering::Relaxed))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Asked once: the answer is read from several files.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

fn read_all(records: Vec<SentRecord<'_>>, keys: &Keys) -> Vec<Reading> {
    let (_busy, others) = Busy::begin();
    let cores = cores().saturating_sub(others);
    if records.len() < WORTH_SPREADING || cores <= 1 {
        return read_part(&records, keys);
    }
    let each = records.len().div_ceil(cores);
    let mut records = records.into_iter();
    let parts: Vec<Vec<SentRecord<'_>>> = (0..cores).map(|_| records.by_ref().take(each).collect()).collect();
    std::thread::scope(|scope| {
        let read = |part: Vec<SentRecord<'_>>| read_part(&part, keys);
        let mut parts = parts.into_iter();
        let own = parts.next().unwrap_or_default();
        let others: Vec<_> = parts.map(|part| scope.spawn(move || read(part))).collect();
        let mut all = read(own);
        for other in others {
            match other.join() {
                Ok(part) => all.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    })
}

/// Reads records and verifies the signatures of those whose key is registered.
fn read_part(records: &[SentRecord<'_>], keys: &Keys) -> Vec<Reading> {
    let anew = records.iter().map(|record| (record.encoded(), Hashed::Anew));
    verify_each(Candidate::read_each(anew), keys)
}

/// Verifies the signatures of those whose key is registered, each by itself.
pub(crate) fn verify_each(candidates: Vec<Result<Candidate, Refusal>>, keys: &Keys) -> Vec<Reading> {
    let keys: Vec<Option<Arc<EventKey>>> =
        candidates.iter().map(|candidate| keys.get(candidate.as_ref().ok()?.kid())).collect();
    let mut signed = Vec::with_capacity(candidates.len());
    // What needs no verification has its answer; the others' come in their order.
    let mut readings: Vec<Option<Reading>> = Vec::with_capacity(candidates.len());
    for (candidate, key) in candidates.into_iter().zip(&keys) {
        readings.push(match (candidate, key.as_ref().map(|key| key.verifying())) {
            (Err(why), _) => Some(Reading::Refused(why)),
            (Ok(candidate), None) => Some(Reading::Unknown(candidate)),
            (Ok(_), Some(None)) => Some(Reading::Refused(Refusal::UnknownKey)),
            (Ok(candidate), Some(Some(key))) => {
                signed.push((candidate, key));
                None
            }
        });
    }
    let verified = Candidate::verify_each(signed).into_iter();
    let mut verified = verified.map(|verified| verified.map_or_else(Reading::Refused, Reading::Verified));
    let readings = readings.into_iter().map(|reading| reading.or_else(|| verified.next()));
    readings.map(|reading| reading.unwrap_or(Reading::Refused(Refusal::Signature))).collect()
}

/// Takes the artifacts out of the blobs: canonical, of their form, and named by their content.
fn split_artifacts(
    blobs: BTreeMap<Sha3, Vec<u8>>,
    keys: &Keys,
) -> (HashMap<String, SentArtifact>, BTreeMap<Sha3, Vec<u8>>) {
    let (hashes, blobs): (Vec<Sha3>, Vec<Vec<u8>>) = blobs.into_iter().unzip();
    let read = read_artifacts(&blobs.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let mut artifacts = HashMap::new();
    let mut others = BTreeMap::new();
    for ((hash, bytes), artifact) in hashes.into_iter().zip(blobs).zip(read) {
        match artifact {
            Some(artifact) => {
                artifacts.insert(artifact.id.clone(), SentArtifact::new(artifact, bytes, hash));
            }
            None => {
                others.insert(hash, bytes);
            }
        }
    }
    SentArtifact::verify_each(artifacts.values_mut(), keys);
    (artifacts, others)
}

/// The artifact that canonical bytes are, where they are one and its id and `chash` follow; for each, in their order.
#[must_use]
pub(crate) fn read_artifacts(contents: &[&[u8]]) -> Vec<Option<Artifact>> {
    // `chash` is the first member of an artifact's canonical encoding, and of nothing else that is sent here.
    let is_one = |bytes: &[u8]| bytes.len() <= MAX_ARTIFACT && bytes.starts_with(br#"{"chash":"#);
    let read = |bytes: &&[u8]| is_one(bytes).then(|| Artifact::read_canonical(bytes).ok()).flatten();
    let mut artifacts: Vec<Option<Artifact>> = contents.iter().map(read).collect();
    let follow = Artifact::digests_follow_each(&artifacts.iter().flatten().collect::<Vec<_>>());
    for (artifact, follows) in artifacts.iter_mut().filter(|artifact| artifact.is_some()).zip(follow) {
        artifact.take_if(|_| !follows);
    }
    artifacts
}

#[cfg(test)]
mod tests;
