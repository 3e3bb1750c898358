//! [S]B - [k]A of keys without tables: a signature in each lane.
//!
//! k is read as 64 signed digits of four bits. From the highest on the sum is doubled four times for each, and the digit's
//! multiple of the key's opposite is added; what S makes of the base point comes out of that one's table.

use super::field::{Field, words_of};
use super::point::{D, Point, ROOT_OF_MINUS_ONE};
use super::{NONE, Table, base, encoded, reduced, summand};
use crate::signature::table::{Digit, digits};
use alloc::vec::Vec;
use core::array;
use curve25519_dalek::constants::ED25519_BASEPOINT_COMPRESSED;
use curve25519_dalek::scalar::Scalar;
use fearless_simd::{Avx512, Simd as _};

/// One signature's equation: S, k and the encoding of its key's opposite, which must be a point's.
#[derive(Clone, Copy)]
pub(in crate::signature) struct Equation {
    pub(in crate::signature) s: Scalar,
    pub(in crate::signature) k: Scalar,
    pub(in crate::signature) minus: [u8; 32],
}

/// What stands in a lane that has no signature.
const NOTHING: Equation = Equation { s: Scalar::ZERO, k: Scalar::ZERO, minus: ED25519_BASEPOINT_COMPRESSED.0 };

/// The encoding of each [S]B - [k]A. `None` where one after the other is as fast: eight lanes take little longer than one
/// signature by itself.
pub(in crate::signature) fn encode_each(equations: &[Equation]) -> Option<Vec<[u8; 32]>> {
    let base = (equations.len() > 1).then(base)??;
    let mut encodings = base.avx512.vectorize(
        #[inline(always)]
        || {
            let mut points = Vec::with_capacity(equations.len().div_ceil(8));
            for some in equations.chunks(8) {
                points.push(sums(base, array::from_fn(|lane| some.get(lane).copied().unwrap_or(NOTHING))));
            }
            encoded(&points)
        },
    );
    encodings.truncate(equations.len());
    Some(encodings)
}

#[inline(always)]
fn sums(base: &Table<8>, equations: [Equation; 8]) -> Point {
    let multiples = multiples(decoded(base.avx512, equations.each_ref().map(|equation| &equation.minus)));
    let mut places = [[0; MULTIPLES + 1]; 64];
    for (lane, equation) in equations.iter().enumerate() {
        for (place, Digit { size, is_negative }) in places.iter_mut().zip(digits::<4>(&equation.k)) {
            let [negative, of_size @ ..] = place;
            *negative |= u64::from(is_negative) << lane;
            if let Some(lanes) = of_size.get_mut(size) {
                *lanes |= 1 << lane;
            }
        }
    }
    let mut sum = Point::identity(base.avx512);
    for [negative, of_size @ ..] in places.iter().rev() {
        let [mut chosen, ..] = multiples;
        for (multiple, lanes) in multiples.iter().zip(of_size) {
            chosen = chosen.or_where(*lanes, multiple);
        }
        sum = sum.doubled(4) + chosen.negated_where(*negative);
    }
    let mut picks = equations.each_ref().map(|equation| base.picks(&equation.s));
    for _ in 0..Table::<8>::ROWS {
        sum = sum + summand(base.avx512, &picks.each_mut().map(|picks| picks.next().unwrap_or(NONE)));
    }
    sum
}

/// A digit of four bits is between -8 and 8.
const MULTIPLES: usize = 9;

/// A point times 0 to 8.
#[inline(always)]
fn multiples(point: Point) -> [Point; MULTIPLES] {
    let mut multiples = [Point::identity(point.x.avx512()); MULTIPLES];
    let mut sum = point;
    for multiple in multiples.iter_mut().skip(1) {
        *multiple = sum;
        sum = sum + point;
    }
    multiples
}

/// The points of 32 bytes each, whose x is a square root of (y² - 1) / (d·y² + 1) (RFC 8032, 5.1.3).
#[inline(always)]
pub(super) fn decoded(avx512: Avx512, encodings: [&[u8; 32]; 8]) -> Point {
    let one = Field::small(avx512, 1);
    let y = Field::of_lanes(avx512, encodings.map(words_of));
    let square = y * y;
    let (u, v) = (square - one, square * Field::splat(avx512, D) + one);
    let cube = v * v * v;
    let root = (u * cube * cube * v).root_power() * u * cube;
    // What it is a root of is u/v, or its opposite, or none of both, which is no point's.
    let found = (root * root * v).lanes().into_iter().zip(u.lanes());
    let is_root = found.map(|(found, wanted)| reduced(found) == reduced(wanted));
    let x = (root * Field::splat(avx512, ROOT_OF_MINUS_ONE)).or_where(bits(is_root), root);
    let signs = encodings.iter().map(|bytes| bytes.last().map_or(0, |last| last >> 7));
    let differs = x.lanes().into_iter().zip(signs).map(|(x, sign)| {
        let [low, ..] = reduced(x);
        low & 1 != u64::from(sign)
    });
    Point::of(x.or_where(bits(differs), x.opposite()), y)
}

/// A bit for each lane.
#[inline(always)]
fn bits(lanes: impl DoubleEndedIterator<Item = bool>) -> u64 {
    lanes.rev().fold(0, |bits, bit| bits << 1 | u64::from(bit))
}
