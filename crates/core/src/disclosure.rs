//! Selective disclosure (PROTOCOL 5.2): what is committed instead of written, and what opens a commitment.

use crate::encoding::{Object, Value, tokens};
use crate::form::{FormError, require};
use crate::hash::unbase64;
use crate::limits::SALT;
use crate::policy::{commitment, is_commitment};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

#[cfg(test)]
mod tests;

/// What opens one commitment: `[salt, path, value]`. It stays with its owner, who may erase it; every proof stays whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosure {
    /// Padded base64 of 16 random bytes.
    pub salt: String,
    /// The JSON pointer at which the commitment stands in the artifact, such as `/op/user`.
    pub path: String,
    /// What was committed.
    pub value: Value,
}

impl Disclosure {
    /// Reads exactly `[salt, path, value]`.
    ///
    /// # Errors
    /// Where it is not of that form. The error does not repeat the value.
    pub fn read(value: &Value) -> Result<Self, FormError> {
        let parts = match value {
            Value::Array(parts) => parts.as_slice(),
            _ => &[],
        };
        let [Value::Str(salt), Value::Str(path), value] = parts else {
            return Err(FormError("a disclosure is not [salt, path, value]".into()));
        };
        require(is_salt(salt), "a disclosure's salt is not 16 bytes in base64")?;
        Ok(Self { salt: salt.clone(), path: path.clone(), value: value.clone() })
    }

    /// The value as it stands in a bundle.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Array(alloc::vec![self.salt.as_str().into(), self.path.as_str().into(), self.value.clone()])
    }

    /// The commitment that it opens.
    #[must_use]
    pub fn committed(&self) -> Value {
        commitment(&self.salt, &self.path, &self.value)
    }

    /// Whether this commitment stands at its path in an artifact's value.
    #[must_use]
    pub fn stands_in(&self, artifact: &Value) -> bool {
        artifact.pointer(&self.path).is_some_and(|there| is_commitment(there) && *there == self.committed())
    }
}

/// Whether a text is padded base64 of 16 bytes.
#[must_use]
pub fn is_salt(text: &str) -> bool {
    unbase64(text).is_some_and(|salt| salt.len() == SALT)
}

/// Puts commitments in the place of what stands in `op` at `pointers` (each begins with `/op/`), with the salt that
/// `salt` gives for a path. Where a pointer leads past a value that has no parts, a text that holds them or anything else,
/// that value is committed whole, and its path is the part of the pointer that leads to it. What is a commitment already
/// stays, and so does what a pointer does not find.
pub fn commit(op: Object, pointers: &[String], mut salt: impl FnMut(&str) -> String) -> (Object, Vec<Disclosure>) {
    let mut disclosures = Vec::new();
    let mut op = Value::Object(op);
    for pointer in pointers {
        let Some(path) = in_clear(&op, pointer) else { continue };
        let Some(place) = path.strip_prefix("/op").and_then(|inside| op.pointer_mut(inside)) else { continue };
        let value = core::mem::replace(place, Value::Null);
        let disclosure = Disclosure { salt: salt(path), path: path.to_owned(), value };
        *place = disclosure.committed();
        disclosures.push(disclosure);
    }
    match op {
        Value::Object(op) => (op, disclosures),
        _ => (Object::new(), disclosures),
    }
}

/// Where in `op` something stands in clear that is sensitive by `pointer`: at the pointer itself, or at the part of it that
/// leads to a value without parts. `None` where nothing does.
#[must_use]
pub fn in_clear<'a>(op: &Value, pointer: &'a str) -> Option<&'a str> {
    let inside = pointer.strip_prefix("/op/")?;
    let slashes = pointer.match_indices('/').map(|(at, _)| at).skip(2);
    for end in slashes.chain([pointer.len()]) {
        let path = pointer.get(..end)?;
        let value = op.pointer(path.strip_prefix("/op")?)?;
        let last = end == pointer.len();
        if last || !matches!(value, Value::Object(_) | Value::Array(_)) {
            let clear = !is_commitment(value) && (last || !has_a_form(inside));
            return clear.then_some(path);
        }
    }
    None
}

/// Whether one of these pointers leads into what another names: what is committed there could not be opened once the other is
/// committed, and which of the two is depends on their order.
#[must_use]
pub fn overlap(pointers: &[String]) -> bool {
    let tokens: Vec<Vec<String>> = pointers.iter().map(|pointer| tokens(pointer).collect()).collect();
    tokens.iter().any(|one| tokens.iter().any(|other| one.len() < other.len() && other.starts_with(one)))
}

/// Whether a pointer into `op` leads into what has a form of its own there, of which nothing is a caller's to fill.
fn has_a_form(inside: &str) -> bool {
    matches!(inside.split('/').next(), Some("name" | "scope" | "params"))
}
