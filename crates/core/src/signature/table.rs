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
    /// A digit lies in `-HALF < d <= HALF`.
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

    /// `sum` and `scalar` times the point. A scalar is below 2^253, so the last row takes what the one before carries.
    pub(super) fn add_product(&self, mut sum: EdwardsPoint, scalar: &Scalar) -> EdwardsPoint {
        let bits = Bits::of(scalar);
        let mut carry = 0;
        for (row, at) in self.rows.iter().zip((0..).step_by(W)) {
            let digit = bits.window::<W>(at) + carry;
            carry = usize::from(digit > Self::HALF);
            if carry == 0 {
                // Entry d-1 is d times the first; a digit of 0 has none.
                if let Some(multiple) = digit.checked_sub(1).and_then(|at| row.get(at)) {
                    sum += multiple;
                }
            } else if let Some(multiple) = (2 * Self::HALF - digit).checked_sub(1).and_then(|at| row.get(at)) {
                sum -= multiple;
            }
        }
        sum
    }
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
