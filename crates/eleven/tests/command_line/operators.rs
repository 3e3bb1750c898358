//! What operators type, against a running domain.

use crate::domain::{Domain, PATIENCE, eleven, event, text};
use eleven_core::encoding::{Value, parse};
use http::StatusCode;
use rustix::process::{Signal, kill_process};
use std::fs::OpenOptions;
use std::process::{Output, Stdio};

fn member<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// Calls until the answer has the reason, since an act reaches the point a moment after it is durable.
fn until_denied(domain: &Domain, secret: &str, reason: &str) {
    let until = std::time::Instant::now() + crate::domain::PATIENCE;
    loop {
        let (status, _, body) = domain.call(secret, "demo-summarizer");
        if body.get("reason").and_then(Value::as_str) == Some(reason) {
            return;
        }
        assert!(std::time::Instant::now() < until, "{status} {body}, not {reason}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn a_policy_is_edited_and_published_and_a_client_revoked() {
    let mut domain = Domain::make(&["domain.fresh=2"]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    assert_eq!(domain.call(&secret, "demo-summarizer").0, StatusCode::OK);

    let refused = domain.run(&["policy", "publish", &domain.file("policies/starter.json")]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("--next"), "{}", text(&refused));

    let cedar = domain.dir().join("policies/starter.cedar");
    let rules = std::fs::read_to_string(&cedar).expect("the rules");
    std::fs::write(&cedar, rules.replace("demo-summarizer\" &&", "another-model\" &&")).expect("written");
    let done = domain.json(&["policy", "publish", &domain.file("policies/starter.json"), "--next"]);
    assert_eq!(done.pointer("/policy/ref").and_then(Value::as_str), Some("policy://starter/v2"));
    assert_eq!(member(&done, "durability"), "D1");
    assert!(done.get("effective_by").is_some() && done.get("epoch").is_some());
    until_denied(&domain, &secret, "policy.denied");

    let rules = std::fs::read_to_string(&cedar).expect("the rules");
    std::fs::write(&cedar, format!("{rules}\npermit (")).expect("written");
    let refused = domain.run(&["policy", "publish", &domain.file("policies/starter.json"), "--next"]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("correct the Cedar text"), "{}", text(&refused));
    assert!(text(&refused).contains(&domain.file("policies/starter.cedar")), "{}", text(&refused));

    let listed = domain.json(&["policy", "list"]);
    assert_eq!(listed.as_array().map(<[Value]>::len), Some(1), "v2 replaced v1: {listed}");
    let hash = listed.pointer("/0/hash").and_then(Value::as_str).expect("a hash");
    let (begins, ends) = hash.split_once(':').expect("its kind").1.split_at(4);
    let cut = format!("{begins}...{}", &ends[ends.len() - 4..]);
    assert!(domain.done(&["policy", "list"]).contains(&cut), "a part of a hash is seen to be one: {cut}");
    assert!(domain.done(&["policy", "show", "policy://starter/v2"]).contains("another-model"));
    assert_eq!(domain.run(&["policy", "show", "policy://starter/v1"]).status.code(), Some(1));

    let misspelt = "@id(\"misspelt\") permit (principal, action == Action::\"model.invok\", resource);";
    std::fs::write(&cedar, format!("{rules}\n{misspelt}\n")).expect("written");
    let warned = domain.run(&["policy", "publish", &domain.file("policies/starter.json"), "--next"]);
    let told = String::from_utf8_lossy(&warned.stderr);
    assert!(warned.status.success() && told.contains("`misspelt`: Action::\"model.invok\" is none"), "{told}");

    // A version that was retired is not in force, and is not given again.
    domain.done(&["policy", "retire", "policy://starter/v3"]);
    let refused = domain.run(&["policy", "publish", &domain.file("policies/starter.json")]);
    assert!(text(&refused).contains("the next is policy://starter/v4"), "{}", text(&refused));
    let done = domain.json(&["policy", "publish", &domain.file("policies/starter.json"), "--next"]);
    assert_eq!(done.pointer("/policy/ref").and_then(Value::as_str), Some("policy://starter/v4"));

    // A rule that can never hold is told where the schema shows it.
    let (bundle, rules) = (domain.file("policies/disclosure.json"), domain.file("policies/disclosure.cedar"));
    let read = |file: &str| std::fs::read_to_string(file).expect("a file of init");
    std::fs::write(&bundle, read(&bundle).replace("\"schema\": null,", "")).expect("written");
    let schema = "entity Identity; entity Runtime; action \"disclosure.open\", \"disclosure.erase\" appliesTo { principal: Identity, \
                  resource: Runtime, context: { identity: { id: String, kind: String, name: String, env?: String }, \
                  op: { name: String, scope: Set<String>, purpose: String, params: String }, \
                  env: { runtime: String, region: String, tenancy: String }, facts: {}, at: datetime } };";
    std::fs::write(domain.file("policies/disclosure.cedarschema"), schema).expect("written");
    let never = "@id(\"never\") forbid (principal, action, resource) when { context.op has purpos };";
    std::fs::write(&rules, format!("{}\n{never}\n", read(&rules))).expect("written");
    let warned = domain.run(&["policy", "publish", &bundle]);
    let told = String::from_utf8_lossy(&warned.stderr);
    assert!(warned.status.success() && told.contains("the rule `never`: policy is impossible"), "{told}");

    assert!(domain.done(&["client", "list"]).contains("svc:demo-app:dev"));
    let again = domain.run(&["client", "add", "app", "--identity", "svc:demo-app:dev"]);
    assert_eq!(again.status.code(), Some(1), "a client is not overwritten");
    domain.done(&["client", "revoke", "app"]);
    assert!(!domain.done(&["client", "list"]).contains("svc:demo-app:dev"));
    until_denied(&domain, &secret, "identity.unauthenticated");
}

#[test]
fn an_operator_is_added_acts_by_its_own_key_and_is_removed_by_another() {
    let mut domain = Domain::make(&["domain.fresh=2"]);
    domain.up(&[]);
    let refused = |output: Output, why: &str| {
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains(why), "{why}: {}", text(&output));
    };
    refused(domain.run(&["operator", "remove", "operator"]), "add another one first, by `eleven operator add`");
    let add = |name: &str, file: &str| {
        domain.run(&["operator", "add", name, "--identity", "human:second:dev", "--out", file, "--json"])
    };
    let (key, other) = (domain.file("second.key"), domain.file("other.key"));
    let added = parse(&add("second", &key).stdout).expect("a JSON document");
    assert_eq!((member(&added, "file"), member(&added, "durability")), (key.as_str(), "D1"));
    assert!(added.get("key").is_none(), "it is in the file alone: {added}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&key).expect("the key").permissions());
    assert_eq!(mode & 0o777, 0o600);
    let held = parse(&std::fs::read(&key).expect("the key")).expect("a JSON document");
    assert_eq!(member(&held, "kid"), member(&added, "kid"));
    let exists = add("third", &key);
    assert!(!exists.status.success() && String::from_utf8_lossy(&exists.stdout).contains("is there already"));
    let taken = add("second", &other);
    assert!(!taken.status.success() && String::from_utf8_lossy(&taken.stdout).contains("remove it first"));
    assert!(!std::path::Path::new(&other).exists(), "a key that nobody knows is not kept");

    let listed = domain.json(&["operator", "list"]);
    let names: Vec<&str> = listed.as_array().expect("operators").iter().map(|row| member(row, "operator")).collect();
    assert_eq!(names, ["operator", "second"], "{listed}");
    assert_eq!(listed.pointer("/1/kid").and_then(Value::as_str), Some(member(&added, "kid")));

    let config = std::fs::read_to_string(domain.file("eleven.toml")).expect("the configuration");
    let own = config.replace("# key = \"operator.key\"", "key = \"second.key\"");
    assert_ne!(own, config);
    std::fs::write(domain.file("second.toml"), own).expect("written");
    let second = |args: &[&str]| {
        eleven().args(args).arg("--config").arg(domain.file("second.toml")).output().expect("the command runs")
    };
    let issued = second(&["identity", "issue", "svc:demo-app:dev"]);
    assert!(issued.status.success(), "{}", text(&issued));
    let token = String::from_utf8(issued.stdout).expect("a token").trim().to_owned();
    let lineage = domain.passes(&token, "it was issued");
    domain.ended(&lineage);
    let decided = domain.json(&["lineage", "replay", &lineage]);
    assert_eq!(decided.pointer("/input/facts/operator").and_then(Value::as_str), Some("human:second:dev"), "{decided}");
    assert_eq!(decided.get("same"), Some(&Value::Bool(true)), "{decided}");
    refused(second(&["operator", "remove", "second"]), "does not remove itself");
    domain.done(&["operator", "remove", "second"]);
    refused(second(&["client", "add", "app", "--identity", "svc:demo-app:dev"]), "identity.unauthenticated");
    until_denied(&domain, &token, "identity.unauthenticated");

    // Without a file the key is printed, and into another program it goes alone.
    let printed = domain.run(&["operator", "add", "second", "--identity", "human:second:dev"]);
    assert!(printed.status.success(), "{}", text(&printed));
    let anew = parse(String::from_utf8_lossy(&printed.stdout).trim().as_bytes()).expect("the key");
    assert_eq!(member(&anew, "type"), "11-11/operator-key");
    assert_ne!(member(&anew, "kid"), member(&added, "kid"), "a name is never used for two keys");
    std::fs::write(&key, anew.canonical()).expect("written over, and still its owner's alone");
    assert!(second(&["operator", "remove", "operator"]).status.success(), "another is left");
    refused(domain.run(&["client", "add", "app", "--identity", "svc:demo-app:dev"]), "identity.unauthenticated");
}

#[test]
fn a_secret_that_can_not_be_printed_is_said_to_be_lost() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let into = |out: Stdio, args: &[&str]| -> Output {
        let mut command = eleven();
        command.args(args).arg("--config").arg(domain.dir().join("eleven.toml")).stdout(out);
        command.output().expect("it runs")
    };
    let full = || Stdio::from(OpenOptions::new().write(true).open("/dev/full").expect("a disk without room"));
    let closed = || {
        let (_, writes) = std::io::pipe().expect("a pipe");
        Stdio::from(writes)
    };
    for (kind, name, out, json, back) in [
        ("auditor", "one", full(), false, "revoke"),
        ("auditor", "two", full(), true, "revoke"),
        ("auditor", "three", closed(), false, "revoke"),
        ("client", "four", full(), false, "revoke"),
        ("operator", "five", full(), false, "remove"),
    ] {
        let add = [kind, "add", name, "--identity", "human:examiner:dev"];
        let more: &[&str] = if json { &["--json"] } else { &[] };
        let add = [&add[..], more].concat();
        let lost = into(out, &add);
        let said = text(&lost);
        assert_eq!(lost.status.code(), Some(1), "{add:?}: {said}");
        let undo = format!("`eleven {kind} {back} {name}`");
        assert!(said.starts_with("eleven: standard output: ") && said.contains(&undo), "{add:?}: {said}");
        // What it says to do goes.
        domain.done(&[kind, back, name]);
        domain.done(&add);
    }
    let unsaid = into(full(), &["registry", "show"]);
    assert_eq!(unsaid.status.code(), Some(1));
    assert!(text(&unsaid).starts_with("eleven: standard output: "), "{}", text(&unsaid));
    let closed = into(closed(), &["registry", "show"]);
    assert_eq!((closed.status.code(), text(&closed).as_str()), (Some(1), ""), "whoever closed it wants no more");
}

#[test]
fn a_refusal_that_can_not_be_printed_is_told_beside_and_stays_one() {
    let domain = Domain::make(&[]);
    let refused: [(&[&str], i32, &str); 2] = [
        (&["subject", "contain", "identity", "bar"], 2, "eleven: `bar` is no identity: nothing was done\n"),
        (&["registry", "show"], 1, "is it running?"),
    ];
    for (args, code, why) in refused {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("a disk without room");
        let mut command = eleven();
        command.args(args).arg("--json").arg("--config").arg(domain.dir().join("eleven.toml"));
        let output = command.stdout(full).output().expect("it runs");
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output));
        let said = text(&output);
        assert!(said.starts_with("eleven: ") && said.contains(why), "{args:?}: {said}");
        assert!(!said.contains("what was done stands"), "{args:?}: {said}");
    }
}

#[test]
fn a_contained_identity_is_refused_until_it_is_lifted_and_why_explains() {
    let mut domain = Domain::make(&["domain.fresh=2"]);
    domain.up(&[]);
    let token = domain.done(&["identity", "issue", "svc:demo-app:dev"]).trim().to_owned();
    assert_eq!(domain.call(&token, "demo-summarizer").0, StatusCode::OK);
    domain.done(&["subject", "contain", "identity", "svc:demo-app:dev"]);
    until_denied(&domain, &token, "runtime.contained");
    let (_, lineage, _) = domain.call(&token, "demo-summarizer");
    let why = domain.done(&["why", &lineage]);
    assert!(why.starts_with("denied: runtime.contained") && why.contains("eleven subject lift"), "{why}");
    let registry = domain.json(&["registry", "show"]);
    assert_eq!(registry.pointer("/containments/0/subject").and_then(Value::as_str), Some("svc:demo-app:dev"));
    domain.done(&["subject", "lift", "identity", "svc:demo-app:dev"]);
    domain.passes(&token, "the containment was lifted");
}

#[test]
fn an_act_that_can_not_be_meant_is_a_wrong_command_line() {
    let domain = Domain::make(&[]);
    let commands: [(&[&str], &str); 4] = [
        (&["registry", "expose", "foo"], "use one of open, by-possession, private"),
        (&["subject", "contain", "foo", "bar"], "use one of runtime, identity"),
        (&["subject", "lift", "foo", "bar"], "use one of runtime, identity"),
        (&["subject", "contain", "identity", "bar"], "`bar` is no identity: nothing was done"),
    ];
    // Nothing runs: nobody is asked.
    for (args, why) in commands {
        let output = domain.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(why), "{args:?}: {}", text(&output));
    }
}

#[test]
fn an_act_needs_the_operators_own_key() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let file = domain.dir().join("operator.key");
    let key = std::fs::read_to_string(&file).expect("the key");
    let stranger = format!("base64:{}", eleven_core::hash::base64(&[7; 32]));
    let parsed = parse(key.as_bytes()).expect("a JSON document");
    let changed = key.replace(member(&parsed, "seed"), &stranger);
    std::fs::write(&file, changed).expect("written");
    let refused = domain.run(&["policy", "retire", "policy://starter/v1"]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("identity.unauthenticated"), "{}", text(&refused));
    assert!(domain.done(&["policy", "list"]).contains("policy://starter/v1"));
}

#[test]
fn doctor_finds_nothing_bad_and_tells_of_another_configuration() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let findings = domain.json(&["doctor"]);
    let bad = |findings: &Value| {
        let rows = findings.as_array().expect("findings").iter();
        let bad = rows.filter(|row| member(row, "state") == "bad").map(|row| member(row, "what").to_owned());
        bad.collect::<Vec<_>>()
    };
    assert_eq!(bad(&findings), Vec::<String>::new(), "{findings}");
    // What runs is what was approved, also where its file says something else by now.
    domain.configure(|config| config.replace("# audit_bound = 5", "audit_bound = 6"));
    let findings = domain.json(&["doctor"]);
    assert_eq!(bad(&findings), Vec::<String>::new());
    let registration = findings.as_array().expect("findings").iter().find(|row| member(row, "what") == "registration");
    let registration = registration.expect("a finding");
    assert_eq!(member(registration, "state"), "look", "{findings}");
    assert!(member(registration, "detail").contains("another configuration than this one"), "{findings}");
    // What was approved is not what runs: it is the restart that is missing.
    domain.done(&["runtime", "register"]);
    let output = domain.run(&["doctor", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let findings = parse(&output.stdout).expect("findings");
    assert!(bad(&findings).contains(&"registration".to_owned()), "{findings}");
    assert!(findings.to_string().contains("`eleven runtime restart`"), "{findings}");
    domain.done(&["runtime", "restart"]);
    let findings = domain.json(&["doctor"]);
    assert_eq!(bad(&findings), Vec::<String>::new(), "{findings}");
}

#[test]
fn doctor_names_an_attestation_key_that_counts_no_more_whether_its_point_runs_or_not() {
    let mut domain = Domain::make(&["domain.fresh=2"]);
    domain.up(&["--no-restart"]);
    let (kid, next) = ("key:11-11/attest-gw-0/1", "`eleven runtime key replace`");
    let point = member(&domain.get("runtime", "/health"), "point").to_owned();
    let registration = |domain: &Domain| {
        let output = domain.run(&["doctor", "--json"]);
        let findings = parse(&output.stdout).expect("findings");
        let mut rows = findings.as_array().expect("findings").iter();
        let row = rows.find(|row| member(row, "what") == "registration").expect("a finding");
        (output.status.code(), member(row, "state").to_owned(), member(row, "detail").to_owned())
    };
    assert_eq!(registration(&domain).1, "ok");
    domain.done(&["key", "retire", kid]);
    // The point hears of it a moment after it is durable.
    let until = std::time::Instant::now() + PATIENCE;
    let (code, _, detail) = loop {
        let found = registration(&domain);
        if found.1 == "bad" {
            break found;
        }
        assert!(std::time::Instant::now() < until, "{found:?}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    assert!(code == Some(1) && detail.contains(kid) && detail.contains(next), "{detail}");
    let up = domain.supervisor();
    kill_process(up.pid("runtime"), Signal::KILL).expect("it runs");
    up.wait_for("that it is down", |value| event(value) == Some("down"));
    let (code, state, detail) = registration(&domain);
    assert_eq!((code, state.as_str()), (Some(1), "bad"), "{detail}");
    assert_eq!(detail, format!("{kid}, by which {point} signs, does not count now: {next}"));
}

#[test]
fn doctor_tells_of_secrets_that_others_may_read() {
    let domain = Domain::make(&[]);
    let found = |corner: &str| {
        let output = domain.run(&["doctor", "--json"]);
        let findings = parse(&output.stdout).expect("findings");
        let what = format!("{corner} secrets");
        let mut rows = findings.as_array().expect("findings").iter();
        let row = rows.find(|row| member(row, "what") == what).expect("a finding");
        (output.status.code(), member(row, "state").to_owned(), member(row, "detail").to_owned())
    };
    assert_eq!((found("runtime").0, found("runtime").1.as_str()), (Some(0), "ok"));
    let mode = |name: &str, mode: u32| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(domain.dir().join(name), permissions).expect("set");
    };
    // The runtime does not start on it.
    mode("runtime/keystore.pass", 0o644);
    let (code, state, detail) = found("runtime");
    assert!(code == Some(1) && state == "bad" && detail.contains("chmod 600"), "{state} {detail}");
    mode("runtime/keystore.pass", 0o600);
    let file = domain.dir().join("eleven.toml");
    let config = std::fs::read_to_string(&file).expect("the configuration");
    let gateway = "[runtime.gateway]\n";
    std::fs::write(&file, config.replace(gateway, &format!("{gateway}upstream_key_file = \"api.key\"\n")))
        .expect("written");
    let (code, state, detail) = found("runtime");
    assert!(code == Some(1) && state == "bad" && detail.contains("api.key"), "it is not there: {state} {detail}");
    std::fs::write(domain.dir().join("api.key"), "a key\n").expect("written");
    mode("api.key", 0o644);
    let (code, state, detail) = found("runtime");
    assert_eq!(state, "look", "{detail}");
    assert!(code == Some(0) && detail.contains("api.key: chmod 600 it"), "{detail}");
    mode("api.key", 0o600);
    assert_eq!(found("runtime").1, "ok");
    // What a service manager hands to the corner as it starts is not there before.
    let handed = format!("{gateway}upstream_key_file = \"credentials/upstream\"\n");
    std::fs::write(&file, config.replace(gateway, &handed)).expect("written");
    let (code, state, detail) = found("runtime");
    assert!(code == Some(0) && state == "look" && detail.contains("can't be looked at from here"), "{state} {detail}");
}

#[test]
fn doctor_tells_of_what_is_another_domains_and_of_what_is_contained() {
    let (mut domain, other) = (Domain::make(&[]), Domain::make(&[]));
    domain.up(&[]);
    let found = |what: &str| {
        let output = domain.run(&["doctor", "--json"]);
        let findings = parse(&output.stdout).expect("findings");
        let mut rows = findings.as_array().expect("findings").iter();
        let row = rows.find(|row| member(row, "what") == what);
        let said = row.map(|row| (member(row, "state").to_owned(), member(row, "detail").to_owned()));
        (output.status.code(), said)
    };
    // Of one name, as every domain that was made without one.
    for (file, what, why) in [
        ("operator.key", "operator key", "the registry has no operator by this key"),
        ("root.json", "trust root", "the root of another domain"),
        ("ledger/keystore.pass", "ledger secrets", "does not open"),
    ] {
        let place = domain.dir().join(file);
        let own = std::fs::read(&place).expect("it is there");
        assert_ne!(found(what).1.expect("a finding").0, "bad");
        std::fs::copy(other.dir().join(file), &place).expect("copied");
        let (code, said) = found(what);
        let (state, detail) = said.expect("a finding");
        assert!(code == Some(1) && state == "bad" && detail.contains(why), "{file}: {state} {detail}");
        std::fs::write(&place, own).expect("written");
    }
    assert_eq!(found("containment"), (Some(0), None));
    domain.done(&["subject", "contain", "identity", "svc:demo-app:dev"]);
    let until = std::time::Instant::now() + crate::domain::PATIENCE;
    loop {
        let (code, said) = found("containment");
        if let Some((state, detail)) = said {
            assert_eq!((code, state.as_str()), (Some(0), "look"), "{detail}");
            assert!(detail.contains("`eleven subject lift identity svc:demo-app:dev`"), "{detail}");
            break;
        }
        assert!(std::time::Instant::now() < until, "it is never told");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
