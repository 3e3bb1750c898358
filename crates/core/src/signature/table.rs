//! Multiples of a point, laid out so that a product with any scalar is a sum of a few of them and needs no doubling.
//!
//! Row i holds P·2^(W·i) times 1 to 2^(W-1); a scalar is read as signed digits of W bits, and each adds or subtracts one
//! entry of its row. Which entries are read depends on the scalar, so this is for verifying, where nothing is secret.

use alloc::boxed::Box;
use alloc::vec::Vec;
use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use once_cell::race::OnceBox;

/// The table of a point by digits of `W` bits, at most 8: 160 bytes for each of its `256 / W * 2^(W-1)` entries.
#[derive(Clone)]
pub(super) struct Table<const W: usize> {
    rows: Box<[Box<[EdwardsPoint]>]>,
}

/// The base point's table, 640 KiB, made at its first use.
pub(super) fn base() -> &'static Table<8> {
    static BASE: OnceBox<Table<8>> = OnceBox::new();
    BASE.get_or_init(|| Box::new(Table::of(&ED25519_BASEPOINT_POINT)))
}

impl<const W: usize> Table<W> {
    /// The most that a digit is, without its sign.
    const HALF: usize = 1 << (W - 1);

    /// Computes the table of `point`: about half a millisecond for seven bits.
    pub(super) fn of(point: &EdwardsPoint) -> Self {
        let mut first = *point;
        let row = |_| {
            let multiples = core::iter::successors(Some(first), |last| Some(last + first));
            let row: Box<[EdwardsPoint]> = multiples.take(Self::HALF).collect();
            // 2^(W-1) times the first, doubled.
            first = row.last().map_or(first, |half| half + half);
            row
        };
        Self { rows: (0..256usize.div_ceil(W)).map(row).collect::<Vec<_>>().into() }
    }

    /// `sum` and `scalar` times the point.
    pub(super) fn add_product(&self, mut sum: EdwardsPoint, scalar: &Scalar) -> EdwardsPoint {
        for (row, digit) in self.rows.iter().zip(digits::<W>(scalar)) {
            // Entry d-1 is d times the first; a digit of 0 has none.
            let Some(multiple) = digit.size.checked_sub(1).and_then(|at| row.get(at)) else { continue };
            if digit.is_negative {
                sum -= multiple;
            } else {
                sum += multiple;
            }
        }
        sum
    }
}

/// One digit of a scalar.
pub(super) struct Digit {
    /// At most 2^(W-1).
    pub(super) size: usize,
    pub(super) is_negative: bool,
}

/// The signed digits of a scalar by `W` bits, the lowest first. It is below 2^253, so the last takes what the one before
/// carries.
pub(super) fn digits<const W: usize>(scalar: &Scalar) -> impl Iterator<Item = Digit> {
    let (bits, half, mut carry) = (Bits::of(scalar), 1 << (W - 1), 0);
    (0..256).step_by(W).map(move |at| {
        let digit = bits.window::<W>(at) + carry;
        carry = usize::from(digit > half);
        let size = if carry == 0 { digit } else { 2 * half - digit };
        Digit { size, is_negative: carry == 1 }
    })
}

/// A scalar's bits.
struct Bits([u64; 4]);

impl Bits {
    fn of(scalar: &Scalar) -> Self {
        let (words, _) = scalar.as_bytes().as_chunks::<8>();
        let mut bits = [0; 4];
        for (to, word) in bits.iter_mut().zip(words) {
            *to = u64::from_le_bytes(*word);
        }
        Self(bits)
    }

    /// The `W` bits from `at` on.
    fn window<const W: usize>(&self, at: usize) -> usize {
        let word = |n: usize| self.0.get(n).copied().unwrap_or(0);
        let (n, shift) = (at / 64, at % 64);
        let low = word(n) >> shift;
        let high = if shift + W > 64 { word(n + 1) << (64 - shift) } else { 0 };
        ((low | high) & ((1 << W) - 1)) as usize
    }
}
