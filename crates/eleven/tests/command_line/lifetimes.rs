//! A domain whose root and keys end soon: told ahead, and what can be done about it.

use crate::domain::{Domain, event, text};
use eleven_core::encoding::{Value, parse};
use eleven_core::root::TrustRoot;

/// How `doctor` finds the root's and the keys' time, and what it says.
fn lifetimes(domain: &Domain) -> (String, String) {
    let output = domain.run(&["doctor", "--json"]);
    let findings = parse(&output.stdout).expect("findings");
    let text = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut rows = findings.as_array().expect("findings").iter();
    let row = rows.find(|row| text(row, "what") == "lifetimes").expect("a finding");
    (text(row, "state"), text(row, "detail"))
}

fn root(bytes: &[u8]) -> TrustRoot {
    TrustRoot::read(parse(bytes).expect("I-JSON")).expect("a root")
}

#[test]
fn a_domain_of_a_year_has_time_and_says_until_when() {
    let domain = Domain::make(&[]);
    let (state, detail) = lifetimes(&domain);
    assert_eq!(state, "ok", "{detail}");
    let made = root(&std::fs::read(domain.file("root.json")).expect("the root"));
    assert!(detail.contains(&made.exp.seconds()), "{detail}");
    assert_eq!(made.exp.since(made.nbf), 365 * 24 * 3600 * 1000);
    assert!(made.records().all(|key| key.exp == made.exp));
}

#[test]
fn what_ends_in_thirty_days_is_told_and_a_root_is_extended_without_another_change() {
    let mut domain = Domain::with(&["--valid-days", "30"]);
    let (state, detail) = lifetimes(&domain);
    assert_eq!(state, "look", "{detail}");
    assert!(detail.contains("version 1 of the trust root") && detail.contains("in 29 days"), "{detail}");
    assert!(detail.contains("key:11-11/head/1") && !detail.contains("key:11-11/issuer/1"), "no registry yet: {detail}");
    let up = domain.up(&[]);
    let told = up.wait_for("that it ends", |value| event(value) == Some("ending")).to_string();
    assert!(told.contains("key:11-11/issuer/1") && told.contains("key:11-11/gw-0/1"), "{told}");

    let (first, key, next) = (domain.file("root.json"), domain.file("root-key.json"), domain.file("next.json"));
    let sign = ["root", "next", "--from", &first, "--root-key", &key, "--out", &next];
    let refused = domain.run(&[&sign[..], &["--extend", "20"]].concat());
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("name more days"), "{}", text(&refused));
    assert_eq!(domain.run(&sign).status.code(), Some(2), "nothing would change");
    let said = domain.done(&[&sign[..], &["--extend", "300"]].concat());
    assert!(said.contains("outlives keys") && said.contains("key:11-11/head/1 until"), "{said}");
    let (one, two) = (root(&std::fs::read(&first).expect("a root")), root(&std::fs::read(&next).expect("a root")));
    assert_eq!(two.exp.since(two.nbf), 300 * 24 * 3600 * 1000);
    assert!(
        two.succeeds(&one).is_ok()
            && (&two.keys, &two.roles, &two.witnesses) == (&one.keys, &one.roles, &one.witnesses)
    );
    domain.done(&["root", "publish", &next]);
    assert_eq!(domain.json(&["root", "show"]).get("version").and_then(Value::as_int), Some(2));
    let (state, detail) = lifetimes(&domain);
    assert!(state == "look" && !detail.contains("of the trust root"), "its keys end when they did: {detail}");
}

#[test]
fn a_key_that_the_running_authority_holds_is_help_and_one_that_it_does_not_hold_is_none() {
    let mut domain = Domain::with(&["--valid-days", "30"]);
    domain.up(&[]);
    let running = |domain: &Domain| lifetimes(domain).1;
    let renew = |domain: &Domain, label: &str| {
        let file = domain.file(&format!("authority-{label}.json"));
        domain.done(&["authority", "key", "renew", "--label", label, "--out", &file]);
        file
    };
    // Restarted before the keys are registered it signs by the older one, and has the other when that ends.
    let file = renew(&domain, "a");
    domain.done(&["authority", "restart"]);
    domain.done_at_last(&["key", "register", &file, "--valid-days", "40"]);
    let kid = domain.get("authority", "/health").get("kid").and_then(Value::as_str).expect("a key").to_owned();
    assert_eq!(kid, "key:11-11/authority/1");
    let detail = running(&domain);
    assert!(!detail.contains("by which the authority"), "{detail}");
    assert!(detail.contains("key:11-11/authority/a") && detail.contains("key:11-11/issuer/a"), "in 39 days: {detail}");

    // Registered and never restarted, it has neither.
    let file = renew(&domain, "b");
    domain.done(&["key", "register", &file]);
    let detail = running(&domain);
    for usage in ["authority", "issuer"] {
        let told = format!("key:11-11/{usage}/a, by which the authority that runs signs (by key:11-11/{usage}/b");
        assert!(detail.contains(&told), "{detail}");
    }
    domain.done(&["authority", "restart"]);
    let detail = running(&domain);
    assert!(!detail.contains("by which the authority"), "{detail}");
}
