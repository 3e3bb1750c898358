use super::{BANNED, check};
use crate::File;

fn found(path: &str, text: &str) -> usize {
    check(&[File { path, text }]).len()
}

#[test]
fn each_banned_text_is_found() {
    for (text, _) in BANNED {
        assert!(found("docs/a.md", &format!("one\n// {text} more")) >= 1, "{text}");
        assert_eq!(found("Cargo.lock", text), 0, "{text}");
    }
}

#[test]
fn the_line_is_named() {
    let text = format!("one\ntwo {} three\n", BANNED[0].0);
    let findings = check(&[File { path: "a.rs", text: &text }]);
    assert!(findings[0].to_string().starts_with("a.rs:2: "), "{}", findings[0]);
}

#[test]
fn parts_of_longer_words_pass() {
    for good in ["todo = \"warn\"", "HOMEWORK/x", "frame/work/x", "MASTODON", "the unimplemented one"] {
        assert_eq!(found("a.rs", good), 0, "{good}");
    }
}
