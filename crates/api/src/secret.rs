//! Secrets that are shown once and kept as a hash: of clients, who call, and of auditors, who read the ledger.
//!
//! `elk_<holder>_<secret>`, 32 random bytes in base32. A row of the registry's sources holds the SHA3-512 of it and the
//! identity that it stands for; its kind says what it is good for, and it is good for nothing else. An operator has none and
//! signs by a key, and its row is named as theirs are: `<kind>.<holder>`.

use crate::identity::CLIENT_SECRET_PREFIX;
use crate::token;
use eleven_core::encoding::{Object, Value};
use eleven_core::hash::Sha3;
use eleven_core::id;
use eleven_core::name;
use eleven_core::registry::SourceRecord;
use std::fmt;
use subtle::ConstantTimeEq as _;

/// The kind of a client's row: its secret is exchanged for identity tokens.
pub const CLIENT: &str = "client";
/// The kind of an auditor's row: its secret opens entries and search of a ledger that does not show them to everybody.
pub const AUDITOR: &str = "auditor";

/// The kind of an operator's row: it signs acts by the key that stands there.
pub const OPERATOR: &str = "operator";

/// What [`is_holder`] asks, for whoever named somebody otherwise.
pub const HOLDER_FORM: &str = "a name of 1 to 48 characters of a-z, 0-9, dot, dash and underscore";

/// Characters of 32 bytes in base32.
const LENGTH: usize = 52;
/// Characters of a holder's name: with its prefix it has to be one segment of at most 64.
const MAX_NAME: usize = 48;

/// A secret in clear. It is never written to a log, an event or an error.
pub struct Secret {
    text: String,
    holder: String,
}

impl Secret {
    /// A new secret; `None` where the holder's name is not a name.
    #[must_use]
    pub fn new(holder: &str, random: &[u8; 32]) -> Option<Self> {
        let text = format!("{CLIENT_SECRET_PREFIX}{holder}_{}", id::base32(random));
        is_holder(holder).then(|| Self { text, holder: holder.to_owned() })
    }

    /// Reads what stands where a bearer credential is expected; `None` where that is no secret of this form.
    #[must_use]
    pub fn parse(bearer: &str) -> Option<Self> {
        let (holder, secret) = bearer.strip_prefix(CLIENT_SECRET_PREFIX)?.rsplit_once('_')?;
        let whole = secret.len() == LENGTH && secret.bytes().all(|b| b.is_ascii_alphanumeric());
        (is_holder(holder) && whole).then(|| Self { text: bearer.to_owned(), holder: holder.to_owned() })
    }

    /// The name of whom it was given to.
    #[must_use]
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> Sha3 {
        Sha3::of(&[self.text.as_bytes()])
    }

    /// Whether it is the one of which `hash` was kept; takes as long whether it is or not.
    #[must_use]
    pub fn hashes_to(&self, hash: &Sha3) -> bool {
        bool::from(self.hash().0.ct_eq(&hash.0))
    }

    /// Whether it is that of a source's row, and the row is of this kind.
    #[must_use]
    pub fn is_of(&self, row: &SourceRecord, kind: &str) -> bool {
        let text = |name: &str| row.mapping.get(name).and_then(Value::as_str);
        let hash = text("hash").and_then(Sha3::parse);
        text("kind") == Some(kind) && hash.is_some_and(|hash| self.hashes_to(&hash))
    }

    /// The row that is registered for it: the secret itself is nowhere in it.
    #[must_use]
    pub fn source(&self, kind: &str, identity: &str) -> SourceRecord {
        source_of(kind, &self.holder, identity, &self.hash())
    }

    /// The id of a token that it is exchanged for, where it is a client's that stands for `identity` ([`token::id_of`]).
    #[must_use]
    pub fn token_id(&self, identity: &str, random: &[u8; 16]) -> String {
        let row = self.source(CLIENT, identity);
        token::id_of(&row.name, &token::print(&row.mapping), random)
    }

    /// The text that is shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.holder)
    }
}

/// The row that is registered for a secret of which only this is known.
#[must_use]
pub fn source_of(kind: &str, holder: &str, identity: &str, hash: &Sha3) -> SourceRecord {
    let mapping = Object::new().with("kind", kind).with("identity", identity).with("hash", *hash);
    SourceRecord { name: row(kind, holder), source: kind.to_owned(), mapping }
}

/// Whether somebody of the registry's sources may be named so.
#[must_use]
pub fn is_holder(text: &str) -> bool {
    name::is_segment(text) && text.len() <= MAX_NAME
}

fn row(kind: &str, holder: &str) -> String {
    format!("{kind}.{holder}")
}

/// The name of a client's row.
#[must_use]
pub fn client_row(client: &str) -> String {
    row(CLIENT, client)
}

/// The name of an auditor's row.
#[must_use]
pub fn auditor_row(auditor: &str) -> String {
    row(AUDITOR, auditor)
}

/// The name of an operator's row.
#[must_use]
pub fn operator_row(operator: &str) -> String {
    row(OPERATOR, operator)
}

#[cfg(test)]
mod tests;
