//! SHA3-512 (FIPS 202): the permutation, for a state in plain words or one in each lane of wide registers, and the sponge of one
//! message.
//!
//! The permutation is written out once, over [`Word`]. In plain words it is compiled for what the processor has, too: with an
//! instruction that negates one operand of an "and", which is what a third of a round is, it takes three quarters of the time.

use super::Sha3;
use core::ops::{BitAnd, BitXor, Not};

/// The bytes of a message that go into one permutation: 1600 bits less twice the 512 of the hash.
pub(super) const RATE: usize = 72;

/// Word (x, y) of FIPS 202 at `[y][x]`.
pub(super) type State<W> = [[W; 5]; 5];

/// A word of the state, or the same word of several states.
pub(super) trait Word: Copy + BitXor<Output = Self> + BitAnd<Output = Self> + Not<Output = Self> {
    /// Rotated to the left by `BY` bits, which are none of 0 and 64.
    fn rotated<const BY: u32>(self) -> Self;
    /// With the bits of a constant changed.
    fn changed(self, constant: u64) -> Self;
}

impl Word for u64 {
    #[inline(always)]
    fn rotated<const BY: u32>(self) -> Self {
        self.rotate_left(BY)
    }

    #[inline(always)]
    fn changed(self, constant: u64) -> Self {
        self ^ constant
    }
}

/// The sponge of one message, which comes in pieces.
#[derive(Clone)]
pub(super) struct Sponge {
    state: State<u64>,
    /// What of a block is there, so far.
    block: [u8; RATE],
    filled: usize,
}

impl Default for Sponge {
    fn default() -> Self {
        Self { state: [[0; 5]; 5], block: [0; RATE], filled: 0 }
    }
}

impl Sponge {
    /// Takes the next piece of the message.
    pub(super) fn update(&mut self, piece: &[u8]) {
        let free = self.block.get_mut(self.filled..).unwrap_or_default();
        let (now, later) = piece.split_at(piece.len().min(free.len()));
        if self.filled == 0 && !later.is_empty() {
            return self.absorb_from(piece);
        }
        for (to, byte) in free.iter_mut().zip(now) {
            *to = *byte;
        }
        self.filled += now.len();
        if self.filled == RATE {
            absorb(&mut self.state, &[self.block]);
            self.absorb_from(later);
        }
    }

    /// The same where no part of a block is waiting.
    fn absorb_from(&mut self, piece: &[u8]) {
        let (blocks, rest) = piece.as_chunks();
        absorb(&mut self.state, blocks);
        for (to, byte) in self.block.iter_mut().zip(rest) {
            *to = *byte;
        }
        self.filled = rest.len();
    }

    /// The hash of all pieces.
    pub(super) fn finish(mut self) -> Sha3 {
        pad(&mut self.block, self.filled);
        absorb(&mut self.state, &[self.block]);
        let mut hash = Sha3([0; 64]);
        let (bytes, _) = hash.0.as_chunks_mut();
        for (bytes, word) in bytes.iter_mut().zip(self.state.as_flattened()) {
            *bytes = word.to_le_bytes();
        }
        hash
    }
}

/// Ends a message behind `filled` bytes of its last block: SHA3's two bits, the padding's first bit, zeros, and its last bit.
pub(super) fn pad(block: &mut [u8; RATE], filled: usize) {
    if let Some((first, others)) = block.get_mut(filled..).and_then(<[u8]>::split_first_mut) {
        *first = 0x06;
        others.fill(0);
    }
    if let Some(last) = block.last_mut() {
        *last |= 0x80;
    }
}

fn absorb(state: &mut State<u64>, blocks: &[[u8; RATE]]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = fearless_simd::Level::new().as_avx2() {
        use fearless_simd::Simd as _;
        // It is not the wide registers that are wanted of such a processor.
        return avx2.vectorize(
            #[inline(always)]
            || absorb_here(state, blocks),
        );
    }
    absorb_here(state, blocks);
}

#[inline(always)]
fn absorb_here(state: &mut State<u64>, blocks: &[[u8; RATE]]) {
    for block in blocks {
        let (words, _) = block.as_chunks();
        for (word, bytes) in state.as_flattened_mut().iter_mut().zip(words) {
            *word ^= u64::from_le_bytes(*bytes);
        }
        *state = permuted(*state);
    }
}

/// What iota adds in each round.
const ROUND: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// Keccak-f[1600]. Written out, without a loop or a closure inside the round, so that a round is straight code whatever the
/// compiler thinks worth unrolling.
#[inline(always)]
pub(super) fn permuted<W: Word>(mut a: State<W>) -> State<W> {
    for round in ROUND {
        macro_rules! column {
            ($x:literal) => {
                a[0][$x] ^ a[1][$x] ^ a[2][$x] ^ a[3][$x] ^ a[4][$x]
            };
        }
        let c = [column!(0), column!(1), column!(2), column!(3), column!(4)];
        let theta = [
            c[4] ^ c[1].rotated::<1>(),
            c[0] ^ c[2].rotated::<1>(),
            c[1] ^ c[3].rotated::<1>(),
            c[2] ^ c[4].rotated::<1>(),
            c[3] ^ c[0].rotated::<1>(),
        ];
        // Word (x, y) after theta and rho; where it stands below is pi.
        macro_rules! word {
            ($x:literal, $y:literal, $by:literal) => {
                (a[$y][$x] ^ theta[$x]).rotated::<$by>()
            };
        }
        macro_rules! chi {
            ($a:expr, $b:expr, $c:expr, $d:expr, $e:expr) => {{
                let (a, b, c, d, e) = ($a, $b, $c, $d, $e);
                [a ^ (!b & c), b ^ (!c & d), c ^ (!d & e), d ^ (!e & a), e ^ (!a & b)]
            }};
        }
        a = [
            chi!(a[0][0] ^ theta[0], word!(1, 1, 44), word!(2, 2, 43), word!(3, 3, 21), word!(4, 4, 14)),
            chi!(word!(3, 0, 28), word!(4, 1, 20), word!(0, 2, 3), word!(1, 3, 45), word!(2, 4, 61)),
            chi!(word!(1, 0, 1), word!(2, 1, 6), word!(3, 2, 25), word!(4, 3, 8), word!(0, 4, 18)),
            chi!(word!(4, 0, 27), word!(0, 1, 36), word!(1, 2, 10), word!(2, 3, 15), word!(3, 4, 56)),
            chi!(word!(2, 0, 62), word!(3, 1, 55), word!(4, 2, 39), word!(0, 3, 41), word!(1, 4, 2)),
        ];
        // Iota.
        a[0][0] = a[0][0].changed(round);
    }
    a
}
