//! An object's canonical encoding, checked to be one and taken apart into its members, and no further. What is hashed and
//! signed are bytes, and most of a structure is read where it stands: making a value of all of it would cost several times
//! what checking it does.

use super::scan::Scan;
use super::{EncodingError, Value, parse_canonical, parse_written};
use alloc::borrow::Cow;
use alloc::vec::Vec;

/// The canonical encoding of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded<'a> {
    text: &'a str,
    members: Vec<Member<'a>>,
    depth: usize,
}

/// A member as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    whole: &'a str,
    /// The length of its name between the quotes.
    name: usize,
    /// Whether the value is a string that has an escape.
    escaped: bool,
}

/// A value as it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written<'a> {
    text: &'a str,
    escaped: bool,
}

impl<'a> Member<'a> {
    /// Its name as it is written, which for all names of the protocol is the name.
    pub(crate) fn name(&self) -> &'a str {
        self.whole.get(1..=self.name).unwrap_or_default()
    }

    /// Whether that is its name. Most have another length, which is seen first.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name == name.len() && self.name() == name
    }

    /// Its value: what stands behind the name, its quotes and the colon.
    pub(crate) fn value(&self) -> Written<'a> {
        Written { text: self.whole.get(self.name + 3..).unwrap_or_default(), escaped: self.escaped }
    }
}

impl<'a> Written<'a> {
    /// Its canonical encoding.
    pub(crate) const fn text(self) -> &'a str {
        self.text
    }

    /// What it is the encoding of.
    pub(crate) fn value(self) -> Result<Value, EncodingError> {
        parse_written(self.text)
    }

    /// The string that it is: as it stands there, if it has no escapes. `None` where it is none.
    pub(crate) fn string(self) -> Option<Cow<'a, str>> {
        let inside = self.text.strip_prefix('"')?.strip_suffix('"')?;
        if !self.escaped {
            return Some(Cow::Borrowed(inside));
        }
        match self.value() {
            Ok(Value::Str(text)) => Some(Cow::Owned(text)),
            _ => None,
        }
    }
}

impl<'a> Encoded<'a> {
    /// Takes bytes for the object that they encode.
    ///
    /// # Errors
    /// Where they are not the canonical encoding of an object.
    pub fn of(bytes: &'a [u8]) -> Result<Self, EncodingError> {
        core::str::from_utf8(bytes).ok().and_then(Self::of_text).ok_or_else(|| match parse_canonical(bytes) {
            Err(error) => error,
            Ok(_) => EncodingError { what: "not an object", at: 0 },
        })
    }

    /// The object that a text encodes; `None` where it is not the canonical encoding of one.
    #[must_use]
    pub fn of_text(text: &'a str) -> Option<Self> {
        let (encoded, scan) = Self::standing(text, 0, 0, usize::MAX)?;
        scan.is_at_end().then_some(encoded)
    }

    /// The object of at most so many values, itself among them, whose canonical encoding begins at a byte of `text`, inside of
    /// `depth` containers; and the walk that ends behind it. `None` where none begins there.
    pub(super) fn standing(text: &'a str, begun: usize, depth: usize, values: usize) -> Option<(Self, Scan<'a>)> {
        let mut scan = Scan::new(text, begun, values);
        let mut members = Vec::with_capacity(32);
        scan.count()?;
        scan.object(depth, |name, whole, escaped| members.push(Member { whole, name: name.len(), escaped }))?;
        let text = text.get(begun..scan.at())?;
        Some((Self { text, members, depth: scan.deepest().saturating_sub(depth) }, scan))
    }

    /// All of its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// How many containers stand inside each other, itself among them.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// The canonical encoding of the member `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.written(name).map(Written::text)
    }

    /// The string that the member `name` is.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.written(name)?.string()
    }

    /// The integer that the member `name` is.
    #[must_use]
    pub fn int(&self, name: &str) -> Option<i64> {
        self.written(name)?.value().ok()?.as_int()
    }

    fn written(&self, name: &str) -> Option<Written<'a>> {
        self.members.iter().find(|member| member.is(name)).map(Member::value)
    }

    /// Its members, in their order.
    pub(crate) fn members(&self) -> &[Member<'a>] {
        &self.members
    }

    /// The canonical encoding of the object without the members `left_out`: what is signed or hashed leaves out its own
    /// hash and signature.
    #[must_use]
    pub fn without(&self, left_out: &[&str]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.text.len() + 1);
        out.push(b'{');
        for member in &self.members {
            if !left_out.contains(&member.name()) {
                if out.len() > 1 {
                    out.push(b',');
                }
                out.extend_from_slice(member.whole.as_bytes());
            }
        }
        out.push(b'}');
        out
    }
}
