//! What anybody may read (PROTOCOL 12): by a page of any origin, and from caches between.
//!
//! A handler says how long its answer may be kept by [`kept`]; [`readable`] stands around the routes and does the rest. An
//! answer that is whole gets an `ETag` of its bytes, and whoever names it in `If-None-Match` is answered 304.

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use eleven_core::hash::{Sha3, Sha256, hex};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    HeaderValue, IF_NONE_MATCH,
};
use http::{Method, StatusCode};
use http_body::Frame;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// For what never changes under its name.
pub const FOREVER: &str = "public, max-age=31536000, immutable";
/// For what follows the last head: it may be a second old.
pub const SHORT: &str = "public, max-age=1";
/// For what a cache may keep and has to ask about each time.
pub const ASK: &str = "no-cache";
/// For what was shown to one reader because of who that is.
pub const NEVER: &str = "private, no-store";

/// Bytes of a hash that tell one answer from another.
const TAG_BYTES: usize = 16;

/// Says how long an answer may be kept.
#[must_use]
pub fn kept(mut response: Response, how: &'static str) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(how));
    response
}

/// The tag of the snapshot of the registry that has this hash: whoever comes to the same registry asks by it whether that is served.
#[must_use]
pub fn registry_tag(hash: Sha3) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("\"{hash}\"")).ok()
}

/// Stands around public routes: pages of any origin may read, caches may ask whether anything changed. What is no answer
/// of 200 is not kept; an answer that says nothing about it may be kept for a second.
pub async fn readable(mut request: Request, next: Next) -> Response {
    if request.method() == Method::OPTIONS {
        return readable_anywhere(preflight());
    }
    let known = request.headers().get(IF_NONE_MATCH).and_then(|known| known.to_str().ok()).map(str::to_owned);
    let bodiless = request.method() == Method::HEAD;
    if bodiless {
        // Answered as a GET would be, so that tag and length are those of the body that is then left away.
        *request.method_mut() = Method::GET;
    }
    let response = tagged(next.run(request).await, known.as_deref()).await;
    readable_anywhere(if bodiless { without_body(response) } else { response })
}

fn preflight() -> Response {
    let mut response = Response::new(absent());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*, authorization"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

/// An answer that pages of any origin may read.
pub fn readable_anywhere(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "etag, retry-after, x-should-retry, eleven-lineage, eleven-decision, eleven-durability",
        ),
    );
    response
}

async fn tagged(mut response: Response, known: Option<&str>) -> Response {
    if response.status() != StatusCode::OK {
        return kept(response, "no-store");
    }
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static(SHORT));
    if !response.headers().contains_key(ETAG) {
        // What comes as a stream has no end to be tagged at.
        if response.body().size_hint().exact().is_none() {
            return response;
        }
        let (mut parts, body) = response.into_parts();
        let bytes = match axum::body::to_bytes(body, usize::MAX).await {
            Ok(bytes) => bytes,
            Err(error) => return crate::problem::Problem::with_status(500, error.to_string()).into(),
        };
        let tag = hex(Sha256::of(&[&bytes]).0.get(..TAG_BYTES).unwrap_or_default());
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{tag}\"")) {
            parts.headers.insert(ETAG, tag);
        }
        response = Response::from_parts(parts, Body::from(bytes));
    }
    let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).unwrap_or_default();
    if known.is_some_and(|known| names(known, tag)) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = absent();
        response.headers_mut().remove(CONTENT_TYPE);
    }
    response
}

/// Whether a list of tags, or `*`, names this one; a weak tag names what the strong one does (RFC 9110, 13.1.2).
fn names(list: &str, tag: &str) -> bool {
    let mut named = list.split(',').map(str::trim);
    named.any(|named| named == "*" || named.strip_prefix("W/").unwrap_or(named) == tag)
}

fn without_body(mut response: Response) -> Response {
    if let Some(length) = response.body().size_hint().exact().filter(|_| response.status() == StatusCode::OK) {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    *response.body_mut() = absent();
    response
}

/// The body where there is none and nothing is said of its length: that would be the length which an answer of 200, or to a
/// GET, has (RFC 9110, 8.6).
pub fn absent() -> Body {
    Body::new(Absent)
}

struct Absent;

impl HttpBody for Absent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
