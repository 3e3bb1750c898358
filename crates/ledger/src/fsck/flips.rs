//! An intact head over damaged data is found: every stored byte of a ledger is changed, one at a time.
//!
//! Twice, because two things stand guard. The store's checksums find what a disk does by itself. Whoever writes on purpose
//! makes the checksums right again, and so does a fault above them: then the replay has to find it.

use super::*;
use crate::world::{AUTHORITY, Home, POINT, Producers, granted, single};
use eleven_api::audit::Append;

use eleven_store::faulty::FaultyDisk;
use eleven_store::{Log as _, ReadError, SegmentLog, SegmentOptions};

/// Of so many bytes one is changed; every one in the long tests.
fn stride() -> usize {
    if std::env::var_os("ELEVEN_LONG").is_some() { 1 } else { 19 }
}

/// Records in memory, as a log gives them.
struct Records(Vec<Vec<u8>>);

impl ReadLog for Records {
    fn read_from(&self, position: u64, most: usize, _: usize) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
        let records = (0..).zip(&self.0).skip(usize::try_from(position).expect("small")).take(most);
        Ok(records.map(|(at, bytes)| (at, bytes.clone())).collect())
    }

    fn durable(&self) -> u64 {
        self.0.len() as u64
    }

    fn first(&self) -> u64 {
        0
    }
}

impl Records {
    fn of(home: &Home, name: &str) -> Self {
        let folder = Folder::open(home.path(), "ledger").expect("the folder");
        let (log, _) = read_only(&folder.place(name).expect("a place")).expect("a log");
        let records = log.read_from(0, usize::MAX, usize::MAX).expect("readable");
        Self(records.into_iter().map(|(_, bytes)| bytes).collect())
    }

    /// The entry that a record belongs to: itself, or the one behind it. The next one may be the first that shows it.
    fn entry_at(&self, position: usize) -> u64 {
        self.0.iter().take(position).filter(|record| record.last() == Some(&b'e')).count() as u64
    }
}

/// A ledger in which everything stands that a log may hold: an operation, a refusal with its evidence, a denial, a
/// revocation, a policy, a registry header, several heads.
async fn small() -> (Records, Records) {
    let home = Home::new();
    let ledger = home.open().expect("open");
    let mut producers = Producers::new();
    ledger.must_append(&producers.set_up()).await;
    ledger.sealed().await;
    let mut append = Append::default();
    let mut operation = producers.issue(single(1), &[], &mut append);
    producers.begin(&mut operation, 1, &mut append);
    producers.finish(&mut operation, &mut append);
    ledger.must_append(&append).await;
    ledger.sealed().await;
    let mut append = Append::default();
    append.record(&producers.denial("no"));
    let again = granted("gw-0", eleven_core::root::KeyUse::Event, POINT).to_object();
    append.record(&producers.alone("authority", AUTHORITY, "key.registered", again));
    append.record(&producers.revoke(&operation.artifact));
    ledger.append(&append).await;
    ledger.sign_registry().await;
    ledger.sealed().await;
    drop(ledger);
    (Records::of(&home, "log"), Records::of(&home, "heads"))
}

fn run(log: &Records, heads: &Records) -> Result<Sound, LedgerError> {
    check_records(log, heads, false, &mut |_| ())
}

/// Does the work for every number below `count` on two threads, and gathers what it has to say.
fn gather(count: usize, work: impl Fn(usize) -> Option<String> + Sync) -> Vec<String> {
    std::thread::scope(|scope| {
        let parts = [0, 1].map(|part| {
            scope.spawn({
                let work = &work;
                move || (part..count).step_by(2).filter_map(work).collect::<Vec<_>>()
            })
        });
        parts.into_iter().flat_map(|part| part.join().expect("no panic")).collect()
    })
}

#[tokio::test]
async fn every_byte_that_changes_under_right_checksums_is_found_at_its_entry() {
    let (log, heads) = small().await;
    let sound = run(&log, &heads).expect("sound as it is");
    assert!(sound.met.content >= 4 && sound.met.headers == 1 && sound.heads >= 3, "{sound:?}");
    let bytes: Vec<(usize, usize)> =
        (0..).zip(&log.0).flat_map(|(record, bytes)| (0..bytes.len()).map(move |at| (record, at))).collect();
    let missed = gather(bytes.len().div_ceil(stride()), |n| {
        let (record, at) = bytes[n * stride()];
        let mut changed = Records(log.0.clone());
        changed.0[record][at] ^= 1 << (n % 8);
        let entry = log.entry_at(record);
        match run(&changed, &heads) {
            Err(LedgerError::Replay(error)) if error.seq == entry || error.seq == entry + 1 => None,
            // What only the last link shows, the head does.
            Err(LedgerError::Head(_)) if entry + 1 >= sound.entries => None,
            other => Some(format!("byte {at} of record {record}, of entry {entry}: {other:?}")),
        }
    });
    assert_eq!(missed, Vec::<String>::new());
}

#[tokio::test]
async fn every_byte_of_a_head_that_changes_is_found() {
    let (log, heads) = small().await;
    let bytes: Vec<(usize, usize)> =
        (0..).zip(&heads.0).flat_map(|(record, bytes)| (0..bytes.len()).map(move |at| (record, at))).collect();
    let missed = gather(bytes.len().div_ceil(stride()), |n| {
        let (record, at) = bytes[n * stride()];
        let mut changed = Records(heads.0.clone());
        changed.0[record][at] ^= 1 << (n % 8);
        let outcome = run(&log, &changed);
        (!matches!(outcome, Err(LedgerError::Head(_)))).then(|| format!("byte {at} of head {record}: {outcome:?}"))
    });
    assert_eq!(missed, Vec::<String>::new());
}

fn named(record: &[u8], part: &[u8]) -> bool {
    record.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_record_that_is_gone_doubled_or_moved_is_found() {
    let (log, heads) = small().await;
    let count = log.0.len();
    let missed = gather(3 * count, |n| {
        let (record, how) = (n / 3, n % 3);
        let mut changed = log.0.clone();
        match how {
            0 => drop(changed.remove(record)),
            1 => changed.insert(record, log.0[record].clone()),
            _ => changed.swap(record, (record + 1) % count),
        }
        // Content or a registry header twice says nothing else than once; where a header stands does not matter; and the
        // bytes of a refused record are kept beside the entry that names them where there is room, not because they must.
        let is = |at: usize, tag: u8| log.0[at % count].last() == Some(&tag);
        let evidence = |at: usize| {
            let refused =
                at.checked_sub(1).is_some_and(|before| named(&log.0[before], b"\"event\":\"ledger.refused\""));
            refused && is(at, b'b')
        };
        let harmless = match how {
            0 => is(record, b'h') || evidence(record),
            1 => !is(record, b'e'),
            _ => is(record, b'h') || is(record + 1, b'h') || evidence((record + 1) % count),
        };
        let outcome = run(&Records(changed), &heads);
        (outcome.is_ok() && !harmless).then(|| format!("record {record}, change {how}"))
    });
    assert_eq!(missed, Vec::<String>::new());
}

/// The two logs on a disk in memory, in files small enough that each is read quickly; those that are full packed where that
/// is asked for, as a ledger does.
fn on_disk(records: &Records, pack: bool) -> Vec<(String, Vec<u8>)> {
    let disk = FaultyDisk::new(11);
    let options =
        SegmentOptions { smallest: 16 << 10, largest: 16 << 10, ahead: false, pack, ..SegmentOptions::default() };
    let mut log = SegmentLog::open(Place::on(disk.clone()), options).expect("a log");
    for record in &records.0 {
        let durable = log.append(log.next(), &[record]).expect("written");
        assert_eq!(durable.count(), 1);
    }
    let bytes = |name: String| disk.bytes(&name).map(|bytes| (name, bytes));
    disk.names().into_iter().filter_map(bytes).collect()
}

fn placed(files: &[(String, Vec<u8>)]) -> Place {
    let disk = FaultyDisk::new(0);
    files.iter().for_each(|(name, bytes)| disk.put(name, bytes.clone()));
    Place::on(disk)
}

/// Changes bytes of a log's files one at a time, and says which change was not found at its place.
fn missed(records: &Records, log: &[(String, Vec<u8>)], heads: &[(String, Vec<u8>)]) -> Vec<String> {
    let first = |(name, _): &(String, Vec<u8>)| name.split('.').next().and_then(|first| first.parse().ok());
    let mut begins: Vec<usize> = log.iter().map(|file| first(file).expect("a position")).collect();
    begins.push(records.0.len());
    check(&placed(log), &placed(heads), false, &mut |_| ()).expect("sound as it is");
    let bytes: Vec<(usize, usize)> =
        (0..).zip(log).flat_map(|(file, (_, bytes))| (0..bytes.len()).map(move |at| (file, at))).collect();
    gather(bytes.len().div_ceil(stride()), |n| {
        let (file, at) = bytes[n * stride()];
        let mut changed = log.to_vec();
        changed[file].1[at] ^= 1 << (n % 8);
        let name = log[file].0.clone();
        let packed = name.ends_with(".pack");
        let outcome = check(&placed(&changed), &placed(heads), false, &mut |_| ());
        let found = match &outcome {
            // A frame, a packed block, or a file's header; or a frame of the file before is the last that is whole.
            Err(LedgerError::Damaged { log: "log", entry: Some(entry), what }) => {
                let lost = records.entry_at(begins[file])..=records.entry_at(begins[file + 1]);
                what.contains(&name) && lost.contains(entry)
            }
            // The number of its format, which is another build's.
            Err(LedgerError::Open(error)) => error.to_string().contains(&name),
            // Nothing else says where in a packed file the damage is, and nothing in it is of no use.
            _ if packed => false,
            // The last frame, and zeros behind it, which are no data: told as what they are, bytes of no commit.
            Err(LedgerError::Torn { torn, .. }) => torn.segment == name && torn.offset <= at as u64,
            // The last frame is under a head.
            Err(LedgerError::Head(_)) => file + 1 == log.len(),
            // Zeros behind the frames of a closed file are never read.
            Ok(_) => file + 1 < log.len() && log[file].1[at..].iter().all(|byte| *byte == 0),
            Err(_) => false,
        };
        (!found).then(|| format!("byte {at} of {name}: {outcome:?}"))
    })
}

#[tokio::test]
async fn every_byte_of_the_files_that_changes_is_found_at_its_place() {
    let (records, heads) = small().await;
    let log = on_disk(&records, false);
    assert!(log.len() > 2, "several segments");
    assert_eq!(missed(&records, &log, &on_disk(&heads, false)), Vec::<String>::new());
}

#[tokio::test]
async fn every_byte_of_a_packed_file_that_changes_is_found_in_it() {
    let (records, heads) = small().await;
    let log = on_disk(&records, true);
    let packed = log.iter().filter(|(name, _)| name.ends_with(".pack")).count();
    assert!(packed > 1 && packed + 1 == log.len(), "all but the last are packed");
    assert_eq!(missed(&records, &log, &on_disk(&heads, true)), Vec::<String>::new());
}

/// The file of a log of these commits.
fn committed(commits: &[&[Vec<u8>]]) -> (String, Vec<u8>) {
    let disk = FaultyDisk::new(11);
    let options = SegmentOptions { ahead: false, ..SegmentOptions::default() };
    let mut log = SegmentLog::open(Place::on(disk.clone()), options).expect("a log");
    for commit in commits {
        let records: Vec<&[u8]> = commit.iter().map(Vec::as_slice).collect();
        let durable = log.append(log.next(), &records).expect("written");
        assert_eq!(durable.count(), commit.len() as u64);
    }
    let name = disk.names().into_iter().next().expect("a file");
    let bytes = disk.bytes(&name).expect("its bytes");
    (name, bytes)
}

#[tokio::test]
async fn the_last_commit_that_is_damaged_is_named_by_its_first_entry_also_where_it_holds_all() {
    let (records, heads) = small().await;
    let heads = on_disk(&heads, false);
    let last = records.0.iter().rposition(|record| record.last() == Some(&b'e')).expect("an entry");
    // In one commit, as a mirror keeps what it took at once; and the last entry in one of its own.
    for begins in [0, last] {
        let (before, commit) = records.0.split_at(begins);
        let commits: Vec<&[Vec<u8>]> = [before, commit].into_iter().filter(|commit| !commit.is_empty()).collect();
        let (name, mut bytes) = committed(&commits);
        let end = bytes.iter().rposition(|byte| *byte != 0).expect("it is written");
        bytes[end] ^= 1;
        match check(&placed(&[(name.clone(), bytes)]), &placed(&heads), false, &mut |_| ()) {
            Err(LedgerError::Damaged { log: "log", entry: Some(entry), what }) => {
                assert_eq!(entry, records.entry_at(begins), "{what}");
                assert!(what.starts_with(&name) && what.contains("and a head covers"), "{what}");
            }
            other => panic!("from record {begins} on: {other:?}"),
        }
    }
}
