//! CRC-64/XZ, eight bytes a step. It tells a torn or rotten frame from a whole one; against a hostile hand it proves
//! nothing, that is what the chains and the tree of the ledger are for (PROTOCOL 6).

#[cfg(test)]
mod tests;

const POLYNOMIAL: u64 = 0xC96C_5795_D787_0F42;

/// `TABLES[k][b]`: the effect of byte `b` that lies `k` bytes before the end of the step.
static TABLES: [[u64; 256]; 8] = tables();

const fn tables() -> [[u64; 256]; 8] {
    let mut tables = [[0u64; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ POLYNOMIAL } else { value >> 1 };
            bit += 1;
        }
        tables[0][byte] = value;
        byte += 1;
    }
    let mut step = 1;
    while step < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[step - 1][byte];
            tables[step][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        step += 1;
    }
    tables
}

/// A checksum being taken.
#[derive(Clone, Copy)]
pub(crate) struct Checksum(u64);

impl Checksum {
    /// Starts with `salt`, so that bytes copied from another file never check here.
    pub(crate) fn salted(salt: u64) -> Checksum {
        Checksum(!0).add(&salt.to_le_bytes())
    }

    /// Goes on over `bytes`.
    #[must_use]
    pub(crate) fn add(self, bytes: &[u8]) -> Checksum {
        let mut crc = self.0;
        let (steps, rest) = bytes.as_chunks::<8>();
        for step in steps {
            let mixed = crc ^ u64::from_le_bytes(*step);
            crc = 0;
            for (k, byte) in mixed.to_le_bytes().into_iter().enumerate() {
                crc ^= TABLES[7 - k][usize::from(byte)];
            }
        }
        for byte in rest {
            crc = (crc >> 8) ^ TABLES[0][usize::from(crc as u8 ^ byte)];
        }
        Checksum(crc)
    }

    /// The value over all that was added.
    pub(crate) fn value(self) -> u64 {
        !self.0
    }
}
