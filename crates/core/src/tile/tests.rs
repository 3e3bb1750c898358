use super::*;
use crate::hash::Sha256;
use crate::tree::{MemoryTree, leaf_hash, node_hash};

fn tile(content: Content, index: u64, width: u64) -> Tile {
    Tile { content, index, width }
}

#[test]
fn names_are_those_of_the_specification() {
    for (path, named) in [
        ("entries/x001/x234/067", tile(Content::Entries, 1_234_067, 256)),
        ("0/000", tile(Content::Hashes { level: 0 }, 0, 256)),
        ("0/273.p/112", tile(Content::Hashes { level: 0 }, 273, 112)),
        ("1/001.p/17", tile(Content::Hashes { level: 1 }, 1, 17)),
        ("63/x001/000.p/1", tile(Content::Hashes { level: 63 }, 1000, 1)),
        ("entries/x018/x446/x744/x073/x709/x551/615", tile(Content::Entries, u64::MAX, 256)),
    ] {
        assert_eq!(Tile::parse(path), Some(named), "{path}");
        assert_eq!(named.to_string(), path);
    }
}

#[test]
fn whatever_is_written_otherwise_is_no_name() {
    for path in [
        "",
        "0",
        "0/",
        "/000",
        "00/000",
        "+0/000",
        "64/000",
        "256/000",
        "x/000",
        "data/000",
        "entries",
        "0/0",
        "0/00",
        "0/0000",
        "0/1000",
        "0/x000/000",
        "0/x001/x000",
        "0/001/000",
        "0/x1/000",
        "0/+01",
        "0/-01",
        "0/000/",
        "0/000.p",
        "0/000.p/",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/257",
        "0/000.p/01",
        "0/000.p/+1",
        "0/000.p/1/",
        "0/000.p/1.p/1",
        "entries/x018/x446/x744/x073/x709/x551/616",
        "entries/x999/x999/x999/x999/x999/x999/x999/999",
        "0/٠٠٠",
    ] {
        assert_eq!(Tile::parse(path), None, "{path}");
    }
}

#[test]
fn a_tree_of_seventy_thousand_has_the_tiles_of_the_specification() {
    let hashes = |level| Content::Hashes { level };
    let widths = |content, indices: &[u64]| -> Vec<Option<u64>> {
        indices.iter().map(|index| Tile::of(content, *index, 70_000).map(|tile| tile.width)).collect()
    };
    assert_eq!(widths(hashes(0), &[0, 272, 273, 274]), [Some(256), Some(256), Some(112), None]);
    assert_eq!(widths(hashes(1), &[0, 1, 2]), [Some(256), Some(17), None]);
    assert_eq!(widths(hashes(2), &[0, 1]), [Some(1), None]);
    assert_eq!(widths(hashes(3), &[0]), [None]);
    assert_eq!(widths(hashes(63), &[0, u64::MAX]), [None, None]);
    assert_eq!(widths(Content::Entries, &[0, 273, 274]), [Some(256), Some(112), None]);
    assert!(tile(hashes(0), 273, 111).is_within(70_000) && !tile(hashes(0), 273, 113).is_within(70_000));
    assert!(!tile(Content::Entries, u64::MAX, 256).is_within(u64::MAX));
}

#[test]
fn tiles_hold_the_nodes_of_the_tree() {
    let mut tree = MemoryTree::new();
    for n in 0..600_u32 {
        tree.append(leaf_hash(&n.to_be_bytes()));
    }
    let leaves = Tile::of(Content::Hashes { level: 0 }, 1, 600).expect("full");
    let bytes = leaves.hashes(&tree).expect("nodes");
    assert_eq!(bytes.len(), 8192);
    assert_eq!(bytes.get(..32), Some(leaf_hash(&256_u32.to_be_bytes()).0.as_slice()));
    // The node above is the root of the 256 below: folded by hand.
    let mut row: Vec<Sha256> = bytes.chunks(32).map(|hash| Sha256(hash.try_into().expect("32 bytes"))).collect();
    while row.len() > 1 {
        row = row.chunks(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    let above = Tile::of(Content::Hashes { level: 1 }, 0, 600).expect("partial");
    assert_eq!((above.width, above.is_full()), (2, false));
    assert_eq!(above.hashes(&tree).expect("nodes").get(32..), Some(row[0].0.as_slice()));
    let beyond = Tile { width: 3, ..above };
    assert_eq!(beyond.hashes(&tree), None);
    assert_eq!(Tile::of(Content::Entries, 0, 600).expect("entries").hashes(&tree), None);
}

#[test]
fn entries_stand_behind_their_length() {
    let mut bytes = Vec::new();
    assert!(push_entry(&mut bytes, b"one") && push_entry(&mut bytes, b""));
    assert_eq!(bytes, b"\0\x03one\0\0");
    assert_eq!(read_entries(&bytes, 2), Some(alloc::vec![b"one".as_slice(), b""]));
    assert!(!push_entry(&mut bytes, &alloc::vec![0; 65_536]));
    assert_eq!(bytes.len(), 7);
    for cut in [1, 3, 4, 6] {
        assert_eq!(read_entries(&bytes[..cut], 2), None, "{cut}");
    }
}

#[test]
fn no_more_entries_are_read_than_a_tile_has() {
    let empty = [0; 2 * 257];
    assert_eq!(read_entries(&empty[..2 * 256], TILE_WIDTH).map(|entries| entries.len()), Some(256));
    assert_eq!(read_entries(&empty, TILE_WIDTH), None);
    assert_eq!(read_entries(&empty[..2], 0), None);
    assert_eq!(read_entries(&[], 0), Some(alloc::vec![]));
    assert_eq!(tile(Content::Entries, 3, 256).most_bytes(), 16_777_472);
    assert_eq!(tile(Content::Hashes { level: 0 }, 3, 17).most_bytes(), 544);
    let mut longest = Vec::new();
    assert!(push_entry(&mut longest, &alloc::vec![0; 65_535]));
    assert_eq!(longest.len() as u64, tile(Content::Entries, 0, 1).most_bytes());
}
