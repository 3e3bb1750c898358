//! Refusals as RFC 9457 problem documents (PROTOCOL 12).

use crate::answer::read_json;
use crate::audit::{DURABILITY_HEADER, Durability};
use eleven_core::encoding::{Object, Value};
use eleven_core::reason::Reason;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use std::fmt;

/// A refusal or an error, as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The protocol's reason, where this is a refusal of the protocol.
    pub reason: Option<Reason>,
    /// What went wrong with this request and what to do.
    pub detail: String,
    /// The lineage that holds the denial, where there is one.
    pub lineage: Option<String>,
    /// Whether the operation had been allowed before: then this is a failure, and says nothing of a decision.
    pub allowed: bool,
    /// What would be taken in the place of what was refused, by its reference: the next version of a policy.
    pub next: Option<String>,
    /// The record for which an append was refused: its place in the request.
    pub record: Option<u64>,
    /// Of an append that was read as refused, the records that were refused under their numbers: the place of each in the request, and
    /// why. It is said once: later the ledger says that it refused them before.
    pub refused: Vec<(u64, String)>,
    /// Whether what was answered is no document of a corner's: then a proxy said it, or whatever else is in the corner's place.
    pub foreign: bool,
}

impl Problem {
    /// The refusal for a reason of the protocol, under its status.
    #[must_use]
    pub fn refused(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason: Some(reason), ..Self::with_status(reason.status(), detail) }
    }

    /// A request that is not of its form: 400 without a protocol reason.
    #[must_use]
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::with_status(400, detail)
    }

    /// A problem of plain HTTP.
    #[must_use]
    pub fn with_status(status: u16, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let (lineage, next, record, refused) = (None, None, None, Vec::new());
        Self { status, reason: None, detail, lineage, allowed: false, next, record, refused, foreign: false }
    }

    /// The same problem with the lineage that holds it.
    #[must_use]
    pub fn in_lineage(mut self, lineage: impl Into<String>) -> Self {
        self.lineage = Some(lineage.into());
        self
    }

    /// The same problem of an operation that was allowed, and ran or may have.
    #[must_use]
    pub const fn once_allowed(mut self) -> Self {
        self.allowed = true;
        self
    }

    /// The same problem with what would be taken instead.
    #[must_use]
    pub fn naming_next(mut self, reference: impl Into<String>) -> Self {
        self.next = Some(reference.into());
        self
    }

    /// The reason for which the operation is denied, where it is.
    #[must_use]
    pub fn denies(&self) -> Option<Reason> {
        self.reason.filter(|_| !self.allowed)
    }

    /// The document's members.
    #[must_use]
    pub fn to_object(&self) -> Object {
        let title = self.reason.map_or_else(|| self.status_code().to_string(), |reason| reason.code().to_owned());
        Object::new()
            .with("type", "about:blank")
            .with("title", title)
            .with("status", u32::from(self.status))
            .with("detail", &self.detail)
            .with_some("decision", self.denies().map(|_| "deny"))
            .with_some("reason", self.reason.map(Reason::code))
            .with_some("lineage", self.lineage.as_ref())
            .with_some("next", self.next.as_ref())
            .with_some("record", self.record)
    }

    /// Reads a document that another corner sent. Members it does not know are left alone: a problem is read to be shown.
    #[must_use]
    pub fn read(status: u16, body: &[u8]) -> Self {
        let value = read_json(body).ok();
        let text = |name: &str| value.as_ref()?.get(name)?.as_str().map(str::to_owned);
        let detail = text("detail").unwrap_or_else(|| format!("the other side answered {status}"));
        let reason = text("reason").as_deref().and_then(Reason::parse);
        let record = value.as_ref().and_then(place);
        let records = value.as_ref().and_then(|value| value.get("records")?.as_array());
        let refused = records.unwrap_or_default().iter().filter_map(numbered).collect();
        let (lineage, next) = (text("lineage"), text("next"));
        let problem = Self { status, reason, detail, lineage, allowed: false, next, record, refused, foreign: false };
        // Proxies write such documents, too: a corner names each of its own like this, and has since there are any.
        let (said, own) = (value.as_ref().and_then(Value::as_object), problem.to_object());
        let foreign = said.is_none_or(|said| ["type", "title"].iter().any(|name| said.get(name) != own.get(name)));
        Self { foreign, ..problem }
    }

    /// The status as a typed code.
    #[must_use]
    pub fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The headers of PROTOCOL 12: never retried, save for what is unavailable and of which nothing ran. A 401 says by what somebody
    /// is authenticated, as it has to (RFC 9110, 15.5.2).
    pub fn decorate(&self, headers: &mut http::HeaderMap) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == 401 {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // What was allowed ran, or may have: a client that calls again by itself, as some do that know one of the two, has it run twice.
        if self.status == 503 && !self.allowed {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        } else {
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
        if let Some(lineage) = self.lineage.as_deref().and_then(|lineage| HeaderValue::from_str(lineage).ok()) {
            headers.insert("eleven-lineage", lineage);
            // A lineage is named when its event is durable, and not before.
            headers.insert(DURABILITY_HEADER, HeaderValue::from_static(Durability::D1.name()));
        }
        if self.denies().is_some() {
            headers.insert("eleven-decision", HeaderValue::from_static("deny"));
        }
    }
}

/// The place that a member `record` names.
fn place(value: &Value) -> Option<u64> {
    value.get("record")?.as_uint()
}

/// The place of a record that was refused under its number, and why; none where it took no number, and may be sent again.
fn numbered(value: &Value) -> Option<(u64, String)> {
    let numbered = matches!(value.get("numbered"), Some(Value::Bool(true)));
    let why = value.get("detail")?.as_str().filter(|_| numbered)?;
    Some((place(value)?, why.to_owned()))
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            Some(reason) => write!(f, "{reason}: {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

impl std::error::Error for Problem {}

impl From<Problem> for axum::response::Response {
    fn from(problem: Problem) -> Self {
        axum::response::IntoResponse::into_response(problem)
    }
}

impl axum::response::IntoResponse for Problem {
    fn into_response(self) -> axum::response::Response {
        let body = Value::Object(self.to_object()).canonical();
        let mut response = axum::response::Response::new(axum::body::Body::from(body));
        *response.status_mut() = self.status_code();
        self.decorate(response.headers_mut());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_befalls_an_operation_that_was_allowed_is_no_decision_to_deny_it() {
        let denied = Problem::refused(Reason::AuditUnavailable, "x").in_lineage("lineage://op/X");
        for (problem, decision) in [(denied.clone(), Some("deny")), (denied.once_allowed(), None)] {
            let mut headers = http::HeaderMap::new();
            problem.decorate(&mut headers);
            assert_eq!(headers.get("eleven-decision").and_then(|value| value.to_str().ok()), decision);
            assert_eq!(problem.to_object().get("decision").and_then(Value::as_str), decision);
            // No client has it run a second time by itself.
            let should_retry = headers.get("x-should-retry").and_then(|value| value.to_str().ok());
            assert_eq!(should_retry, if decision.is_none() { Some("false") } else { None });
            assert_eq!(headers.contains_key(RETRY_AFTER), decision.is_some(), "nor one that knows this header alone");
            // All else is the same.
            assert_eq!(problem.to_object().get("reason").and_then(Value::as_str), Some("audit.unavailable"));
            assert!(headers.contains_key("eleven-lineage"));
        }
    }

    #[test]
    fn who_is_not_authenticated_is_told_by_what_it_would_be() {
        for (problem, challenge) in [
            (Problem::refused(Reason::IdentityUnauthenticated, "x"), Some("Bearer")),
            (Problem::refused(Reason::PolicyDenied, "x"), None),
            (Problem::malformed("x"), None),
        ] {
            let mut headers = http::HeaderMap::new();
            problem.decorate(&mut headers);
            let named = headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
            assert_eq!(named, challenge, "{problem}");
        }
    }

    #[test]
    fn an_error_of_ours_is_told_from_that_of_whoever_is_in_between() {
        for problem in [Problem::refused(Reason::PolicyDenied, "x"), Problem::with_status(404, "x")] {
            let sent = Value::Object(problem.to_object()).canonical();
            assert_eq!(Problem::read(problem.status, &sent), problem);
        }
        for sent in [
            "",
            "404 page not found",
            "<html><body>Bad Gateway</body></html>",
            "[]",
            r#"{"error":"Not Found","path":"/v1/audit/cursor/x","status":404}"#,
            r#"{"message":"no Route matched with those values"}"#,
            // By the same standard, as frameworks write it of which proxies are made.
            r#"{"detail":"No static resource v1.","instance":"/v1","status":404,"title":"Not Found","type":"about:blank"}"#,
            r#"{"status":404,"title":"404 Not Found","type":"urn:problem:route"}"#,
        ] {
            assert!(Problem::read(404, sent.as_bytes()).foreign, "{sent}");
        }
    }

    #[test]
    fn what_would_be_taken_instead_is_read_where_it_is_named_and_from_no_sentence() {
        let named = Problem::with_status(409, "another version").naming_next("policy://a/v4");
        let unnamed = Problem::with_status(409, "the next is policy://a/v4");
        for (problem, next) in [(named, Some("policy://a/v4")), (unnamed, None)] {
            let sent = Value::Object(problem.to_object()).canonical();
            assert_eq!(Problem::read(409, &sent).next.as_deref(), next);
        }
        let append = br#"{"detail":"x","record":1,"records":[{"record":1,"numbered":true,"detail":"a: b"},
            {"record":2,"numbered":false,"detail":"c"},{"record":-1,"numbered":true,"detail":"d"},7]}"#;
        let read = Problem::read(422, append);
        assert_eq!((read.record, read.refused), (Some(1), vec![(1, "a: b".to_owned())]));
        // Where an append goes on is a number, and no reference.
        assert_eq!(Problem::read(409, br#"{"detail":"a gap","next":7}"#).next, None);
    }
}
