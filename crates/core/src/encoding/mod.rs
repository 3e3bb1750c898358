//! Canonical encoding (PROTOCOL 1): I-JSON serialised by JCS, integers only, at most 32 containers deep.
//!
//! [`parse`] accepts any I-JSON text of that subset; [`parse_canonical`] accepts only the canonical bytes themselves, so
//! that what was received needs no re-encoding before it is hashed; [`Encoded`] checks the same and leaves an object's
//! members where they stand. [`Value::canonical`] is the encoder; what is digested or signed while it is made is encoded member by member.

mod encoded;
mod members;
mod names;
mod parse;
mod pointer;
mod scan;

use crate::limits::MAX_INTEGER;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

pub use encoded::Encoded;
pub(crate) use encoded::{Member, Written};
pub(crate) use members::{Encode, Members};
pub use names::Name;
pub(crate) use parse::parse_written;
pub use parse::{Item, Most, TOO_MUCH, parse, parse_at_most, parse_canonical, parse_items};
pub use pointer::tokens;

/// A value of the protocol's data model: JSON without fractions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer, |n| <= 2^53-1.
    Int(i64),
    /// A string of Unicode scalar values (no lone surrogates).
    Str(String),
    /// An array.
    Array(Vec<Value>),
    /// An object, its members sorted by name and unique.
    Object(Object),
}

/// The members of an object, in the order of JCS (names compared as UTF-16) and without repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object(Vec<(Name, Value)>);

/// Why a text is not of the protocol's encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodingError {
    /// What is wrong.
    pub what: &'static str,
    /// The byte at which it was noticed.
    pub at: usize,
}

impl fmt::Display for EncodingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

impl core::error::Error for EncodingError {}

impl Value {
    /// The canonical bytes of this value.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.write(&mut out);
        out
    }

    /// Appends the canonical bytes of this value to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Int(n) => write_int(*n, out),
            Self::Str(s) => write_str(s, out),
            Self::Array(items) => {
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Self::Object(object) => object.write(out),
        }
    }

    /// The string, where this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Str(s) = self { Some(s) } else { None }
    }

    /// The integer, where this is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Int(n) = self { Some(*n) } else { None }
    }

    /// The integer, where this is one and not negative.
    #[must_use]
    pub fn as_uint(&self) -> Option<u64> {
        self.as_int().and_then(|n| u64::try_from(n).ok())
    }

    /// The array, where this is one.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Value]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    /// The object, where this is one.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    /// The object that this is: one without members where it is none.
    #[must_use]
    pub fn into_object(self) -> Object {
        if let Self::Object(object) = self { object } else { Object::new() }
    }

    /// The member `name`, where this is an object that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.as_object()?.get(name)
    }

    /// How many containers stand inside each other here; 0 for what is none.
    #[must_use]
    pub fn depth(&self) -> usize {
        match self {
            Self::Array(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Object(object) => object.depth(),
            _ => 0,
        }
    }
}

impl Object {
    /// An object without members.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The member `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let at = self.position(name).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        let at = self.position(name).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    /// Sets the member `name`, and returns what stood there.
    pub fn insert(&mut self, name: impl Into<Name>, value: impl Into<Value>) -> Option<Value> {
        let (name, value) = (name.into(), value.into());
        match self.position(&name) {
            Ok(at) => self.0.get_mut(at).map(|(_, old)| core::mem::replace(old, value)),
            Err(at) => {
                self.0.insert(at, (name, value));
                None
            }
        }
    }

    /// Takes the member `name` out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.position(name).ok()?;
        Some(self.0.remove(at).1)
    }

    /// The same object with the member `name` set: for building one in a single expression.
    #[must_use]
    pub fn with(mut self, name: impl Into<Name>, value: impl Into<Value>) -> Self {
        self.insert(name, value);
        self
    }

    /// The same object with the member set where there is a value, and absent where there is none.
    #[must_use]
    pub fn with_some(self, name: impl Into<Name>, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The members in canonical order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// How many containers stand inside each other, this one among them.
    #[must_use]
    pub fn depth(&self) -> usize {
        1 + self.0.iter().map(|(_, value)| value.depth()).max().unwrap_or(0)
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The canonical bytes.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        self.canonical_without(&[])
    }

    /// The canonical bytes of this object as if the members `left_out` were not there: what is signed or hashed leaves
    /// out its own hash and signature.
    #[must_use]
    pub fn canonical_without(&self, left_out: &[&str]) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        self.write_filtered(&mut out, left_out);
        out
    }

    /// The canonical bytes of this object with further members, each with its value's canonical bytes: what has them
    /// already need not be read and encoded again. None of them may be a member of this object.
    #[must_use]
    pub fn canonical_with(&self, others: &[(&str, &[u8])]) -> Vec<u8> {
        let mut others: Vec<(&str, &[u8])> = others.to_vec();
        others.sort_by(|(a, _), (b, _)| utf16_order(a, b));
        let mut others = others.into_iter().peekable();
        let mut out = Vec::with_capacity(1024);
        for (name, value) in &self.0 {
            while let Some((other, bytes)) = others.next_if(|(other, _)| utf16_order(other, name).is_lt()) {
                begin_member(&mut out, other);
                out.extend_from_slice(bytes);
            }
            debug_assert!(others.peek().is_none_or(|(other, _)| *other != &**name), "a member stands twice");
            begin_member(&mut out, name);
            value.write(&mut out);
        }
        for (other, bytes) in others {
            begin_member(&mut out, other);
            out.extend_from_slice(bytes);
        }
        if out.is_empty() {
            out.push(b'{');
        }
        out.push(b'}');
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.write_filtered(out, &[]);
    }

    fn write_filtered(&self, out: &mut Vec<u8>, left_out: &[&str]) {
        out.push(b'{');
        let mut first = true;
        for (name, value) in &self.0 {
            if left_out.contains(&&**name) {
                continue;
            }
            if !first {
                out.push(b',');
            }
            first = false;
            write_str(name, out);
            out.push(b':');
            value.write(out);
        }
        out.push(b'}');
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| utf16_order(other, name))
    }

    /// Appends a member that the parser knows to come after all others.
    fn push_last(&mut self, name: Name, value: Value) {
        self.0.push((name, value));
    }

    fn last_name(&self) -> Option<&str> {
        self.0.last().map(|(name, _)| &**name)
    }

    /// Sorts members that came in any order; `false` where a name stands twice.
    fn sort(&mut self) -> bool {
        self.0.sort_by(|(a, _), (b, _)| utf16_order(a, b));
        self.0.is_sorted_by(|(a, _), (b, _)| a != b)
    }

    /// The members by value, in canonical order.
    pub(crate) fn into_members(self) -> Vec<(Name, Value)> {
        self.0
    }
}

/// Begins a member of an object whose bytes are all of `out`.
fn begin_member(out: &mut Vec<u8>, name: &str) {
    out.push(if out.is_empty() { b'{' } else { b',' });
    write_str(name, out);
    out.push(b':');
}

/// The canonical bytes of an array of items that have theirs.
#[must_use]
pub fn array_of<'a>(items: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    for item in items {
        out.push(if out.is_empty() { b'[' } else { b',' });
        out.extend_from_slice(item);
    }
    if out.is_empty() {
        out.push(b'[');
    }
    out.push(b']');
    out
}

/// The order of JCS: names compared as sequences of UTF-16 code units (RFC 8785, 3.2.3).
fn utf16_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() || b.is_ascii() {
        // Code units and bytes agree up to the first non-ASCII character, and that one is greater than any ASCII one.
        return a.as_bytes().cmp(b.as_bytes());
    }
    a.encode_utf16().cmp(b.encode_utf16())
}

fn write_int(n: i64, out: &mut Vec<u8>) {
    debug_assert!(n.unsigned_abs() <= MAX_INTEGER, "an integer beyond 2^53-1 reached the encoder");
    let mut digits = [0u8; 20];
    let mut rest = n.unsigned_abs();
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    if n < 0 {
        out.push(b'-');
    }
    out.extend(digits.iter().skip(digits.len() - used));
}

fn write_str(s: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = s.as_bytes();
    if scan::plain(bytes) == bytes.len() {
        out.extend_from_slice(bytes);
    } else {
        for byte in bytes {
            match byte {
                b'"' => out.extend_from_slice(b"\\\""),
                b'\\' => out.extend_from_slice(b"\\\\"),
                0x08 => out.extend_from_slice(b"\\b"),
                0x09 => out.extend_from_slice(b"\\t"),
                0x0a => out.extend_from_slice(b"\\n"),
                0x0c => out.extend_from_slice(b"\\f"),
                0x0d => out.extend_from_slice(b"\\r"),
                0x00..=0x1f => {
                    out.extend_from_slice(b"\\u00");
                    out.push(crate::hash::hex_digit(byte >> 4));
                    out.push(crate::hash::hex_digit(byte & 0xf));
                }
                other => out.push(*other),
            }
        }
    }
    out.push(b'"');
}

impl fmt::Display for Value {
    /// The canonical text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.canonical()))
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Self::Str(s.into())
    }
}

impl From<String> for Value {
    fn from(s: String) -> Self {
        Self::Str(s)
    }
}

impl From<&String> for Value {
    fn from(s: &String) -> Self {
        Self::Str(s.clone())
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

impl From<u32> for Value {
    fn from(n: u32) -> Self {
        Self::Int(i64::from(n))
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl From<u64> for Value {
    /// Counters of the protocol stay far below 2^53; one that does not saturates there and fails the debug assertion of
    /// the encoder.
    fn from(n: u64) -> Self {
        Self::Int(i64::try_from(n).unwrap_or(i64::MAX))
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::Array(items)
    }
}

impl From<&[String]> for Value {
    fn from(items: &[String]) -> Self {
        Self::Array(items.iter().map(Value::from).collect())
    }
}

impl From<Option<Value>> for Value {
    fn from(value: Option<Value>) -> Self {
        value.unwrap_or(Value::Null)
    }
}

#[cfg(test)]
mod tests;
