//! Verification in eight lanes, where the processor multiplies words of 52 bits eight at a time (AVX-512 IFMA).
//!
//! What R must encode, [S]B - [k]A, is a sum of 69 multiples that stand in tables: 32 of the base point's and 37 of the
//! key's. Each lane sums nine of them, and then eight such sums of eight lanes are folded into one of which each lane is a
//! signature's whole sum. Nothing here is secret: which entries are read depends on signatures. Keys without a table are
//! multiplied eight at a time ([`untabled`]).

mod field;
mod point;
pub(super) mod untabled;

use super::table::{Digit, digits};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::{array, iter};
use curve25519_dalek::constants::{ED25519_BASEPOINT_COMPRESSED, ED25519_BASEPOINT_POINT};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use fearless_simd::{Avx512, Level, Simd as _, SimdInto as _};
use field::{Field, Words, bytes_of, reduced};
use once_cell::race::OnceBox;
use point::{Point, Summand};
use untabled::decoded;

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
/// Nothing to add.
const NONE: Pick<'_> = Pick { entry: &IDENTITY, is_negative: false };

/// One signature's equation: S, k and the multiples of its key's opposite.
pub(super) struct Equation<'a> {
    pub(super) s: Scalar,
    pub(super) k: Scalar,
    pub(super) table: &'a Table<7>,
}

/// The encoding of each [S]B - [k]A.
pub(super) fn encode_each(equations: &[Equation<'_>]) -> Vec<[u8; 32]> {
    // Where there is no such table, there are no equations of tables like it.
    let Some(base) = base() else { return Vec::new() };
    let mut encodings = base.avx512.vectorize(
        #[inline(always)]
        || {
            let mut points = Vec::with_capacity(equations.len().div_ceil(8));
            for eight in equations.chunks(8) {
                let mut sums = [Point::identity(base.avx512); 8];
                for (to, Equation { s, k, table }) in sums.iter_mut().zip(eight) {
                    *to = sum(base.avx512, base.picks(s).chain(table.picks(k)));
                }
                points.push(folded(sums));
            }
            encoded(&points)
        },
    );
    encodings.truncate(equations.len());
    encodings
}

/// The sum of at most 72 picks, a part of it in each lane.
#[inline(always)]
fn sum<'a>(avx512: Avx512, chosen: impl Iterator<Item = Pick<'a>>) -> Point {
    let mut picks = [[NONE; 8]; 9];
    picks.as_flattened_mut().iter_mut().zip(chosen).for_each(|(pick, chosen)| *pick = chosen);
    let mut sum = Point::identity(avx512);
    for eight in &picks {
        sum = sum + summand(avx512, eight);
    }
    sum
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

/// The base point's table, half a megabyte, made at its first use. `None` where the processor does not have the
/// instructions, or where they do not multiply as the library does.
fn base() -> Option<&'static Table<8>> {
    static BASE: OnceBox<Option<Table<8>>> = OnceBox::new();
    let make = || {
        let table = Table::of(Level::new().as_avx512()?, ED25519_BASEPOINT_COMPRESSED.as_bytes());
        multiplies(&ED25519_BASEPOINT_POINT, &table, &table).then_some(table)
    };
    BASE.get_or_init(|| Box::new(make())).as_ref()
}

/// Whether the table of a point multiplies two numbers, whose digits have both signs, as the library does.
fn multiplies<const W: usize>(point: &EdwardsPoint, table: &Table<W>, base: &Table<8>) -> bool {
    let (s, k) = (Scalar::from_bytes_mod_order([0xa7; 32]), Scalar::from_bytes_mod_order([0x59; 32]));
    let expected = EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, point, &s).compress();
    base.avx512.vectorize(
        #[inline(always)]
        || {
            let sum = sum(base.avx512, base.picks(&s).chain(table.picks(&k)));
            encoded(&[folded([sum; 8])]).iter().all(|encoded| encoded == expected.as_bytes())
        },
    )
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
            || Self::fill(decoded(avx512, [encoded; 8]), rows),
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
                first = first.doubled(W);
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
    /// The table of a point, made in less than a millisecond. `None` where nothing is multiplied in lanes.
    pub(super) fn of_point(point: &EdwardsPoint) -> Option<Self> {
        let base = base()?;
        let table = Self::of(base.avx512, point.compress().as_bytes());
        multiplies(point, &table, base).then_some(table)
    }
}

impl Entry {
    fn of(plus: [u64; 5], minus: [u64; 5], product: [u64; 5]) -> Self {
        let mut words = plus.into_iter().chain(minus).chain(product);
        Self([(); 2].map(|()| array::from_fn(|_| words.next().unwrap_or(0))))
    }
}

#[cfg(test)]
mod tests;
