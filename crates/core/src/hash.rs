//! Hashes and their names (PROTOCOL 2): `sha3-512:` and `blake2b-512:` with 128 lower-case hex digits, `sha256:` with 64.

mod keccak;
#[cfg(target_arch = "x86_64")]
mod lanes;
#[cfg(target_arch = "x86_64")]
mod sha512;

use crate::encoding::{Encode, Value};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use keccak::Sponge;
use sha2::Digest as _;

macro_rules! hash {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// What stands before the digits.
            pub const PREFIX: &'static str = $prefix;

            /// Reads the written form; anything else, one digit more or an upper-case one, is `None`.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let digits = text.strip_prefix($prefix)?.as_bytes();
                let mut bytes = [0u8; $bytes];
                if digits.len() != 2 * $bytes {
                    return None;
                }
                for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
                    *byte = match pair {
                        [high, low] => unhex(*high, *low)?,
                        _ => return None,
                    };
                }
                Some(Self(bytes))
            }

            /// The digits alone, without the prefix.
            #[must_use]
            pub fn hex(&self) -> String {
                hex(&self.0)
            }

            /// Appends the written form.
            pub(crate) fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice($prefix.as_bytes());
                push_hex(&self.0, out);
            }

            fn text(&self) -> String {
                let mut text = Vec::with_capacity($prefix.len() + 2 * $bytes);
                self.write(&mut text);
                ascii(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl From<$name> for Value {
            fn from(hash: $name) -> Self {
                Value::Str(hash.text())
            }
        }

        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                out.push(b'"');
                self.write(out);
                out.push(b'"');
            }
        }
    };
}

hash!(
    /// SHA3-512: content addresses and the primary chains.
    Sha3, 64, "sha3-512:"
);
hash!(
    /// BLAKE2b-512: the secondary chains.
    Blake2b, 64, "blake2b-512:"
);
hash!(
    /// SHA-256: the ledger's tree, the operation index, a holder's key.
    Sha256, 32, "sha256:"
);

impl Sha3 {
    /// The hash of the concatenated parts.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut sponge = Sponge::default();
        for part in parts {
            sponge.update(part);
        }
        sponge.finish()
    }

    /// [`Sha3::of`] of each message, in their order, several at a time where the processor has wide registers: a third of
    /// the time and less for four messages of about a length, and nothing gained for one.
    ///
    /// ```
    /// # use eleven_core::hash::Sha3;
    /// let messages: [[&[u8]; 2]; 2] = [[b"one ", b"message"], [b"another", b""]];
    /// assert_eq!(Sha3::of_each(&messages), [Sha3::of(&[b"one message"]), Sha3::of(&[b"another"])]);
    /// ```
    #[must_use]
    pub fn of_each<const PARTS: usize>(messages: &[[&[u8]; PARTS]]) -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        if let Some(hashes) = lanes::sha3_of_each(messages) {
            return hashes;
        }
        messages.iter().map(|parts| Self::of(parts)).collect()
    }

    /// [`Sha3::of`] of two messages, which take about as long as the longer of them.
    #[must_use]
    pub fn of_both<const PARTS: usize>(one: [&[u8]; PARTS], other: [&[u8]; PARTS]) -> (Self, Self) {
        match Self::of_each(&[one, other]).as_slice() {
            [one, other] => (*one, *other),
            _ => (Self::of(&one), Self::of(&other)),
        }
    }

    /// The hash of a value's canonical encoding.
    #[must_use]
    pub fn of_value(value: &Value) -> Self {
        Self::of(&[&value.canonical()])
    }
}

/// A SHA3-512 over bytes that come in pieces: of a response while it is passed on.
#[derive(Clone, Default)]
pub struct Sha3Stream(Sponge);

impl Sha3Stream {
    /// Adds the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The hash of all pieces so far.
    #[must_use]
    pub fn finish(self) -> Sha3 {
        self.0.finish()
    }
}

/// SHA-512 of each message's concatenated parts, in their order, several at a time where the processor has registers for that.
pub(crate) fn sha512_of_each<const PARTS: usize>(messages: &[[&[u8]; PARTS]]) -> Vec<[u8; 64]> {
    #[cfg(target_arch = "x86_64")]
    if let Some(hashes) = sha512::of_each(messages) {
        return hashes;
    }
    let one = |parts: &[&[u8]; PARTS]| {
        let mut hasher = sha2::Sha512::new();
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize().into()
    };
    messages.iter().map(one).collect()
}

impl Blake2b {
    /// The hash of the concatenated parts.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut state = blake2b_simd::State::new();
        for part in parts {
            state.update(part);
        }
        Self(*state.finalize().as_array())
    }

    /// [`Blake2b::of`] of each message, in their order, several at a time where the processor has wide registers.
    #[must_use]
    pub fn of_each<const PARTS: usize>(messages: &[[&[u8]; PARTS]]) -> Vec<Self> {
        let mut states: Vec<_> = messages.iter().map(|_| blake2b_simd::State::new()).collect();
        for part in 0..PARTS {
            let parts = messages.iter().map(|message| message.get(part).copied().unwrap_or_default());
            blake2b_simd::many::update_many(states.iter_mut().zip(parts));
        }
        states.iter().map(|state| Self(*state.finalize().as_array())).collect()
    }
}

impl Sha256 {
    /// 32 zero bytes: the empty subtree of PROTOCOL 9.
    pub const ZERO: Self = Self([0; 32]);

    /// The hash of the concatenated parts.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = sha2::Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }
}

/// The value of each byte as a lower-case hex digit, 16 for what is none.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated when this is compiled, where an index out of bounds is an error"
)]
const UNHEX: [u8; 256] = {
    let mut table = [16; 256];
    let mut value = 0;
    while value < 16 {
        table[hex_digit(value) as usize] = value;
        value += 1;
    }
    table
};

/// The lower-case hex digit of a value below 16.
pub(crate) const fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + (nibble & 0xf) - 10 }
}

/// Lower-case hex digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(2 * bytes.len());
    push_hex(bytes, &mut out);
    ascii(out)
}

/// All digits at a time: an event has a thousand of them.
fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    let begun = out.len();
    out.resize(begun + 2 * bytes.len(), 0);
    let (pairs, _) = out.get_mut(begun..).unwrap_or_default().as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = [hex_digit(byte >> 4), hex_digit(byte & 0xf)];
    }
}

/// The string of bytes that are digits and prefixes.
fn ascii(text: Vec<u8>) -> String {
    String::from_utf8(text).unwrap_or_default()
}

/// The value of two hex digits; `None` where one of them is none. Looked up, because hashes are most of what is read.
fn unhex(high: u8, low: u8) -> Option<u8> {
    let value = |digit: u8| UNHEX.get(usize::from(digit)).copied().unwrap_or(16);
    let (high, low) = (value(high), value(low));
    (high | low < 16).then_some(high << 4 | low)
}

/// Padded base64 without line breaks, decoded strictly (padding and trailing bits canonical).
#[must_use]
pub fn unbase64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// Padded base64.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Unpadded base64url, decoded strictly: the form of the token that travels.
#[must_use]
pub fn unbase64url(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()
}

/// Unpadded base64url.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests;
