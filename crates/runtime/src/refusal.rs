//! What a refused caller gets: a problem document that also looks right to an OpenAI client (PROTOCOL 12).

use bytes::Bytes;
use eleven_api::problem::Problem;
use eleven_api::words::{WOULD_PASS, would_pass};
use eleven_core::artifact::Operation;
use eleven_core::encoding::{Object, Value};
use eleven_core::reason::Reason;

/// The answer for a refusal on an OpenAI path: the problem's members, and `error` {message, type, code} beside them.
pub(crate) fn openai(problem: &Problem) -> axum::response::Response {
    let body = problem.to_object().with("error", error(problem)).canonical();
    let mut response = axum::response::Response::new(axum::body::Body::from(body));
    *response.status_mut() = problem.status_code();
    problem.decorate(response.headers_mut());
    response
}

/// The last event of a stream that is broken off: OpenAI's clients read `error` out of one, as out of an answer.
pub(crate) fn event(problem: &Problem) -> Bytes {
    let said = Object::new().with("error", error(problem)).canonical();
    Bytes::from([&b"data: "[..], &said, b"\n\n"].concat())
}

fn error(problem: &Problem) -> Object {
    let code = problem.reason.map_or("eleven_error", Reason::code);
    Object::new()
        .with("message", message(problem))
        .with("type", kind(problem))
        .with("code", code)
        .with("param", Value::Null)
}

/// One sentence for a person: the reason, the rule and what would pass, and where the proof is.
fn message(problem: &Problem) -> String {
    let mut text = problem.to_string();
    // Where a policy decided, its author may have said it.
    if let Some(reason) = problem.denies().filter(|_| !problem.detail.contains(WOULD_PASS)) {
        text.push_str(&format!("; {WOULD_PASS}{}", would_pass(reason)));
    }
    if let Some(lineage) = &problem.lineage {
        text.push_str(&format!(" ({lineage}; `eleven why` explains it)"));
    }
    text
}

const fn kind(problem: &Problem) -> &'static str {
    match problem.status {
        401 => "authentication_error",
        403 => "permission_error",
        400 | 404 | 405 | 408 | 413 | 415 => "invalid_request_error",
        _ => "server_error",
    }
}

/// Why what a policy has committed in `op` left no operation, where it did: it came past a limit, or the policy commits what
/// every operation needs, as one that was published by an earlier version can.
pub(crate) fn unreadable(op: &Value) -> Reason {
    if Operation::check_size(op).is_err() { Reason::LimitsExceeded } else { Reason::PolicyError }
}

#[cfg(test)]
mod tests;
