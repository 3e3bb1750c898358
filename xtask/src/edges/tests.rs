use serde_json::{Value, json};

use super::{ALLOWED, check};

fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Value {
    let dependencies: Vec<Value> =
        dependencies.iter().map(|(name, kind)| json!({"name": name, "kind": kind})).collect();
    json!({"name": name, "dependencies": dependencies})
}

fn findings(packages: &[Value]) -> Vec<String> {
    check(&json!({ "packages": packages }).to_string()).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn the_corners_never_use_each_other() {
    let corners = ["eleven-authority", "eleven-runtime", "eleven-ledger"];
    for from in corners {
        for to in corners.into_iter().filter(|to| *to != from) {
            assert_eq!(findings(&[package(from, &[(to, None)]), package(to, &[])]).len(), 1, "{from} -> {to}");
        }
    }
}

#[test]
fn edges_go_downwards_only() {
    assert_eq!(
        findings(&[
            package("eleven-core", &[("eleven-verify", None)]),
            package("eleven-verify", &[("eleven-core", None)])
        ])
        .len(),
        1
    );
    assert_eq!(
        findings(&[package("eleven-enforce", &[("eleven-policy", None)]), package("eleven-policy", &[])]).len(),
        1
    );
    assert_eq!(
        findings(&[package("eleven-runtime", &[("eleven-policy", Some("build"))]), package("eleven-policy", &[])])
            .len(),
        1
    );
}

#[test]
fn what_the_design_allows_passes() {
    assert_eq!(
        findings(&[
            package("eleven-runtime", &[("eleven-enforce", None), ("tokio", None)]),
            package("eleven-enforce", &[])
        ]),
        [""; 0]
    );
    assert_eq!(findings(&[package("eleven", &[("eleven-ledger", None)]), package("eleven-ledger", &[])]), [""; 0]);
}

#[test]
fn dependencies_of_tests_are_no_edges() {
    assert_eq!(
        findings(&[
            package("eleven-core", &[("eleven-store", Some("dev")), ("tokio", Some("dev"))]),
            package("eleven-store", &[])
        ]),
        [""; 0]
    );
}

#[test]
fn a_crate_that_the_table_does_not_know_is_found() {
    assert_eq!(findings(&[package("eleven-helpers", &[])]).len(), 1);
}

#[test]
fn a_pure_crate_with_a_clock_or_an_executor_is_found() {
    for outside in ["tokio", "getrandom", "time"] {
        assert_eq!(findings(&[package("eleven-enforce", &[(outside, None)])]).len(), 1, "{outside}");
        assert_eq!(findings(&[package("eleven-runtime", &[(outside, None)])]), [""; 0], "{outside}");
    }
}

#[test]
fn what_is_not_metadata_is_an_error() {
    assert!(check("").is_err());
    assert!(check("{}").is_err());
    assert!(check(r#"{"packages":[{}]}"#).is_err());
}

#[test]
fn the_table_names_each_crate_once_and_only_known_ones() {
    for (at, (name, allowed)) in ALLOWED.iter().enumerate() {
        assert!(ALLOWED[..at].iter().all(|(earlier, _)| earlier != name), "{name} twice");
        for used in allowed.iter().filter(|used| **used != super::ALL) {
            assert!(ALLOWED[..at].iter().any(|(earlier, _)| earlier == used), "{name} -> {used} goes upwards");
        }
    }
}
