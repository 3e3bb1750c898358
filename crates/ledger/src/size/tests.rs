use super::*;
use crate::world::{Home, Producers, single};
use eleven_api::audit::Append;

#[tokio::test]
async fn what_is_in_the_folder_is_counted_and_what_will_be_follows() {
    let home = Home::new();
    let ledger = home.open().expect("open");
    let mut producers = Producers::new();
    let mut append = producers.set_up();
    let mut operation = producers.issue(single(1), &[], &mut append);
    producers.begin(&mut operation, 1, &mut append);
    producers.finish(&mut operation, &mut append);
    let denial = producers.denial("no");
    append.record(&denial);
    ledger.must_append(&append).await;
    ledger.sealed().await;
    let running = size(home.path()).expect("a ledger that runs is measured");
    drop(ledger);
    let size = size(home.path()).expect("measured");
    assert_eq!((running.calls, running.denials, running.packed), (size.calls, size.denials, size.packed));
    assert!(running.open.entries > 0 && running.open.entries <= size.open.entries);
    let sound = crate::fsck(home.path(), &mut |_| {}).expect("sound");
    assert_eq!((size.calls, size.denials, size.packed), (1, 1, Part::default()));
    assert!(size.seals > 0 && size.seals <= sound.entries - 8, "{size:?}");
    assert_eq!(size.open.entries, sound.entries);
    assert!(size.open.disk >= 1 << 20 && size.heads > 0 && size.disk() > size.open.disk);
    let per_call = size.per_call().expect("entries");
    assert_eq!(per_call, size.open.records * 7 / sound.entries);
    // Each call brings a denial and so many seals, as so far.
    assert_eq!(size.after(7), Some(size.disk() + (56 + 7 * size.seals) * per_call / 7));
    assert_eq!(Size::default().after(7), None);
}

#[test]
fn packed_segments_count_as_they_lie_on_the_disk() {
    let packed = Part { entries: 70, records: 200_000, disk: 50_000 };
    let size = Size { packed, open: Part { entries: 7, records: 20_000, disk: 1 << 20 }, ..Size::default() };
    assert_eq!(size.per_call(), Some(5000));
    assert_eq!(size.after(2), Some(50_000 + (1 << 20) + 10_000));
    assert_eq!(size.after(u64::MAX), None);
    // How many denials a call brings is not known before there is one.
    assert_eq!(Size { denials: 60, ..size }.after(2), size.after(2));
    assert_eq!(Size { denials: 60, calls: 1, ..size }.after(2), size.after(2).map(|bytes| bytes + 120 * 5000 / 7));
    // Nor is how many seals one does: where calls come one by one each of them has its own, and where many come at once they share one.
    assert_eq!(Size { seals: 60, ..size }.after(2), size.after(2));
    assert_eq!(Size { seals: 20, calls: 10, ..size }.after(2), size.after(2).map(|bytes| bytes + 4 * 5000 / 7));
}

#[tokio::test]
async fn a_seal_counts_where_it_closes_something_of_an_operation() {
    let home = Home::new();
    let ledger = home.open().expect("open");
    let mut producers = Producers::new();
    // Keys, a policy and a point are no call.
    ledger.must_append(&producers.set_up()).await;
    ledger.sealed().await;
    let mut append = Append::default();
    producers.issue(single(1), &[], &mut append);
    ledger.must_append(&append).await;
    ledger.sealed().await;
    let mut append = Append::default();
    append.record(&producers.denial("no"));
    ledger.must_append(&append).await;
    ledger.sealed().await;
    drop(ledger);
    assert_eq!(size(home.path()).expect("measured").seals, 2);
}

#[test]
fn the_search_index_counts_for_what_it_grows_by() {
    let packed = Part { entries: 70_000, records: 200_000_000, disk: 50_000_000 };
    let begun = Size { packed, search: EMPTY_INDEX, ..Size::default() };
    assert_eq!((begun.per_call(), begun.disk()), (Some(5000), 50_000_000 + EMPTY_INDEX));
    let size = Size { search: EMPTY_INDEX + 4_000_000, ..begun };
    assert_eq!((size.per_call(), size.disk()), (Some(5400), 54_000_000 + EMPTY_INDEX));
    assert_eq!(size.after(10), Some(size.disk() + 54_000));
    // Of all entries: those that are not packed yet stand in it, too.
    let open = Part { entries: 10_000, ..Part::default() };
    assert_eq!(Size { open, ..size }.per_call(), Some(5350));
}

#[tokio::test]
async fn the_search_index_is_measured_where_it_is() {
    let home = Home::new();
    let ledger = home.open().expect("open");
    ledger.must_append(&Producers::new().set_up()).await;
    drop(ledger);
    let _ = std::fs::remove_file(home.path().join("search.redb"));
    let without = size(home.path()).expect("measured");
    assert_eq!(without.search, 0);
    crate::search::reindex(home.path(), &mut |_| ()).expect("made again");
    let with = size(home.path()).expect("measured");
    assert!(with.search > 0);
    assert_eq!(with.disk() - with.search, without.disk());
}

#[tokio::test]
async fn what_is_packed_is_told_from_what_is_not() {
    let (home, mut producers) = (Home::new(), Producers::new());
    let dest = tempfile::tempdir().expect("a folder");
    let ledger = home.open().expect("open");
    ledger.must_append(&producers.set_up()).await;
    for n in 0..12 {
        let mut append = Append::default();
        let evidence = append.blob(vec![n; 800_000]);
        append.record(&producers.denial(&evidence.to_string()));
        ledger.must_append(&append).await;
    }
    ledger.sealed().await;
    // A copy is packed while it is made, but for what was written to last.
    backup::backup(home.path(), dest.path(), &mut |_| ()).expect("copied");
    let size = size(dest.path()).expect("measured");
    let listed = files(&dest.path().join(LOG)).expect("listed");
    let open = listed.iter().filter_map(|(name, _)| name.strip_suffix(".seg")?.parse::<u64>().ok());
    let boundary = open.min().expect("what was written to last");
    let log = backup::open(&dest.path().join(LOG)).expect("a log");
    let (mut records, mut position) = (Vec::<(u64, Vec<u8>)>::new(), log.first());
    while position < log.durable() {
        records.extend(log.read_from(position, 1000, usize::MAX).expect("read"));
        position = records.last().expect("there is more").0 + 1;
    }
    for (part, packed) in [(size.packed, true), (size.open, false)] {
        let files = listed.iter().filter(|(name, _)| name.ends_with(".pack") == packed);
        let own = records.iter().filter(|(at, _)| (*at < boundary) == packed);
        let entries = own.clone().filter(|(_, bytes)| matches!(Stored::decode(bytes.clone()), Some(Stored::Entry(_))));
        let expected = Part {
            entries: entries.count() as u64,
            records: own.map(|(_, bytes)| bytes.len() as u64).sum(),
            disk: files.map(|(_, bytes)| bytes).sum(),
        };
        assert!(part == expected && part.entries > 0 && part.disk > 0, "{packed}: {part:?}, and not {expected:?}");
    }
}
