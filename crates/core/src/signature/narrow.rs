//! What stands in the place of verification in eight lanes where a processor has none: no key has such a table, and nothing is
//! computed by one.

use alloc::vec::Vec;
use core::convert::Infallible;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;

/// A table that there is not.
#[derive(Clone)]
pub(super) struct Table<const W: usize>(Infallible);

impl Table<7> {
    pub(super) const fn of_point(_: &EdwardsPoint) -> Option<Self> {
        None
    }
}

/// An equation that nobody can make, for it has a table.
pub(super) struct Equation<'a> {
    #[expect(dead_code, reason = "there is none")]
    pub(super) s: Scalar,
    #[expect(dead_code, reason = "there is none")]
    pub(super) k: Scalar,
    #[expect(dead_code, reason = "there is none")]
    pub(super) table: &'a Table<7>,
}

pub(super) const fn encode_each(_: &[Equation<'_>]) -> Vec<[u8; 32]> {
    Vec::new()
}

pub(super) mod untabled {
    use super::{Scalar, Vec};

    /// One signature's equation.
    pub(in crate::signature) struct Equation {
        #[expect(dead_code, reason = "each is computed by itself")]
        pub(in crate::signature) s: Scalar,
        #[expect(dead_code, reason = "each is computed by itself")]
        pub(in crate::signature) k: Scalar,
        #[expect(dead_code, reason = "each is computed by itself")]
        pub(in crate::signature) minus: [u8; 32],
    }

    pub(in crate::signature) const fn encode_each(_: &[Equation]) -> Option<Vec<[u8; 32]>> {
        None
    }
}
