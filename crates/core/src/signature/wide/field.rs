//! Elements of the field of 2^255 - 19, one in each lane of eight.
//!
//! An element is five words of 51 bits and a little more: `x0 + x1*2^51 + x2*2^102 + x3*2^153 + x4*2^204`. The processor
//! multiplies the low 52 bits of words, and gives the low 52 bits of the product or those above them. So every operation
//! here takes words below 2^52 and, however large they are, leaves words below 2^51 + 2^14: at least one product of them can
//! follow, or the difference of two and then a product.

use core::ops::{Add, Mul, Sub};
use fearless_simd::{
    Avx512, ExtractToken as _, Select as _, SimdBase as _, SimdInto as _, SimdMask as _, mask64x8, u64x8,
};

/// A word in each lane.
pub(super) type Words = u64x8<Avx512>;

/// An element in each lane.
#[derive(Clone, Copy)]
pub(super) struct Field(pub(super) [Words; 5]);

/// The low 51 bits.
pub(super) const MASK: u64 = (1 << 51) - 1;
/// Twice the modulus, word by word: no word of an element is larger.
const TWICE_MODULUS: [u64; 5] = [2 * (MASK - 18), 2 * MASK, 2 * MASK, 2 * MASK, 2 * MASK];

fearless_simd::kernel!(
    /// `sum` and the low 52 bits of a product.
    #[inline(always)]
    fn low(avx512: Avx512, sum: Words, x: Words, y: Words) -> Words {
        core::arch::x86_64::_mm512_madd52lo_epu64(sum.into(), x.into(), y.into()).simd_into(avx512)
    }
);

fearless_simd::kernel!(
    /// `sum` and the bits of a product from the 52nd on.
    #[inline(always)]
    fn high(avx512: Avx512, sum: Words, x: Words, y: Words) -> Words {
        core::arch::x86_64::_mm512_madd52hi_epu64(sum.into(), x.into(), y.into()).simd_into(avx512)
    }
);

impl Field {
    /// The same element in each lane.
    #[inline(always)]
    pub(super) fn splat(avx512: Avx512, [x0, x1, x2, x3, x4]: [u64; 5]) -> Self {
        macro_rules! words {
            ($($x:ident)*) => { Self([$(Words::splat(avx512, $x)),*]) };
        }
        words!(x0 x1 x2 x3 x4)
    }

    /// A small number in each lane.
    #[inline(always)]
    pub(super) fn small(avx512: Avx512, number: u64) -> Self {
        Self::splat(avx512, [number, 0, 0, 0, 0])
    }

    /// What the lanes are of.
    #[inline(always)]
    pub(super) fn avx512(&self) -> Avx512 {
        let [first, ..] = &self.0;
        first.token()
    }

    /// Of words below 2^60 the same element with words below 2^51 + 2^14: each hands what is above its 51 bits to the next,
    /// the last one nineteen times to the first.
    #[inline(always)]
    fn carried([x0, x1, x2, x3, x4]: [Words; 5]) -> Self {
        let avx512 = x0.token();
        Self([
            low(avx512, x0 & MASK, x4 >> 51, Words::splat(avx512, 19)),
            (x1 & MASK) + (x0 >> 51),
            (x2 & MASK) + (x1 >> 51),
            (x3 & MASK) + (x2 >> 51),
            (x4 & MASK) + (x3 >> 51),
        ])
    }

    /// The element's opposite, with words below 2^52.
    #[inline(always)]
    pub(super) fn opposite(self) -> Self {
        let ([x0, x1, x2, x3, x4], [p0, p1, p2, p3, p4]) = (self.0, TWICE_MODULUS);
        Self([p0 - x0, p1 - x1, p2 - x2, p3 - x3, p4 - x4])
    }

    /// The other element in the lanes of `which`: a bit each.
    #[inline(always)]
    pub(super) fn or_where(self, which: u64, other: Self) -> Self {
        let which = mask64x8::from_bitmask(self.avx512(), which);
        let ([x0, x1, x2, x3, x4], [y0, y1, y2, y3, y4]) = (self.0, other.0);
        let low = which.select(y0, x0);
        Self([low, which.select(y1, x1), which.select(y2, x2), which.select(y3, x3), which.select(y4, x4)])
    }

    #[inline(always)]
    pub(super) fn squared(self) -> Self {
        self * self
    }

    /// Squared `times` times.
    #[inline(always)]
    fn squared_often(mut self, times: usize) -> Self {
        for _ in 0..times {
            self = self.squared();
        }
        self
    }

    /// The element to the powers of 2^250 - 1 and of 11, from which both powers below are few steps.
    #[inline(always)]
    fn powers(self) -> (Self, Self) {
        let two = self.squared();
        let nine = two.squared_often(2) * self;
        let eleven = nine * two;
        // By so many bits, all of them ones.
        let of_5 = eleven.squared() * nine;
        let of_10 = of_5.squared_often(5) * of_5;
        let of_20 = of_10.squared_often(10) * of_10;
        let of_40 = of_20.squared_often(20) * of_20;
        let of_50 = of_40.squared_often(10) * of_10;
        let of_100 = of_50.squared_often(50) * of_50;
        let of_200 = of_100.squared_often(100) * of_100;
        (of_200.squared_often(50) * of_50, eleven)
    }

    /// One divided by the element, as its power of 2^255 - 21; nothing of nothing.
    #[inline(always)]
    pub(super) fn inverse(self) -> Self {
        let (ones, eleven) = self.powers();
        ones.squared_often(5) * eleven
    }

    /// The element to the power of 2^252 - 3, of which a square root is made.
    #[inline(always)]
    pub(super) fn root_power(self) -> Self {
        self.powers().0.squared_often(2) * self
    }

    /// The elements of eight lanes.
    #[inline(always)]
    pub(super) fn of_lanes(avx512: Avx512, lanes: [[u64; 5]; 8]) -> Self {
        let [mut x0, mut x1, mut x2, mut x3, mut x4] = [[0; 8]; 5];
        let words = x0.iter_mut().zip(&mut x1).zip(&mut x2).zip(&mut x3).zip(&mut x4);
        for (((((x0, x1), x2), x3), x4), lane) in words.zip(lanes) {
            [*x0, *x1, *x2, *x3, *x4] = lane;
        }
        Self([x0, x1, x2, x3, x4].map(
            #[inline(always)]
            |words| words.simd_into(avx512),
        ))
    }

    /// The words of each lane.
    #[inline(always)]
    pub(super) fn lanes(self) -> [[u64; 5]; 8] {
        let [x0, x1, x2, x3, x4] = self.0.map(<[u64; 8]>::from);
        let mut lanes = [[0; 5]; 8];
        for (((((lane, x0), x1), x2), x3), x4) in lanes.iter_mut().zip(x0).zip(x1).zip(x2).zip(x3).zip(x4) {
            *lane = [x0, x1, x2, x3, x4];
        }
        lanes
    }

    /// Each word of a product is that of the low halves of the products that belong to it and twice that of the high halves
    /// of those one below, because a high half starts at the 52nd bit and a word ends at the 51st: at most fifteen times
    /// 2^52. From the fifth on they are nineteen times those of 2^255 below, which makes at most 300 times 2^52.
    #[inline(always)]
    fn times(self, other: Self) -> Self {
        let avx512 = self.avx512();
        let ([x0, x1, x2, x3, x4], [y0, y1, y2, y3, y4]) = (self.0, other.0);
        let zero = Words::splat(avx512, 0);
        macro_rules! sum {
            ($half:ident from $start:expr; $($x:ident $y:ident),*) => {{
                let mut sum = $start;
                $(sum = $half(avx512, sum, $x, $y);)*
                sum
            }};
        }
        macro_rules! twice {
            ($($pairs:tt)*) => {{
                let high = sum!(high from zero; $($pairs)*);
                high + high
            }};
        }
        let z9 = twice!(x4 y4);
        let z8 = sum!(low from twice!(x3 y4, x4 y3); x4 y4);
        let z7 = sum!(low from twice!(x2 y4, x3 y3, x4 y2); x3 y4, x4 y3);
        let z6 = sum!(low from twice!(x1 y4, x2 y3, x3 y2, x4 y1); x2 y4, x3 y3, x4 y2);
        let z5 = sum!(low from twice!(x0 y4, x1 y3, x2 y2, x3 y1, x4 y0); x1 y4, x2 y3, x3 y2, x4 y1);
        Self::carried([
            sum!(low from z5 * 19; x0 y0),
            sum!(low from z6 * 19 + twice!(x0 y0); x0 y1, x1 y0),
            sum!(low from z7 * 19 + twice!(x0 y1, x1 y0); x0 y2, x1 y1, x2 y0),
            sum!(low from z8 * 19 + twice!(x0 y2, x1 y1, x2 y0); x0 y3, x1 y2, x2 y1, x3 y0),
            sum!(low from z9 * 19 + twice!(x0 y3, x1 y2, x2 y1, x3 y0); x0 y4, x1 y3, x2 y2, x3 y1, x4 y0),
        ])
    }
}

impl Add for Field {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        let ([x0, x1, x2, x3, x4], [y0, y1, y2, y3, y4]) = (self.0, other.0);
        Self::carried([x0 + y0, x1 + y1, x2 + y2, x3 + y3, x4 + y4])
    }
}

impl Sub for Field {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        let ([x0, x1, x2, x3, x4], [y0, y1, y2, y3, y4]) = (self.0, other.opposite().0);
        Self::carried([x0 + y0, x1 + y1, x2 + y2, x3 + y3, x4 + y4])
    }
}

fearless_simd::kernel!(
    /// The product, by a call.
    #[inline(never)]
    fn called(avx512: Avx512, x: Field, y: Field) -> Field {
        x.times(y)
    }
);

impl Mul for Field {
    type Output = Self;

    /// Written out at each place, except where assertions are on: they stand at hundreds of places, and tests lose less by
    /// calling them than the compiler does by writing out each.
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        if cfg!(debug_assertions) { called(self.avx512(), self, other) } else { self.times(other) }
    }
}

/// The words of 32 bytes below 2^255; what is above is left out.
pub(super) fn words_of(bytes: &[u8; 32]) -> [u64; 5] {
    let (chunks, _) = bytes.as_chunks::<8>();
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(chunks) {
        *word = u64::from_le_bytes(*chunk);
    }
    let [a, b, c, d] = words;
    [a, a >> 51 | b << 13, b >> 38 | c << 26, c >> 25 | d << 39, d >> 12].map(|word| word & MASK)
}

/// The same element below the modulus.
pub(super) fn reduced(words: [u64; 5]) -> [u64; 5] {
    let carried = |[x0, x1, x2, x3, x4]: [u64; 5], mut carry: u64| {
        let mut step = |word: u64| {
            let sum = word + carry;
            carry = sum >> 51;
            sum & MASK
        };
        ([step(x0), step(x1), step(x2), step(x3), step(x4)], carry)
    };
    // The first pass leaves all but the first word within their bits, the second all of them: below 2^255.
    let (words, carry) = carried(words, 0);
    let (words, carry) = carried(words, 19 * carry);
    let (words, _) = carried(words, 19 * carry);
    // With 19 more it passes 2^255 exactly where it is no less than the modulus, and what is left is the difference.
    match carried(words, 19) {
        (_, 0) => words,
        (less, _) => less,
    }
}

/// The 32 bytes of a reduced element.
pub(super) fn bytes_of([x0, x1, x2, x3, x4]: &[u64; 5]) -> [u8; 32] {
    let words = [x0 | x1 << 51, x1 >> 13 | x2 << 38, x2 >> 26 | x3 << 25, x3 >> 39 | x4 << 12];
    let mut bytes = [0; 32];
    let (chunks, _) = bytes.as_chunks_mut::<8>();
    for (chunk, word) in chunks.iter_mut().zip(words) {
        *chunk = word.to_le_bytes();
    }
    bytes
}
