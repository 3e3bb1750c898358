//! The ledger's state, put by at a clean end, so that the next start need not read and judge the whole log.
//!
//! **Invariant**: a saved state is what a replay of the log comes to, or it is not used. It is written when all that the ledger
//! has is under a signed head and nothing can come any more, and it is signed with the head key, which does not lie beside the
//! entries. It is read once: whoever opens the log to write takes it away first, so that none outlives a change of the log, and
//! after a crash there is none. What the last head commits to is computed again from it, and compared; the registry comes from
//! its entries. Whatever does not fit, the log is replayed. Behind a start that used one the whole log is read nevertheless,
//! and held against the tree (`check`).

mod check;
mod form;
#[cfg(test)]
mod tests;

pub(crate) use check::Checker;
pub(crate) use form::{In, Out, Save, invalid, saved_fields, saved_inner};

use crate::places::Places;
use crate::recover::{self, Depth, ReplayError, Replayed, Resumed};
use crate::rules::Book;
use crate::state::{Published, Sealed, Shared, read};
use crate::stored::Stored;
use eleven_api::keyring::Keyring;
use eleven_core::chain::EntryHeader;
use eleven_core::encoding::{Object, parse_canonical};
use eleven_core::event::Record;
use eleven_core::form::{Form, FormError};
use eleven_core::hash::Sha256;
use eleven_core::name;
use eleven_core::recovery::Recovery;
use eleven_core::registry::Fold;
use eleven_core::registry::history::Moment;
use eleven_core::signature::{Signature, Signer, VerifyingKey};
use eleven_core::tree::{self, Hashes as _, MemoryTree};
use eleven_store::ReadLog;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Its file in the ledger's folder; what it is called until it is whole.
const FILE: &str = "state";
const DRAFT: &str = "state.draft";
/// What says that a document is one of a saved state. It never leaves the folder.
const TYPE: &str = "11-11/ledger-state";
/// Of this version, and of this form, whose number rises wherever what is saved, what it means, or a rule of append is another:
/// then the entries are judged once by the rules that are.
const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), "/5");
/// The most bytes that the document at its end has.
const MAX_DOCUMENT: u32 = 4096;

/// A saved state that was taken away from its place, not looked at yet.
pub(crate) struct Saved(File);

/// The document at its end, behind the fields; what is signed is all of it but the signature.
struct Document {
    /// The position after the log's last record.
    position: u64,
    /// How many bytes of fields there are.
    bytes: u64,
    /// Of the fields, block by block.
    digest: Sha256,
}

impl Document {
    fn to_object(&self) -> Object {
        Object::new()
            .with("v", "1")
            .with("type", TYPE)
            .with("build", BUILD)
            .with("position", self.position)
            .with("bytes", self.bytes)
            .with("digest", self.digest)
    }

    fn read(bytes: &[u8]) -> Result<(Self, Signature), FormError> {
        let mut form = Form::of(parse_canonical(bytes)?, "saved state")?;
        form.version()?;
        form.named("type", TYPE, |kind| kind == TYPE)?;
        form.named("build", "this build's", |build| build == BUILD)?;
        let (position, bytes) = (form.uint("position")?, form.uint("bytes")?);
        let digest = Sha256::parse(&form.string("digest")?);
        let digest = digest.ok_or_else(|| FormError("saved state: `digest` is no hash".to_owned()))?;
        let sig = Signature::read(form.take("sig")?)?;
        form.finish()?;
        Ok((Self { position, bytes, digest }, sig))
    }
}

/// Takes the saved state out of a ledger's folder; `None` where there is none. It is gone from there when this returns.
///
/// # Errors
/// Where it can't be taken away: then nothing may be written to the log.
pub(crate) fn take(folder: &Path) -> io::Result<Option<Saved>> {
    let path = folder.join(FILE);
    let taken = || {
        let file = File::open(&path)?;
        std::fs::remove_file(&path)?;
        // What came back after a power cut would be of a log that has changed since.
        File::open(folder)?.sync_all()?;
        Ok::<_, io::Error>(file)
    };
    match taken() {
        Ok(file) => Ok(Some(Saved(file))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io::Error::new(
            error.kind(),
            format!("{} can't be taken away, and the log may not change beside it: {error}", path.display()),
        )),
    }
}

/// What the log comes to, and whether that was loaded from `saved` and not replayed. `last` is the last signed head.
///
/// That head counts only where a key of `keys` signed it: the keystore alone does not lie beside the entries. Whether the log has the
/// tree that it commits to is compared by whoever resumes heads.
///
/// # Errors
/// Where the log is wrong.
pub(crate) fn load_or_replay(
    saved: Option<Saved>,
    log: &dyn ReadLog,
    last: Option<Published>,
    keys: &Keyring,
) -> Result<(Replayed, bool), ReplayError> {
    let last = last.filter(|last| {
        let key = keys.named(&last.head.sig.kid).and_then(|key| VerifyingKey::new(&key.public()));
        key.is_some_and(|key| last.head.verify(&key))
    });
    let loaded = saved.zip(last.as_ref()).and_then(|(saved, last)| {
        let loaded = saved.load(log, last, keys);
        loaded.inspect_err(|why| tracing::warn!(why, "the saved state is not used: the log is read")).ok()
    });
    if let Some(replayed) = loaded {
        return Ok((replayed, true));
    }
    let under = last.map_or(0, |last| last.size());
    Ok((recover::replay(log, Depth::Resume { under })?, false))
}

/// Takes away the saved state of a log that is about to be changed.
///
/// # Errors
/// As [`take`].
pub(crate) fn forget(folder: &Path) -> io::Result<()> {
    take(folder).map(drop)
}

impl Saved {
    /// The state, where it is that of `log`, whose last head is `last`, by a key of `keys`.
    ///
    /// # Errors
    /// Why it is not used: the log is to be replayed.
    pub(crate) fn load(mut self, log: &dyn ReadLog, last: &Published, keys: &Keyring) -> Result<Replayed, String> {
        let (document, sig) = self.document().map_err(|error| error.to_string())?;
        let key = keys.named(&sig.kid).and_then(|key| VerifyingKey::new(&key.public()));
        if !key.is_some_and(|key| key.verifies(&document.to_object().canonical(), &sig.val)) {
            return Err("it is not signed by a head key of this ledger".to_owned());
        }
        if document.position != log.durable() || log.first() != 0 {
            return Err("the log has changed since".to_owned());
        }
        self.0.seek(SeekFrom::Start(0)).map_err(|error| error.to_string())?;
        let mut fields = In::new(&mut self.0, document.bytes);
        let loaded = Fields::load(&mut fields).and_then(|loaded| Ok((loaded, fields.finish()?)));
        let (fields, digest) = loaded.map_err(|error| format!("it can't be read: {error}"))?;
        if digest != document.digest {
            return Err("its bytes are not those that were signed".to_owned());
        }
        fields.replayed(log, last)
    }

    /// The document at its end, where it says how many bytes stand before it.
    fn document(&mut self) -> io::Result<(Document, Signature)> {
        let end = self.0.seek(SeekFrom::End(-4))?;
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        let fields = end.checked_sub(u64::from(length)).filter(|_| length <= MAX_DOCUMENT).ok_or_else(invalid)?;
        self.0.seek(SeekFrom::Start(fields))?;
        let mut bytes = vec![0; length as usize];
        self.0.read_exact(&mut bytes)?;
        let (document, sig) = Document::read(&bytes).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        if document.bytes == fields { Ok((document, sig)) } else { Err(invalid()) }
    }
}

/// Puts the state by, where all of it is under the last head. Nobody may change it meanwhile.
///
/// # Errors
/// Where it can't be written, and why it may not be. The next start replays.
pub(crate) fn save(shared: &Shared, folder: &Path, keys: &Keyring) -> Result<(), String> {
    let last = shared.published().ok_or("there is no head yet")?;
    let signer = keys.named(&last.head.sig.kid).ok_or("the last head's key is not held here")?;
    if last.size() != shared.size() || shared.disagreement.load(Ordering::Acquire) {
        return Err("what came last is not under a head".to_owned());
    }
    write(shared, folder, signer.as_ref()).map_err(|error| {
        // What it left says nothing to anybody.
        let _ = std::fs::remove_file(folder.join(DRAFT));
        error.to_string()
    })
}

/// It is not synced: of one that a power cut spoils, the digest is another.
fn write(shared: &Shared, folder: &Path, signer: &dyn Signer) -> io::Result<()> {
    let draft = folder.join(DRAFT);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    let digest = save_shared(shared, &mut file)?;
    let bytes = file.stream_position()?;
    let document = Document { position: shared.log.durable(), bytes, digest }.to_object();
    let sig = signer.signature(&document.canonical());
    let document = document.with("sig", sig.to_value()).canonical();
    file.write_all(&document)?;
    file.write_all(&u32::try_from(document.len()).map_err(|_| invalid())?.to_le_bytes())?;
    std::fs::rename(&draft, folder.join(FILE))
}

/// Writes the fields of the state in memory; their digest.
fn save_shared(shared: &Shared, to: &mut dyn io::Write) -> io::Result<Sha256> {
    let (book, places) = (read(&shared.book), read(&shared.places));
    let (tree, sealed) = (read(&shared.tree), read(&shared.sealed));
    save_fields(&book, &places, &tree, &sealed, &shared.ahead.recovered(), to)
}

fn save_fields(
    book: &Book,
    places: &Places,
    tree: &MemoryTree,
    sealed: &Sealed,
    recovered: &[Recovery],
    to: &mut dyn io::Write,
) -> io::Result<Sha256> {
    let mut out = Out::new(to);
    book.save(&mut out)?;
    places.save(&mut out)?;
    tree.save(&mut out)?;
    sealed.save(&mut out)?;
    recovered.iter().map(|recovery| recovery.to_object().canonical()).collect::<Vec<_>>().save(&mut out)?;
    out.finish()
}

/// Whether the state in memory, of which all is durable, is the one that a replay of its log came to. For tests: it looks at
/// all that would be saved.
pub(crate) fn is_replayed(shared: &Shared, replayed: &Replayed) -> bool {
    let Replayed { book, places, tree, sealed, resumed, .. } = replayed;
    let there = save_fields(book, places, tree, sealed, &resumed.recovered, &mut io::sink());
    let here = save_shared(shared, &mut io::sink());
    matches!((here, there), (Ok(here), Ok(there)) if here == there)
}

/// What is put by.
struct Fields {
    book: Book,
    places: Places,
    tree: MemoryTree,
    sealed: Sealed,
    /// Each word of the root by which the ledger went back, in its canonical encoding.
    recovered: Vec<Vec<u8>>,
}

impl Fields {
    fn load(from: &mut In<'_>) -> io::Result<Self> {
        Ok(Self {
            book: Save::load(from)?,
            places: Save::load(from)?,
            tree: Save::load(from)?,
            sealed: Save::load(from)?,
            recovered: Save::load(from)?,
        })
    }

    /// The state with the registry that its entries come to, where all is what the last head commits to.
    fn replayed(self, log: &dyn ReadLog, last: &Published) -> Result<Replayed, String> {
        let Self { mut book, mut places, tree, mut sealed, recovered } = self;
        let head = &last.head.commitment;
        let sizes = [book.size(), places.len(), tree.size(), sealed.size];
        if sizes.iter().any(|size| *size != head.size) {
            return Err("it is of another size than the last head".to_owned());
        }
        let index = sealed.index.root();
        if tree.root() != head.root || sealed.chain != Some(head.chain) || index != head.index {
            return Err("the last head commits to another state".to_owned());
        }
        // Its bytes stand where they are said to: the log is the one.
        entry_of(log, &places, &tree, head.size.saturating_sub(1))?;
        let mut resumed = Resumed::default();
        let fold = fold(log, &mut places, &tree, &mut resumed)?;
        let named = (fold.epoch(), fold.hash()) == (head.registry.epoch, head.registry.hash);
        if !named || name::ledger_domain(&head.ledger) != Some(fold.domain()) {
            return Err("the last head commits to another registry".to_owned());
        }
        sealed.registry = Some(Arc::new(fold.clone()));
        book.set_registry(fold);
        let read = |bytes: Vec<u8>| parse_canonical(&bytes).map_err(FormError::from).and_then(Recovery::read);
        resumed.recovered =
            recovered.into_iter().map(read).collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        Ok(Replayed::of_saved(book, places, tree, sealed, resumed))
    }
}

/// The registry, and what it was, from the entries that made its epochs.
fn fold(log: &dyn ReadLog, places: &mut Places, tree: &MemoryTree, resumed: &mut Resumed) -> Result<Fold, String> {
    let entries: Vec<u64> = places.registry_entries(0).collect();
    let mut fold: Option<Fold> = None;
    for seq in entries {
        let (header, record) = entry_of(log, places, tree, seq)?;
        let wrong = |error: &dyn std::fmt::Display| format!("entry {seq}: {error}");
        match fold.as_mut() {
            None => fold = Some(Fold::genesis(header.at, &record.by, &record.data).map_err(|error| wrong(&error))?),
            Some(fold) => {
                let applied = fold.apply(header.at, &record.event, &record.by, &record.data);
                applied.map_err(|error| wrong(&error))?;
            }
        }
        places.note_epoch(Moment { seq, at: header.at }, &record);
        resumed.note_root(seq, &record);
    }
    fold.ok_or_else(|| "it has no registry".to_owned())
}

/// An entry, which is the leaf that it should be.
pub(crate) fn entry_of(
    log: &dyn ReadLog,
    places: &Places,
    tree: &MemoryTree,
    seq: u64,
) -> Result<(EntryHeader, Record), String> {
    let wrong = |what: &dyn std::fmt::Display| format!("entry {seq}: {what}");
    let position = places.entry(seq).ok_or_else(|| wrong(&"it has no place"))?;
    let mut found = log.read_from(position, 1, 1).map_err(|error| wrong(&error))?;
    let stored = found.pop().and_then(|(_, bytes)| Stored::decode(bytes));
    let Some(Stored::Entry(bytes)) = stored else { return Err(wrong(&"there is none at its place")) };
    if tree.node(0, seq) != Some(tree::leaf_hash(&bytes)) {
        return Err(wrong(&"there is another at its place"));
    }
    let (header, record) = EntryHeader::split(&bytes).map_err(|error| wrong(&error))?;
    let record = Record::read_canonical(record).map_err(|error| wrong(&error))?;
    Ok((header, record))
}
