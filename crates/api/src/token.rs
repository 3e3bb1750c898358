//! Identity tokens: EdDSA JWTs (RFC 7519, RFC 8037) of one algorithm, one issuer form and exactly these claims.
//!
//! There is one algorithm and the header must be byte for byte the one this module writes: nothing in a token chooses how
//! it is verified.

use crate::identity::CLIENT_SECRET_PREFIX;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::form::{Form, FormError};
use eleven_core::hash::{Sha3, base64url, unbase64url};
use eleven_core::id;
use eleven_core::limits::{MAX_IDENTITY_LIFE, MAX_IDENTITY_TOKEN};
use eleven_core::name;
use eleven_core::signature::{Signer, VerifyingKey};
use eleven_core::time::Time;
use std::fmt;

/// The kind of those sources of the registry that are keys by which tokens are signed.
pub const JWT: &str = "jwt";
/// The kind of what stands where one of those stood, when the key has ended: no token of it counts, and it does not come back.
pub const JWT_ENDED: &str = "jwt-ended";

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The authority that issued it.
    pub iss: String,
    /// The identity.
    pub sub: String,
    /// The domain it is meant for.
    pub aud: String,
    /// Since when.
    pub iat: Time,
    /// Until just before when; at most 15 minutes after `iat`.
    pub exp: Time,
    /// Its own id.
    pub jti: String,
}

/// Why a token does not authenticate anybody. Its text never holds the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// Nothing like a token: another service's key, perhaps.
    None,
    /// Not a token of this form.
    Malformed(&'static str),
    /// No key of that name verifies it.
    Untrusted,
    /// Outside its time.
    Expired,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(
                f,
                "this is neither a client secret ({CLIENT_SECRET_PREFIX}...) nor an identity token: send what `eleven client add` \
                 printed"
            ),
            Self::Malformed(what) => write!(f, "the identity token is malformed: {what}"),
            Self::Untrusted => {
                f.write_str("no trusted key verifies the identity token; get one from this domain's authority")
            }
            Self::Expired => f.write_str("the identity token is outside its time; get a new one"),
        }
    }
}

impl std::error::Error for TokenError {}

impl Claims {
    /// The token's text, signed.
    #[must_use]
    pub fn sign(&self, signer: &dyn Signer) -> String {
        let claims = Object::new()
            .with("iss", &self.iss)
            .with("sub", &self.sub)
            .with("aud", &self.aud)
            .with("iat", self.iat.0.div_euclid(1000))
            .with("exp", self.exp.0.div_euclid(1000))
            .with("jti", &self.jti);
        let signed = format!("{}.{}", base64url(&header(signer.kid())), base64url(&claims.canonical()));
        let signature = signer.sign(signed.as_bytes());
        format!("{signed}.{}", base64url(&signature))
    }

    /// Whether it counts at `now`. The issuer may be 5 s ahead of us, as for artifacts; nothing is added to the end.
    #[must_use]
    pub fn is_in_time(&self, now: Time) -> bool {
        now >= self.iat.plus_seconds(-5) && now < self.exp
    }

    fn read(bytes: &[u8]) -> Result<Self, FormError> {
        let mut form = Form::of(parse(bytes)?, "claims")?;
        let seconds = |form: &mut Form<'_>, name: &str| {
            form.uint(name).map(|s| Time(i64::try_from(s).unwrap_or(i64::MAX / 1000).saturating_mul(1000)))
        };
        let claims = Self {
            iss: form.named("iss", "an authority's name", name::is_authority)?,
            sub: form.named("sub", "an identity", name::is_identity)?,
            aud: form.named("aud", "a domain", name::is_domain)?,
            iat: seconds(&mut form, "iat")?,
            exp: seconds(&mut form, "exp")?,
            jti: form.string("jti")?,
        };
        form.finish()?;
        Ok(claims)
    }
}

/// The id of a token that somebody of the registry's sources answers for: it names the row, and of what the row holds enough to
/// tell it from another under that name ([`stands`]).
#[must_use]
pub fn id_of(row: &str, print: &str, random: &[u8; 16]) -> String {
    format!("{row}:{print}:{}", id::base32(random))
}

/// The name of the row that answers for a token of this id, where one does ([`id_of`]).
#[must_use]
pub fn answers_for(jti: &str) -> Option<&str> {
    jti.split_once(':').map(|(row, _)| row)
}

/// Whether the row that a token's id names still holds what it held then; `print_of` gives the [`print`] of the row there is. A
/// token that nobody of the sources answers for names no row, and stands by itself.
pub fn stands(jti: &str, print_of: impl FnOnce(&str) -> Option<String>) -> bool {
    let Some((row, rest)) = jti.split_once(':') else { return true };
    let print = print_of(row);
    print.is_some() && print.as_deref() == rest.split(':').next()
}

/// What tells a row of this mapping from one of another: a client of another secret or identity, an operator of another key.
#[must_use]
pub fn print(mapping: &Object) -> String {
    let hash = Sha3::of(&[&mapping.canonical()]);
    id::base32(hash.0.first_chunk::<16>().map_or(&[], |first| first.as_slice()))
}

fn header(kid: &str) -> Vec<u8> {
    Object::new().with("alg", "EdDSA").with("kid", kid).with("typ", "JWT").canonical()
}

/// Verifies a token at `now`: `keys` resolves a kid to the identity key that counts now.
///
/// # Errors
/// Where it is not of the form, not signed by such a key, for another domain, or outside its time.
pub fn verify(
    token: &str,
    domain: &str,
    now: Time,
    keys: impl FnOnce(&str) -> Option<VerifyingKey>,
) -> Result<Claims, TokenError> {
    if token.len() > MAX_IDENTITY_TOKEN {
        return Err(TokenError::Malformed("longer than 4096 characters"));
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::None)?;
    let (head, claims) = signed.split_once('.').ok_or(TokenError::None)?;
    let decode = |part: &str| unbase64url(part).ok_or(TokenError::Malformed("not base64url"));
    let (head, claims, signature) = (decode(head)?, decode(claims)?, decode(signature)?);
    let kid = parse(&head).ok().and_then(|value| value.get("kid").and_then(Value::as_str).map(str::to_owned));
    let kid = kid.filter(|kid| header(kid) == head).ok_or(TokenError::Malformed("not the one header"))?;
    let signature: [u8; 64] = signature.try_into().map_err(|_| TokenError::Malformed("not a signature"))?;
    let key = keys(&kid).ok_or(TokenError::Untrusted)?;
    if !key.verifies(signed.as_bytes(), &signature) {
        return Err(TokenError::Untrusted);
    }
    let claims = Claims::read(&claims).map_err(|_| TokenError::Malformed("not the claims of an identity token"))?;
    let of_domain = claims.aud == domain && name::authority_domain(&claims.iss) == Some(domain);
    let life = claims.exp.since(claims.iat);
    if !of_domain || !(1..=MAX_IDENTITY_LIFE * 1000).contains(&life) {
        return Err(TokenError::Untrusted);
    }
    if claims.is_in_time(now) { Ok(claims) } else { Err(TokenError::Expired) }
}

#[cfg(test)]
mod tests;
