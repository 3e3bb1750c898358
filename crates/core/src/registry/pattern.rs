//! Patterns of runtimes (PROTOCOL 11): `*` is one or more characters within one segment.

use crate::name;

/// Whether `text` is a pattern: a runtime's name in which `*` may stand for characters of its path.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    // `0` is a character of names as good as any that a `*` stands for.
    name::is_runtime(&text.replace('*', "0")) && text.split_once("://").is_some_and(|(scheme, _)| !scheme.contains('*'))
}

/// Whether `pattern` matches `runtime`: as many segments, and each matches.
#[must_use]
pub fn matches(pattern: &str, runtime: &str) -> bool {
    let (mut patterns, mut segments) = (pattern.split('/'), runtime.split('/'));
    loop {
        match (patterns.next(), segments.next()) {
            (None, None) => return true,
            (Some(pattern), Some(segment)) if segment_matches(pattern, segment) => {}
            _ => return false,
        }
    }
}

fn segment_matches(pattern: &str, segment: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == segment };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut left) = segment.strip_prefix(head).and_then(|left| left.strip_suffix(tail)) else { return false };
    // Between two stars each literal is taken where it first stands: what is left for the others is then the most.
    if rest.contains('*') {
        for literal in middle.split('*') {
            let Some(found) = after_first_character(left).and_then(|left| left.split_once(literal)) else {
                return false;
            };
            left = found.1;
        }
    }
    !left.is_empty()
}

/// What follows the first character: a `*` takes at least that one.
fn after_first_character(text: &str) -> Option<&str> {
    let mut characters = text.chars();
    characters.next().map(|_| characters.as_str())
}

/// Whether some runtime could match both patterns, decided segment by segment: equal segments meet, and one with a `*`
/// meets any. That calls a few pairs overlapping that are not (`a*` and `b*`); it never misses one that is.
#[must_use]
pub fn overlap(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.split('/'), b.split('/'));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if a == b || a.contains('*') || b.contains('*') => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests;
