use super::check;

const LOCK: &str = r#"version = 4

[[package]]
name = "eleven-core"
version = "0.1.0"
dependencies = [
 "base64 0.22.1",
 "sha2",
]

[[package]]
name = "sha2"
version = "0.11.1"
source = "registry"
"#;

fn findings(core: &[(&str, &str)], lock: &str) -> Result<Vec<String>, String> {
    let one = |(name, more): &(&str, &str)| format!(r#"{{"name":"{name}"{more}}}"#);
    let dependencies: Vec<String> = core.iter().map(one).collect();
    let core = format!(r#"{{"name":"eleven-core","dependencies":[{}]}}"#, dependencies.join(","));
    let metadata = format!(r#"{{"packages":[{core},{{"name":"eleven-sim","dependencies":[{{"name":"rand"}}]}}]}}"#);
    Ok(check(&metadata, "fuzz/Cargo.lock", lock)?.iter().map(ToString::to_string).collect())
}

#[test]
fn what_is_locked_passes_and_tests_and_options_need_not_be() {
    let core = [("base64", ""), ("sha2", ""), ("proptest", r#","kind":"dev""#), ("serde", r#","optional":true"#)];
    assert_eq!(findings(&core, LOCK), Ok(Vec::new()));
}

#[test]
fn a_dependency_that_is_new_since_is_found() {
    let found = findings(&[("base64", ""), ("fearless_simd", "")], LOCK).expect("read");
    assert!(found.len() == 1 && found[0].contains("fearless_simd of eleven-core"), "{found:?}");
}

#[test]
fn a_lock_file_without_a_crate_of_the_workspace_is_no_success() {
    assert!(findings(&[("base64", "")], "version = 4\n").is_err());
}
