//! The operation that an artifact authorizes (PROTOCOL 4): its name, its scope and its parameters.

use crate::encoding::{Object, Value};
use crate::form::{Form, FormError, require};
use crate::hash::Sha3;
use crate::subject::Named;
use crate::{limits, name};
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
        let mut form = Form::of(value.clone(), "op")?;
        let name = form.named("name", "an operation's name", name::is_operation)?;
        let scope = form.strings("scope")?;
        require(scope.len() <= limits::MAX_SCOPE, "op: `scope` has more than 64 entries")?;
        require(scope.iter().all(|entry| name::is_operation(entry)), "op: a scope entry is not a name")?;
        require(scope.is_sorted_by(|a, b| a < b), "op: `scope` is not sorted and unique")?;
        let params = if form.has("params") { Some(form.sha3("params")?) } else { None };
        Ok(Self { name, scope, params, value })
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
