//! Reading a structure out of a value: each member once, of its form, and none left over (PROTOCOL 1: unknown members are
//! an error).

use crate::encoding::{self, Encoded, Name, Object, Value, Written, parse};
use crate::hash::{Blake2b, Sha3, Sha256};
use crate::time::Time;
use alloc::borrow::{Cow, ToOwned};
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
///
/// It is read out of a [`Value`] or where it stands in its canonical encoding: the same structure either way.
pub struct Form<'a> {
    what: &'static str,
    members: Members<'a>,
}

/// Members, none where one was taken.
enum Members<'a> {
    Values(Vec<(Name, Option<Value>)>),
    Written(Vec<Option<encoding::Member<'a>>>),
}

/// A member that was taken.
enum Member<'a> {
    Value(Value),
    Written(Written<'a>),
}

impl Member<'_> {
    fn into_value(self) -> Result<Value, FormError> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Written(written) => Ok(written.value()?),
        }
    }
}

impl<'a> Form<'a> {
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
        let members = object.into_members().into_iter().map(|(name, value)| (name, Some(value)));
        Self { what, members: Members::Values(members.collect()) }
    }

    /// Begins to read an object where it stands.
    #[must_use]
    pub fn of_encoded(encoded: &Encoded<'a>, what: &'static str) -> Self {
        // A name with an escape is none of the protocol's: as it is written, it is as unknown as what it stands for.
        Self { what, members: Members::Written(encoded.members().iter().copied().map(Some).collect()) }
    }

    /// Begins to read an object's text, be it the canonical one or another.
    ///
    /// # Errors
    /// Where it is not I-JSON, or not an object.
    pub fn of_text(text: &'a [u8], what: &'static str) -> Result<Self, FormError> {
        match Encoded::of(text) {
            Ok(encoded) => Ok(Self::of_encoded(&encoded, what)),
            Err(_) => Self::of(parse(text)?, what),
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Where a member was not taken: it is unknown.
    pub fn finish(self) -> Result<(), FormError> {
        let left = match &self.members {
            Members::Values(members) => members.iter().find(|(_, value)| value.is_some()).map(|(name, _)| &**name),
            Members::Written(members) => members.iter().flatten().next().map(encoding::Member::name),
        };
        match left {
            Some(name) => Err(FormError(format!("{} has an unknown member `{name}`", self.what))),
            None => Ok(()),
        }
    }

    fn remove(&mut self, name: &str) -> Option<Member<'a>> {
        match &mut self.members {
            Members::Values(members) => {
                members.iter_mut().find(|(other, _)| **other == *name)?.1.take().map(Member::Value)
            }
            Members::Written(members) => {
                let is_it = |member: &&mut Option<encoding::Member<'_>>| is_named(member.as_ref(), name);
                members.iter_mut().find(is_it)?.take().map(|member| Member::Written(member.value()))
            }
        }
    }

    fn required(&mut self, name: &str) -> Result<Member<'a>, FormError> {
        self.remove(name).ok_or_else(|| FormError(format!("{} lacks the member `{name}`", self.what)))
    }

    /// The member, where it is there.
    pub fn opt(&mut self, name: &str) -> Option<Value> {
        self.remove(name)?.into_value().ok()
    }

    /// The member, which must be there.
    ///
    /// # Errors
    /// Where it is missing.
    pub fn take(&mut self, name: &str) -> Result<Value, FormError> {
        self.required(name)?.into_value()
    }

    /// The member, which must be an object, to be read in turn; `what` names it in errors.
    ///
    /// # Errors
    /// Where it is missing or no object.
    pub fn form(&mut self, name: &str, what: &'static str) -> Result<Form<'a>, FormError> {
        match self.required(name)? {
            Member::Value(value) => Form::of(value, what),
            Member::Written(written) => match Encoded::of_text(written.text()) {
                Some(encoded) => Ok(Form::of_encoded(&encoded, what)),
                None => Err(FormError(format!("{what} is not an object"))),
            },
        }
    }

    /// The canonical encoding of the member, which must be there.
    ///
    /// # Errors
    /// Where it is missing.
    pub fn encoded(&mut self, name: &str) -> Result<Cow<'a, [u8]>, FormError> {
        Ok(match self.required(name)? {
            Member::Value(value) => Cow::Owned(value.canonical()),
            Member::Written(written) => Cow::Borrowed(written.text().as_bytes()),
        })
    }

    /// A string, where it stands if it can be read there.
    fn text(&mut self, name: &str) -> Result<Cow<'a, str>, FormError> {
        let member = self.required(name)?;
        self.text_of(name, member)
    }

    /// The string that the member `name` is, which was taken.
    fn text_of(&self, name: &str, member: Member<'a>) -> Result<Cow<'a, str>, FormError> {
        let text = match member {
            Member::Value(Value::Str(text)) => Some(Cow::Owned(text)),
            Member::Value(_) => None,
            Member::Written(written) => written.string(),
        };
        text.ok_or_else(|| self.wrong(name, "not a string"))
    }

    /// What a string is read as; `how` says what it is not otherwise.
    fn read<T>(&mut self, name: &str, how: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, FormError> {
        let text = self.text(name)?;
        read(&text).ok_or_else(|| self.wrong(name, how))
    }

    /// The same, or `None` for null.
    fn read_or_null<T>(
        &mut self,
        name: &str,
        how: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, FormError> {
        let found = match self.required(name)? {
            Member::Value(Value::Null) => return Ok(None),
            Member::Written(written) if written.text() == "null" => return Ok(None),
            Member::Value(value) => value.as_str().and_then(read),
            Member::Written(written) => written.string().and_then(|text| read(&text)),
        };
        found.map(Some).ok_or_else(|| self.wrong(name, how))
    }

    /// `v`, which must be "1".
    ///
    /// # Errors
    /// Where it is missing or another.
    pub fn version(&mut self) -> Result<(), FormError> {
        let is_first = match self.required("v")? {
            Member::Value(value) => value.as_str() == Some("1"),
            Member::Written(written) => written.text() == "\"1\"",
        };
        if is_first { Ok(()) } else { Err(self.wrong("v", "not \"1\"")) }
    }

    /// A string.
    ///
    /// # Errors
    /// Where it is missing or no string.
    pub fn string(&mut self, name: &str) -> Result<String, FormError> {
        self.text(name).map(Cow::into_owned)
    }

    /// A string that passes `test`; `form` says what it should be.
    ///
    /// # Errors
    /// Where it is missing, no string, or does not pass.
    pub fn named(&mut self, name: &str, form: &str, test: impl Fn(&str) -> bool) -> Result<String, FormError> {
        let member = self.required(name)?;
        self.tested(name, member, form, test)
    }

    /// The same of a member that was taken.
    fn tested(
        &self,
        name: &str,
        member: Member<'a>,
        form: &str,
        test: impl Fn(&str) -> bool,
    ) -> Result<String, FormError> {
        let text = self.text_of(name, member)?;
        if test(&text) { Ok(text.into_owned()) } else { Err(self.wrong(name, &format!("not {form}"))) }
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
        self.remove(name).map(|member| self.tested(name, member, form, test)).transpose()
    }

    /// An integer >= 0.
    ///
    /// # Errors
    /// Where it is missing, no integer, or negative.
    pub fn uint(&mut self, name: &str) -> Result<u64, FormError> {
        let value = self.take(name)?;
        value.as_uint().ok_or_else(|| self.wrong(name, "not an integer >= 0"))
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
        self.read(name, "not a sha3-512 hash", Sha3::parse)
    }

    /// A `sha3-512:` hash or null.
    ///
    /// # Errors
    /// Where it is missing or of another form.
    pub fn sha3_or_null(&mut self, name: &str) -> Result<Option<Sha3>, FormError> {
        self.read_or_null(name, "neither a sha3-512 hash nor null", Sha3::parse)
    }

    /// A `blake2b-512:` hash or null.
    ///
    /// # Errors
    /// Where it is missing or of another form.
    pub fn blake2b_or_null(&mut self, name: &str) -> Result<Option<Blake2b>, FormError> {
        self.read_or_null(name, "neither a blake2b-512 hash nor null", Blake2b::parse)
    }

    /// A `blake2b-512:` hash.
    ///
    /// # Errors
    /// Where it is missing or of another form.
    pub fn blake2b(&mut self, name: &str) -> Result<Blake2b, FormError> {
        self.read(name, "not a blake2b-512 hash", Blake2b::parse)
    }

    /// A `sha256:` hash.
    ///
    /// # Errors
    /// Where it is missing or of another form.
    pub fn sha256(&mut self, name: &str) -> Result<Sha256, FormError> {
        self.read(name, "not a sha256 hash", Sha256::parse)
    }

    /// A time to the second.
    ///
    /// # Errors
    /// Where it is missing or of another form.
    pub fn seconds(&mut self, name: &str) -> Result<Time, FormError> {
        self.read(name, "not a time to the second", Time::parse_seconds)
    }

    /// A time to the millisecond.
    ///
    /// # Errors
    /// Where it is missing or of another form.
    pub fn millis(&mut self, name: &str) -> Result<Time, FormError> {
        self.read(name, "not a time to the millisecond", Time::parse_millis)
    }

    /// Whether the member is there and was not taken yet.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        match &self.members {
            Members::Values(members) => members.iter().any(|(other, value)| **other == *name && value.is_some()),
            Members::Written(members) => members.iter().any(|member| is_named(member.as_ref(), name)),
        }
    }

    /// The error for a member that is not of its form.
    #[must_use]
    pub fn wrong(&self, name: &str, how: &str) -> FormError {
        FormError(format!("{}: `{name}` is {how}", self.what))
    }
}

fn is_named(member: Option<&encoding::Member<'_>>, name: &str) -> bool {
    member.is_some_and(|member| member.is(name))
}

/// A [`FormError`] from a static text, for a condition that spans members.
///
/// # Errors
/// Where `condition` does not hold.
pub fn require(condition: bool, what: &str) -> Result<(), FormError> {
    if condition { Ok(()) } else { Err(FormError(what.to_owned())) }
}

#[cfg(test)]
mod tests;
