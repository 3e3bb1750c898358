use super::{MOST, against};
use crate::File;

fn count(path: &str, lines: usize, longer: &[(&str, &str)]) -> usize {
    against(&[File { path, text: &"x\n".repeat(lines) }], longer).len()
}

#[test]
fn one_line_too_many_is_found() {
    assert_eq!(count("crates/a/src/b.rs", MOST, &[]), 0);
    assert_eq!(count("crates/a/src/b.rs", MOST + 1, &[]), 1);
}

#[test]
fn a_reason_excuses_its_file_alone() {
    assert_eq!(count("crates/a/src/b.rs", MOST + 1, &[("crates/a/src/b.rs", "one linear function")]), 0);
    assert_eq!(count("crates/a/src/b.rs", MOST + 1, &[("crates/a/src/b.rs", "")]), 1);
    assert_eq!(count("crates/a/src/b.rs", MOST + 1, &[("crates/a/src/c.rs", "another file")]), 2);
}

#[test]
fn a_needless_entry_is_found() {
    assert_eq!(count("crates/a/src/b.rs", MOST, &[("crates/a/src/b.rs", "was long once")]), 1);
}

#[test]
fn tests_and_other_texts_may_be_long() {
    for path in ["crates/a/src/b/tests.rs", "crates/a/tests/b.rs", "crates/a/benches/b.rs", "docs/b.md"] {
        assert_eq!(count(path, MOST + 1, &[]), 0, "{path}");
    }
}
