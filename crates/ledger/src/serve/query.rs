//! The query of a request: names and values, each once.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use eleven_api::problem::Problem;
use eleven_api::routes;
use eleven_core::limits::MAX_INTEGER;
use eleven_core::time::Time;
use std::collections::BTreeMap;

/// More parameters than this no route here has.
const MAX_PARAMETERS: usize = 12;

/// The paths that take parameters, and which; one that ends with a slash goes on behind it. Another parameter is refused: whoever
/// misspells one would be answered as if he had sent none.
const TAKEN: [(&str, &[&str]); 16] = [
    (routes::AUDIT_EVENTS, &["durability", "wait"]),
    (routes::AUDIT_CURSOR, &["at"]),
    (routes::AUDIT_OPEN, &["after"]),
    (routes::AUDIT_ENTRIES, &["from", "limit", "registry", "discontinuities", "whole", "wait"]),
    (routes::AUDIT_CONTENT, &["from", "to"]),
    (
        routes::AUDIT_SEARCH,
        &["op", "identity", "operation", "artifact", "runtime", "reason", "event", "from", "until", "before", "count"],
    ),
    (routes::CHECKPOINT, &["durability"]),
    (routes::PROOF_HEAD, &["durability"]),
    (routes::PROOF_HEADS, &["from", "count"]),
    (routes::PROOF_LINEAGE, &["before"]),
    (routes::PROOF_INCLUSION, &["seq", "size"]),
    (routes::PROOF_TLOG, &["n"]),
    (routes::PROOF_CONSISTENCY, &["first", "second"]),
    (routes::PROOF_EXCLUSION, &["op", "artifact"]),
    (routes::REGISTRY_POLICY_HISTORY, &["operation", "runtime", "at", "after", "count"]),
    (routes::REGISTRY_REVOCATIONS, &["after", "count"]),
];

/// Characters of a text that is told to who sent it.
const MAX_SHOWN: usize = 80;

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

    /// That each parameter is one that the path takes.
    fn check(&self, path: &str) -> Result<(), Problem> {
        let taken = TAKEN.iter().find(|(at, _)| *at == path || (at.ends_with('/') && path.starts_with(*at)));
        let taken = taken.map(|(_, names)| *names).unwrap_or_default();
        match self.0.keys().find(|name| !taken.contains(&name.as_str())) {
            None => Ok(()),
            Some(other) => {
                let (other, names) = (brief(other), taken.join("`, `"));
                Err(Problem::malformed(format!("`{other}` is no parameter here: there is `{names}`")))
            }
        }
    }

    /// The parameter `name`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The parameter `name`, which is of a form where it is there.
    pub(super) fn named(&self, name: &str, what: &str, form: impl Fn(&str) -> bool) -> Result<Option<String>, Problem> {
        let read = |text: &str| form(text).then(|| text.to_owned()).ok_or_else(|| wrong(name, what, text));
        self.get(name).map(read).transpose()
    }

    /// The parameter `name`, which is a time where it is there, to the second or the millisecond.
    pub(super) fn time(&self, name: &str) -> Result<Option<Time>, Problem> {
        let read = |text: &str| {
            let time = Time::parse_seconds(text).or_else(|| Time::parse_millis(text));
            time.ok_or_else(|| wrong(name, "a time such as 2026-05-12T17:00:00Z", text))
        };
        self.get(name).map(read).transpose()
    }

    /// The parameter `name`, which is a number where it is there. No document holds a larger one than the protocol's, and an answer may
    /// name it.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        let read = |text: &str| match text.parse() {
            Ok(number) if number <= MAX_INTEGER => Ok(number),
            Ok(_) => Err(wrong(name, "a number up to 2^53-1", text)),
            Err(_) => Err(wrong(name, "a number", text)),
        };
        self.get(name).map(read).transpose()
    }

    /// How many are asked for at once, where the request says it. None is no page: nothing would say where to go on.
    pub(super) fn count(&self) -> Result<Option<u64>, Problem> {
        let name = "count";
        match self.number(name)? {
            Some(0) => Err(wrong(name, "a number from 1 on", "0")),
            count => Ok(count),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = Self::read(parts.uri.query().unwrap_or_default());
        let read = read.ok_or_else(|| Problem::malformed("the query is not of names and values, each once"))?;
        read.check(parts.uri.path())?;
        Ok(read)
    }
}

/// The problem of a parameter that is not what it has to be, with what was sent.
pub(super) fn wrong(name: &str, what: &str, text: &str) -> Problem {
    Problem::malformed(format!("`{name}` is not {what}: `{}`", brief(text)))
}

/// The beginning of what was sent, and all of it where that is what somebody would type.
pub(super) fn brief(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_a_path_does_not_take_is_refused_and_named() {
        let check = |path: &str, query: &str| Query::read(query).expect("a query").check(path);
        for (path, names) in TAKEN {
            let query = names.iter().map(|name| format!("{name}=1")).collect::<Vec<_>>().join("&");
            let path = if path.ends_with('/') { format!("{path}X") } else { path.to_owned() };
            check(&path, &query).expect("each that it takes");
            let other = check(&path, &format!("{query}&durabilty=D4")).expect_err("none of them");
            assert_eq!(other.status, 400, "{path}");
            assert!(other.detail.starts_with("`durabilty` is no parameter here"), "{path}: {}", other.detail);
        }
        assert!(check("/v1/proof/lineage/X", "n=1").is_err() && check("/v1/proof/tlog/X", "n=1").is_ok());
    }

    #[test]
    fn what_is_wrong_is_told_with_what_was_sent() {
        let query = Query::read("reason=foo&from=noon&count=many").expect("a query");
        let told = |wrong: Problem| wrong.detail;
        let none = query.named("reason", "a reason", |_| false).expect_err("it is none");
        assert_eq!(told(none), "`reason` is not a reason: `foo`");
        assert_eq!(
            told(query.time("from").expect_err("no time")),
            "`from` is not a time such as 2026-05-12T17:00:00Z: `noon`"
        );
        assert_eq!(told(query.count().expect_err("no number")), "`count` is not a number: `many`");
        let query = Query::read("from=9007199254740991&to=9007199254740992").expect("a query");
        assert_eq!(query.number("from").expect("a number"), Some(MAX_INTEGER));
        let larger = query.number("to").expect_err("no document holds it");
        assert_eq!(told(larger), "`to` is not a number up to 2^53-1: `9007199254740992`");
        assert_eq!(brief(&"ö".repeat(80)), "ö".repeat(80));
        assert_eq!(brief(&"ö".repeat(81)), format!("{}…", "ö".repeat(80)), "not all that somebody can send");
    }
}
