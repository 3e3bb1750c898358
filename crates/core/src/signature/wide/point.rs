//! Points of the curve -x² + y² = 1 + d·x²·y², one in each lane of eight, and their sums (Hisil, Wong, Carter, Dawson 2008).
//!
//! The formulas hold for all points of the curve, so that no case is one of its own.

use super::field::Field;
use core::ops::Add;
use fearless_simd::{Avx512, SimdBase as _};

/// d, the curve's constant.
pub(super) const D: [u64; 5] =
    [929_955_233_495_203, 466_365_720_129_213, 1_662_059_464_998_953, 2_033_849_074_728_123, 1_442_794_654_840_575];
/// Twice d.
const TWICE_D: [u64; 5] =
    [1_859_910_466_990_425, 932_731_440_258_426, 1_072_319_116_312_658, 1_815_898_335_770_999, 633_789_495_995_903];
/// A square root of -1.
pub(super) const ROOT_OF_MINUS_ONE: [u64; 5] =
    [1_718_705_420_411_056, 234_908_883_556_509, 2_233_514_472_574_048, 2_117_202_627_021_982, 765_476_049_583_133];

/// A point in each lane: x = X/Z, y = Y/Z, and T = X·Y/Z.
#[derive(Clone, Copy)]
pub(super) struct Point {
    pub(super) x: Field,
    pub(super) y: Field,
    pub(super) z: Field,
    pub(super) t: Field,
}

/// What a point is added by: y + x, y - x, and 2·d·x·y.
#[derive(Clone, Copy)]
pub(super) struct Summand {
    pub(super) plus: Field,
    pub(super) minus: Field,
    pub(super) product: Field,
}

impl Point {
    /// The point that changes nothing.
    #[inline(always)]
    pub(super) fn identity(avx512: Avx512) -> Self {
        let (zero, one) = (Field::small(avx512, 0), Field::small(avx512, 1));
        Self { x: zero, y: one, z: one, t: zero }
    }

    /// The point of coordinates, without looking whether there is one.
    #[inline(always)]
    pub(super) fn of(x: Field, y: Field) -> Self {
        Self { x, y, z: Field::small(x.avx512(), 1), t: x * y }
    }

    #[inline(always)]
    fn of_sums(a: Field, b: Field, c: Field, d: Field) -> Self {
        let (e, f) = (b - a, d - c);
        let (g, h) = (d + c, b + a);
        Self { x: e * f, y: g * h, z: f * g, t: e * h }
    }

    /// This point doubled `times` times, once at least.
    #[inline(always)]
    pub(super) fn doubled(self, times: usize) -> Self {
        let (mut x, mut y, mut z) = (self.x, self.y, self.z);
        for _ in 1..times {
            let [e, f, g, h] = doubled(x, y, z);
            (x, y, z) = (e * f, g * h, f * g);
        }
        let [e, f, g, h] = doubled(x, y, z);
        Self { x: e * f, y: g * h, z: f * g, t: e * h }
    }

    /// The other point in the lanes of `which`: a bit each.
    #[inline(always)]
    pub(super) fn or_where(self, which: u64, other: &Self) -> Self {
        Self {
            x: self.x.or_where(which, other.x),
            y: self.y.or_where(which, other.y),
            z: self.z.or_where(which, other.z),
            t: self.t.or_where(which, other.t),
        }
    }

    /// The opposite in the lanes of `which`: a bit each.
    #[inline(always)]
    pub(super) fn negated_where(self, which: u64) -> Self {
        let (x, t) = (self.x.opposite(), self.t.opposite());
        Self { x: self.x.or_where(which, x), t: self.t.or_where(which, t), ..self }
    }

    /// Of two the sums of neighbouring lanes: those of `self` in the lower four lanes, those of `other` in the upper.
    #[inline(always)]
    pub(super) fn folded(self, other: Self) -> Self {
        let (even, odd) = self.unzipped(other);
        even + odd
    }

    /// What stands in the even lanes of both, and what in the odd.
    #[inline(always)]
    fn unzipped(self, other: Self) -> (Self, Self) {
        macro_rules! halves {
            ($coordinate:ident $half:ident) => {{
                let ([a0, a1, a2, a3, a4], [b0, b1, b2, b3, b4]) = (self.$coordinate.0, other.$coordinate.0);
                Field([a0.$half(b0), a1.$half(b1), a2.$half(b2), a3.$half(b3), a4.$half(b4)])
            }};
        }
        macro_rules! point {
            ($half:ident) => {
                Self { x: halves!(x $half), y: halves!(y $half), z: halves!(z $half), t: halves!(t $half) }
            };
        }
        (point!(unzip_low), point!(unzip_high))
    }
}

/// Of which the coordinates of twice a point are products, as of those that [`Point`] names so.
#[inline(always)]
fn doubled(x: Field, y: Field, z: Field) -> [Field; 4] {
    let (a, b, square) = (x.squared(), y.squared(), z.squared());
    let (g, h) = (a - b, a + b);
    [h - (x + y).squared(), square + square + g, g, h]
}

impl Add for Point {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        let a = (self.y - self.x) * (other.y - other.x);
        let b = (self.y + self.x) * (other.y + other.x);
        let c = self.t * Field::splat(self.t.avx512(), TWICE_D) * other.t;
        let z = self.z * other.z;
        Self::of_sums(a, b, c, z + z)
    }
}

impl Add<Summand> for Point {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Summand) -> Self {
        let a = (self.y - self.x) * other.minus;
        let b = (self.y + self.x) * other.plus;
        Self::of_sums(a, b, self.t * other.product, self.z + self.z)
    }
}

impl Summand {
    /// The point of coordinates, as a summand.
    #[inline(always)]
    pub(super) fn of(x: Field, y: Field) -> Self {
        Self { plus: y + x, minus: y - x, product: x * y * Field::splat(x.avx512(), TWICE_D) }
    }

    /// The opposite in the lanes of `which`: a bit each.
    #[inline(always)]
    pub(super) fn negated_where(self, which: u64) -> Self {
        Self {
            plus: self.plus.or_where(which, self.minus),
            minus: self.minus.or_where(which, self.plus),
            product: self.product.or_where(which, self.product.opposite()),
        }
    }
}
