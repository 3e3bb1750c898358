//! The operation that an artifact authorizes (PROTOCOL 4): its name, its scope and its parameters.

use crate::encoding::{Object, Value};
use crate::form::{FormError, require};
use crate::hash::Sha3;
use crate::subject::Named;
use crate::{limits, name};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The operation that is authorised: name, scope, the binding of the request, and the parameters that policy reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name, for instance `model.invoke`.
    pub name: String,
    /// What it may touch, sorted by byte and unique.
    pub scope: Vec<String>,
    /// The digest of the exact request, where the policy binds it.
    pub params: Option<Sha3>,
    pub(super) value: Value,
}

impl Operation {
    /// Reads an `op`: `name`, `scope`, `params` where bound, and whatever parameters the policy reads.
    ///
    /// # Errors
    /// Where it is larger than 4 KiB, or `name`, `scope` or `params` is of another form.
    pub fn read(value: Value) -> Result<Self, FormError> {
        Self::check_size(&value)?;
        let object = value.as_object().ok_or_else(|| FormError("op is not an object".into()))?;
        let name = text(required(object, "name")?, "name")?;
        if !name::is_operation(name) {
            return Err(wrong("name", "not an operation's name"));
        }
        let scope = required(object, "scope")?.as_array().ok_or_else(|| wrong("scope", "not an array"))?;
        let scope: Option<Vec<String>> = scope.iter().map(|entry| entry.as_str().map(ToOwned::to_owned)).collect();
        let scope = scope.ok_or_else(|| wrong("scope", "not an array of strings"))?;
        require(scope.len() <= limits::MAX_SCOPE, "op: `scope` has more than 64 entries")?;
        require(scope.iter().all(|entry| name::is_operation(entry)), "op: a scope entry is not a name")?;
        require(scope.is_sorted_by(|a, b| a < b), "op: `scope` is not sorted and unique")?;
        let params = object
            .get("params")
            .map(|params| Sha3::parse(text(params, "params")?).ok_or_else(|| wrong("params", "not a sha3-512 hash")));
        Ok(Self { name: name.to_owned(), scope, params: params.transpose()?, value })
    }

    /// The same with the digest of the exact request that it is bound to.
    ///
    /// # Errors
    /// Where it is larger than 4 KiB with that.
    pub fn bound(mut self, params: Sha3) -> Result<Self, FormError> {
        if let Value::Object(object) = &mut self.value {
            object.insert("params", params);
        }
        Self::check_size(&self.value)?;
        self.params = Some(params);
        Ok(self)
    }

    /// Whether an `op` is no larger and no deeper than one may be, whatever it holds.
    ///
    /// # Errors
    /// The limit that it is past.
    pub fn check_size(value: &Value) -> Result<(), FormError> {
        require(value.canonical().len() <= limits::MAX_OP, "op is larger than 4 KiB")?;
        // It stands in an artifact, and that in a token and in a bundle.
        require(value.depth() + 2 <= limits::MAX_DEPTH, "op is too deep to stand in a token")
    }

    /// The whole `op` as a value.
    #[must_use]
    pub const fn value(&self) -> &Value {
        &self.value
    }

    /// The members besides `name`, `scope` and `params`: what policy reads.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &Value)> {
        let members = self.value.as_object().into_iter().flat_map(Object::iter);
        members.filter(|(name, _)| !matches!(*name, "name" | "scope" | "params"))
    }

    /// A parameter that is a string, for instance `model` or `tool`.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.value.get(name).and_then(Value::as_str)
    }

    /// The same as a containment sees it.
    #[must_use]
    pub fn named(&self, name: &str) -> Named<'_> {
        Named::of(self.value.get(name))
    }
}

// What is read is kept, so its members are looked at where they are; the errors are those of a `Form`.

fn required<'a>(object: &'a Object, member: &str) -> Result<&'a Value, FormError> {
    object.get(member).ok_or_else(|| FormError(format!("op lacks the member `{member}`")))
}

fn text<'a>(value: &'a Value, member: &str) -> Result<&'a str, FormError> {
    value.as_str().ok_or_else(|| wrong(member, "not a string"))
}

fn wrong(member: &str, how: &str) -> FormError {
    FormError(format!("op: `{member}` is {how}"))
}
