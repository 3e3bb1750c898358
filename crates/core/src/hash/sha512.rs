//! SHA-512 (FIPS 180-4) of eight messages at a time: what the equations of signatures have k from. One at a time it is the
//! library's.

use super::lanes::{Lanes, in_lanes};
use alloc::vec::Vec;
use fearless_simd::{Avx512, Level, Simd as _, SimdInto as _, u64x8};

/// The bytes of a message that go into one step.
const BLOCK: usize = 128;
/// Of the last block, the bytes that say how many bits the message has.
const LENGTH: usize = 16;

/// A word of eight states.
type Words = u64x8<Avx512>;

/// SHA-512 of each message's concatenated parts, in their order; `None` where one at a time is as fast: without registers of 512
/// bits, which rotate words.
pub(super) fn of_each<const PARTS: usize>(messages: &[[&[u8]; PARTS]]) -> Option<Vec<[u8; 64]>> {
    let avx512 = Level::new().as_avx512().filter(|_| messages.len() > 1)?;
    Some(in_lanes(messages, &mut Digests::new(avx512)))
}

/// A SHA-512 in each lane.
struct Digests {
    avx512: Avx512,
    /// The words of each lane's state.
    states: [[u64; 8]; 8],
    /// The words of each lane's block.
    blocks: [[u64; 8]; 16],
}

impl Digests {
    fn new(avx512: Avx512) -> Self {
        Self { avx512, states: BEGUN.map(|word| [word; 8]), blocks: [[0; 8]; 16] }
    }
}

impl Lanes<8, BLOCK> for Digests {
    fn pad(block: &mut [u8; BLOCK], filled: usize, is_begun: bool, length: usize) -> bool {
        let free = block.get_mut(filled..).unwrap_or_default();
        free.fill(0);
        if let Some(first) = free.first_mut().filter(|_| !is_begun) {
            *first = 0x80;
        }
        let fits = free.len() >= LENGTH + usize::from(!is_begun);
        if let Some(end) = block.last_chunk_mut().filter(|_| fits) {
            *end = (8 * length as u128).to_be_bytes();
        }
        fits
    }

    fn absorb(&mut self, lane: usize, block: &[u8; BLOCK]) {
        let (words, _) = block.as_chunks();
        for (lanes, word) in self.blocks.iter_mut().zip(words) {
            if let Some(to) = lanes.get_mut(lane) {
                *to = u64::from_be_bytes(*word);
            }
        }
    }

    fn step(&mut self) {
        let Self { avx512, states, blocks } = self;
        avx512.vectorize(
            #[inline(always)]
            || {
                let before = states.map(
                    #[inline(always)]
                    |words| words.simd_into(*avx512),
                );
                let block = blocks.map(
                    #[inline(always)]
                    |words| words.simd_into(*avx512),
                );
                let after = compressed(before, block);
                for ((to, before), after) in states.iter_mut().zip(before).zip(after) {
                    *to = *(before + after);
                }
            },
        );
    }

    fn take(&mut self, lane: usize) -> [u8; 64] {
        let mut hash = [0; 64];
        let (bytes, _) = hash.as_chunks_mut();
        for ((bytes, lanes), begun) in bytes.iter_mut().zip(&mut self.states).zip(BEGUN) {
            if let Some(word) = lanes.get_mut(lane) {
                *bytes = word.to_be_bytes();
                *word = begun;
            }
        }
        hash
    }
}

/// The working variables after all rounds over a block. Written out, so that it is straight code.
#[inline(always)]
fn compressed([mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h]: [Words; 8], block: [Words; 16]) -> [Words; 8] {
    let mut w = block;
    for (turn, k) in ROUNDS.iter().enumerate() {
        macro_rules! schedule {
            ($($at:literal $one:literal $nine:literal $fourteen:literal,)*) => {$(
                w[$at] = w[$at] + w[$nine]
                    + (rotated::<1>(w[$one]) ^ rotated::<8>(w[$one]) ^ (w[$one] >> 7))
                    + (rotated::<19>(w[$fourteen]) ^ rotated::<61>(w[$fourteen]) ^ (w[$fourteen] >> 6));
            )*};
        }
        if turn > 0 {
            schedule!(
                0 1 9 14, 1 2 10 15, 2 3 11 0, 3 4 12 1, 4 5 13 2, 5 6 14 3, 6 7 15 4, 7 8 0 5,
                8 9 1 6, 9 10 2 7, 10 11 3 8, 11 12 4 9, 12 13 5 10, 13 14 6 11, 14 15 7 12, 15 0 8 13,
            );
        }
        macro_rules! rounds {
            ($($at:literal)*) => {$(
                let choice = g ^ (e & (f ^ g));
                let one = h + (rotated::<14>(e) ^ rotated::<18>(e) ^ rotated::<41>(e)) + choice + (w[$at] + k[$at]);
                let majority = (a & b) ^ (c & (a ^ b));
                let two = (rotated::<28>(a) ^ rotated::<34>(a) ^ rotated::<39>(a)) + majority;
                (a, b, c, d, e, f, g, h) = (one + two, a, b, c, d + one, e, f, g);
            )*};
        }
        rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    }
    [a, b, c, d, e, f, g, h]
}

/// Each word rotated to the right by `BY` bits, which are none of 0 and 64.
#[inline(always)]
fn rotated<const BY: u32>(words: Words) -> Words {
    (words >> BY) | (words << (64 - BY))
}

/// A state before the first block: of the square roots of the first eight primes, the first 64 bits behind the point.
const BEGUN: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// What each round adds: of the cube roots of the first eighty primes, the first 64 bits behind the point.
const ROUNDS: [[u64; 16]; 5] = [
    [
        0x428a_2f98_d728_ae22,
        0x7137_4491_23ef_65cd,
        0xb5c0_fbcf_ec4d_3b2f,
        0xe9b5_dba5_8189_dbbc,
        0x3956_c25b_f348_b538,
        0x59f1_11f1_b605_d019,
        0x923f_82a4_af19_4f9b,
        0xab1c_5ed5_da6d_8118,
        0xd807_aa98_a303_0242,
        0x1283_5b01_4570_6fbe,
        0x2431_85be_4ee4_b28c,
        0x550c_7dc3_d5ff_b4e2,
        0x72be_5d74_f27b_896f,
        0x80de_b1fe_3b16_96b1,
        0x9bdc_06a7_25c7_1235,
        0xc19b_f174_cf69_2694,
    ],
    [
        0xe49b_69c1_9ef1_4ad2,
        0xefbe_4786_384f_25e3,
        0x0fc1_9dc6_8b8c_d5b5,
        0x240c_a1cc_77ac_9c65,
        0x2de9_2c6f_592b_0275,
        0x4a74_84aa_6ea6_e483,
        0x5cb0_a9dc_bd41_fbd4,
        0x76f9_88da_8311_53b5,
        0x983e_5152_ee66_dfab,
        0xa831_c66d_2db4_3210,
        0xb003_27c8_98fb_213f,
        0xbf59_7fc7_beef_0ee4,
        0xc6e0_0bf3_3da8_8fc2,
        0xd5a7_9147_930a_a725,
        0x06ca_6351_e003_826f,
        0x1429_2967_0a0e_6e70,
    ],
    [
        0x27b7_0a85_46d2_2ffc,
        0x2e1b_2138_5c26_c926,
        0x4d2c_6dfc_5ac4_2aed,
        0x5338_0d13_9d95_b3df,
        0x650a_7354_8baf_63de,
        0x766a_0abb_3c77_b2a8,
        0x81c2_c92e_47ed_aee6,
        0x9272_2c85_1482_353b,
        0xa2bf_e8a1_4cf1_0364,
        0xa81a_664b_bc42_3001,
        0xc24b_8b70_d0f8_9791,
        0xc76c_51a3_0654_be30,
        0xd192_e819_d6ef_5218,
        0xd699_0624_5565_a910,
        0xf40e_3585_5771_202a,
        0x106a_a070_32bb_d1b8,
    ],
    [
        0x19a4_c116_b8d2_d0c8,
        0x1e37_6c08_5141_ab53,
        0x2748_774c_df8e_eb99,
        0x34b0_bcb5_e19b_48a8,
        0x391c_0cb3_c5c9_5a63,
        0x4ed8_aa4a_e341_8acb,
        0x5b9c_ca4f_7763_e373,
        0x682e_6ff3_d6b2_b8a3,
        0x748f_82ee_5def_b2fc,
        0x78a5_636f_4317_2f60,
        0x84c8_7814_a1f0_ab72,
        0x8cc7_0208_1a64_39ec,
        0x90be_fffa_2363_1e28,
        0xa450_6ceb_de82_bde9,
        0xbef9_a3f7_b2c6_7915,
        0xc671_78f2_e372_532b,
    ],
    [
        0xca27_3ece_ea26_619c,
        0xd186_b8c7_21c0_c207,
        0xeada_7dd6_cde0_eb1e,
        0xf57d_4f7f_ee6e_d178,
        0x06f0_67aa_7217_6fba,
        0x0a63_7dc5_a2c8_98a6,
        0x113f_9804_bef9_0dae,
        0x1b71_0b35_131c_471b,
        0x28db_77f5_2304_7d84,
        0x32ca_ab7b_40c7_2493,
        0x3c9e_be0a_15c9_bebc,
        0x431d_67c4_9c10_0d4c,
        0x4cc5_d4be_cb3e_42b6,
        0x597f_299c_fc65_7e2a,
        0x5fcb_6fab_3ad6_faec,
        0x6c44_198c_4a47_5817,
    ],
];
