//! Verification in eight lanes, where the processor multiplies words of 52 bits eight at a time (AVX-512 IFMA).
//!
//! What R must encode, [S]B - [k]A, is a sum of 69 multiples that stand in tables: 32 of the base point's and 37 of the
//! key's. Each lane sums nine of them, and then eight such sums of eight lanes are folded into one of which each lane is a
//! signature's whole sum. Nothing here is secret: which entries are read depends on signatures.

mod field;
mod point;

use super::table::{Digit, digits};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::{array, iter};
use curve25519_dalek::constants::ED25519_BASEPOINT_COMPRESSED;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use fearless_simd::{Avx512, Level, Simd as _, SimdInto as _};
use field::{Field, Words, bytes_of, reduced, words_of};
use once_cell::race::OnceBox;
use point::{D, Point, ROOT_OF_MINUS_ONE, Summand};

/// Multiples of a point by digits of `W` bits, as [`super::table::Table`] has them, with the identity first in each row and
/// every entry as a summand in 128 bytes: two registers.
#[derive(Clone)]
pub(super) struct Table<const W: usize> {
    avx512: Avx512,
    entries: Box<[Entry]>,
}

/// A summand's words, plus, minus and product one after the other, and one of nothing.
#[derive(Clone, Copy)]
#[repr(align(128))]
struct Entry([[u64; 8]; 2]);

/// An entry, or its opposite.
#[derive(Clone, Copy)]
struct Pick<'a> {
    entry: &'a Entry,
    is_negative: bool,
}

const IDENTITY: Entry = Entry([[1, 0, 0, 0, 0, 1, 0, 0], [0; 8]]);

/// One signature's equation: S, k and the multiples of its key's opposite.
pub(super) struct Equation<'a> {
    pub(super) s: Scalar,
    pub(super) k: Scalar,
    pub(super) table: &'a Table<7>,
}

/// The encoding of each [S]B - [k]A.
pub(super) fn encode_each(equations: &[Equation<'_>]) -> Vec<[u8; 32]> {
    let Some(avx512) = equations.first().map(|first| first.table.avx512) else { return Vec::new() };
    let base = base(avx512);
    let mut encoded = avx512.vectorize(
        #[inline(always)]
        || {
            let mut points = Vec::with_capacity(equations.len().div_ceil(8));
            for eight in equations.chunks(8) {
                let mut sums = [Point::identity(avx512); 8];
                for (sum, equation) in sums.iter_mut().zip(eight) {
                    *sum = equation.sum(base);
                }
                points.push(folded(sums));
            }
            encoded(&points)
        },
    );
    encoded.truncate(equations.len());
    encoded
}

impl Equation<'_> {
    /// The whole sum, a part of it in each lane.
    #[inline(always)]
    fn sum(&self, base: &Table<8>) -> Point {
        const NONE: Pick<'_> = Pick { entry: &IDENTITY, is_negative: false };
        let mut picks = [[NONE; 8]; 9];
        let chosen = base.picks(&self.s).chain(self.table.picks(&self.k));
        picks.as_flattened_mut().iter_mut().zip(chosen).for_each(|(pick, chosen)| *pick = chosen);
        let mut sum = Point::identity(base.avx512);
        for eight in &picks {
            sum = sum + summand(base.avx512, eight);
        }
        sum
    }
}

/// In each lane the sum of all lanes of one of eight.
#[inline(always)]
fn folded([a, b, c, d, e, f, g, h]: [Point; 8]) -> Point {
    let (ab, cd, ef, gh) = (a.folded(b), c.folded(d), e.folded(f), g.folded(h));
    ab.folded(cd).folded(ef.folded(gh))
}

/// What eight picks are in a lane each.
#[inline(always)]
fn summand(avx512: Avx512, picks: &[Pick<'_>; 8]) -> Summand {
    let [p0, p1, p2, p3, p4, m0, m1, m2] = transposed(picks.each_ref().map(
        #[inline(always)]
        |pick| pick.entry.0[0].simd_into(avx512),
    ));
    let [m3, m4, t0, t1, t2, t3, t4, _] = transposed(picks.each_ref().map(
        #[inline(always)]
        |pick| pick.entry.0[1].simd_into(avx512),
    ));
    let negative = picks.iter().rev().fold(0, |bits, pick| bits << 1 | u64::from(pick.is_negative));
    let (plus, minus) = (Field([p0, p1, p2, p3, p4]), Field([m0, m1, m2, m3, m4]));
    Summand { plus, minus, product: Field([t0, t1, t2, t3, t4]) }.negated_where(negative)
}

/// Word m of row n becomes word n of row m: three times each row and the fourth after it are shuffled like two halves of a
/// deck of cards.
#[inline(always)]
fn transposed(mut rows: [Words; 8]) -> [Words; 8] {
    use fearless_simd::SimdBase as _;
    for _ in 0..3 {
        let [a, b, c, d, e, f, g, h] = rows;
        rows = [
            a.zip_low(e),
            a.zip_high(e),
            b.zip_low(f),
            b.zip_high(f),
            c.zip_low(g),
            c.zip_high(g),
            d.zip_low(h),
            d.zip_high(h),
        ];
    }
    rows
}

/// The coordinates of each point, by one inversion for all.
#[inline(always)]
fn coordinates(points: &[Point]) -> Vec<(Field, Field)> {
    let Some((first, others)) = points.split_first() else { return Vec::new() };
    let before: Vec<Field> = iter::once(first.z)
        .chain(others.iter().scan(first.z, |product, point| {
            *product = *product * point.z;
            Some(*product)
        }))
        .collect();
    // One divided by the product of all up to the one that is looked at.
    let mut inverse = before.last().copied().unwrap_or(first.z).inverse();
    let mut all = Vec::with_capacity(points.len());
    for (point, before) in others.iter().zip(&before).rev() {
        let own = inverse * *before;
        all.push((point.x * own, point.y * own));
        inverse = inverse * point.z;
    }
    all.push((first.x * inverse, first.y * inverse));
    all.reverse();
    all
}

/// The encoding of each point, lane by lane: y, and whether x is odd.
#[inline(always)]
fn encoded(points: &[Point]) -> Vec<[u8; 32]> {
    let mut all = Vec::with_capacity(8 * points.len());
    for (x, y) in coordinates(points) {
        for (x, y) in x.lanes().into_iter().zip(y.lanes()) {
            let mut bytes = bytes_of(&reduced(y));
            let [is_odd, ..] = reduced(x).map(|word| (word & 1) as u8);
            if let Some(last) = bytes.last_mut() {
                *last |= is_odd << 7;
            }
            all.push(bytes);
        }
    }
    all
}

/// The base point's table, half a megabyte, made at its first use.
fn base(avx512: Avx512) -> &'static Table<8> {
    static BASE: OnceBox<Table<8>> = OnceBox::new();
    BASE.get_or_init(|| Box::new(Table::of(avx512, ED25519_BASEPOINT_COMPRESSED.as_bytes())))
}

impl<const W: usize> Table<W> {
    /// The most that a digit is, without its sign.
    const HALF: usize = 1 << (W - 1);
    const ROWS: usize = 256usize.div_ceil(W);

    /// Computes the table of the point that bytes encode: they must be known to encode one.
    fn of(avx512: Avx512, encoded: &[u8; 32]) -> Self {
        let mut entries = vec![IDENTITY; Self::ROWS * (Self::HALF + 1)];
        let rows: Vec<&mut [Entry]> = entries.chunks_mut(Self::HALF + 1).collect();
        avx512.vectorize(
            #[inline(always)]
            || Self::fill(decoded(avx512, encoded), rows),
        );
        Self { avx512, entries: entries.into() }
    }

    /// Eight rows at a time, one in each lane. `first` is the point in all lanes.
    #[inline(always)]
    fn fill(mut first: Point, mut rows: Vec<&mut [Entry]>) {
        let avx512 = first.x.avx512();
        for eight in rows.chunks_mut(8) {
            // The point times 2^W for each row before the lane's.
            let mut firsts = [[[0; 5]; 8]; 4];
            for lane in 0..8 {
                for (lanes, coordinate) in firsts.iter_mut().zip([first.x, first.y, first.z, first.t]) {
                    let [words, ..] = coordinate.lanes();
                    if let Some(lane) = lanes.get_mut(lane) {
                        *lane = words;
                    }
                }
                for _ in 0..W {
                    first = first.doubled();
                }
            }
            let [x, y, z, t] = firsts.map(
                #[inline(always)]
                |lanes| Field::of_lanes(avx512, lanes),
            );
            let step = Point { x, y, z, t };
            let mut multiples = vec![step; Self::HALF];
            let mut sum = step;
            for multiple in multiples.iter_mut().skip(1) {
                sum = sum + step;
                *multiple = sum;
            }
            for (at, (x, y)) in coordinates(&multiples).into_iter().enumerate() {
                let Summand { plus, minus, product } = Summand::of(x, y);
                let lanes = plus.lanes().into_iter().zip(minus.lanes()).zip(product.lanes());
                for (row, ((plus, minus), product)) in eight.iter_mut().zip(lanes) {
                    if let Some(entry) = row.get_mut(at + 1) {
                        *entry = Entry::of(plus, minus, product);
                    }
                }
            }
        }
    }

    /// What `scalar` times the point is the sum of.
    #[inline(always)]
    fn picks(&self, scalar: &Scalar) -> impl Iterator<Item = Pick<'_>> {
        let rows = self.entries.chunks_exact(Self::HALF + 1);
        rows.zip(digits::<W>(scalar)).map(|(row, Digit { size, is_negative })| {
            // A digit is at most what a row has entries for.
            Pick { entry: row.get(size).unwrap_or(&IDENTITY), is_negative }
        })
    }
}

impl Table<7> {
    /// The table of a point: a fifth of a millisecond. `None` where the processor does not have the instructions, or where
    /// a multiplication does not come out as the library's.
    pub(super) fn of_point(point: &EdwardsPoint) -> Option<Self> {
        let table = Self::of(Level::new().as_avx512()?, point.compress().as_bytes());
        let (s, k) = (Scalar::from_bytes_mod_order([0xa7; 32]), Scalar::from_bytes_mod_order([0x59; 32]));
        let expected = EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, point, &s).compress();
        (encode_each(&[Equation { s, k, table: &table }]) == [expected.0]).then_some(table)
    }
}

impl Entry {
    fn of(plus: [u64; 5], minus: [u64; 5], product: [u64; 5]) -> Self {
        let mut words = plus.into_iter().chain(minus).chain(product);
        Self([(); 2].map(|()| array::from_fn(|_| words.next().unwrap_or(0))))
    }
}

/// The point of 32 bytes in all lanes, whose x is a square root of (y² - 1) / (d·y² + 1) (RFC 8032, 5.1.3).
#[inline(always)]
fn decoded(avx512: Avx512, bytes: &[u8; 32]) -> Point {
    let (y, one) = (Field::splat(avx512, words_of(bytes)), Field::small(avx512, 1));
    let square = y * y;
    let (u, v) = (square - one, square * Field::splat(avx512, D) + one);
    let cube = v * v * v;
    let root = (u * cube * cube * v).root_power() * u * cube;
    // What it is a root of is u/v, or its opposite, or none of both, which is no point's.
    let [wanted, ..] = u.lanes().map(reduced);
    let [found, ..] = (root * root * v).lanes().map(reduced);
    let x = if found == wanted { root } else { root * Field::splat(avx512, ROOT_OF_MINUS_ONE) };
    let [[low, ..], ..] = x.lanes().map(reduced);
    let is_odd = bytes.last().is_some_and(|last| last >> 7 == 1);
    let zero = Field::small(avx512, 0);
    let x = if (low & 1 == 1) == is_odd { x } else { zero - x };
    Point::of(x, y)
}

#[cfg(test)]
mod tests;
