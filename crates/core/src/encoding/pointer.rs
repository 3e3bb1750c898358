//! JSON pointers (RFC 6901).

use super::Value;
use alloc::string::String;

/// The tokens of a JSON pointer, or of what follows a `/` of one, without their escapes. Before the first `/` of a whole one
/// stands a token without characters.
pub fn tokens(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').map(|token| token.replace("~1", "/").replace("~0", "~"))
}

impl Value {
    /// The value at a JSON pointer (RFC 6901).
    #[must_use]
    pub fn pointer(&self, pointer: &str) -> Option<&Self> {
        if pointer.is_empty() {
            return Some(self);
        }
        let mut here = self;
        for token in tokens(pointer.strip_prefix('/')?) {
            here = match here {
                Self::Object(object) => object.get(&token)?,
                Self::Array(items) => items.get(index(&token)?)?,
                _ => return None,
            };
        }
        Some(here)
    }

    /// The same, for what is put in its place.
    pub(crate) fn pointer_mut(&mut self, pointer: &str) -> Option<&mut Self> {
        if pointer.is_empty() {
            return Some(self);
        }
        let mut here = self;
        for token in tokens(pointer.strip_prefix('/')?) {
            here = match here {
                Self::Object(object) => object.get_mut(&token)?,
                Self::Array(items) => items.get_mut(index(&token)?)?,
                _ => return None,
            };
        }
        Some(here)
    }
}

fn index(token: &str) -> Option<usize> {
    let plain = token == "0" || (!token.starts_with('0') && token.bytes().all(|b| b.is_ascii_digit()));
    if plain { token.parse().ok() } else { None }
}
