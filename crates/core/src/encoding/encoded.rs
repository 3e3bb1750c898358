//! An object's canonical encoding, checked to be one and taken apart into its members, and no further. What is hashed and
//! signed are bytes, and most of a structure is read where it stands: making a value of all of it would cost several times
//! what checking it does.

use super::scan::Scan;
use super::{EncodingError, Value, parse_canonical};
use alloc::borrow::Cow;
use alloc::vec::Vec;

/// The canonical encoding of an object.
#[derive(Clone, Debug)]
pub struct Encoded<'a> {
    bytes: &'a [u8],
    members: Vec<Member<'a>>,
    depth: usize,
}

/// A member: its name as it is written, which for all names of the protocol is the name, and all of its bytes.
#[derive(Clone, Copy, Debug)]
struct Member<'a> {
    name: &'a [u8],
    whole: &'a [u8],
}

impl<'a> Member<'a> {
    /// The bytes of the value: behind the name, its quotes and the colon.
    fn value(&self) -> &'a [u8] {
        self.whole.get(self.name.len() + 3..).unwrap_or_default()
    }
}

impl<'a> Encoded<'a> {
    /// Takes bytes for the object that they encode.
    ///
    /// # Errors
    /// Where they are not the canonical encoding of an object.
    pub fn of(bytes: &'a [u8]) -> Result<Self, EncodingError> {
        Self::scan(bytes).ok_or_else(|| match parse_canonical(bytes) {
            Err(error) => error,
            Ok(_) => EncodingError { what: "not an object", at: 0 },
        })
    }

    fn scan(bytes: &'a [u8]) -> Option<Self> {
        let (encoded, scan) = Self::standing(core::str::from_utf8(bytes).ok()?, 0, 0, usize::MAX)?;
        scan.is_at_end().then_some(encoded)
    }

    /// The object of at most so many values, itself among them, whose canonical encoding begins at a byte of `text`, inside of
    /// `depth` containers; and the walk that ends behind it. `None` where none begins there.
    pub(super) fn standing(text: &'a str, begun: usize, depth: usize, values: usize) -> Option<(Self, Scan<'a>)> {
        let mut scan = Scan::new(text, begun, values);
        let mut members = Vec::with_capacity(32);
        scan.count()?;
        scan.object(depth, |name, whole| members.push(Member { name, whole }))?;
        let bytes = text.as_bytes().get(begun..scan.at())?;
        Some((Self { bytes, members, depth: scan.deepest().saturating_sub(depth) }, scan))
    }

    /// All of its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many containers stand inside each other, itself among them.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// The canonical encoding of the member `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.members.iter().find(|member| member.name == name.as_bytes()).map(Member::value)
    }

    /// The string that the member `name` is.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        text(self.get(name)?)
    }

    /// The integer that the member `name` is.
    #[must_use]
    pub fn int(&self, name: &str) -> Option<i64> {
        parse_canonical(self.get(name)?).ok()?.as_int()
    }

    /// Names, as they are written, and values.
    pub fn members(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.members.iter().map(|member| (member.name, member.value()))
    }

    /// The canonical encoding of the object without the members `left_out`: what is signed or hashed leaves out its own
    /// hash and signature.
    #[must_use]
    pub fn without(&self, left_out: &[&str]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + 1);
        out.push(b'{');
        for member in &self.members {
            if !left_out.iter().any(|left_out| left_out.as_bytes() == member.name) {
                if out.len() > 1 {
                    out.push(b',');
                }
                out.extend_from_slice(member.whole);
            }
        }
        out.push(b'}');
        out
    }
}

/// The string that is encoded by `canonical`, where that encodes one: as it stands there, if it has no escapes.
pub(crate) fn text(canonical: &[u8]) -> Option<Cow<'_, str>> {
    let inside = canonical.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if !inside.contains(&b'\\') {
        return core::str::from_utf8(inside).ok().map(Cow::Borrowed);
    }
    match parse_canonical(canonical) {
        Ok(Value::Str(text)) => Some(Cow::Owned(text)),
        _ => None,
    }
}
