//! What is read of a request's headers. Where one stands twice, somebody else on the way may go by the other of the two: then
//! neither counts.

use http::header::{AUTHORIZATION, AsHeaderName, HeaderMap};

/// The header of this name, as text; `None` where there is none, where it stands twice, and where it is no text.
#[must_use]
pub fn only(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    let alone = values.next().is_none();
    first.to_str().ok().filter(|_| alone)
}

/// The credential in `Authorization: Bearer`; `None` where there is none. The scheme's name is without regard to case (RFC 9110,
/// 11.1).
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, credential) = only(headers, AUTHORIZATION)?.split_once(' ')?;
    let credential = credential.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then_some(credential)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::HeaderValue;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_credential_stands_behind_its_scheme_in_any_case() {
        for sent in ["Bearer abc", "bearer abc", "BEARER  abc", "bEaReR abc "] {
            assert_eq!(bearer(&headers(&[sent])), Some("abc"), "{sent}");
        }
        for sent in ["", "Bearer", "Bearer ", "Bearer  ", "Basic abc", "Bearerabc", "abc"] {
            assert_eq!(bearer(&headers(&[sent])), None, "{sent}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn what_stands_twice_is_none_of_the_two() {
        for twice in [["Bearer abc", "Bearer abc"], ["Bearer abc", "Bearer x"], ["Bearer abc", ""], ["", "Bearer abc"]]
        {
            assert_eq!((bearer(&headers(&twice)), only(&headers(&twice), AUTHORIZATION)), (None, None), "{twice:?}");
        }
        let mut headers = headers(&["Bearer abc"]);
        headers.append("eleven-salts", HeaderValue::from_static("e30"));
        assert_eq!((only(&headers, "eleven-salts"), bearer(&headers)), (Some("e30"), Some("abc")));
        headers.insert("eleven-salts", HeaderValue::from_bytes(b"\xfc").expect("a value"));
        assert_eq!(only(&headers, "eleven-salts"), None, "it is no text");
    }
}
