//! Names (PROTOCOL 2): made of `[a-z0-9._-]`, 1 to 64 characters a segment, other characters percent-encoded.

/// A segment: 1 to 64 of `[a-z0-9._-]` and upper-case percent escapes of other characters.
#[must_use]
pub fn is_segment(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=64).contains(&bytes.len()) && (all_plain(bytes) || all_plain_or_escaped(bytes))
}

/// Whether all stand as they are. Each is looked at, which goes several at a time; most names are such.
fn all_plain(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |plain, byte| plain & is_plain(*byte))
}

fn all_plain_or_escaped(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += match byte {
            plain if is_plain(*plain) => 1,
            b'%' if is_escape(bytes.get(at + 1..at + 3)) => 3,
            _ => return false,
        };
    }
    true
}

/// A character that stands in a name as it is.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-')
}

/// Two upper-case digits of a character that stands escaped. One that stands as it is has no second spelling: two names for
/// one party would be two to contain, and to compare.
fn is_escape(digits: Option<&[u8]>) -> bool {
    let value = |digit: &u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    };
    let Some([high, low]) = digits else { return false };
    value(high).zip(value(low)).is_some_and(|(high, low)| !is_plain((high << 4) | low))
}

/// A path: one or more segments with `/` between them.
#[must_use]
pub fn is_path(text: &str) -> bool {
    text.split('/').all(is_segment)
}

/// A domain: labels with dots between them (`11-11`, `eu.example`).
#[must_use]
pub fn is_domain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let has_empty_label =
        || bytes.starts_with(b".") || bytes.ends_with(b".") || bytes.windows(2).any(|two| two == b"..");
    (1..=64).contains(&bytes.len()) && all_plain(bytes) && !has_empty_label()
}

/// An authority: `governance://<domain>/authority/<env>`.
#[must_use]
pub fn is_authority(text: &str) -> bool {
    let Some((domain, env)) = text.strip_prefix("governance://").and_then(|rest| rest.split_once("/authority/")) else {
        return false;
    };
    is_domain(domain) && is_segment(env)
}

/// The domain of an authority's name.
#[must_use]
pub fn authority_domain(authority: &str) -> Option<&str> {
    Some(authority.strip_prefix("governance://")?.split_once('/')?.0)
}

/// A ledger: `ledger://<domain>`.
#[must_use]
pub fn is_ledger(text: &str) -> bool {
    ledger_domain(text).is_some_and(is_domain)
}

/// The domain of a ledger's name.
#[must_use]
pub fn ledger_domain(ledger: &str) -> Option<&str> {
    ledger.strip_prefix("ledger://")
}

/// An identity: `<kind>:<name>[:<env>]`, kind `human svc model agent workload`, `@<domain>` behind it where it is another
/// domain's.
#[must_use]
pub fn is_identity(text: &str) -> bool {
    let (local, domain) = text.split_once('@').map_or((text, None), |(local, domain)| (local, Some(domain)));
    let mut parts = local.split(':');
    let kind = parts.next().is_some_and(|kind| matches!(kind, "human" | "svc" | "model" | "agent" | "workload"));
    let name = parts.next().is_some_and(is_segment);
    let env = parts.next().is_none_or(is_segment);
    kind && name && env && parts.next().is_none() && domain.is_none_or(is_domain)
}

/// A policy reference: `policy://<path>/v<N>`, N >= 1 without leading zeros.
#[must_use]
pub fn is_policy(text: &str) -> bool {
    policy_version(text).is_some()
}

/// The path and the version of a policy reference.
#[must_use]
pub fn policy_version(text: &str) -> Option<(&str, u64)> {
    let (path, version) = text.strip_prefix("policy://")?.rsplit_once("/v")?;
    let plain = !version.starts_with('0') && version.len() <= 15 && version.bytes().all(|b| b.is_ascii_digit());
    let version = version.parse().ok().filter(|_| plain)?;
    is_path(path).then_some((path, version))
}

/// A runtime: `<scheme>://<path>`, schemes `k8s host exec mesh edge`.
#[must_use]
pub fn is_runtime(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    matches!(scheme, "k8s" | "host" | "exec" | "mesh" | "edge") && rest.strip_prefix("//").is_some_and(is_path)
}

/// An enforcement point: `<runtime>#<point>`.
#[must_use]
pub fn is_point(text: &str) -> bool {
    text.split_once('#').is_some_and(|(runtime, point)| is_runtime(runtime) && is_segment(point))
}

/// The runtime of a point.
#[must_use]
pub fn runtime_of_point(point: &str) -> &str {
    point.split_once('#').map_or(point, |(runtime, _)| runtime)
}

/// A key: `key:<domain>/<role>/<label>`.
#[must_use]
pub fn is_key(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("key:") else { return false };
    let mut parts = rest.split('/');
    parts.next().is_some_and(is_domain)
        && parts.next().is_some_and(is_segment)
        && parts.next().is_some_and(is_segment)
        && parts.next().is_none()
}

/// An operation name or a scope entry: printable ASCII without spaces, 1 to 64 characters.
#[must_use]
pub fn is_operation(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
