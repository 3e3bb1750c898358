use super::{EDGE, LINTS, check, edge as edge_of};
use crate::File;

const LINTED: &str = "unwrap_used expect_used panic indexing_slicing";

/// Four pure crates without a fault, and one more file.
fn with<'a>(path: &'a str, text: &'a str) -> Vec<String> {
    let mut files = vec![
        File { path: "crates/core/src/lib.rs", text: "#![no_std]" },
        File { path: "crates/verify/src/lib.rs", text: "#![no_std]" },
        File { path, text },
    ];
    for path in
        ["crates/core/Cargo.toml", "crates/verify/Cargo.toml", "crates/enforce/Cargo.toml", "crates/policy/Cargo.toml"]
    {
        files.push(File { path, text: LINTED });
    }
    check(&files).iter().map(ToString::to_string).collect()
}

#[test]
fn each_way_outside_is_found() {
    for bad in [
        "use std::time::SystemTime;",
        "let t = std::time::Instant::now();",
        "use std::{collections::BTreeMap, fs};",
        "use std::{fmt, net::{IpAddr, TcpStream}};",
        "fn f() { std :: env :: var(\"X\"); }",
        "std::thread::spawn(f);",
        "use ::std::process::Command;",
        "use std as s;",
        "use std::{self, fmt};",
        "use tokio::sync::Mutex;",
        "use {tokio, rand};",
        "let x = rand::random();",
        "getrandom::fill(&mut bytes);",
        "extern crate rand;",
        "use crate::edge::Instant;",
        "OsRng.fill_bytes(&mut x);",
    ] {
        assert!(!with("crates/enforce/src/a.rs", bad).is_empty(), "{bad}");
    }
}

#[test]
fn what_stays_inside_passes() {
    for good in [
        "use std::collections::BTreeMap; use core::time::Duration;",
        "// std::fs, tokio and SystemTime in prose\n",
        "let rand = 3; let time = event.time; let f = \"std::env\";",
        "use std::{collections::{BTreeMap, HashMap}, sync::Arc};",
        "use std::sync::{Arc, time_of};",
    ] {
        assert_eq!(with("crates/policy/src/a.rs", good), [""; 0], "{good}");
    }
}

#[test]
fn the_place_is_named() {
    let found = with("crates/core/src/a/b.rs", "\n\nuse std::fs;\n");
    assert_eq!(found, ["crates/core/src/a/b.rs:3: std::fs in a pure crate; take its value as an argument"]);
}

#[test]
fn tests_benchmarks_and_other_crates_may() {
    for path in [
        "crates/core/src/a/tests.rs",
        "crates/core/tests/vectors.rs",
        "crates/core/benches/b.rs",
        "crates/store/src/disk.rs",
    ] {
        assert_eq!(with(path, "use std::fs;"), [""; 0], "{path}");
    }
}

#[test]
fn a_pure_crate_without_its_attributes_is_found() {
    let found = check(&[]);
    assert_eq!(found.len(), 4 * LINTS.len() + 2);
}

fn at_the_edge(path: &str, text: &str) -> Vec<String> {
    let edge = File { path: EDGE, text: "use std::time::SystemTime; fn f() { getrandom::fill(&mut bytes); }" };
    edge_of(&[edge, File { path, text }]).iter().map(ToString::to_string).collect()
}

#[test]
fn time_of_day_and_randomness_are_found_wherever_else_they_are_asked_for() {
    for bad in [
        "let now = std::time::SystemTime::now();",
        "use std::time::{Duration, SystemTime};",
        "clock_gettime(ClockId::Realtime)",
        "getrandom::fill(&mut nonce)",
        "aws_lc_rs::rand::fill(&mut nonce)",
        "let rng = SystemRandom::new();",
        "OsRng.fill_bytes(&mut salt);",
    ] {
        assert_eq!(at_the_edge("crates/authority/src/a.rs", bad).len(), 1, "{bad}");
        assert_eq!(at_the_edge("crates/authority/src/a/tests.rs", bad), [""; 0], "{bad}");
    }
    for good in ["let begun = Instant::now();", "let rand = edge::random();", "// SystemTime\n", "f(\"getrandom\")"] {
        assert_eq!(at_the_edge("crates/runtime/src/a.rs", good), [""; 0], "{good}");
    }
    assert_eq!(edge_of(&[]).len(), 1, "an edge that is not where it was is no rule");
}
