//! What an index proves about a key, and to whom: anyone with its root.

use super::{above, bit, leaf_hash, shared_bits};
use crate::encoding::{Object, Value};
use crate::form::{Form, FormError, require};
use crate::hash::Sha256;
use crate::limits::MAX_SIBLINGS;
use alloc::vec::Vec;

/// A proof that a key is in an index, or that it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What stands beside the path, the root's child first.
    pub siblings: Vec<Sha256>,
    /// The key and the value of the leaf at the path's end; `None` where nothing is there.
    pub end: Option<(Sha256, Sha256)>,
}

/// What a proof proves about a key under a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proves {
    /// The key is there, with this value.
    Present(Sha256),
    /// The key is not there.
    Absent,
    /// Neither: the proof is of another key, of another root, or none at all.
    Nothing,
}

impl Proof {
    /// Reads exactly the members `siblings` and `end`.
    ///
    /// # Errors
    /// Where a member is missing, unknown or of another form, a part is not exactly 32 bytes, or there are more than 256
    /// siblings.
    pub fn read(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "index proof")?;
        let siblings = form.array("siblings")?;
        require(siblings.len() <= MAX_SIBLINGS, "an index proof has more than 256 siblings")?;
        let siblings: Option<Vec<Sha256>> =
            siblings.iter().map(|sibling| sibling.as_str().and_then(Sha256::parse)).collect();
        let siblings = siblings.ok_or_else(|| form.wrong("siblings", "not an array of sha256 hashes"))?;
        let end = match form.take("end")? {
            Value::Null => None,
            end => Some(read_end(end)?),
        };
        form.finish()?;
        Ok(Self { siblings, end })
    }

    /// The value that stands in a bundle.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let siblings: Vec<Value> = self.siblings.iter().map(|sibling| Value::from(*sibling)).collect();
        let end = self.end.map(|(key, value)| Value::Object(Object::new().with("key", key).with("value", value)));
        Value::Object(Object::new().with("siblings", siblings).with("end", end))
    }

    /// What this proves about `key` in the index with this root.
    #[must_use]
    pub fn proves(&self, root: &Sha256, key: &Sha256) -> Proves {
        let depth = self.siblings.len();
        let on_path = self.end.is_none_or(|(end, _)| shared_bits(&end, key) >= depth);
        if depth > MAX_SIBLINGS || !on_path {
            return Proves::Nothing;
        }
        let start = self.end.map_or(Sha256::ZERO, |(end, value)| leaf_hash(&end, &value));
        let path = self.siblings.iter().enumerate().rev();
        let reached = path.fold(start, |subtree, (depth, sibling)| above(&subtree, sibling, bit(key, depth)));
        match self.end {
            _ if reached != *root => Proves::Nothing,
            Some((end, value)) if end == *key => Proves::Present(value),
            _ => Proves::Absent,
        }
    }
}

fn read_end(value: Value) -> Result<(Sha256, Sha256), FormError> {
    let mut form = Form::of(value, "end of an index proof")?;
    let end = (form.sha256("key")?, form.sha256("value")?);
    form.finish()?;
    Ok(end)
}
