//! Ed25519, verified strictly and one by one (PROTOCOL 3).
//!
//! Strict means: `S < L`; the key and `R` canonical encodings of points that are not of small order; and the cofactorless
//! equation, `encode([S]B - [k]A) = R` byte for byte. Libraries that follow ZIP-215 and batch verification accept more.
//! [`VerifyingKey::verify_each`] is no batch verification: it checks that equation for every signature by itself.

#[cfg(not(target_arch = "x86_64"))]
#[path = "signature/narrow.rs"]
mod wide;

mod table;
#[cfg(target_arch = "x86_64")]
mod wide;

use crate::encoding::{Object, Value};
use crate::form::{Form, FormError};
use crate::hash;
use crate::name;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity as _, IsIdentity as _};
use ed25519_dalek::Signer as _;
use once_cell::race::OnceBox;
use table::Table;

/// A signature as it stands in a structure: `{"alg":"ed25519","kid","val"}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    /// The key that made it.
    pub kid: String,
    /// R and S.
    pub val: [u8; 64],
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", self.kid)
    }
}

impl Signature {
    /// Reads exactly the members `alg`, `kid`, `val`.
    ///
    /// # Errors
    /// Where a member is missing, unknown or of another form, or `alg` is not "ed25519".
    pub fn read(value: Value) -> Result<Self, FormError> {
        Self::of_form(Form::of(value, "signature")?)
    }

    /// Takes the member `name`, which is a signature, out of a structure.
    ///
    /// # Errors
    /// As [`Signature::read`], and where it is missing.
    pub fn take(form: &mut Form<'_>, name: &str) -> Result<Self, FormError> {
        Self::of_form(form.form(name, "signature")?)
    }

    fn of_form(mut form: Form<'_>) -> Result<Self, FormError> {
        form.named("alg", "ed25519", |alg| alg == "ed25519")?;
        let kid = form.named("kid", "a key's name", name::is_key)?;
        let val = bytes64(&form.string("val")?).ok_or_else(|| form.wrong("val", "not 64 bytes in base64"))?;
        form.finish()?;
        Ok(Self { kid, val })
    }

    /// The value that stands in a structure.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let val = base64_value(&self.val);
        Value::Object(Object::new().with("alg", "ed25519").with("kid", &self.kid).with("val", val))
    }
}

/// The 64 bytes of `base64:…`.
#[must_use]
pub fn bytes64(text: &str) -> Option<[u8; 64]> {
    hash::unbase64(text.strip_prefix("base64:")?)?.try_into().ok()
}

/// The 32 bytes of `base64:…`.
#[must_use]
pub fn bytes32(text: &str) -> Option<[u8; 32]> {
    hash::unbase64(text.strip_prefix("base64:")?)?.try_into().ok()
}

/// `base64:…` of bytes.
#[must_use]
pub fn base64_value(bytes: &[u8]) -> String {
    format!("base64:{}", hash::base64(bytes))
}

/// What signs. A private key is never handed about: it stays with whoever implements this.
pub trait Signer: Send + Sync {
    /// The key's name.
    fn kid(&self) -> &str;
    /// The public key.
    fn public(&self) -> [u8; 32];
    /// The signature over `message`.
    fn sign(&self, message: &[u8]) -> [u8; 64];

    /// The signature over `message` in the form that stands in a structure.
    fn signature(&self, message: &[u8]) -> Signature {
        Signature { kid: self.kid().into(), val: self.sign(message) }
    }
}

/// A signer that holds its key in memory: behind a development keystore, and in tests. The key is wiped when dropped.
pub struct SeedSigner {
    kid: String,
    key: ed25519_dalek::SigningKey,
}

impl SeedSigner {
    /// The signer of a 32-byte RFC 8032 seed.
    #[must_use]
    pub fn new(kid: impl Into<String>, seed: &[u8; 32]) -> Self {
        Self { kid: kid.into(), key: ed25519_dalek::SigningKey::from_bytes(seed) }
    }
}

impl Signer for SeedSigner {
    fn kid(&self) -> &str {
        &self.kid
    }

    fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

/// A public key that may verify: a canonical encoding of a point that is not of small order.
///
/// With a table ([`VerifyingKey::with_table`]) a verification takes about half the time; the equation is the same.
#[derive(Clone)]
pub struct VerifyingKey {
    encoded: [u8; 32],
    minus: EdwardsPoint,
    table: Option<Arc<LazyTable>>,
}

/// How many keys may still get a table, of 380 KB each. Clones count together.
#[derive(Clone, Debug)]
pub struct Tables(Arc<AtomicUsize>);

impl Tables {
    /// Tables for at most so many keys: those that verify first.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(most)))
    }

    fn take(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// A key's table, made when it is first used, in less than a millisecond.
struct LazyTable {
    made: OnceBox<Option<Multiples>>,
    /// Whether somebody makes it, or has.
    begun: AtomicBool,
    tables: Tables,
}

/// Multiples of a key's opposite, for what the processor has.
enum Multiples {
    Wide(wide::Table<7>),
    Plain(Table<7>),
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", hash::hex(&self.encoded))
    }
}

impl VerifyingKey {
    /// The key of 32 bytes; `None` where they are no canonical point or one of small order.
    #[must_use]
    pub fn new(encoded: &[u8; 32]) -> Option<Self> {
        let point = canonical_point(encoded)?;
        Some(Self { encoded: *encoded, minus: -point, table: None })
    }

    /// The same key, which at its first use makes a table of its multiples, if `tables` has one left by then. A key with a
    /// torsion component keeps the slow way: keys like that are refused at registration anyway.
    #[must_use]
    pub fn with_table(mut self, tables: &Tables) -> Self {
        let lazy = LazyTable { made: OnceBox::new(), begun: AtomicBool::new(false), tables: tables.clone() };
        self.table = Some(Arc::new(lazy));
        self
    }

    /// The key's table, where it has one by now. Who asks first makes it, and who asks meanwhile goes without: of two that make it
    /// each would take one of those that are left, and only one would be kept.
    fn multiples(&self) -> Option<&Multiples> {
        let lazy = self.table.as_ref()?;
        if let Some(made) = lazy.made.get() {
            return made.as_ref();
        }
        if lazy.begun.swap(true, Ordering::Relaxed) {
            return None;
        }
        let made = (self.is_torsion_free() && lazy.tables.take()).then(|| Multiples::of(&self.minus));
        // Nobody else sets it.
        let _ = lazy.made.set(Box::new(made));
        lazy.made.get()?.as_ref()
    }

    /// Whether the key lies in the prime-order group, as every honestly made key does.
    #[must_use]
    pub fn is_torsion_free(&self) -> bool {
        // The group's order less one, times the point, is the point's opposite exactly where the order times it is nothing.
        // Nothing is secret here, and that number has few digits: half the time of the library's way.
        let multiple = EdwardsPoint::vartime_double_scalar_mul_basepoint(&-Scalar::ONE, &self.minus, &Scalar::ZERO);
        multiple == -self.minus
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.encoded
    }

    /// Whether `signature` is this key's over `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        Self::verify_each(&[(self, message, signature)]) == [true]
    }

    /// Whether each signature is its key's over its message. Each is judged by its own equation; what they share is the
    /// inversion that encodes all recomputed points, and the registers of a processor that has wide ones.
    #[must_use]
    pub fn verify_each(signed: &[(&Self, &[u8], &[u8; 64])]) -> Vec<bool> {
        let equations = Equation::of_each(signed);
        let mut judged = vec![false; signed.len()];
        for (equation, encoded) in recompute(&equations) {
            if let Some(judged) = judged.get_mut(equation.place) {
                // R equals the canonical bytes of a point or the signature is refused, so R is canonical.
                *judged = encoded == *equation.r && !is_of_small_order(&encoded);
            }
        }
        judged
    }
}

impl Multiples {
    /// In eight lanes where the processor has them, and where they multiply as the library does.
    fn of(point: &EdwardsPoint) -> Self {
        match wide::Table::of_point(point) {
            Some(table) => Self::Wide(table),
            None => Self::Plain(Table::of(point)),
        }
    }
}

/// A key, a message and what is said to be the key's signature over it.
type Signed<'a, 'm> = (&'a VerifyingKey, &'m [u8], &'a [u8; 64]);

/// What one signature has to fulfil: [S]B - [k]A is the point that R encodes.
struct Equation<'a> {
    /// Its place among all that are judged.
    place: usize,
    key: &'a VerifyingKey,
    r: &'a [u8; 32],
    s: Scalar,
    k: Scalar,
}

impl<'a> Equation<'a> {
    /// None of those whose S is not canonical.
    fn of_each(signed: &[Signed<'a, '_>]) -> Vec<Self> {
        let hashed = signed.iter().map(|(key, message, signature)| -> [&[u8]; 3] {
            let (r, _) = halves(signature);
            [r, &key.encoded, message]
        });
        let hashes = hash::sha512_of_each(&hashed.collect::<Vec<_>>());
        let equations = signed.iter().zip(hashes).enumerate();
        equations.filter_map(|(place, (signed, hash))| Self::of(place, signed, &hash)).collect()
    }

    /// By the hash of R, key and message. `None` where S is not canonical.
    fn of(place: usize, (key, _, signature): &Signed<'a, '_>, hash: &[u8; 64]) -> Option<Self> {
        let (r, s) = halves(signature);
        let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(*s))?;
        Some(Self { place, key, r, s, k: Scalar::from_bytes_mod_order_wide(hash) })
    }

    /// [S]B - [k]A by itself.
    fn recompute(&self) -> EdwardsPoint {
        match self.key.multiples() {
            Some(Multiples::Plain(table)) => {
                table.add_product(table::base().add_product(EdwardsPoint::identity(), &self.s), &self.k)
            }
            _ => EdwardsPoint::vartime_double_scalar_mul_basepoint(&self.k, &self.key.minus, &self.s),
        }
    }

    /// The same, as it is taken in lanes where the key has no table.
    fn untabled(&self) -> wide::untabled::Equation {
        // A point's opposite is encoded by the same y and the other sign.
        let mut minus = self.key.encoded;
        if let Some(last) = minus.last_mut() {
            *last ^= 0x80;
        }
        wide::untabled::Equation { s: self.s, k: self.k, minus }
    }
}

/// Each equation with the encoding of its [S]B - [k]A, in no order.
fn recompute<'e, 'a>(equations: &'e [Equation<'a>]) -> impl Iterator<Item = (&'e Equation<'a>, [u8; 32])> {
    let (mut tabled, mut tables, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for equation in equations {
        if let Some(Multiples::Wide(table)) = equation.key.multiples() {
            tabled.push(equation);
            tables.push(wide::Equation { s: equation.s, k: equation.k, table });
        } else {
            others.push(equation);
        }
    }
    let in_lanes = wide::untabled::encode_each(&others.iter().map(|equation| equation.untabled()).collect::<Vec<_>>());
    let of_others = in_lanes.unwrap_or_else(|| {
        let points: Vec<EdwardsPoint> = others.iter().map(|equation| equation.recompute()).collect();
        EdwardsPoint::compress_batch_alloc(&points).into_iter().map(|encoded| encoded.0).collect()
    });
    tabled.into_iter().zip(wide::encode_each(&tables)).chain(others.into_iter().zip(of_others))
}

/// R and S of a signature.
fn halves(signature: &[u8; 64]) -> (&[u8; 32], &[u8; 32]) {
    const NONE: &[u8; 32] = &[0; 32];
    // A chunk of 64 bytes always has both.
    (signature.first_chunk().unwrap_or(NONE), signature.last_chunk().unwrap_or(NONE))
}

/// Whether a point's canonical bytes are those of one of the eight points of small order.
fn is_of_small_order(encoded: &[u8; 32]) -> bool {
    static ALL: OnceBox<[[u8; 32]; 8]> = OnceBox::new();
    ALL.get_or_init(|| Box::new(EIGHT_TORSION.map(|point| point.compress().0))).contains(encoded)
}

fn canonical_point(encoded: &[u8; 32]) -> Option<EdwardsPoint> {
    let point = CompressedEdwardsY(*encoded).decompress().filter(|_| is_reduced(encoded))?;
    (!point.mul_by_cofactor().is_identity()).then_some(point)
}

/// Whether the y that bytes encode, without the sign of x above it, is below 2^255 - 19. Then they are the encoding of the
/// point that they decode to, unless its x is 0 and has a sign: there y is 1 or -1, and the point of small order.
fn is_reduced(encoded: &[u8; 32]) -> bool {
    match encoded {
        [low, middle @ .., high] => high & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff) || *low < 0xed,
    }
}

#[cfg(test)]
mod tests;
