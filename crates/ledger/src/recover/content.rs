//! Content as a replay meets it: each entry's is there and right, and there is none that no entry names.

use super::Replayed;
use super::prepare::Content;
use crate::audit::{hashes_named, issuer_key};
use eleven_core::artifact::Artifact;
use eleven_core::encoding::Value;
use eleven_core::event::Record;
use eleven_core::hash::Sha3;
use eleven_core::lineage::issued_data;
use eleven_core::registry::PublishedPolicy;
use eleven_core::time::Time;

/// The content that stands before the next entry, and what the entry before may still name.
#[derive(Default)]
pub(super) struct Pending {
    content: Vec<Content>,
    /// The evidence that a `ledger.refused` names: its bytes stand behind it.
    refused: Option<Sha3>,
}

impl Pending {
    pub(super) fn push(&mut self, content: Content) {
        self.content.push(content);
    }

    /// The artifact right before the entry at `position`.
    pub(super) fn artifact(&self, position: u64) -> Option<&Artifact> {
        let last = self.content.last().filter(|last| last.position + 1 == position)?;
        last.artifact.as_ref().map(|sent| &sent.artifact)
    }

    /// Whether what stood right before the entry at `position` was moved to an archive.
    pub(super) fn is_moved(&self, position: u64) -> bool {
        self.content.last().is_some_and(|last| last.moved && last.position + 1 == position)
    }

    /// Ends with an entry: what stood before it belongs to it, and what comes belongs to the next. True where some of it
    /// was moved to an archive.
    pub(super) fn close(&mut self, record: &Record) -> bool {
        let moved = self.content.drain(..).any(|content| content.moved);
        let refused = (record.event == "ledger.refused").then(|| record.data_str("hash"));
        self.refused = refused.flatten().and_then(Sha3::parse);
        moved
    }

    /// Whether something stands here that neither this entry names nor the one before did.
    fn is_unnamed(&self, record: &Record, canonical: &[u8]) -> bool {
        let mut left = self.content.iter().filter(|content| Some(content.hash) != self.refused).peekable();
        if left.peek().is_none() {
            return false;
        }
        let named: Vec<Sha3> = hashes_named(record, canonical).collect();
        let issued = (record.event == "authorization.issued").then_some(record.about.artifact_id.as_deref()).flatten();
        left.any(|content| {
            let artifact = content.artifact.as_ref().map(|sent| sent.artifact.id.as_str());
            // An issuance does not name its artifact's bytes, and of what was moved only the hash is here.
            let moved = content.moved && issued.is_some();
            !named.contains(&content.hash) && !moved && (artifact.is_none() || artifact != issued)
        })
    }

    /// Whether content is left at the end of the log that no entry names.
    pub(super) fn is_left(&self) -> bool {
        self.content.iter().any(|content| Some(content.hash) != self.refused)
    }
}

impl Replayed {
    /// The entry's content is there, each piece the one that it names, and nothing besides (PROTOCOL 6.1).
    pub(super) fn check_content(&self, record: &Record, canonical: &[u8], at: Time) -> Result<(), &'static str> {
        if self.pending.is_unnamed(record, canonical) {
            return Err("content stands before it that it does not name: changed, or nobody's");
        }
        match record.event.as_str() {
            "authorization.issued" => self.check_issued(record, at),
            "policy.published" => self.check_policy(record),
            _ => Ok(()),
        }
    }

    /// The artifact is signed by its issuer, and the decision's input is kept.
    fn check_issued(&self, record: &Record, at: Time) -> Result<(), &'static str> {
        let last = self.pending.content.last();
        if !last.is_some_and(|last| last.moved) {
            let sent = last.and_then(|last| last.artifact.as_ref());
            let sent = sent.ok_or("the artifact that it issues is not stored with it")?;
            let registry = self.book.registry().ok_or("there is no registry yet")?;
            let key = issuer_key(registry, &sent.artifact, at)
                .ok_or("its artifact's key is not its issuer's, or counts no more")?;
            if !sent.is_signed_by(key) {
                return Err("the artifact stored with it is not signed by its issuer");
            }
        }
        let request = issued_data(&record.data).ok_or("its data is not what an issuance carries")?.request;
        if self.places.blob(&request).is_none() {
            return Err("the decision's input, which it names, is not stored");
        }
        Ok(())
    }

    /// The policy's bundle covers what the event says.
    fn check_policy(&self, record: &Record) -> Result<(), &'static str> {
        let published = PublishedPolicy::read(Value::Object(record.data.clone()));
        let published = published.map_err(|_| "its data is not what a publication carries")?.record;
        let mut stored = self.pending.content.iter().filter(|content| content.hash == published.id.hash);
        let bundle = stored.find_map(|content| content.policy.as_ref());
        let bundle = bundle.ok_or("the policy's bundle is not stored with it")?;
        let same = bundle.id() == published.id
            && bundle.operations == published.operations
            && bundle.runtimes == published.runtimes;
        if same { Ok(()) } else { Err("the policy's bundle is not the one that it describes") }
    }
}
