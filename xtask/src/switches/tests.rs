use super::{FORBIDDEN, VARIABLES, crates, variables};
use crate::File;

/// Sources that read all that is known, and one more file.
fn with(path: &str, text: &str) -> Vec<String> {
    let known: String = VARIABLES.iter().map(|(name, _)| format!("std::env::var_os(\"{name}\");\n")).collect();
    let files = [File { path: "crates/a/src/known.rs", text: &known }, File { path, text }];
    variables(&files).iter().map(ToString::to_string).collect()
}

#[test]
fn a_variable_that_is_not_named_is_found_with_its_place() {
    for bad in [
        "std::env::var(\"ELEVEN_ALLOW\")",
        "env::var_os(NAME)",
        "std::env::vars()",
        "f(std::env::var_os(\"TERM\"), std::env::var_os(\"TERMS\"))",
    ] {
        let found = with("crates/runtime/src/a.rs", &format!("\n{bad}"));
        assert_eq!(found.len(), 1, "{bad}: {found:?}");
        assert!(found[0].starts_with("crates/runtime/src/a.rs:2: "), "{found:?}");
        assert_eq!(with("crates/runtime/src/a/tests.rs", bad), [""; 0], "{bad}");
    }
    assert_eq!(with("crates/runtime/src/a.rs", "std::env::args_os(); env!(\"CARGO_PKG_VERSION\")"), [""; 0]);
    assert_eq!(variables(&[]).len(), VARIABLES.len(), "what nothing reads stands for nothing");
}

/// One crate beside the workspace's manifest.
fn of(lints: &str, manifest: &str) -> Vec<String> {
    let files = [File { path: "Cargo.toml", text: lints }, File { path: "crates/a/Cargo.toml", text: manifest }];
    crates(&files).iter().map(ToString::to_string).collect()
}

#[test]
fn a_crate_that_may_be_unsafe_is_found() {
    let all = format!("[workspace.lints.rust]\n{FORBIDDEN}\n");
    let own = format!("[lints.rust]\n{FORBIDDEN}\n[lints.clippy]\nall = \"warn\"\n");
    assert_eq!(of(&all, "[package]\n\n[lints]\nworkspace = true\n\n[lib]\n"), [""; 0]);
    assert_eq!(of("", &own), [""; 0]);
    assert_eq!(of("", "[lints]\nworkspace = true\n").len(), 1, "the workspace forbids nothing");
    assert_eq!(of(&all, "[package]\n").len(), 1, "it takes nothing of the workspace's");
    assert_eq!(of(&all, "[lints]\n\n[lib]\nworkspace = true\n").len(), 1, "in another table");
    assert_eq!(of(&all, "[lints.rust]\nunsafe_code = \"deny\"\n").len(), 1, "what may be allowed again");
}

#[test]
fn a_feature_that_is_not_named_is_found() {
    let own = format!("[features]\n# none of them\ninsecure = []\n[lints.rust]\n{FORBIDDEN}\n");
    let found = of("", &own);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("the feature insecure"), "{found:?}");
}
