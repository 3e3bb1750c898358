//! Reading a structure out of a value: each member once, of its form, and none left over (PROTOCOL 1: unknown members are
//! an error).

use crate::encoding::{Name, Object, Value};
use crate::hash::{Blake2b, Sha3, Sha256};
use crate::time::Time;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// A structure that is not of its form: which, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormError(pub String);

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for FormError {}

impl From<crate::encoding::EncodingError> for FormError {
    fn from(error: crate::encoding::EncodingError) -> Self {
        Self(error.to_string())
    }
}

/// An object that is being read. What has been taken is gone; [`Form::finish`] refuses what is left.
pub struct Form {
    what: &'static str,
    members: Vec<(Name, Option<Value>)>,
}

impl Form {
    /// Begins to read `value`, which must be an object; `what` names it in errors.
    ///
    /// # Errors
    /// Where it is not an object.
    pub fn of(value: Value, what: &'static str) -> Result<Self, FormError> {
        match value {
            Value::Object(object) => Ok(Self::of_object(object, what)),
            _ => Err(FormError(format!("{what} is not an object"))),
        }
    }

    /// Begins to read an object.
    #[must_use]
    pub fn of_object(object: Object, what: &'static str) -> Self {
        let members = object.into_members().into_iter().map(|(name, value)| (name, Some(value))).collect();
        Self { what, members }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Where a member was not taken: it is unknown.
    pub fn finish(self) -> Result<(), FormError> {
        match self.members.into_iter().find(|(_, value)| value.is_some()) {
            Some((name, _)) => Err(FormError(format!("{} has an unknown member `{}`", self.what, &*name))),
            None => Ok(()),
        }
    }

    /// The member, where it is there.
    pub fn opt(&mut self, name: &str) -> Option<Value> {
        self.members.iter_mut().find(|(other, _)| &**other == name)?.1.take()
    }

    /// The member, which must be there.
    ///
    /// # Errors
    /// Where it is missing.
    pub fn take(&mut self, name: &str) -> Result<Value, FormError> {
        self.opt(name).ok_or_else(|| FormError(format!("{} lacks the member `{name}`", self.what)))
    }

    /// `v`, which must be "1".
    ///
    /// # Errors
    /// Where it is missing or another.
    pub fn version(&mut self) -> Result<(), FormError> {
        if self.take("v")? == Value::Str("1".to_owned()) { Ok(()) } else { Err(self.wrong("v", "not \"1\"")) }
    }

    /// A string.
    ///
    /// # Errors
    /// Where it is missing or no string.
    pub fn string(&mut self, name: &str) -> Result<String, FormError> {
        match self.take(name)? {
            Value::Str(text) => Ok(text),
            _ => Err(self.wrong(name, "not a string")),
        }
    }

    /// A string that passes `test`; `form` says what it should be.
    ///
    /// # Errors
    /// Where it is missing, no string, or does not pass.
    pub fn named(&mut self, name: &str, form: &str, test: impl Fn(&str) -> bool) -> Result<String, FormError> {
        let text = self.string(name)?;
        if test(&text) { Ok(text) } else { Err(self.wrong(name, &format!("not {form}"))) }
    }

    /// A string that passes `test`, where the member is there.
    ///
    /// # Errors
    /// Where it is there and no string, or does not pass.
    pub fn opt_named(
        &mut self,
        name: &str,
        form: &str,
        test: impl Fn(&str) -> bool,
    ) -> Result<Option<String>, FormError> {
        if self.has(name) { self.named(name, form, test).map(Some) } else { Ok(None) }
    }

    /// An integer >= 0.
    ///
    /// # Errors
    /// Where it is missing, no integer, or negative.
    pub fn uint(&mut self, name: &str) -> Result<u64, FormError> {
        let value = self.take(name)?;
        value.as_int().and_then(|n| u64::try_from(n).ok()).ok_or_else(|| self.wrong(name, "not an integer >= 0"))
    }

    /// An integer >= 1.
    ///
    /// # Errors
    /// Where it is missing or less.
    pub fn positive(&mut self, name: &str) -> Result<u64, FormError> {
        self.uint(name)?.checked_sub(1).map(|n| n + 1).ok_or_else(|| self.wrong(name, "not an integer >= 1"))
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// Where it is missing or neither.
    pub fn boolean(&mut self, name: &str) -> Result<bool, FormError> {
        match self.take(name)? {
            Value::Bool(b) => Ok(b),
            _ => Err(self.wrong(name, "not true or false")),
        }
    }

    /// An object.
    ///
    /// # Errors
    /// Where it is missing or no object.
    pub fn object(&mut self, name: &str) -> Result<Object, FormError> {
        match self.take(name)? {
            Value::Object(object) => Ok(object),
            _ => Err(self.wrong(name, "not an object")),
        }
    }

    /// An array.
    ///
    /// # Errors
    /// Where it is missing or no array.
    pub fn array(&mut self, name: &str) -> Result<Vec<Value>, FormError> {
        match self.take(name)? {
            Value::Array(items) => Ok(items),
            _ => Err(self.wrong(name, "not an array")),
        }
    }

    /// An array of strings.
    ///
    /// # Errors
    /// Where it is missing, or something in it is no string.
    pub fn strings(&mut self, name: &str) -> Result<Vec<String>, FormError> {
        let items = self.array(name)?;
        let strings: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(ToOwned::to_owned)).collect();
        strings.ok_or_else(|| self.wrong(name, "not an array of strings"))
    }

    /// A `sha3-512:` hash.
    ///
    /// # Errors
    /// Where it is missing or of another form.
    pub fn sha3(&mut self, name: &str) -> Result<Sha3, FormError> {
        let text = self.string(name)?;
        Sha3::parse(&text).ok_or_else(|| self.wrong(name, "not a sha3-512 hash"))
    }

    /// A `sha3-512:` hash or null.
    ///
    /// # Errors
    /// Where it is missing or of another form.
    pub fn sha3_or_null(&mut self, name: &str) -> Result<Option<Sha3>, FormError> {
        match self.take(name)? {
            Value::Null => Ok(None),
            value => match value.as_str().and_then(Sha3::parse) {
                Some(hash) => Ok(Some(hash)),
                None => Err(self.wrong(name, "neither a sha3-512 hash nor null")),
            },
        }
    }

    /// A `blake2b-512:` hash or null.
    ///
    /// # Errors
    /// Where it is missing or of another form.
    pub fn blake2b_or_null(&mut self, name: &str) -> Result<Option<Blake2b>, FormError> {
        match self.take(name)? {
            Value::Null => Ok(None),
            value => match value.as_str().and_then(Blake2b::parse) {
                Some(hash) => Ok(Some(hash)),
                None => Err(self.wrong(name, "neither a blake2b-512 hash nor null")),
            },
        }
    }

    /// A `blake2b-512:` hash.
    ///
    /// # Errors
    /// Where it is missing or of another form.
    pub fn blake2b(&mut self, name: &str) -> Result<Blake2b, FormError> {
        let text = self.string(name)?;
        Blake2b::parse(&text).ok_or_else(|| self.wrong(name, "not a blake2b-512 hash"))
    }

    /// A `sha256:` hash.
    ///
    /// # Errors
    /// Where it is missing or of another form.
    pub fn sha256(&mut self, name: &str) -> Result<Sha256, FormError> {
        let text = self.string(name)?;
        Sha256::parse(&text).ok_or_else(|| self.wrong(name, "not a sha256 hash"))
    }

    /// A time to the second.
    ///
    /// # Errors
    /// Where it is missing or of another form.
    pub fn seconds(&mut self, name: &str) -> Result<Time, FormError> {
        let text = self.string(name)?;
        Time::parse_seconds(&text).ok_or_else(|| self.wrong(name, "not a time to the second"))
    }

    /// A time to the millisecond.
    ///
    /// # Errors
    /// Where it is missing or of another form.
    pub fn millis(&mut self, name: &str) -> Result<Time, FormError> {
        let text = self.string(name)?;
        Time::parse_millis(&text).ok_or_else(|| self.wrong(name, "not a time to the millisecond"))
    }

    /// Whether the member is there and was not taken yet.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(other, value)| &**other == name && value.is_some())
    }

    /// The error for a member that is not of its form.
    #[must_use]
    pub fn wrong(&self, name: &str, how: &str) -> FormError {
        FormError(format!("{}: `{name}` is {how}", self.what))
    }
}

/// A [`FormError`] from a static text, for a condition that spans members.
///
/// # Errors
/// Where `condition` does not hold.
pub fn require(condition: bool, what: &str) -> Result<(), FormError> {
    if condition { Ok(()) } else { Err(FormError(what.to_owned())) }
}
