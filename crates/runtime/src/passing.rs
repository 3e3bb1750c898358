//! What passes between a caller and the upstream beside the body. What policy read must be what the upstream reads, so nothing
//! passes that has it read the body otherwise or take the call for another; nor what belongs to one connection, or is a
//! credential between others.

use eleven_api::problem::Problem;
use eleven_core::artifact::Use;
use eleven_core::id;
use http::{HeaderMap, HeaderName, HeaderValue, Response, Uri, header};

/// The only type of a body that is read here, and that is forwarded.
const JSON: &str = "application/json";
/// What caches and proxies may do with an answer: not keep it, since nobody decides about who gets it from a cache, and nothing is
/// recorded of that; and not change it, since there is no evidence of other bytes.
const KEPT: &str = "no-store, no-transform";
/// Headers by which some upstreams take a request for one of another method or path.
const OVERRIDES: [&str; 5] =
    ["x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url"];

/// Whether a body under these headers is read by everybody as it is read here: JSON in UTF-8, as it came.
///
/// # Errors
/// 415, and what to send instead.
pub(crate) fn readable(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = |what: &str| Err(Problem::with_status(415, what));
    let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
    let is_json = kinds.next().is_none_or(|kind| kind.to_str().is_ok_and(is_json));
    if !is_json || kinds.next().is_some() {
        return unsupported("the body is to be JSON in UTF-8: send it with content-type: application/json");
    }
    if is_encoded(headers) {
        return unsupported("the body is encoded, and policy would not read what the upstream does: send it as it is");
    }
    Ok(())
}

/// Whether a body under these headers is encoded: its bytes have to be decoded before they are what they say.
pub(crate) fn is_encoded(headers: &HeaderMap) -> bool {
    let plain = |coding: &HeaderValue| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    !headers.get_all(header::CONTENT_ENCODING).iter().all(plain)
}

/// Whether a body under these headers is in a transfer coding besides one `chunked` (RFC 9112, 6.1). The chunks are taken off here, and
/// the header with them: of any other coding its bytes would be passed on, and nothing would say that they are in it.
pub(crate) fn is_transfer_encoded(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(header::TRANSFER_ENCODING).iter().map(HeaderValue::as_bytes);
    let codings = lists.flat_map(|list| list.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let mut codings = codings.filter(|coding| !coding.is_empty());
    codings.next().is_some_and(|first| !first.eq_ignore_ascii_case(b"chunked")) || codings.next().is_some()
}

/// Whether the address says nothing that policy does not read.
///
/// # Errors
/// 400 where it has a query.
pub(crate) fn addressed(uri: &Uri) -> Result<(), Problem> {
    match uri.query().unwrap_or_default() {
        "" => Ok(()),
        _ => Err(Problem::malformed("the address has a query, which policy does not read: send the call without it")),
    }
}

/// Whether a media type is JSON, in UTF-8 where it names a character set.
fn is_json(kind: &str) -> bool {
    let mut parts = kind.split(';').map(str::trim);
    let named = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(JSON));
    let utf8 = |parameter: &str| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    named && parts.all(utf8)
}

/// The headers with which a request reaches the upstream: the caller's, less its credentials, what belongs to the gateway, to
/// the connection or to a proxy, and what makes another request of it.
pub(crate) fn to_upstream(headers: &HeaderMap, body: bool) -> HeaderMap {
    let mut kept = across(headers);
    for name in [header::AUTHORIZATION, header::COOKIE, header::HOST, header::CONTENT_TYPE, header::CONTENT_ENCODING] {
        kept.remove(name);
    }
    for name in OVERRIDES {
        kept.remove(name);
    }
    // It was this gateway that asked for the body, and the whole of it goes on at once: nobody waits to be asked by the upstream.
    kept.remove(header::EXPECT);
    // Hosts of the CGI kind take `_` for `-`: by such a name would come what does not pass under its own.
    let folded: Vec<HeaderName> = kept.keys().filter(|name| name.as_str().contains('_')).cloned().collect();
    for name in folded {
        kept.remove(name);
    }
    if body {
        kept.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    }
    // A compressed stream can't be cut into its events; the upstream is asked for plain bytes.
    kept.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    kept
}

/// The headers with which an answer reaches the caller: the upstream's, less those of the connection and of a proxy, what
/// belongs to the gateway, what sends the caller's next calls elsewhere, and what has a cache answer those.
pub(crate) fn to_caller(headers: &HeaderMap) -> HeaderMap {
    let mut kept = across(headers);
    // It says where else the upstream answers (RFC 7838); its caller would take that for the gateway's own, and go past it.
    kept.remove(header::ALT_SVC);
    // A session that the upstream opened for who sends its key: with it a caller would be taken for this gateway, and go past it.
    kept.remove(header::SET_COOKIE);
    let for_caches: Vec<HeaderName> = kept.keys().filter(|name| is_for_caches(name)).cloned().collect();
    for name in for_caches {
        kept.remove(name);
    }
    kept.insert(header::CACHE_CONTROL, HeaderValue::from_static(KEPT));
    kept
}

/// The credential for an upstream that wants `key`; `None` where that can't stand in a header.
pub(crate) fn credential(key: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {key}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The answer to a caller that brought an artifact for this `usage`. Where it is no success and took the last use, a client that calls
/// again by itself would bring that artifact once more, and hear that it is used in the place of this.
pub(crate) fn last<B>(usage: &Use, mut answer: Response<B>) -> Response<B> {
    if !answer.status().is_success() && took_the_last(usage, answer.headers()) {
        answer.headers_mut().insert("x-should-retry", HeaderValue::from_static("false"));
    }
    answer
}

/// Whether what an answer is about, as it names it, was the last use. That of a rate is not told by its number.
fn took_the_last(usage: &Use, headers: &HeaderMap) -> bool {
    let lineage = headers.get("eleven-lineage").and_then(|lineage| lineage.to_str().ok());
    let operation = lineage.and_then(id::operation_of_lineage).and_then(id::split_operation);
    match usage {
        Use::Single { .. } => true,
        Use::Bounded { max, .. } => operation.is_some_and(|(_, number)| number == Some(*max)),
        Use::Rate { .. } => false,
    }
}

/// Headers that say how long an answer may be kept: to all caches, or above that to those of some kind (RFC 9213).
fn is_for_caches(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.ends_with("cache-control") || matches!(name, "expires" | "surrogate-control" | "x-accel-expires")
}

/// The length that an answer's head names, where it names exactly one. In the answer to HEAD that is the length of the body that GET
/// would bring.
pub(crate) fn length(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let length = lengths.next()?;
    let is_number = !length.is_empty() && length.as_bytes().iter().all(u8::is_ascii_digit);
    (is_number && lengths.next().is_none()).then_some(length)
}

/// What goes from one connection to the next (RFC 9110, 7.6.1): not what a `Connection` header names, either.
fn across(headers: &HeaderMap) -> HeaderMap {
    // By its bytes: a name that is none takes nothing from those beside it.
    let lists = headers.get_all(header::CONNECTION).iter().map(HeaderValue::as_bytes);
    let named: Vec<&[u8]> = lists.flat_map(|list| list.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii).collect();
    let mut kept = HeaderMap::new();
    for (name, value) in headers {
        let stays = is_hop(name) || named.iter().any(|named| name.as_str().as_bytes().eq_ignore_ascii_case(named));
        let ours = *name == header::CONTENT_LENGTH || name.as_str().starts_with("eleven-");
        if !stays && !ours {
            kept.append(name, value.clone());
        }
    }
    kept
}

/// Headers that belong to one connection, or to the proxy at its end.
fn is_hop(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("proxy-")
        || matches!(name, "connection" | "keep-alive" | "te" | "trailer" | "transfer-encoding" | "upgrade")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_body_is_json_in_utf_8_or_it_is_not_read() {
        for kind in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json; profile=x",
        ] {
            assert!(readable(&headers(&[("content-type", kind)])).is_ok(), "{kind}");
        }
        assert!(readable(&headers(&[])).is_ok(), "it is forwarded as what it was read as");
        assert!(readable(&headers(&[("content-encoding", "identity")])).is_ok());
        for refused in [
            &[("content-type", "application/json; charset=utf-7")][..],
            &[("content-type", "application/json; charset=utf-8; Charset = utf-16")],
            &[("content-type", "application/x-www-form-urlencoded")],
            &[("content-type", "text/plain")],
            &[("content-type", "")],
            &[("content-encoding", "gzip")],
            &[("content-encoding", "identity, gzip")],
        ] {
            assert_eq!(readable(&headers(refused)).expect_err("refused").status, 415, "{refused:?}");
        }
        let mut twice = headers(&[("content-type", "application/json")]);
        twice.append(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        assert_eq!(readable(&twice).expect_err("refused").status, 415);
    }

    #[test]
    fn chunks_are_taken_off_a_body_once_and_every_other_coding_of_its_transfer_stays_on_it() {
        for (encoded, lists) in [
            (false, &["chunked"][..]),
            (false, &[]),
            (false, &[" Chunked ,", ","]),
            (true, &["gzip, chunked"]),
            (true, &["gzip", "chunked"]),
            (true, &["chunked, gzip"]),
            (true, &["gzip"]),
            (true, &["chunked, chunked"]),
            (true, &["chunked", "chunked"]),
            (true, &["chunked;x=1"]),
            (true, &["\u{e9}"]),
        ] {
            let mut came = HeaderMap::new();
            for list in lists {
                came.append(header::TRANSFER_ENCODING, HeaderValue::from_bytes(list.as_bytes()).expect("a value"));
            }
            assert_eq!(is_transfer_encoded(&came), encoded, "{lists:?}");
        }
    }

    #[test]
    fn an_address_says_nothing_beside_its_path() {
        let addressed = |uri: &'static str| addressed(&Uri::from_static(uri));
        assert!(addressed("/v1/chat/completions").is_ok() && addressed("/v1/chat/completions?").is_ok());
        for uri in ["/v1/chat/completions?model=other", "/v1/models?api-version=2024-10-21"] {
            assert_eq!(addressed(uri).expect_err("refused").status, 400, "{uri}");
        }
    }

    #[test]
    fn what_changes_a_call_or_was_not_meant_for_the_upstream_does_not_reach_it() {
        let came = headers(&[
            ("authorization", "Bearer elk_app_x"),
            ("cookie", "session=1"),
            ("host", "gateway"),
            ("content-type", "application/json; charset=utf-8"),
            ("content-length", "7"),
            ("content-encoding", "identity"),
            ("accept-encoding", "gzip, br"),
            ("transfer-encoding", "chunked"),
            ("connection", "close, X-Nominated"),
            ("x-nominated", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("expect", "100-continue"),
            ("proxy-authorization", "Basic eDp5"),
            ("proxy-connection", "keep-alive"),
            ("x-http-method-override", "DELETE"),
            ("x-http-method", "DELETE"),
            ("x-method-override", "DELETE"),
            ("x-original-url", "/v1/files"),
            ("x-rewrite-url", "/v1/files"),
            ("x_http_method_override", "DELETE"),
            ("x-http_method", "DELETE"),
            ("content_length", "0"),
            ("transfer_encoding", "chunked"),
            ("openai_organization", "org"),
            ("eleven-authorization", "x"),
            ("openai-organization", "org"),
            ("user-agent", "OpenAI/Python 1.99"),
            ("x-stainless-lang", "python"),
        ]);
        let kept = ["accept-encoding", "openai-organization", "user-agent", "x-stainless-lang"];
        let forwarded = to_upstream(&came, true);
        assert_eq!(names(&forwarded), [&kept[..1], &["content-type"], &kept[1..]].concat());
        assert!(forwarded["content-type"] == JSON && forwarded["accept-encoding"] == "identity");
        assert_eq!(names(&to_upstream(&came, false)), kept);
    }

    #[test]
    fn what_a_connection_names_stays_whatever_else_it_names() {
        for list in [&b"\xfc, X-Nominated"[..], b"x-nominated,\xe9", b"\xff\xfe\t,\tX-NOMINATED\t", b",,x-nominated,"] {
            let mut came = headers(&[("x-nominated", "1"), ("x-request-id", "r")]);
            came.append(header::CONNECTION, HeaderValue::from_bytes(list).expect("a value"));
            assert_eq!(names(&to_caller(&came)), ["cache-control", "x-request-id"], "{list:?}");
            assert!(!to_upstream(&came, true).contains_key("x-nominated"), "{list:?}");
        }
    }

    #[test]
    fn whoever_spent_the_last_use_on_an_answer_that_is_no_success_is_told_not_to_call_again() {
        let nonce = || "n_040G2081040G2081040G208104".to_owned();
        let single = Use::Single { nonce: nonce() };
        let bounded = Use::Bounded { nonce: nonce(), max: 3 };
        let rate = Use::Rate { nonce: nonce(), max: 3, per: 60 };
        let content = "CRXSVSNDXW0FA4G07E330J8H3HBNX93C";
        for (usage, number, status, told) in [
            (&single, "", 429u16, true),
            (&single, "", 200, false),
            (&bounded, ".2", 503, false),
            (&bounded, ".3", 503, true),
            (&bounded, ".3", 200, false),
            (&bounded, ".30", 503, false),
            (&rate, ".3", 503, false),
        ] {
            let lineage = id::lineage_name(&format!("{content}{number}"));
            let answer = Response::builder().status(status).header("eleven-lineage", lineage).body(());
            let answer = last(usage, answer.expect("an answer"));
            let says = answer.headers().get("x-should-retry").map(HeaderValue::as_bytes);
            assert_eq!(says, told.then_some(&b"false"[..]), "{usage:?} {number} {status}");
        }
    }

    #[test]
    fn a_length_is_one_number() {
        assert_eq!(length(&headers(&[("content-length", "20")])).map(HeaderValue::as_bytes), Some(&b"20"[..]));
        for none in [&[][..], &[("content-length", "")], &[("content-length", "-1")], &[("content-length", "20, 20")]] {
            assert_eq!(length(&headers(none)), None, "{none:?}");
        }
        let mut twice = headers(&[("content-length", "20")]);
        twice.append(header::CONTENT_LENGTH, HeaderValue::from_static("20"));
        assert_eq!(length(&twice), None);
    }

    #[test]
    fn what_was_not_meant_for_the_caller_does_not_reach_it() {
        let came = headers(&[
            ("content-type", "text/event-stream"),
            ("content-length", "7"),
            ("connection", "x-nominated"),
            ("x-nominated", "1"),
            ("proxy-authenticate", "Basic"),
            ("eleven-decision", "allow"),
            ("alt-svc", "h3=\":443\"; ma=2592000"),
            ("set-cookie", "session=1; HttpOnly"),
            ("set-cookie", "__cf_bm=2; Domain=.api.example"),
            ("x-request-id", "r"),
        ]);
        assert_eq!(names(&to_caller(&came)), ["cache-control", "content-type", "x-request-id"]);
    }

    #[test]
    fn no_answer_is_kept_whatever_its_upstream_says_of_it() {
        for said in [
            &[][..],
            &[("cache-control", "public, max-age=3600, s-maxage=86400")],
            &[("cache-control", "public"), ("cache-control", "max-age=3600")],
            &[("cdn-cache-control", "max-age=3600"), ("some-cdn-cache-control", "public, max-age=3600")],
            &[("expires", "Fri, 01 Jan 2027 00:00:00 GMT"), ("surrogate-control", "max-age=3600")],
            &[("x-accel-expires", "3600"), ("cache-control", "private")],
        ] {
            let reaches = to_caller(&headers(said));
            let all: Vec<_> = reaches.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
            assert_eq!(all, [("cache-control", &b"no-store, no-transform"[..])], "{said:?}");
        }
    }
}
