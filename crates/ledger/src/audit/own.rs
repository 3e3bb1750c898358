//! The ledger's own events: they go through the same rules as anybody's, under the ledger's own key.

use super::{Audit, stage};
use crate::keys;
use crate::rules::{BrokenStream, Candidate, Judgement, Verified};
use crate::state::{read, write};
use crate::stored::Stored;
use eleven_core::encoding::{Object, Value};
use eleven_core::event::{About, Draft, Place};
use eleven_core::hash::Sha3;
use eleven_core::root::KeyUse;
use eleven_core::signature::Signer as _;
use eleven_core::time::Time;
use eleven_store::Batch;

/// A refused record is kept as evidence up to so many bytes; of a larger one the hash is.
const MAX_EVIDENCE: usize = 64 * 1024;

/// The cause of a discontinuity that stands for another registry of the authority's.
pub(crate) const REGISTRY_CAUSE: &str = "drift.registry";

impl Audit {
    /// Appends an event of the ledger's own. `false` where it could not be made or does not pass the rules: mostly its key does not
    /// count any more, and the operator has to register another. That is logged as an error, once: what has to be sealed is tried
    /// several times a second.
    pub(crate) fn append_own(&mut self, event: &'static str, data: Object, at: Time, batch: &mut Batch) -> bool {
        self.append_own_with(None, event, data, at, batch)
    }

    /// The same, with content that the event names and that is not stored yet. It is stored only where the event is appended.
    fn append_own_with(
        &mut self,
        content: Option<(Sha3, Vec<u8>)>,
        event: &'static str,
        data: Object,
        at: Time,
        batch: &mut Batch,
    ) -> bool {
        let verified = match self.own(event, data, at) {
            Ok(verified) => verified,
            Err(why) => {
                if !self.shared.keys.mute(true) {
                    tracing::error!(event, %why, "the ledger cannot make an event of its own");
                }
                return false;
            }
        };
        let judgement = read(&self.shared.book).judge(&verified, at, None);
        let was_mute = self.shared.keys.mute(!matches!(judgement, Judgement::Accept(_)));
        match judgement {
            Judgement::Accept(accepted) => {
                if let Some((hash, bytes)) = content {
                    let position = stage(batch, Stored::Blob(bytes));
                    write(&self.shared.places).add_blob(&hash, position);
                }
                self.push(accepted, &verified, at, None, batch);
                true
            }
            other => {
                if !was_mute {
                    tracing::error!(event, judgement = ?other, "the ledger's own event does not pass its own rules");
                }
                false
            }
        }
    }

    fn own(&self, event: &'static str, data: Object, at: Time) -> Result<Verified, String> {
        self.keep_to_a_key_that_counts(at);
        let src_seq = read(&self.shared.book).cursor(self.signer.kid()).map_or(0, |(next, _)| next);
        let by = self.name.clone();
        let draft = Draft { event, place: Place::Alone, ts: at, by, src_seq, data, about: About::default() };
        let record = draft.sign(self.signer.as_ref()).map_err(|error| error.to_string())?;
        let candidate = Candidate::read(record.canonical()).map_err(|why| why.to_string())?;
        let key = self.shared.keys.get(self.signer.kid()).ok_or("the ledger's event key is not registered")?;
        let key = key.verifying().ok_or("the ledger's event key is no key")?;
        candidate.verify(key).map_err(|why| why.to_string())
    }

    /// Signs by another key from now on where the one in use counts no more.
    fn keep_to_a_key_that_counts(&self, at: Time) {
        let book = read(&self.shared.book);
        let record = book.registry().and_then(|fold| fold.key(self.signer.kid()));
        if record.is_some_and(|record| record.counts_at(at)) {
            return;
        }
        let before = self.signer.kid();
        keys::choose(&self.signer, book.registry(), at);
        if self.signer.kid() != before {
            tracing::warn!(
                before,
                kid = self.signer.kid(),
                "the ledger's event key counts no more: it signs by another"
            );
        }
    }

    /// Records that a record was refused: an entry that names it and, where its number is the next, takes that number;
    /// its bytes beside it; and that its producer's stream is broken there. `false` where that could not be recorded.
    pub(super) fn record_refusal(&mut self, refused: &Verified, reason: &str, cause: &str, batch: &mut Batch) -> bool {
        let at = self.entry_time();
        let data = Object::new()
            .with("hash", *refused.digest())
            .with("kid", refused.kid())
            .with("reason", reason)
            .with("src_seq", refused.src_seq());
        if !self.append_own("ledger.refused", data, at, batch) {
            return false;
        }
        // Behind the entry that names it: content that no entry names would be nobody's.
        if refused.canonical().len() <= MAX_EVIDENCE && !read(&self.shared.places).keeps_blob(refused.digest()) {
            let position = stage(batch, Stored::Blob(refused.canonical().to_vec()));
            write(&self.shared.places).add_blob(refused.digest(), position);
        }
        let producer = self.owner_of(refused.kid());
        let data = Object::new()
            .with("cause", cause)
            .with("from", refused.src_seq())
            .with("producer", producer)
            .with("to", refused.src_seq());
        self.append_own("audit.discontinuity", data, at, batch)
    }

    /// Records that the authority signed another registry than was folded here, its header beside it; or that both agree
    /// again; `false` where that could not be recorded. By the former no head is signed any more, after a restart neither.
    pub(super) fn record_registry(&mut self, agrees: bool, epoch: u64, header: Vec<u8>, batch: &mut Batch) -> bool {
        let at = self.entry_time();
        let hash = Sha3::of(&[&header]);
        let content = Some((hash, header)).filter(|_| !read(&self.shared.places).keeps_blob(&hash));
        let producer = {
            let book = read(&self.shared.book);
            let mut roles = book.registry().into_iter().flat_map(|registry| &registry.root().roles);
            roles.find(|key| key.usage == KeyUse::Registry).map(|key| key.owner.clone())
        };
        let data = Object::new()
            .with("cause", REGISTRY_CAUSE)
            .with("from", epoch)
            .with("header", hash)
            .with_some("producer", producer)
            .with("to", epoch);
        let event = if agrees { "audit.resumed" } else { "audit.discontinuity" };
        let taken = self.append_own_with(content, event, data, at, batch);
        if !taken {
            tracing::error!(event, epoch, "what the authority signed could not be recorded");
        }
        taken
    }

    /// Records that a producer returns under a new key, and where the stream of the old one broke off: when the new key is
    /// registered that it broke off, and with the first record under the new one that it goes on. What was signed under
    /// the old key from `from` on nobody has; how much that is nobody knows.
    pub(super) fn record_break(&mut self, broken: &BrokenStream, batch: &mut Batch) {
        let event = if broken.resumed { "audit.resumed" } else { "audit.discontinuity" };
        let data = Object::new()
            .with("cause", "drift.audit")
            .with("from", broken.from)
            .with("producer", &broken.producer)
            .with("to", Value::Null);
        tracing::warn!(
            producer = broken.producer,
            old = broken.kid,
            from = broken.from,
            event,
            "a producer has a new key"
        );
        // Where it cannot be recorded that was said, as loud as this can be.
        let _ = self.append_own(event, data, self.entry_time(), batch);
    }

    /// Whose stream a key is.
    fn owner_of(&self, kid: &str) -> String {
        let book = read(&self.shared.book);
        let key = book.registry().and_then(|registry| registry.key(kid));
        key.map_or_else(|| kid.to_owned(), |key| key.owner.clone())
    }
}
