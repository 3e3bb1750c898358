//! The token that travels: what a caller presents to a point.

use super::Artifact;
use crate::encoding::{Object, Value, parse_canonical};
use crate::event::Record;
use crate::form::{Form, FormError, require};
use crate::hash;
use crate::limits;
use alloc::string::String;

/// The token that travels (PROTOCOL 4): artifact, the record of its issuance, and the salt of its digests.
#[derive(Clone, Debug)]
pub struct Token {
    /// The artifact.
    pub artifact: Artifact,
    /// The record of its `authorization.issued`.
    pub issued: Record,
    /// "" or padded base64 of 16 bytes.
    pub salt: String,
}

impl Token {
    /// Reads the token's text: unpadded base64url of exactly the canonical bytes, at most 14 KiB.
    ///
    /// # Errors
    /// Where it is anything else.
    pub fn read(text: &str) -> Result<Self, FormError> {
        require(text.len() <= limits::MAX_TOKEN, "the token is larger than 14 KiB")?;
        let bytes = hash::unbase64url(text).ok_or_else(|| FormError("the token is not base64url".into()))?;
        Self::of_value(parse_canonical(&bytes)?)
    }

    /// Reads the token's three members out of a value.
    ///
    /// # Errors
    /// Where one is missing, unknown or of another form.
    pub fn of_value(value: Value) -> Result<Self, FormError> {
        let mut form = Form::of(value, "token")?;
        let artifact = Artifact::read(form.take("artifact")?)?;
        let issued = Record::read(form.take("issued")?)?;
        let salt = form.named("salt", "\"\" or 16 bytes in base64", is_salt)?;
        form.finish()?;
        Ok(Self { artifact, issued, salt })
    }

    /// The text that travels.
    #[must_use]
    pub fn text(&self) -> String {
        let value = Object::new().with("artifact", self.artifact.to_value()).with("issued", self.issued.to_value());
        hash::base64url(&value.with("salt", &self.salt).canonical())
    }
}

fn is_salt(text: &str) -> bool {
    text.is_empty() || hash::unbase64(text).is_some_and(|bytes| bytes.len() == limits::SALT)
}
