//! The public surface as programs read it that others wrote, from the C2SP specifications alone: the crates `signed_note`
//! and `tlog_tiles`.

use super::public::filled;
use super::{DEADLINE, Served};
use crate::world::{Home, signer};
use bytes::Bytes;
use eleven_api::routes;
use eleven_core::head::checkpoint::vkey;
use eleven_core::signature::Signer as _;
use eleven_core::tile::read_entries;
use signed_note::{Note, NoteError, StandardVerifier, VerifierList};
use std::collections::HashMap;
use tlog_tiles::{Checkpoint, Error, Tile, TileHashReader, TileReader};

/// Tiles by their path, as they were served.
struct Fetched(HashMap<String, Bytes>);

impl TileReader for Fetched {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile: &Tile| self.0.get(&path(tile)).map(|bytes| bytes.to_vec()).ok_or(Error::InvalidTile);
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// The crate writes the height into its paths, and `data` for entries, as the Go checksum database does.
fn path(tile: &Tile) -> String {
    format!("/{}", tile.path().replacen("tile/8/data/", "tile/entries/", 1).replacen("tile/8/", "tile/", 1))
}

fn verifier(label: &str) -> VerifierList {
    let key = vkey("11-11/ledger", &signer(label).public());
    VerifierList::new(vec![Box::new(StandardVerifier::new(&key).expect("a verifier's key"))])
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoint_tiles_and_entries_are_read_by_what_others_wrote() {
    let home = Home::new();
    let served = Served::start(&home).await;
    filled(&served).await;
    let note = served.client.get(&served.base, routes::CHECKPOINT, DEADLINE).await.expect("a checkpoint");
    let note = Note::from_bytes(&note).expect("a signed note");
    let (signed, others) = note.verify(&verifier("head")).expect("signed by the head key");
    assert_eq!((signed.len(), others.len()), (1, 0));
    assert!(matches!(note.verify(&verifier("audit")), Err(NoteError::UnverifiedNote)));
    let checkpoint = Checkpoint::from_bytes(note.text()).expect("a checkpoint");
    assert_eq!((checkpoint.origin(), checkpoint.extension()), ("11-11/ledger", ""));

    let mut fetched = Fetched(HashMap::new());
    let mut entries: Vec<Vec<u8>> = Vec::new();
    for tile in Tile::new_tiles(8, 0, checkpoint.size()) {
        let bytes = served.client.get(&served.base, &path(&tile), DEADLINE).await.expect("a tile");
        fetched.0.insert(path(&tile), bytes);
        if tile.level() == 0 {
            let mut data = tile;
            data.set_is_data();
            let bytes = served.client.get(&served.base, &path(&data), DEADLINE).await.expect("entries");
            entries.extend(read_entries(&bytes, 256).expect("entries").into_iter().map(<[u8]>::to_vec));
        }
    }
    // The reader refuses tiles that do not add up to the checkpoint's root.
    let reader = TileHashReader::new(checkpoint.size(), *checkpoint.hash(), &fetched);
    let root = tlog_tiles::tree_hash(checkpoint.size(), &reader).expect("a root");
    assert_eq!(root, *checkpoint.hash());
    for (number, entry) in (0..).zip(&entries) {
        let proof = tlog_tiles::prove_record(checkpoint.size(), number, &reader).expect("a proof");
        let leaf = tlog_tiles::record_hash(entry);
        tlog_tiles::check_record(&proof, checkpoint.size(), root, number, leaf).expect("it is in the tree");
    }
    assert_eq!(entries.len() as u64, checkpoint.size());
    for tile in fetched.0.values_mut() {
        let mut other = tile.to_vec();
        other[7] ^= 1;
        *tile = other.into();
    }
    let reader = TileHashReader::new(checkpoint.size(), root, &fetched);
    assert!(matches!(tlog_tiles::prove_record(checkpoint.size(), 3, &reader), Err(Error::InconsistentTile)));
    served.end().await;
}
