//! CRC-64/XZ. It tells a torn or rotten frame from a whole one; against a hostile hand it proves nothing, that is what the
//! chains and the tree of the ledger are for (PROTOCOL 6).

use crc_fast::{CrcAlgorithm, Digest};

#[cfg(test)]
mod tests;

/// A checksum being taken.
#[derive(Clone, Copy)]
pub(crate) struct Checksum(Digest);

impl Checksum {
    /// Starts with `salt`, so that bytes copied from another file never check here.
    pub(crate) fn salted(salt: u64) -> Checksum {
        Checksum::empty().add(&salt.to_le_bytes())
    }

    fn empty() -> Checksum {
        Checksum(Digest::new(CrcAlgorithm::Crc64Xz))
    }

    /// Goes on over `bytes`.
    #[must_use]
    pub(crate) fn add(mut self, bytes: &[u8]) -> Checksum {
        self.0.update(bytes);
        self
    }

    /// The value over all that was added.
    pub(crate) fn value(self) -> u64 {
        self.0.finalize()
    }
}
