//! A copy of a ledger at a signed head, made while the ledger runs, and the way back from one.
//!
//! A backup is a ledger's folder without keys: the log up to and with the seal that its last head covers, and the heads.
//! It is whole by itself: `fsck` reads it, and so does every reader of a ledger.
//!
//! What is put back need not be a backup: a file-level copy, or an auditor's mirror, may hold entries past its last head.
//! All of them were acknowledged, and all of them are judged and put back.
//!
//! **Invariant**: a ledger is never put back behind a head that is known to have been published, unless the root says so
//! in a signed document that then stands in the ledger (`ledger.recovered`).

use crate::error::LedgerError;
use crate::heads::HeadError;
use crate::home::{CORNER, HEADS, LOG, LOG_OPTIONS};
use crate::recover::{self, Depth, Pass, Replayed};
use crate::stored::Stored;
use eleven_core::chain::EntryHeader;
use eleven_core::encoding::{parse, parse_canonical};
use eleven_core::head::Head;
use eleven_core::head::checkpoint::{Note, origin};
use eleven_core::recovery::{Recovery, TreeAt};
use eleven_core::registry::Fold;
use eleven_core::root::{KeyUse, TrustRoot};
use eleven_core::time::Time;
use eleven_store::{
    AppendError, Folder, FolderError, Log as _, OpenError, Place, ReadLog, SegmentLog, SegmentOptions, peek,
};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod placed;
mod replaced;
#[cfg(test)]
mod tests;
mod word;

pub(crate) use placed::{finish, is_cut_short, pending, settled};
use placed::{mark, remove_all, restored, set_word, undo};
use replaced::{Replaced, own_head};
use word::not_signed;

/// Read and written at a time.
const CHUNK_RECORDS: usize = 4096;
const CHUNK_BYTES: usize = 8 << 20;
/// Written at once, as by a ledger: who reads one record reads and checks all that was written with it.
const COMMIT_BYTES: usize = 1 << 20;
/// What is done to a copy, as it is told.
const READING: &str = "reading the copy";
const COPYING: &str = "copying";
/// How often a log is opened whose writer may be in the middle of something.
const ATTEMPTS: u32 = 5;

/// What a backup or a restored ledger holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// How many entries it has.
    pub entries: u64,
    /// Its last head. A backup ends there; what was restored may go on.
    pub head: Head,
    /// Where what stood in the folder before is kept, where something did.
    pub before: Option<PathBuf>,
}

/// A head that is known to have been published, as somebody shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// The head itself, or what a proof file holds of it.
    Head(Head),
    /// Its checkpoint, as a witness remembers it.
    Checkpoint(Note),
}

impl Known {
    /// What it says of the tree.
    #[must_use]
    pub const fn tree(&self) -> TreeAt {
        match self {
            Self::Head(head) => tree_at(head),
            Self::Checkpoint(Note { checkpoint, .. }) => TreeAt { size: checkpoint.size, root: checkpoint.root },
        }
    }

    /// Whether it is of the ledger that was replayed, signed by a head key of one of its roots.
    fn is_signed(&self, replayed: &Replayed) -> bool {
        match self {
            Self::Head(head) => replayed.key_of(head).is_some() && head.commitment.ledger == replayed.resumed.name,
            Self::Checkpoint(note) => {
                let registry = replayed.book.registry();
                registry.into_iter().flat_map(|registry| registry.roots()).any(|root| {
                    let mut keys = root.roles.iter().filter(|key| key.usage == KeyUse::Head);
                    note.checkpoint.origin == origin(&replayed.resumed.name)
                        && keys.any(|key| key.verifying().is_some_and(|key| note.signed_by(&key)))
                })
            }
        }
    }
}

/// Copies the ledger in `folder`, which may run, into `dest`, which must be empty or not there, and reads the copy back. `far` is told
/// now and then how far that is.
///
/// # Errors
/// Where no head was signed yet, `dest` holds something, or a log can't be read or written.
pub fn backup(folder: &Path, dest: &Path, far: &mut dyn FnMut(Pass)) -> Result<Copied, LedgerError> {
    if std::fs::read_dir(dest).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(LedgerError::Restore(format!(
            "{} is not empty: name a folder that is, or that is not there",
            dest.display()
        )));
    }
    // The head first: all that it covers was durable before it was signed.
    let head = last_head(&*open(&folder.join(HEADS))?)?;
    let log = open(&folder.join(LOG))?;
    let home = Folder::open(dest, CORNER)?;
    copy_log(&*log, home.place(LOG)?, Some(head.head.commitment.size), far)?;
    write_head(home.place(HEADS)?, &head)?;
    let copy = checked(dest, Depth::RESUME, far)?;
    Ok(Copied { entries: copy.replayed.tree.size(), head: copy.last.head, before: None })
}

/// Puts the ledger in `source`, with every entry that it holds, in the place of what `folder` holds, which must not run.
/// `known` are heads of this ledger that are known to have been published, besides those of the folder itself. By `now` a ledger that goes
/// back has to be able to record the root's word. `far` is told now and then how far that is.
///
/// # Errors
/// Where the source is not whole, no published head is known, a known head is not covered and `recovery` does not give up
/// exactly that, or a log can't be written. The folder is as it was then.
pub fn restore(
    folder: &Path,
    source: &Path,
    known: &[Known],
    recovery: Option<&Recovery>,
    now: Time,
    far: &mut dyn FnMut(Pass),
) -> Result<Copied, LedgerError> {
    restore_by(folder, source, known, recovery, now, &Folder::place, far)
}

/// The same, with the places of its logs made by `place`.
fn restore_by(
    folder: &Path,
    source: &Path,
    known: &[Known],
    recovery: Option<&Recovery>,
    now: Time,
    place: &dyn Fn(&Folder, &str) -> Result<Place, FolderError>,
    far: &mut dyn FnMut(Pass),
) -> Result<Copied, LedgerError> {
    is_copy(source)?;
    let home = Folder::open(folder, CORNER)?;
    finish(folder)?;
    let copy = checked(source, Depth::Everything, far)?;
    let lost = uncovered(folder, known, &copy.replayed, recovery)?;
    let going_back = if lost.is_empty() { None } else { Some(check_back(folder, &copy, &lost, recovery, now)?) };
    let mut prepare = || -> Result<(), LedgerError> {
        for name in [LOG, HEADS] {
            remove_all(&folder.join(restored(name)))?;
        }
        copy_log(&*copy.log, place(&home, &restored(LOG))?, None, far)?;
        write_head(place(&home, &restored(HEADS))?, &copy.last)?;
        // What was to be recorded of an earlier restore is not true of this one, and is until this one is in its place.
        set_word(folder, going_back.map(|recovery| recovery.to_object().canonical()).as_deref())?;
        mark(folder)
    };
    prepare().map_err(|error| not_restored(&error, undo(folder)))?;
    let before = finish(folder).map_err(|error| {
        LedgerError::Restore(format!(
            "the copy is whole and not in its place yet ({error}): the next command or start ends that"
        ))
    })?;
    Ok(Copied { entries: copy.replayed.tree.size(), head: copy.last.head, before })
}

/// Why a copy was not put back. No corner speaks here, which would have to stop and be started again.
fn not_restored(error: &LedgerError, undone: Result<(), LedgerError>) -> LedgerError {
    let why = |error: &LedgerError| match error {
        LedgerError::Io(error) => error.to_string(),
        other => other.to_string(),
    };
    let cause = why(error);
    LedgerError::Restore(match undone {
        Ok(()) => format!("not restored, the folder is as it was: {cause}"),
        Err(left) => {
            format!("not restored: {cause}; what was begun stays, restore again to have it taken away: {}", why(&left))
        }
    })
}

/// Why records of a copy were not written.
fn not_copied(error: AppendError) -> LedgerError {
    LedgerError::Restore(match error {
        AppendError::NotWritten(cause) | AppendError::Unknown(cause) => {
            format!("the copy could not be written ({cause}): free or repair the disk, and do it again")
        }
        other => other.to_string(),
    })
}

/// Whether a ledger's logs are there at all. What is not there is no damage to the disk.
fn is_copy(folder: &Path) -> Result<(), LedgerError> {
    let absent = |name: &str| {
        let found = std::fs::metadata(folder.join(name));
        found.is_err_and(|error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory))
    };
    match [LOG, HEADS].into_iter().find(|&name| absent(name)) {
        None => Ok(()),
        Some(name) => Err(LedgerError::Restore(format!(
            "{} holds no copy of a ledger, since there is no `{name}` in it: name the folder that `eleven ledger backup` made",
            folder.display()
        ))),
    }
}

/// A log that another process may be writing to. Its last frame may be half there at this moment: only where somebody may write is
/// what can't be read looked at again, for the whole log is read each time.
pub(crate) fn open(path: &Path) -> Result<Arc<dyn ReadLog>, LedgerError> {
    open_by(path, peek)
}

/// The same, each time by `look`.
fn open_by(
    path: &Path,
    look: impl Fn(&Path) -> Result<Arc<dyn ReadLog>, OpenError>,
) -> Result<Arc<dyn ReadLog>, LedgerError> {
    // Or that can't be told.
    let is_held = || path.parent().is_some_and(|folder| !matches!(Folder::holder(folder), Ok(None)));
    let mut attempt = 1;
    loop {
        // Asked on both sides of it: who wrote meanwhile may have begun or ended since.
        let held = is_held();
        match look(path) {
            Err(OpenError::Damaged(_) | OpenError::Missing { .. } | OpenError::Io { .. })
                if attempt < ATTEMPTS && (held || is_held()) =>
            {
                attempt += 1;
            }
            opened => return Ok(opened?),
        }
    }
}

/// A head and the record that holds it.
struct Kept {
    head: Head,
    record: Vec<u8>,
}

/// The last record of a log of heads; `None` where it is empty.
fn last_of(heads: &dyn ReadLog) -> Result<Option<Kept>, LedgerError> {
    let Some(position) = heads.durable().checked_sub(1) else { return Ok(None) };
    let failed = |what: &dyn std::fmt::Display| LedgerError::Head(HeadError::Store(what.to_string()));
    let found = heads.read_from(position, 1, 1).map_err(|error| failed(&error))?;
    let (_, record) = found.into_iter().next().ok_or_else(|| failed(&"its last record is gone"))?;
    let value = parse_canonical(&record).map_err(|error| failed(&error))?;
    let head = value.get("head").cloned().ok_or_else(|| failed(&"its last record is no head"))?;
    Ok(Some(Kept { head: Head::read(head).map_err(|error| failed(&error))?, record }))
}

fn last_head(heads: &dyn ReadLog) -> Result<Kept, LedgerError> {
    let none = || LedgerError::Restore("no head was signed yet: there is nothing to copy up to".to_owned());
    last_of(heads)?.ok_or_else(none)
}

fn write_head(to: Place, head: &Kept) -> Result<(), LedgerError> {
    let mut log = SegmentLog::open(to, SegmentOptions::default())?;
    let durable = log.append(log.next(), &[&head.record]).map_err(not_copied)?;
    debug_assert_eq!(durable.count(), 1, "a head is one record");
    Ok(())
}

/// Copies a ledger's log: up to and with entry `size - 1`, or all of it. As in the ledger's own folder full segments are
/// packed, and all of them when this returns.
fn copy_log(from: &dyn ReadLog, to: Place, size: Option<u64>, far: &mut dyn FnMut(Pass)) -> Result<(), LedgerError> {
    let mut to = SegmentLog::open(to, SegmentOptions { ahead: false, ..LOG_OPTIONS })?;
    let (mut position, mut entries) = (from.first(), 0);
    while size.is_none_or(|size| entries < size) {
        let read = from.read_from(position, CHUNK_RECORDS, CHUNK_BYTES);
        let read = read.map_err(|error| LedgerError::Restore(error.to_string()))?;
        let mut records = Vec::with_capacity(read.len());
        for (at, bytes) in read {
            position = at + 1;
            entries += u64::from(Stored::is_entry(&bytes));
            records.push(bytes);
            if size == Some(entries) {
                break;
            }
        }
        if records.is_empty() {
            let Some(size) = size else { return Ok(()) };
            let what =
                format!("the log ends after {entries} entries, and its head covers {size}: run `eleven ledger fsck`");
            return Err(LedgerError::Restore(what));
        }
        let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        for commit in commits(&records) {
            let durable = to.append(to.next(), commit).map_err(not_copied)?;
            debug_assert_eq!(durable.count(), commit.len() as u64, "a copy is whole");
        }
        far(Pass { doing: COPYING, done: position, of: from.durable() });
    }
    Ok(())
}

/// The records by what is written at once: at most [`COMMIT_BYTES`] of them, or one that is larger.
fn commits<'a>(mut records: &'a [&'a [u8]]) -> impl Iterator<Item = &'a [&'a [u8]]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let beyond = records.iter().position(|record| {
            bytes += record.len();
            bytes > COMMIT_BYTES
        });
        let (commit, rest) = records.split_at(beyond.map_or(records.len(), |beyond| beyond.max(1)));
        records = rest;
        (!commit.is_empty()).then_some(commit)
    })
}

/// A ledger's folder as it was when it was read, and found whole.
struct Checked {
    /// The log, all of which was replayed.
    log: Arc<dyn ReadLog>,
    replayed: Replayed,
    /// Its last head.
    last: Kept,
}

/// Reads a ledger's folder and its last head, and holds the one against the other.
fn checked(folder: &Path, depth: Depth, far: &mut dyn FnMut(Pass)) -> Result<Checked, LedgerError> {
    // The head first: all that it covers was durable before it was signed.
    let last = last_head(&*open(&folder.join(HEADS))?)?;
    let log = open(&folder.join(LOG))?;
    let replayed = recover::replay_telling(&*log, depth, READING, far)?;
    check_head(&replayed, &last.head)?;
    Ok(Checked { log, replayed, last })
}

/// A head is signed by the ledger that was replayed, and commits to what is there.
fn check_head(replayed: &Replayed, head: &Head) -> Result<(), LedgerError> {
    let (size, there) = (head.commitment.size, replayed.tree.size());
    if replayed.key_of(head).is_none() {
        return Err(LedgerError::Head(HeadError::Key(head.sig.kid.clone())));
    }
    if size > there {
        return Err(LedgerError::Head(HeadError::Back { last: size, next: there }));
    }
    if replayed.tree.root_at(size) != Some(head.commitment.root) {
        return Err(LedgerError::Head(HeadError::Fork { size }));
    }
    Ok(())
}

/// When the last of these heads was signed, which is of the ledger that was replayed; `None` where there is none.
///
/// # Errors
/// Where it can't be read, or is of another history.
pub(crate) fn signed_at(heads: &dyn ReadLog, replayed: &Replayed) -> Result<Option<Time>, LedgerError> {
    let Some(last) = last_of(heads)? else { return Ok(None) };
    check_head(replayed, &last.head)?;
    Ok(Some(last.head.at))
}

/// The heads that are known and that the copy does not hold, of those given, each signed by this ledger, and the folder's
/// own: each covers more, or is of another history. What the copy itself says was given up counts no more. Of a head by a key that
/// came after the copy the root's word says that it is this ledger's: it names it as what is given up.
fn uncovered(
    folder: &Path,
    known: &[Known],
    replayed: &Replayed,
    recovery: Option<&Recovery>,
) -> Result<Vec<TreeAt>, LedgerError> {
    let is_named = |known: &Known| recovery.is_some_and(|recovery| recovery.lost == known.tree());
    if let Some(foreign) = known.iter().find(|known| !known.is_signed(replayed) && !is_named(known)) {
        let what = format!(
            "a head of {} entries is not signed by this ledger, as far as the copy names its head keys: where it is by one that \
             came later, it is given up by a recovery that names it as lost",
            foreign.tree().size
        );
        return Err(LedgerError::Restore(what));
    }
    let mut heads: Vec<TreeAt> = known.iter().map(Known::tree).collect();
    heads.extend(own_head(folder, &replayed.resumed.name)?);
    // What an earlier restore gave up, which no entry says as long as no start has recorded it.
    heads.extend(pending(folder)?.map(|recovery| recovery.lost));
    heads.retain(|head| !gave_up(replayed, head));
    if heads.is_empty() {
        let what = "no published head is known here: give the newest that anybody has, from a witness, an auditor or a \
                    proof file";
        return Err(LedgerError::Restore(what.to_owned()));
    }
    heads.retain(|head| replayed.tree.root_at(head.size) != Some(head.root));
    Ok(heads)
}

/// Whether a ledger went back behind a head, by a word of the root that stands in it.
fn gave_up(replayed: &Replayed, head: &TreeAt) -> bool {
    replayed.resumed.recovered.iter().any(|recovery| recovery.lost == *head)
}

/// The recovery, where it gives up all that is `lost`: one of these heads by its name, and with it what went before.
fn check_back<'a>(
    folder: &Path,
    copy: &Checked,
    lost: &[TreeAt],
    recovery: Option<&'a Recovery>,
    now: Time,
) -> Result<&'a Recovery, LedgerError> {
    let Checked { replayed, last, .. } = copy;
    let recovery = recovery.ok_or_else(|| not_held(replayed.tree.size(), lost))?;
    let refused = |what: &str| Err(LedgerError::Restore(format!("the recovery does not allow this: {what}")));
    if recovery.ledger != replayed.resumed.name {
        return refused("it is of another ledger");
    }
    if recovery.restored != tree_at(&last.head) {
        return refused("it restores another state than this copy's");
    }
    let replaced = Replaced::of(folder);
    if let Some(why) = not_signed(recovery, newest_root(replayed), replaced.root()) {
        return refused(&why);
    }
    if !word::can_be_recorded(recovery, replayed, now) {
        return refused(word::UNRECORDED);
    }
    if replaced.went_back_by(recovery) {
        return refused("it was used before, and what stands here goes on from it: have the root sign another");
    }
    if !lost.contains(&recovery.lost) {
        return refused("it gives up another head than the newest that is known");
    }
    let before = pending(folder)?;
    if let Some(other) = lost.iter().find(|head| !replaced.goes_with(head, &recovery.lost, before.as_ref())) {
        return refused(&format!(
            "a head over {} entries is published too, and no log here shows that what is given up holds it: put the \
             ledger's log into this folder, or take a newer copy; where that log is lost and a witness only lagged behind, \
             name the head that is given up by --head and leave the witnesses out",
            other.size
        ));
    }
    Ok(recovery)
}

/// The newest root that was published in a log.
fn newest_root(replayed: &Replayed) -> Option<&TrustRoot> {
    replayed.book.registry().map(Fold::root)
}

/// Why a copy of so many entries may not be put back without the root's word.
fn not_held(there: u64, lost: &[TreeAt]) -> LedgerError {
    let newest = lost.iter().map(|head| head.size).max().unwrap_or(0);
    LedgerError::Restore(if newest <= there {
        format!(
            "a head over {newest} entries is published that is of another history than the copy: keep both, and make \
             evidence of it (`eleven ledger compare`)"
        )
    } else {
        format!(
            "the copy holds {there} entries and a head over {newest} is published: take a newer copy, or have the root \
             sign a recovery (`eleven ledger recovery sign`)"
        )
    })
}

/// What a head says of the tree.
#[must_use]
pub const fn tree_at(head: &Head) -> TreeAt {
    TreeAt { size: head.commitment.size, root: head.commitment.root }
}

/// The last head of a ledger's folder, running or not.
///
/// # Errors
/// Where none was signed, or the heads can't be read.
pub fn head_of(folder: &Path) -> Result<Head, LedgerError> {
    is_copy(folder)?;
    Ok(last_head(&*open(&folder.join(HEADS))?)?.head)
}

/// The checkpoint of that head, with the lines that were kept with it.
///
/// # Errors
/// As [`head_of`].
pub fn checkpoint_of(folder: &Path) -> Result<Note, LedgerError> {
    is_copy(folder)?;
    let record = last_head(&*open(&folder.join(HEADS))?)?.record;
    let value = parse_canonical(&record).ok();
    let note = value.as_ref().and_then(|value| value.get("checkpoint")).and_then(|note| note.as_str());
    let note = note.and_then(|note| Note::parse(note).ok());
    note.ok_or_else(|| LedgerError::Head(HeadError::Store("its last record has no checkpoint".to_owned())))
}

/// Whether an entry's record is this recovery.
pub(crate) fn is_entry_of(bytes: &[u8], recovery: &Recovery) -> bool {
    let record = EntryHeader::split(bytes).ok().and_then(|(_, record)| parse(record).ok());
    record.is_some_and(|record| record.get("data").and_then(|data| data.as_object()) == Some(&recovery.to_object()))
}
