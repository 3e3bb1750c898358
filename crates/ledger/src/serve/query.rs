//! The query of a request: names and values, each once.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use eleven_api::problem::Problem;
use eleven_core::time::Time;
use std::collections::BTreeMap;

/// More parameters than this no route here has.
const MAX_PARAMETERS: usize = 12;

/// The parameters of a request.
#[derive(Debug, Default)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads what stands behind the `?`; `None` where it is not of the form, or names a parameter twice.
    fn read(text: &str) -> Option<Self> {
        let mut parameters = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let fresh = parameters.insert(decode(name)?, decode(value)?).is_none();
            if !fresh || parameters.len() > MAX_PARAMETERS {
                return None;
            }
        }
        Some(Self(parameters))
    }

    /// The parameter `name`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The parameter `name`, which is of a form where it is there.
    pub(super) fn named(&self, name: &str, what: &str, form: impl Fn(&str) -> bool) -> Result<Option<String>, Problem> {
        let wrong = || Problem::malformed(format!("`{name}` is not {what}"));
        self.get(name).map(|text| form(text).then(|| text.to_owned()).ok_or_else(wrong)).transpose()
    }

    /// The parameter `name`, which is a time where it is there, to the second or the millisecond.
    pub(super) fn time(&self, name: &str) -> Result<Option<Time>, Problem> {
        let wrong = || Problem::malformed(format!("`{name}` is no time such as 2026-05-12T17:00:00Z"));
        let read = |text| Time::parse_seconds(text).or_else(|| Time::parse_millis(text)).ok_or_else(wrong);
        self.get(name).map(read).transpose()
    }

    /// The parameter `name`, which is a number where it is there.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        let wrong = |_| Problem::malformed(format!("`{name}` is not a number"));
        self.get(name).map(|text| text.parse().map_err(wrong)).transpose()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = Self::read(parts.uri.query().unwrap_or_default());
        read.ok_or_else(|| Problem::malformed("the query is not of names and values, each once"))
    }
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digit = |digit: Option<u8>| char::from(digit?).to_digit(16);
                u8::try_from(digit(bytes.next())? * 16 + digit(bytes.next())?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}
