//! The forms that a key's value may have.

use eleven_core::name;
use http::Uri;
use std::net::SocketAddr;

/// A value as it was written, or as it is preset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// A text.
    Text(String),
    /// A number.
    Int(i64),
    /// A list of texts.
    List(Vec<String>),
}

/// What may stand under a key.
pub(crate) enum Form {
    /// A domain's name.
    Domain,
    /// One segment of a name.
    Segment,
    /// An enforcement point's name.
    Point,
    /// A number in a range.
    Int {
        /// The least.
        least: i64,
        /// The greatest.
        most: i64,
    },
    /// An IP address and port.
    Address,
    /// An http or https base URL.
    Url,
    /// An http or https address of a bounded length, which names something.
    Name {
        /// Bytes at most.
        most: usize,
    },
    /// The base URL of an upstream, to which the gateway adds `/v1` itself.
    Upstream,
    /// One of some words.
    OneOf {
        /// The words.
        words: &'static [&'static str],
    },
    /// Base URLs, each once.
    Urls {
        /// How many at most.
        most: usize,
    },
    /// A path; one that is not absolute is relative to the file.
    Path,
    /// An operation's name.
    Operation,
    /// Names of scope entries, sorted by byte, each once.
    Operations {
        /// How many at most.
        most: usize,
    },
    /// Names of JSON members, each once.
    Members,
}

impl Form {
    /// What is expected, as the rest of the sentence "must be …".
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Domain => "a domain: lower-case labels with dots between them, such as \"eu.example\"".into(),
            Self::Segment => "a name of 1 to 64 characters a-z, 0-9, `.`, `_`, `-`".into(),
            Self::Point => "an enforcement point such as \"host://db-1/gateway#gw-0\"".into(),
            Self::Int { least, most } => format!("a whole number from {least} to {most}"),
            Self::Address => "an IP address and port such as \"127.0.0.1:1113\"".into(),
            Self::Url => "an http:// or https:// address without user, query or fragment".into(),
            Self::Name { most } => {
                format!("an http:// or https:// address of at most {most} bytes, without user, query or fragment")
            }
            Self::Upstream => {
                "an http:// or https:// address without user, query or fragment; leave `/v1` out, and `/chat/completions`: the gateway \
                 adds them"
                    .into()
            }
            Self::OneOf { words } => format!("one of {}", words.join(", ")),
            Self::Urls { most } => format!("a list of at most {most} http:// or https:// addresses, each once"),
            Self::Path => "a path; one that does not start with / is relative to this file".into(),
            Self::Operation => "an operation's name: 1 to 64 printable ASCII characters without spaces".into(),
            Self::Operations { most } => format!("a list of at most {most} names, sorted by byte, each once"),
            Self::Members => {
                "a list of names of members, each once; `name`, `scope`, `params` and `model` are taken".into()
            }
        }
    }

    /// Whether a value is of this form.
    pub(crate) fn admits(&self, value: &Setting) -> bool {
        match (self, value) {
            (Self::Domain, Setting::Text(text)) => name::is_domain(text),
            (Self::Segment, Setting::Text(text)) => name::is_segment(text),
            (Self::Point, Setting::Text(text)) => name::is_point(text),
            (Self::Int { least, most }, Setting::Int(number)) => (least..=most).contains(&number),
            (Self::Address, Setting::Text(text)) => text.parse::<SocketAddr>().is_ok(),
            (Self::Url, Setting::Text(text)) => is_base_url(text),
            (Self::Name { most }, Setting::Text(text)) => text.len() <= *most && is_base_url(text),
            (Self::Upstream, Setting::Text(text)) => is_base_url(text) && !ends_in_what_is_added(text),
            (Self::OneOf { words }, Setting::Text(text)) => words.contains(&text.as_str()),
            (Self::Urls { most }, Setting::List(list)) => {
                let once = list.iter().enumerate().all(|(at, url)| !list[..at].contains(url));
                list.len() <= *most && once && list.iter().all(|url| is_base_url(url))
            }
            (Self::Path, Setting::Text(text)) => !text.is_empty() && !text.contains('\0'),
            (Self::Operation, Setting::Text(text)) => name::is_operation(text),
            (Self::Operations { most }, Setting::List(list)) => {
                let named = list.iter().all(|entry| name::is_operation(entry));
                list.len() <= *most && named && list.is_sorted_by(|a, b| a < b)
            }
            (Self::Members, Setting::List(list)) => {
                list.iter().enumerate().all(|(at, member)| is_member(list, at, member))
            }
            _ => false,
        }
    }
}

/// Whether a text is an http or https address that paths are added to.
pub(crate) fn is_base_url(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    // A colon without a port is what is left of a second scheme: `http://http://…`.
    let host = uri.authority().is_some_and(|authority| {
        let text = authority.as_str();
        !text.contains('@') && !text.ends_with(':') && !authority.host().is_empty()
    });
    scheme && host && uri.query().is_none() && !text.contains('#')
}

/// As most clients of the same API want it written, or as its documentation names it whole: the gateway would ask for `/v1/v1/…`, or
/// for `/v1/chat/completions/v1/…`.
fn ends_in_what_is_added(text: &str) -> bool {
    let ends = |path: &str| path.ends_with("/v1") || path.ends_with("/chat/completions");
    text.parse::<Uri>().is_ok_and(|uri| ends(uri.path().trim_end_matches('/')))
}

/// `name`, `scope` and `params` are the operation's own members (PROTOCOL 4); `model` always enters it.
fn is_member(list: &[String], at: usize, member: &str) -> bool {
    let own = matches!(member, "name" | "scope" | "params" | "model");
    !own && !member.is_empty() && member.len() <= 64 && list.iter().position(|other| other == member) == Some(at)
}
