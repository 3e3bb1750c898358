//! Moving content that is past its retention out of the ledger, and reading it from where it went.
//!
//! What moves is content: artifacts, decision inputs, large evidence. Entries never do: the log keeps each, and with them
//! both chains, the tree, the index and every head are what they were. In the place of content that moved stands its hash.
//! While the archive is named in the settings the ledger serves from it; without it, it says where the content went.

use crate::audit::hashes_named;
use crate::backup::{open, put_in_place, remove_all};
use crate::ledger::{CORNER, LOG, LedgerError};
use crate::recover::{self, Depth};
use crate::stored::Stored;
use eleven_core::chain::EntryHeader;
use eleven_core::encoding::parse_canonical;
use eleven_core::event::Record;
use eleven_core::hash::Sha3;
use eleven_core::id;
use eleven_core::registry::retention::{Hold, Retention};
use eleven_core::time::Time;
use eleven_store::{Folder, Log, ReadLog, SegmentLog, SegmentOptions};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// Read and written at a time.
const CHUNK_RECORDS: usize = 4096;
const CHUNK_BYTES: usize = 8 << 20;
/// How an archive's folder is marked.
const MARK: &str = "archive";
/// The log in it.
const CONTENT: &str = "content";

/// What was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// Pieces of content.
    pub pieces: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Lineages that are past the retention and not held.
    pub lineages: u64,
    /// Lineages that are past the retention and held.
    pub held: u64,
    /// The retention in force, in days.
    pub days: u64,
}

/// Moves the content of every lineage that ended longer than the retention ago, and is not held, from the ledger in
/// `folder`, which must not run, to the archive `to`.
///
/// # Errors
/// Where no retention is set, the ledger is not whole, or a log can't be read or written. The ledger is as it was then.
pub fn archive(folder: &Path, to: &Path, now: Time) -> Result<Archived, LedgerError> {
    let home = Folder::open(folder, CORNER)?;
    let log = open(&folder.join(LOG))?;
    let before = recover::replay(&*log, Depth::Resume)?;
    let registry = before.book.registry().ok_or_else(|| LedgerError::Empty(folder.to_owned()))?;
    let retention = Retention::in_force(registry.lists()).ok_or_else(|| {
        LedgerError::Restore(
            "no retention is set, so all content is kept: set one with `eleven retention set`".to_owned(),
        )
    })?;
    let lives = Lives::read(&*log)?;
    let (may_go, held) = lives.past(&retention, now, &Hold::all(registry.lists()));
    let going = going(&*log, &may_go)?;
    let mut done = Archived { pieces: 0, bytes: 0, lineages: may_go.len() as u64, held, days: retention.days };
    if going.is_empty() {
        return Ok(done);
    }
    move_out(&*log, to, &going, &mut done)?;
    let next = format!("{LOG}.restored");
    remove_all(&folder.join(&next))?;
    rewrite(&*log, SegmentLog::open(home.place(&next)?, SegmentOptions::default())?, &going)?;
    // The same entries, under the same root, or nothing is put in place.
    let after = recover::replay(&*open(&folder.join(&next))?, Depth::Resume)?;
    let size = before.tree.size();
    if (after.tree.size(), after.tree.root_at(size)) != (size, before.tree.root_at(size)) {
        return Err(LedgerError::Restore(
            "the log without its content is not the same ledger: nothing was changed".to_owned(),
        ));
    }
    if let Some(old) = put_in_place(folder, &[(&next, LOG)])? {
        remove_all(&old)?;
    }
    Ok(done)
}

/// What is known of a lineage, or of all uses of an artifact.
struct Life {
    last: Time,
    running: i64,
    identity: Option<String>,
}

#[derive(Default)]
struct Lives(HashMap<String, Life>);

impl Lives {
    fn read(log: &dyn ReadLog) -> Result<Self, LedgerError> {
        let mut lives = Self::default();
        each(log, |_, stored| {
            if let Stored::Entry(bytes) = stored {
                let (at, record, _) = entry(&bytes)?;
                if let Some(content) = ends_some_day(&record) {
                    let identity = record.about.identity.clone();
                    let life = lives.0.entry(content).or_insert(Life { last: at, running: 0, identity: None });
                    life.last = life.last.max(at);
                    life.identity = identity.or(life.identity.take());
                    life.running += match record.event.as_str() {
                        "authorization.consumed" => 1,
                        "evidence.committed" => -1,
                        _ => 0,
                    };
                }
            }
            Ok(())
        })?;
        Ok(lives)
    }

    /// The lineages that are past their retention at `now` and are not held, and how many are held.
    fn past(self, retention: &Retention, now: Time, holds: &BTreeSet<String>) -> (HashSet<String>, u64) {
        let (mut past, mut held) = (HashSet::new(), 0);
        for (content, life) in self.0 {
            if retention.ends(life.last) >= now || life.running != 0 {
                continue;
            }
            let operation = Hold::on("operation", &content).is_ok_and(|hold| hold.is_in(holds));
            let identity =
                life.identity.is_some_and(|who| Hold::on("identity", &who).is_ok_and(|hold| hold.is_in(holds)));
            if operation || identity {
                held += 1;
            } else {
                past.insert(content);
            }
        }
        (past, held)
    }
}

/// The content id under which an event's lineage is kept for a time: operations and refusals. All else is kept for good.
fn ends_some_day(record: &Record) -> Option<String> {
    let of_operation = crate::rules::is_of_operation(&record.event) || record.event == "execution.denied";
    let (content, _) = id::split_operation(&record.op).filter(|_| of_operation)?;
    Some(content.to_owned())
}

/// The hashes of content that may go: named by nothing but lineages that are past.
fn going(log: &dyn ReadLog, may_go: &HashSet<String>) -> Result<HashSet<Sha3>, LedgerError> {
    let (mut going, mut staying) = (HashSet::new(), HashSet::new());
    let mut last_blob = None;
    each(log, |_, stored| {
        match stored {
            Stored::Blob(bytes) => last_blob = Some(Sha3::of(&[&bytes])),
            Stored::Entry(bytes) => {
                let (_, record, canonical) = entry(&bytes)?;
                let past = ends_some_day(&record).is_some_and(|content| may_go.contains(&content));
                let names = if past { &mut going } else { &mut staying };
                names.extend(hashes_named(&record, canonical));
                // An artifact stands right before its issuance, which names its body and not its bytes.
                names.extend(last_blob.take().filter(|_| record.event == "authorization.issued"));
            }
            Stored::Header(_) | Stored::Moved(_) => last_blob = None,
        }
        Ok(())
    })?;
    going.retain(|hash| !staying.contains(hash));
    Ok(going)
}

/// Copies what goes to the archive; durable there before anything is taken away here.
fn move_out(log: &dyn ReadLog, to: &Path, going: &HashSet<Sha3>, done: &mut Archived) -> Result<(), LedgerError> {
    let mark = Folder::open(to, MARK)?;
    let mut archive = SegmentLog::open(mark.place(CONTENT)?, SegmentOptions::default())?;
    let held = Archive::of(archive.reader())?;
    let mut batch: Vec<Vec<u8>> = Vec::new();
    each(log, |_, stored| {
        if let Stored::Blob(bytes) = stored {
            let hash = Sha3::of(&[&bytes]);
            if going.contains(&hash) {
                done.pieces += 1;
                done.bytes += bytes.len() as u64;
                if !held.at.contains_key(&hash) {
                    batch.push(bytes);
                }
            }
            if batch.len() >= CHUNK_RECORDS || batch.iter().map(Vec::len).sum::<usize>() >= CHUNK_BYTES {
                append(&mut archive, &std::mem::take(&mut batch))?;
            }
        }
        Ok(())
    })?;
    append(&mut archive, &batch)
}

/// Writes the log anew, with the hash of what goes in its place.
fn rewrite(log: &dyn ReadLog, mut to: SegmentLog, going: &HashSet<Sha3>) -> Result<(), LedgerError> {
    let mut batch: Vec<Vec<u8>> = Vec::new();
    each(log, |_, stored| {
        let stored = match stored {
            Stored::Blob(bytes) => match Some(Sha3::of(&[&bytes])).filter(|hash| going.contains(hash)) {
                Some(hash) => Stored::Moved(hash),
                None => Stored::Blob(bytes),
            },
            other => other,
        };
        batch.push(stored.encode());
        if batch.len() >= CHUNK_RECORDS || batch.iter().map(Vec::len).sum::<usize>() >= CHUNK_BYTES {
            append(&mut to, &std::mem::take(&mut batch))?;
        }
        Ok(())
    })?;
    append(&mut to, &batch)
}

fn append(to: &mut SegmentLog, records: &[Vec<u8>]) -> Result<(), LedgerError> {
    let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    let durable = to.append(to.next(), &records).map_err(|error| LedgerError::Commit(error.to_string()))?;
    debug_assert_eq!(durable.count(), records.len() as u64, "all of them");
    Ok(())
}

/// Every record of a ledger's log, in order.
fn each(log: &dyn ReadLog, mut take: impl FnMut(u64, Stored) -> Result<(), LedgerError>) -> Result<(), LedgerError> {
    let mut position = log.first();
    loop {
        let read = log.read_from(position, CHUNK_RECORDS, CHUNK_BYTES);
        let read = read.map_err(|error| LedgerError::Restore(error.to_string()))?;
        let Some((last, _)) = read.last() else { return Ok(()) };
        position = last + 1;
        for (at, bytes) in read {
            let stored = Stored::decode(bytes);
            take(
                at,
                stored.ok_or_else(|| LedgerError::Restore(format!("record {at} of the log is of no known kind")))?,
            )?;
        }
    }
}

fn entry(bytes: &[u8]) -> Result<(Time, Record, &[u8]), LedgerError> {
    let wrong = |error: &dyn std::fmt::Display| LedgerError::Restore(format!("an entry cannot be read: {error}"));
    let (header, canonical) = EntryHeader::split(bytes).map_err(|error| wrong(&error))?;
    let record = parse_canonical(canonical).map_err(|error| wrong(&error))?;
    Ok((header.at, Record::read(record).map_err(|error| wrong(&error))?, canonical))
}

/// An archive that is at hand: content by its hash.
pub(crate) struct Archive {
    log: Arc<dyn ReadLog>,
    at: HashMap<Sha3, u64>,
}

impl Archive {
    /// Opens an archive for reading; whoever writes to it may.
    ///
    /// # Errors
    /// Where it can't be read.
    pub(crate) fn open(path: &Path) -> Result<Self, LedgerError> {
        Self::of(open(&path.join(CONTENT))?)
    }

    fn of(log: Arc<dyn ReadLog>) -> Result<Self, LedgerError> {
        let (mut position, mut at) = (log.first(), HashMap::new());
        loop {
            let read = log.read_from(position, CHUNK_RECORDS, CHUNK_BYTES);
            let read = read.map_err(|error| LedgerError::Restore(error.to_string()))?;
            let Some((last, _)) = read.last() else { return Ok(Self { log, at }) };
            position = last + 1;
            at.extend(read.into_iter().map(|(position, bytes)| (Sha3::of(&[&bytes]), position)));
        }
    }

    /// Content by its hash, checked against it.
    pub(crate) fn content(&self, hash: &Sha3) -> Option<Vec<u8>> {
        let found = self.log.read_from(*self.at.get(hash)?, 1, 1).ok()?;
        let (_, bytes) = found.into_iter().next()?;
        (Sha3::of(&[&bytes]) == *hash).then_some(bytes)
    }
}
