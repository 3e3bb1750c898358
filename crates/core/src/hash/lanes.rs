//! SHA3-512 (FIPS 202) of several messages at a time, each in a lane of its own of the wide registers.
//!
//! The permutation takes four states about as long as one, and eight where registers have 512 bits. A message keeps its
//! lane from its first block to its last; then the next one that waits takes the lane, the longest first, so that few
//! lanes stand empty at the end.

use super::Sha3;
use alloc::vec::Vec;
use core::array;
use fearless_simd::{Level, Simd, SimdBase, SimdInt, SimdInto as _, u64x4, u64x8};

/// The bytes of a message that go into one permutation: 1600 bits less twice the 512 of the hash.
const RATE: usize = 72;

/// Word (x, y) of FIPS 202 at `[y][x]`, of the state in each lane.
type States<const LANES: usize> = [[[u64; LANES]; 5]; 5];

/// The hash of each message's concatenated parts, in their order; `None` where one at a time is as fast.
pub(super) fn sha3_of_each<const PARTS: usize>(messages: &[[&[u8]; PARTS]]) -> Option<Vec<Sha3>> {
    if messages.len() > 1 { sha3_at(Level::new(), messages) } else { None }
}

/// By the instructions of `level`: in eight lanes where its registers have 512 bits, in four where they have 256.
pub(super) fn sha3_at<const PARTS: usize>(level: Level, messages: &[[&[u8]; PARTS]]) -> Option<Vec<Sha3>> {
    macro_rules! in_lanes_of {
        ($words:ident, $simd:ident) => {
            in_lanes(messages, |states| {
                $simd.vectorize(
                    #[inline(always)]
                    || permute::<_, $words<_>, _>($simd, states),
                );
            })
        };
    }
    match (level.as_avx512(), level.as_avx2()) {
        (Some(avx512), _) => Some(in_lanes_of!(u64x8, avx512)),
        (None, Some(avx2)) => Some(in_lanes_of!(u64x4, avx2)),
        (None, None) => None,
    }
}

/// A message that waits or has a lane.
struct Message<'a, const PARTS: usize> {
    /// Its place among all of them.
    place: usize,
    /// What of it is not absorbed yet.
    rest: [&'a [u8]; PARTS],
}

impl<const PARTS: usize> Message<'_, PARTS> {
    fn len(&self) -> usize {
        self.rest.iter().map(|part| part.len()).sum()
    }

    /// Takes the next block, padded where the message ends in it: then this is true.
    fn next_block(&mut self, block: &mut [u8; RATE]) -> bool {
        let mut free = &mut block[..];
        for part in &mut self.rest {
            let (now, later) = part.split_at(part.len().min(free.len()));
            let (taken, still_free) = free.split_at_mut(now.len());
            taken.copy_from_slice(now);
            (*part, free) = (later, still_free);
        }
        // SHA3's two bits, then the padding's first bit, zeros, and its last bit.
        let Some((first, others)) = free.split_first_mut() else { return false };
        *first = 0x06;
        others.fill(0);
        if let Some(last) = block.last_mut() {
            *last |= 0x80;
        }
        true
    }
}

fn in_lanes<const PARTS: usize, const LANES: usize>(
    messages: &[[&[u8]; PARTS]],
    permute: impl Fn(&mut States<LANES>),
) -> Vec<Sha3> {
    let mut hashes: Vec<Sha3> = messages.iter().map(|_| Sha3([0; 64])).collect();
    let waiting = messages.iter().enumerate().map(|(place, parts)| Message { place, rest: *parts });
    let mut waiting: Vec<_> = waiting.collect();
    waiting.sort_by_key(Message::len);
    let mut lanes: [_; LANES] = array::from_fn(|_| waiting.pop());
    let mut states: States<LANES> = [[[0; LANES]; 5]; 5];
    let mut block = [0; RATE];
    while lanes.iter().any(Option::is_some) {
        let mut ends = [false; LANES];
        for ((n, lane), ends) in lanes.iter_mut().enumerate().zip(&mut ends) {
            let Some(message) = lane else { continue };
            *ends = message.next_block(&mut block);
            let (words, _) = block.as_chunks();
            for (state, word) in words_of(&mut states, n).zip(words) {
                *state ^= u64::from_le_bytes(*word);
            }
        }
        permute(&mut states);
        for ((n, lane), _) in lanes.iter_mut().enumerate().zip(ends).filter(|(_, ends)| *ends) {
            if let Some(hash) = lane.take().and_then(|message| hashes.get_mut(message.place)) {
                let (bytes, _) = hash.0.as_chunks_mut();
                for (bytes, word) in bytes.iter_mut().zip(words_of(&mut states, n)) {
                    *bytes = word.to_le_bytes();
                }
            }
            words_of(&mut states, n).for_each(|word| *word = 0);
            *lane = waiting.pop();
        }
    }
    hashes
}

/// The words of lane `n`, in the order in which a message is absorbed.
fn words_of<const LANES: usize>(states: &mut States<LANES>, n: usize) -> impl Iterator<Item = &mut u64> {
    states.iter_mut().flatten().filter_map(move |words| words.get_mut(n))
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

/// Keccak-f[1600] of all lanes. Written out, without a loop or a closure inside the round, so that a round is straight code
/// whatever the compiler thinks worth unrolling.
#[inline(always)]
fn permute<S, V, const LANES: usize>(simd: S, states: &mut States<LANES>)
where
    S: Simd,
    V: SimdInt<S> + SimdBase<S, Element = u64, Array = [u64; LANES]>,
{
    let mut a: [[V; 5]; 5] = states.map(
        #[inline(always)]
        |row| {
            row.map(
                #[inline(always)]
                |words| words.simd_into(simd),
            )
        },
    );
    for round in ROUND {
        macro_rules! column {
            ($x:literal) => {
                a[0][$x] ^ a[1][$x] ^ a[2][$x] ^ a[3][$x] ^ a[4][$x]
            };
        }
        let c = [column!(0), column!(1), column!(2), column!(3), column!(4)];
        let theta = [
            c[4] ^ rotate::<1, S, V>(c[1]),
            c[0] ^ rotate::<1, S, V>(c[2]),
            c[1] ^ rotate::<1, S, V>(c[3]),
            c[2] ^ rotate::<1, S, V>(c[4]),
            c[3] ^ rotate::<1, S, V>(c[0]),
        ];
        // Word (x, y) after theta and rho; where it stands below is pi.
        macro_rules! word {
            ($x:literal, $y:literal, $by:literal) => {
                rotate::<$by, S, V>(a[$y][$x] ^ theta[$x])
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
        a[0][0] ^= round;
    }
    macro_rules! store {
        ($($y:literal)*) => {
            $(states[$y] = [*a[$y][0], *a[$y][1], *a[$y][2], *a[$y][3], *a[$y][4]];)*
        };
    }
    store!(0 1 2 3 4);
}

/// Each word rotated by `BY` bits, which are none of 0 and 64.
#[inline(always)]
fn rotate<const BY: u32, S: Simd, V: SimdInt<S>>(words: V) -> V {
    (words << BY) | (words >> (64 - BY))
}
