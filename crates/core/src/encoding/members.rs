//! An object's canonical encoding that is made member by member. What a digest or a signature is of is taken from it, and the digest or
//! the signature then put in among what stands there already: nothing is encoded twice, and no value made of what is only written.

use super::{Object, Value, utf16_order, write_int, write_str};
use alloc::vec::Vec;

/// What has a canonical encoding.
pub(crate) trait Encode {
    /// Appends it to `out`.
    fn encode(&self, out: &mut Vec<u8>);
}

impl Encode for str {
    fn encode(&self, out: &mut Vec<u8>) {
        write_str(self, out);
    }
}

impl Encode for u64 {
    /// As the value that is made of it.
    fn encode(&self, out: &mut Vec<u8>) {
        write_int(i64::try_from(*self).unwrap_or(i64::MAX), out);
    }
}

impl Encode for Value {
    fn encode(&self, out: &mut Vec<u8>) {
        self.write(out);
    }
}

impl Encode for Object {
    fn encode(&self, out: &mut Vec<u8>) {
        self.write(out);
    }
}

impl<T: Encode> Encode for Option<T> {
    /// `null` for nothing.
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.encode(out),
            None => out.extend_from_slice(b"null"),
        }
    }
}

/// The members of an object as they are encoded, in the order of JCS whenever each came.
pub(crate) struct Members<'a> {
    /// Each behind a comma, the first too.
    bytes: Vec<u8>,
    /// The name of each, and where its comma stands.
    places: Vec<(&'a str, usize)>,
}

impl<'a> Members<'a> {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::with_capacity(2048), places: Vec::with_capacity(32) }
    }

    /// Adds a member, which must not be there yet.
    pub(crate) fn insert(&mut self, name: &'a str, value: &(impl Encode + ?Sized)) {
        let place = self.places.partition_point(|(other, _)| utf16_order(other, name).is_lt());
        debug_assert!(self.places.get(place).is_none_or(|(other, _)| *other != name), "a member stands twice");
        let end = self.bytes.len();
        let at = self.places.get(place).map_or(end, |(_, at)| *at);
        self.bytes.push(b',');
        write_str(name, &mut self.bytes);
        self.bytes.push(b':');
        value.encode(&mut self.bytes);
        // It was written behind all others.
        let length = self.bytes.len() - end;
        if let Some(moved) = self.bytes.get_mut(at..) {
            moved.rotate_right(length);
        }
        for (_, later) in self.places.iter_mut().skip(place) {
            *later += length;
        }
        self.places.insert(place, (name, at));
    }

    /// The canonical bytes of the object that has these members.
    pub(crate) fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + 2);
        out.push(b'{');
        out.extend_from_slice(self.bytes.get(1..).unwrap_or_default());
        out.push(b'}');
        out
    }
}
