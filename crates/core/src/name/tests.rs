use super::*;

#[test]
fn an_escape_stands_for_what_does_not_stand_there_itself() {
    for name in ["a%20b", "%41", "%5A", "%C3%A9", "%2F", "%25", "%60", "%7B", "%00", "%FF"] {
        assert!(is_segment(name), "{name}");
    }
    for name in ["%61", "a%7Ab", "%30", "%39", "%2E", "%2D", "%5F", "%c3", "%4", "%", "a%2", "%GG"] {
        assert!(!is_segment(name), "{name}");
    }
}

#[test]
fn a_party_has_one_name() {
    assert!(is_identity("svc:a") && is_identity("svc:%41:prod") && is_runtime("k8s://c/%C3%A9"));
    assert!(!is_identity("svc:%61") && !is_identity("svc:a:%70rod") && !is_runtime("k8s://%63"));
    assert!(!is_point("k8s://c#%70") && !is_policy("policy://%61/v1") && !is_key("key:11-11/%61/1"));
}

#[test]
fn a_segment_has_1_to_64_characters_and_a_domain_no_empty_label() {
    let (longest, longer) = ("a".repeat(64), "a".repeat(65));
    for name in ["a", "11-11", "eu.example", "a_b.c-d.0", longest.as_str()] {
        assert!(is_segment(name) && is_domain(name), "{name}");
    }
    for name in ["", "A", "a b", "a/b", "\u{e9}", "a%", longer.as_str()] {
        assert!(!is_segment(name) && !is_domain(name), "{name}");
    }
    for name in [".", "..", ".a", "a.", "a..b", "a%20b", "%41"] {
        assert!(is_segment(name) && !is_domain(name), "{name}");
    }
}

#[test]
fn a_runtime_is_a_scheme_and_a_path() {
    for name in ["k8s://c", "host://db-1/gateway", "exec://a", "mesh://a/b/c", "edge://a"] {
        assert!(is_runtime(name), "{name}");
    }
    for name in
        ["", "k8s", "k8s:c", "k8s:/c", "k8s://", "k8s:///c", "k8s://c/", "k8s:x://c", "k8s://c://d", "://c", "K8s://c"]
    {
        assert!(!is_runtime(name), "{name}");
    }
}
