//! Hashes of several messages at a time, each in a lane of its own of the wide registers: how messages take lanes, and SHA3-512
//! (FIPS 202) in them.
//!
//! A step takes four states about as long as one, and eight where registers have 512 bits. A message keeps its lane from its
//! first block to its last; then the next one that waits takes the lane, the longest first, so that few lanes stand empty at
//! the end.

use super::Sha3;
use super::keccak::{self, RATE, State, permuted};
use alloc::vec::Vec;
use core::array;
use fearless_simd::{Level, Simd, SimdInto as _, u64x4, u64x8};

/// SHA3-512 of each message's concatenated parts, in their order; `None` where one at a time is as fast.
pub(super) fn sha3_of_each<const PARTS: usize>(messages: &[[&[u8]; PARTS]]) -> Option<Vec<Sha3>> {
    if messages.len() > 1 { sha3_at(Level::new(), messages) } else { None }
}

/// By the instructions of `level`: in eight lanes where its registers have 512 bits, in four where they have 256.
pub(super) fn sha3_at<const PARTS: usize>(level: Level, messages: &[[&[u8]; PARTS]]) -> Option<Vec<Sha3>> {
    let hashes = match (level.as_avx512(), level.as_avx2()) {
        (Some(avx512), _) => in_lanes(messages, &mut Sponges::<_, 8>::new(avx512)),
        (None, Some(avx2)) => in_lanes(messages, &mut Sponges::<_, 4>::new(avx2)),
        (None, None) => return None,
    };
    Some(hashes.into_iter().map(Sha3).collect())
}

/// A hash function of which there is a state in each lane. It takes a message in blocks of `BLOCK` bytes.
pub(super) trait Lanes<const LANES: usize, const BLOCK: usize> {
    /// Ends a message of `length` bytes behind `filled` bytes of a block, which are none where it `is_begun`: where the end did not
    /// fit into the block before. Whether this is the last block.
    fn pad(block: &mut [u8; BLOCK], filled: usize, is_begun: bool, length: usize) -> bool;
    /// Takes the next block of a lane's message.
    fn absorb(&mut self, lane: usize, block: &[u8; BLOCK]);
    /// Goes on in all lanes, by what each absorbed.
    fn step(&mut self);
    /// The hash of a lane's message; the lane is as new.
    fn take(&mut self, lane: usize) -> [u8; 64];
}

/// A message that waits or has a lane.
struct Message<'a, const PARTS: usize> {
    /// Its place among all of them.
    place: usize,
    length: usize,
    /// What of it is not absorbed yet.
    rest: [&'a [u8]; PARTS],
    /// Whether its end is begun.
    ends: bool,
}

impl<'a, const PARTS: usize> Message<'a, PARTS> {
    fn new(place: usize, parts: &[&'a [u8]; PARTS]) -> Self {
        Self { place, length: parts.iter().map(|part| part.len()).sum(), rest: *parts, ends: false }
    }

    /// Takes the next block, and whether it is the last.
    fn next_block<const LANES: usize, const BLOCK: usize, H>(&mut self, block: &mut [u8; BLOCK]) -> bool
    where
        H: Lanes<LANES, BLOCK>,
    {
        let mut free = &mut block[..];
        for part in &mut self.rest {
            let (now, later) = part.split_at(part.len().min(free.len()));
            let (taken, still_free) = free.split_at_mut(now.len());
            taken.copy_from_slice(now);
            (*part, free) = (later, still_free);
        }
        let filled = BLOCK - free.len();
        filled < BLOCK && H::pad(block, filled, core::mem::replace(&mut self.ends, true), self.length)
    }
}

/// The hash of each message, in their order; `states` are those of no message yet.
pub(super) fn in_lanes<const PARTS: usize, const LANES: usize, const BLOCK: usize, H>(
    messages: &[[&[u8]; PARTS]],
    states: &mut H,
) -> Vec<[u8; 64]>
where
    H: Lanes<LANES, BLOCK>,
{
    let mut hashes: Vec<[u8; 64]> = messages.iter().map(|_| [0; 64]).collect();
    let mut waiting: Vec<_> = messages.iter().enumerate().map(|(place, parts)| Message::new(place, parts)).collect();
    waiting.sort_by_key(|message| message.length);
    let mut lanes: [_; LANES] = array::from_fn(|_| waiting.pop());
    let mut block = [0; BLOCK];
    while lanes.iter().any(Option::is_some) {
        let mut ends = [false; LANES];
        for ((n, lane), ends) in lanes.iter_mut().enumerate().zip(&mut ends) {
            let Some(message) = lane else { continue };
            *ends = message.next_block::<LANES, BLOCK, H>(&mut block);
            states.absorb(n, &block);
        }
        states.step();
        for ((n, lane), _) in lanes.iter_mut().enumerate().zip(ends).filter(|(_, ends)| *ends) {
            let hash = states.take(n);
            if let Some(to) = lane.take().and_then(|message| hashes.get_mut(message.place)) {
                *to = hash;
            }
            *lane = waiting.pop();
        }
    }
    hashes
}

/// A SHA3-512 in each lane.
struct Sponges<S, const LANES: usize> {
    simd: S,
    states: State<[u64; LANES]>,
}

impl<S, const LANES: usize> Sponges<S, LANES> {
    const fn new(simd: S) -> Self {
        Self { simd, states: [[[0; LANES]; 5]; 5] }
    }

    /// The words of lane `n`, in the order in which a message is absorbed.
    fn words_of(&mut self, n: usize) -> impl Iterator<Item = &mut u64> {
        self.states.iter_mut().flatten().filter_map(move |words| words.get_mut(n))
    }
}

macro_rules! sponges {
    ($words:ident, $lanes:literal) => {
        impl<S: Simd> keccak::Word for $words<S> {
            #[inline(always)]
            fn rotated<const BY: u32>(self) -> Self {
                (self << BY) | (self >> (64 - BY))
            }

            #[inline(always)]
            fn changed(self, constant: u64) -> Self {
                self ^ constant
            }
        }

        impl<S: Simd> Lanes<$lanes, RATE> for Sponges<S, $lanes> {
            fn pad(block: &mut [u8; RATE], filled: usize, _: bool, _: usize) -> bool {
                keccak::pad(block, filled);
                true
            }

            fn absorb(&mut self, lane: usize, block: &[u8; RATE]) {
                let (words, _) = block.as_chunks();
                for (state, word) in self.words_of(lane).zip(words) {
                    *state ^= u64::from_le_bytes(*word);
                }
            }

            fn step(&mut self) {
                let (simd, states) = (self.simd, &mut self.states);
                simd.vectorize(
                    #[inline(always)]
                    || {
                        let words: State<$words<S>> = states.map(
                            #[inline(always)]
                            |row| {
                                row.map(
                                    #[inline(always)]
                                    |words| words.simd_into(simd),
                                )
                            },
                        );
                        let [a, b, c, d, e] = permuted(words);
                        macro_rules! store {
                            ($row:ident) => {{
                                let [a, b, c, d, e] = $row;
                                [*a, *b, *c, *d, *e]
                            }};
                        }
                        *states = [store!(a), store!(b), store!(c), store!(d), store!(e)];
                    },
                );
            }

            fn take(&mut self, lane: usize) -> [u8; 64] {
                let mut hash = [0; 64];
                let (bytes, _) = hash.as_chunks_mut();
                for (bytes, word) in bytes.iter_mut().zip(self.words_of(lane)) {
                    *bytes = word.to_le_bytes();
                }
                self.words_of(lane).for_each(|word| *word = 0);
                hash
            }
        }
    };
}

sponges!(u64x4, 4);
sponges!(u64x8, 8);
