//! The token that travels: what a caller presents to a point.

use super::Artifact;
use crate::encoding::Encoded;
use crate::event::Record;
use crate::form::{Form, FormError, require};
use crate::hash::{self, Sha3};
use crate::limits;
use alloc::string::String;
use alloc::vec::Vec;

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
        let mut form = Form::of_encoded(&Encoded::of(&bytes)?, "token");
        let token = Self::take(&mut form)?;
        form.finish()?;
        Ok(token)
    }

    /// Takes the token's three members out of a structure: `artifact`, `issued`, `salt`.
    ///
    /// # Errors
    /// Where one is missing or of another form.
    pub fn take(form: &mut Form<'_>) -> Result<Self, FormError> {
        let artifact = Artifact::read_canonical(&form.encoded("artifact")?)?;
        let issued = Record::read_canonical(&form.encoded("issued")?)?;
        let salt = form.named("salt", "\"\" or 16 bytes in base64", is_salt)?;
        Ok(Self { artifact, issued, salt })
    }

    /// Whether the digests of its artifact follow, and whether the hashes of its issuance record do, as
    /// [`Artifact::digests_follow`] and [`Record::hashes_follow`] say: all of one is hashed at a time.
    #[must_use]
    pub fn digests_follow(&self) -> (bool, bool) {
        let content = self.artifact.content();
        let content = content.as_deref();
        let [payload, id] = self.artifact.digested(content);
        let hashes = Sha3::of_each(&[payload, id, self.issued.hashed()]);
        let [chash, id, hash] = hashes.as_slice() else { return (false, false) };
        (self.artifact.follows(content, chash, id), *hash == self.issued.hash && self.issued.hash_alt_follows())
    }

    /// The canonical encoding of its three members, around those of the artifact and the record.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        let (artifact, issued) = (self.artifact.canonical(), self.issued.canonical());
        // A salt is base64, which needs no escape.
        let parts: [&[u8]; 7] =
            [br#"{"artifact":"#, artifact, br#","issued":"#, issued, br#","salt":""#, self.salt.as_bytes(), br#""}"#];
        parts.concat()
    }

    /// The text that travels.
    #[must_use]
    pub fn text(&self) -> String {
        hash::base64url(&self.canonical())
    }
}

fn is_salt(text: &str) -> bool {
    text.is_empty() || hash::unbase64(text).is_some_and(|bytes| bytes.len() == limits::SALT)
}
