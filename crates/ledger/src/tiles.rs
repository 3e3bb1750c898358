//! The tree and the entries under the last head, in tiles (PROTOCOL 6, C2SP tlog-tiles). Nothing is shown that no signed
//! head covers.

use crate::state::{LookError, Shared, read};
use eleven_core::tile::{Content, Tile, push_entry};

/// The bytes of a tile; [`LookError::Absent`] where the last head does not cover all of it.
pub(crate) fn tile(shared: &Shared, tile: Tile) -> Result<Vec<u8>, LookError> {
    let size = shared.published().map_or(0, |published| published.head.commitment.size);
    if !tile.is_within(size) {
        return Err(LookError::Absent);
    }
    match tile.content {
        Content::Hashes { .. } => tile.hashes(&*read(&shared.tree)).ok_or(LookError::Other("node of the tree")),
        Content::Entries => entries(shared, tile),
    }
}

fn entries(shared: &Shared, tile: Tile) -> Result<Vec<u8>, LookError> {
    let mut bytes = Vec::new();
    for seq in tile.first()..tile.first() + tile.width {
        if !push_entry(&mut bytes, &shared.entry_bytes(seq)?) {
            return Err(LookError::Other("entry of at most 65535 bytes"));
        }
    }
    Ok(bytes)
}
