use super::check;
use crate::File;

fn found(path: &str, text: &str) -> Vec<String> {
    let paths = ["docs/limits.md", "crates/core/src/lib.rs", "README.md"].map(String::from);
    check(&[File { path, text }], &paths).iter().map(ToString::to_string).collect()
}

#[test]
fn a_link_to_nothing_is_found_with_its_line() {
    assert_eq!(found("README.md", "one\n[a](docs/gone.md)"), ["README.md:2: the link to docs/gone.md leads nowhere"]);
    assert_eq!(found("docs/limits.md", "[a](README.md)").len(), 1, "from another folder");
    assert_eq!(found("docs/limits.md", "[a](limits.md) [b](gone.md#part)").len(), 1, "the second of a line");
}

#[test]
fn files_and_folders_are_there() {
    assert_eq!(found("README.md", "[a](docs/limits.md) [b](docs/) [c](./crates/core) [d](README.md#part)"), [""; 0]);
    assert_eq!(found("docs/limits.md", "[a](../crates/core/src/lib.rs) [b](limits.md)"), [""; 0]);
}

#[test]
fn other_sites_and_places_on_the_page_are_not_looked_at() {
    assert_eq!(found("README.md", "[a](mailto:x@y) [b](#part) [c](proto://host/path)"), [""; 0]);
}

#[test]
fn code_is_no_page() {
    assert_eq!(found("crates/core/src/lib.rs", "//! [a](gone.md)"), [""; 0]);
}
