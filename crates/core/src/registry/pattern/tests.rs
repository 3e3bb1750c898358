use super::*;
use alloc::format;
use alloc::string::String;
use proptest::prelude::*;

#[test]
fn a_star_is_one_or_more_characters_of_one_segment() {
    for (pattern, runtime, expected) in [
        ("k8s://c/ns/x", "k8s://c/ns/x", true),
        ("k8s://*/ns/inference", "k8s://cluster-east-1/ns/inference", true),
        ("k8s://*/ns/*", "k8s://c/ns/x", true),
        ("k8s://*/ns/*", "k8s://c/ns/x/y", false),
        ("k8s://*/ns/*", "k8s://c/ns", false),
        ("k8s://*", "k8s://c/ns/x", false),
        ("k8s://*", "host://c", false),
        ("k8s://c*", "k8s://c", false),
        ("k8s://c*", "k8s://c2", true),
        ("k8s://*c", "k8s://c", false),
        ("k8s://a*b", "k8s://ab", false),
        ("k8s://a*b", "k8s://axb", true),
        ("k8s://a*b", "k8s://axbx", false),
        ("k8s://a*b*c", "k8s://axbxc", true),
        ("k8s://a*b*c", "k8s://abbbc", true),
        ("k8s://a*b*c", "k8s://abbc", false),
        ("k8s://a*b*c", "k8s://axbc", false),
        ("k8s://**", "k8s://a", false),
        ("k8s://**", "k8s://ab", true),
        ("k8s://a*a", "k8s://a", false),
    ] {
        assert_eq!(matches(pattern, runtime), expected, "{pattern} {runtime}");
    }
}

#[test]
fn two_patterns_meet_segment_by_segment() {
    for (a, b, expected) in [
        ("k8s://*/ns/inference", "k8s://c/ns/*", true),
        ("k8s://*/ns/inference", "k8s://c/ns/batch", false),
        ("k8s://*", "k8s://c/ns/x", false),
        ("k8s://*", "host://*", false),
        ("k8s://gpu-*", "k8s://gpu-1", true),
        ("k8s://c", "k8s://c", true),
        ("k8s://c", "k8s://d", false),
    ] {
        assert_eq!((overlap(a, b), overlap(b, a)), (expected, expected), "{a} {b}");
    }
}

#[test]
fn a_pattern_is_a_runtime_s_name_with_stars() {
    for pattern in ["k8s://*", "k8s://*/ns/*", "host://web-*", "exec://a"] {
        assert!(is_pattern(pattern), "{pattern}");
    }
    for other in ["*", "*://a", "k8s://", "k8s://*/", "k8s://c#*", "k8s://C*", "ssh://*", "k8*://c", ""] {
        assert!(!is_pattern(other), "{other}");
    }
}

/// The rule written as a search over all ways to share out the characters.
fn matches_by_search(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (1..=text.len()).any(|taken| matches_by_search(rest, &text[taken..])),
        Some((c, rest)) => text.split_first().is_some_and(|(d, left)| c == d && matches_by_search(rest, left)),
    }
}

proptest! {
    #[test]
    fn agrees_with_a_search(pattern in "[ab*]{1,7}", text in "[ab]{1,9}") {
        prop_assert_eq!(segment_matches(&pattern, &text), matches_by_search(pattern.as_bytes(), text.as_bytes()));
    }

    #[test]
    fn patterns_with_a_common_match_overlap(a in "[ab*]{1,4}/[ab*]{1,4}", b in "[ab*]{1,4}/[ab*]{1,4}", text in "[ab]{1,5}/[ab]{1,5}") {
        let name = |path: &String| format!("k8s://{path}");
        if matches(&name(&a), &name(&text)) && matches(&name(&b), &name(&text)) {
            prop_assert!(overlap(&name(&a), &name(&b)));
        }
    }
}
