//! Who calls: identity tokens and client secrets, by the sources that the registry lists (PROTOCOL 11, 12).
//!
//! A row of `sources` carries its kind in the mapping:
//!
//! | kind | `source` | mapping | speaks for |
//! |---|---|---|---|
//! | `jwt` | the issuer | `{"kind","kid","public"}` | whom its tokens name |
//! | `jwt-ended` | the issuer | `{"kind","kid","public","status","since"}` | nobody: its key has ended |
//! | `client` | `client` | `{"kind","identity","hash"}` | one identity, by a secret that only its SHA3-512 is kept of |
//! | `auditor` | `auditor` | as a client's | nobody here: it reads the ledger |
//! | `operator` | `operator` | `{"kind","identity","kid","public"}` | one identity, by signed acts ([`crate::admin`]) |
//!
//! A row that is not of its kind's form, or of another kind, authenticates nobody.

pub(crate) mod keys;
pub(crate) mod rows;

pub use keys::jwt_row;

use eleven_api::secret::{AUDITOR, CLIENT, OPERATOR, Secret, operator_row};
use eleven_api::token::{self, Claims, JWT, JWT_ENDED, TokenError};
use eleven_core::encoding::Object;
use eleven_core::form::{Form, FormError};
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::name;
use eleven_core::registry::{Lists, SourceRecord};
use eleven_core::signature::{Signer, Tables, VerifyingKey, base64_value, bytes32};
use eleven_core::time::Time;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Seconds that a token lives which a client secret was exchanged for.
pub const EXCHANGED_LIFE: i64 = 60;

/// Why no token is issued.
pub(crate) const NO_KEY: &str = "the authority holds no identity key that is registered and has not ended: its operator has to renew it \
                                 (docs/keys.md)";

/// How many issuers of tokens have a table to verify them with.
const TABLES: usize = 64;

/// How many verified tokens are remembered; past that the memory starts anew.
const REMEMBERED: usize = 10_000;

/// The identity sources of one epoch, ready to authenticate.
#[derive(Debug, Default)]
pub struct Sources {
    jwt: BTreeMap<String, Issuer>,
    clients: BTreeMap<String, Client>,
    operators: BTreeMap<String, Operator>,
    /// Tokens that these sources verified, by their digest: a caller's comes with each of its calls. All but its time follows from
    /// the token and the sources, which never change; those of another epoch are others, and remember nothing of these.
    verified: Mutex<HashMap<Sha256, Verified>>,
}

/// What a token says that was verified, and for whom it counts.
#[derive(Clone, Debug)]
struct Verified {
    claims: Claims,
    caller: Caller,
}

#[derive(Debug)]
struct Issuer {
    name: String,
    key: VerifyingKey,
}

#[derive(Debug)]
struct Client {
    identity: String,
    hash: Sha3,
    print: String,
}

/// An operator: who signs acts with which key.
#[derive(Clone, Debug)]
pub struct Operator {
    /// The row that lists it.
    pub row: String,
    /// The identity that acts.
    pub identity: String,
    /// The name of its key.
    pub kid: String,
    /// Its key.
    pub key: VerifyingKey,
    print: String,
}

impl Operator {
    /// Whether `other` is the same one: of the same row, with the same key, for the same identity.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let same_key = self.kid == other.kid && self.key.as_bytes() == other.key.as_bytes();
        same_key && self.row == other.row && self.identity == other.identity
    }

    /// Whether a containment of this subject is one of its identity, whatever state that is in. One of more than that stops no
    /// operator: somebody has to lift it.
    #[must_use]
    pub fn is_covered(&self, kind: &str, subject: &str) -> bool {
        kind == "identity" && subject == self.identity
    }

    /// Whether it is contained by these lists.
    #[must_use]
    pub fn is_contained(&self, lists: &Lists) -> bool {
        lists.containments.iter().any(|row| self.is_covered(&row.kind, &row.subject))
    }

    /// The id of a token that it has issued: the token stands as long as the operator does.
    #[must_use]
    pub fn token_id(&self, random: &[u8; 16]) -> String {
        token::id_of(&self.row, &self.print, random)
    }
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The identity that the credential stands for.
    pub identity: String,
    /// Who had it issued, where an operator had.
    pub operator: Option<String>,
}

/// Why nobody is authenticated: the reason is `identity.unauthenticated` in each case. No text repeats a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityError {
    /// No `Authorization: Bearer` header, or more than one.
    Missing,
    /// A client secret that is not known, or was revoked, or a token of such a client or of an operator who is none any more.
    Secret,
    /// A token that does not hold.
    Token(TokenError),
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str(
                "send an identity token or a client secret as `Authorization: Bearer`, and no other with it",
            ),
            Self::Secret => f.write_str(
                "the client secret, or the client or operator that answers for the token, is not known here, or was revoked: add the \
                 client again, or have another token issued",
            ),
            Self::Token(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for IdentityError {}

impl Sources {
    /// The sources of a registry's lists.
    #[must_use]
    pub fn of(lists: &Lists) -> Self {
        Self::of_rows(lists.sources.iter())
    }

    /// The sources of these rows.
    #[must_use]
    pub fn of_rows<'a>(rows: impl Iterator<Item = &'a SourceRecord>) -> Self {
        let mut sources = Self::default();
        let tables = Tables::new(TABLES);
        for row in rows {
            if let Err(error) = sources.take(row, &tables) {
                tracing::warn!(source = %row.name, %error, "an identity source authenticates nobody");
            }
        }
        sources
    }

    fn take(&mut self, row: &SourceRecord, tables: &Tables) -> Result<(), FormError> {
        let print = token::print(&row.mapping);
        let mut form = Form::of_object(row.mapping.clone(), "identity source's mapping");
        match form.string("kind")?.as_str() {
            JWT => {
                let (kid, key) = read_key(&mut form)?;
                let (name, key) = (row.source.clone(), key.with_table(tables));
                form.finish()?;
                self.jwt.insert(kid, Issuer { name, key });
            }
            CLIENT => {
                let identity = form.named("identity", "an identity", name::is_identity)?;
                let hash = form.sha3("hash")?;
                form.finish()?;
                let client = row.name.strip_prefix(CLIENT).and_then(|name| name.strip_prefix('.')).unwrap_or(&row.name);
                self.clients.insert(client.to_owned(), Client { identity, hash, print });
            }
            OPERATOR => {
                let identity = form.named("identity", "an identity", name::is_identity)?;
                let (kid, key) = read_key(&mut form)?;
                form.finish()?;
                let row = row.name.clone();
                self.operators.insert(kid.clone(), Operator { row, identity, kid, key, print });
            }
            JWT_ENDED => {}
            // The ledger looks these up by itself.
            AUDITOR => {}
            _ => return Err(form.wrong("kind", "none of jwt, client, auditor, operator")),
        }
        Ok(())
    }

    /// Who is behind a bearer credential, a token or a client secret, at `now`.
    ///
    /// # Errors
    /// Where it authenticates nobody.
    pub fn authenticate(&self, bearer: &str, domain: &str, now: Time) -> Result<Caller, IdentityError> {
        match Secret::parse(bearer) {
            Some(secret) => Ok(Caller { identity: self.client(&secret)?.to_owned(), operator: None }),
            None => self.token(bearer, domain, now),
        }
    }

    /// The identity that a client secret is bound to.
    ///
    /// # Errors
    /// Where it is not known.
    pub fn client(&self, secret: &Secret) -> Result<&str, IdentityError> {
        let known = self.clients.get(secret.holder()).ok_or(IdentityError::Secret)?;
        if secret.hashes_to(&known.hash) { Ok(&known.identity) } else { Err(IdentityError::Secret) }
    }

    fn token(&self, text: &str, domain: &str, now: Time) -> Result<Caller, IdentityError> {
        let name = Sha256::of(&[text.as_bytes()]);
        if let Some(caller) = self.remembered(&name, domain, now) {
            return Ok(caller);
        }
        let mut issuer = None;
        let claims = token::verify(text, domain, now, |kid| {
            let known = self.jwt.get(kid)?;
            issuer = Some(known.name.as_str());
            Some(known.key.clone())
        });
        let claims = claims.map_err(IdentityError::Token)?;
        // A key speaks for its own issuer only.
        if issuer != Some(claims.iss.as_str()) {
            return Err(IdentityError::Token(TokenError::Untrusted));
        }
        if !token::stands(&claims.jti, |row| self.print_of(row)) {
            return Err(IdentityError::Secret);
        }
        let operator = token::answers_for(&claims.jti).and_then(|row| self.operator_at(row));
        let operator = operator.map(|operator| operator.identity.clone());
        let caller = Caller { identity: claims.sub.clone(), operator };
        self.remember(name, Verified { claims, caller: caller.clone() });
        Ok(caller)
    }

    /// The caller of a token that was verified before, in its time and for its domain.
    fn remembered(&self, name: &Sha256, domain: &str, now: Time) -> Option<Caller> {
        let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let known = verified.get(name).filter(|known| known.claims.aud == domain && known.claims.is_in_time(now));
        known.map(|known| known.caller.clone())
    }

    fn remember(&self, name: Sha256, token: Verified) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert(name, token);
    }

    /// Whether tokens of `issuer` that this signer signs count.
    #[must_use]
    pub fn counts(&self, issuer: &str, signer: &dyn Signer) -> bool {
        let known = self.jwt.get(signer.kid()).filter(|known| known.name == issuer);
        known.is_some_and(|known| *known.key.as_bytes() == signer.public())
    }

    /// The operator of this row.
    fn operator_at(&self, row: &str) -> Option<&Operator> {
        self.operators.values().find(|operator| operator.row == row)
    }

    /// What tells the row of this name, of a client or an operator, from another that it may have been.
    fn print_of(&self, row: &str) -> Option<String> {
        let client = row.strip_prefix(CLIENT).and_then(|name| name.strip_prefix('.'));
        let client = client.and_then(|client| self.clients.get(client)).map(|client| &client.print);
        let operator = || self.operator_at(row).map(|operator| &operator.print);
        client.or_else(operator).cloned()
    }

    /// The operator whose key has this name.
    #[must_use]
    pub fn operator(&self, kid: &str) -> Option<&Operator> {
        self.operators.get(kid)
    }

    /// All of them.
    pub fn operators(&self) -> impl Iterator<Item = &Operator> {
        self.operators.values()
    }

    /// Whether anybody may act yet.
    #[must_use]
    pub fn has_operators(&self) -> bool {
        !self.operators.is_empty()
    }
}

fn read_key(form: &mut Form<'_>) -> Result<(String, VerifyingKey), FormError> {
    let kid = form.named("kid", "a key's name", name::is_key)?;
    let public = bytes32(&form.string("public")?).as_ref().and_then(VerifyingKey::new);
    let sound = public.filter(VerifyingKey::is_torsion_free);
    Ok((kid, sound.ok_or_else(|| form.wrong("public", "not a public key"))?))
}

/// The row of an authority's identity tokens: `label` names it in this domain, `issuer` is the authority.
#[must_use]
pub fn jwt_source(label: &str, issuer: &str, kid: &str, public: &[u8; 32]) -> SourceRecord {
    let mapping = Object::new().with("kind", JWT).with("kid", kid).with("public", base64_value(public));
    SourceRecord { name: label.to_owned(), source: issuer.to_owned(), mapping }
}

/// The row of an operator.
#[must_use]
pub fn operator_source(operator: &str, identity: &str, kid: &str, public: &[u8; 32]) -> SourceRecord {
    let mapping = Object::new().with("kind", OPERATOR).with("identity", identity).with("kid", kid);
    let mapping = mapping.with("public", base64_value(public));
    SourceRecord { name: operator_row(operator), source: OPERATOR.to_owned(), mapping }
}

/// Signs an identity token for `life` seconds, under an id of its own.
#[must_use]
pub fn issue(signer: &dyn Signer, iss: &str, sub: &str, now: Time, life: i64, jti: String) -> String {
    let iat = now.whole_seconds();
    let aud = name::authority_domain(iss).unwrap_or_default().to_owned();
    Claims { iss: iss.to_owned(), sub: sub.to_owned(), aud, iat, exp: iat.plus_seconds(life), jti }.sign(signer)
}

#[cfg(test)]
mod tests;
