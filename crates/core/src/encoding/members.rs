//! The members of an object that is canonically encoded, by their bytes: what a structure is without its own hash and
//! signature is a part of what was received, and need not be encoded anew.

use alloc::vec::Vec;

/// The canonical encoding of an object without the members `left_out`, out of the object's own canonical encoding.
///
/// `canonical` has to be just that, and the names without escapes. Of anything else the result is some bytes.
#[must_use]
pub fn without(canonical: &[u8], left_out: &[&str]) -> Vec<u8> {
    let mut out = Vec::with_capacity(canonical.len() + 1);
    for (name, member) in Members(canonical.get(1..).unwrap_or_default()) {
        if !left_out.iter().any(|left_out| left_out.as_bytes() == name) {
            out.push(if out.is_empty() { b'{' } else { b',' });
            out.extend_from_slice(member);
        }
    }
    if out.is_empty() {
        out.push(b'{');
    }
    out.push(b'}');
    out
}

/// The names and values of an object's members, as they stand in its canonical encoding; of anything else, some bytes.
pub fn members(canonical: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let members = Members(canonical.get(1..).unwrap_or_default());
    // Beside its value a member has the name, two quotes and a colon.
    members.map(|(name, member)| (name, member.get(name.len() + 3..).unwrap_or_default()))
}

/// Names and whole members of what follows an object's opening brace.
struct Members<'a>(&'a [u8]);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0;
        let name_end = 1 + end_of_string(rest.get(1..).filter(|_| rest.first() == Some(&b'"'))?)?;
        let name = rest.get(1..name_end)?;
        let end = name_end + 1 + end_of_value(rest.get(name_end + 1..)?);
        let member = rest.get(..end)?;
        self.0 = rest.get(end + 1..).unwrap_or_default();
        Some((name, member))
    }
}

/// Where the quote stands that ends a string, counted from its first character.
fn end_of_string(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += text.get(at..)?.iter().position(|b| matches!(b, b'"' | b'\\'))?;
        if text.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

/// Where the comma or brace stands that follows a value, its colon before it.
fn end_of_value(text: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0u32);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => at += end_of_string(text.get(at + 1..).unwrap_or_default()).map_or(text.len(), |end| end + 1),
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    text.len()
}
