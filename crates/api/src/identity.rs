//! `POST /v1/identity/token` (PROTOCOL 12; RFC 8693): a client's secret exchanged for a short identity token.

use eleven_core::encoding::{Object, Value};
use eleven_core::form::{Form, FormError};

/// Marks a client secret where an API key is expected: `elk_<client>_<secret>`.
pub const CLIENT_SECRET_PREFIX: &str = "elk_";

/// The exchange: `{"grant_type","subject_token","subject_token_type"}` with the client secret as the subject token.
#[derive(Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The client secret. Never written to a log, an event or an error.
    pub secret: String,
}

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const CLIENT_SECRET: &str = "urn:11-11:token-type:client-secret";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const BEARER: &str = "Bearer";

impl Exchange {
    /// The body.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let object = Object::new().with("grant_type", GRANT).with("subject_token", &self.secret);
        Value::Object(object.with("subject_token_type", CLIENT_SECRET))
    }

    /// Reads a body.
    ///
    /// # Errors
    /// Where it is not of that form; the error never repeats the secret.
    pub fn read(body: &[u8]) -> Result<Self, FormError> {
        let mut form = Form::of(eleven_core::encoding::parse(body)?, "token exchange")?;
        form.named("grant_type", GRANT, |grant| grant == GRANT)?;
        form.named("subject_token_type", CLIENT_SECRET, |kind| kind == CLIENT_SECRET)?;
        let secret = form.string("subject_token")?;
        form.finish()?;
        Ok(Self { secret })
    }
}

/// The answer: a bearer token and its life.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// The identity token.
    pub token: String,
    /// Seconds until it expires.
    pub expires_in: u64,
}

impl Issued {
    /// The body.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(
            Object::new()
                .with("access_token", &self.token)
                .with("issued_token_type", JWT)
                .with("token_type", BEARER)
                .with("expires_in", self.expires_in),
        )
    }

    /// Reads a body.
    ///
    /// # Errors
    /// Where it is not of that form.
    pub fn read(body: &[u8]) -> Result<Self, FormError> {
        let mut form = Form::of(crate::answer::read_json(body)?, "token answer")?;
        let token = form.string("access_token")?;
        form.named("issued_token_type", JWT, |kind| kind == JWT)?;
        form.named("token_type", BEARER, |kind| kind == BEARER)?;
        let expires_in = form.uint("expires_in")?;
        form.finish()?;
        Ok(Self { token, expires_in })
    }
}

#[cfg(test)]
mod tests;
