//! Copies, retention and holds from the command line, on a domain that runs.

use crate::domain::{Domain, text};
use eleven_core::encoding::Value;

#[test]
fn a_running_ledger_is_copied_and_an_old_copy_comes_back_only_by_the_roots_word() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let lineage = domain.passes(&secret, "it started");
    domain.ended(&lineage);
    let (copy, size) = domain.copied();
    let measured = domain.json(&["ledger", "size", "--calls-per-day", "100"]);
    assert!(measured.get("calls").and_then(Value::as_int) >= Some(1), "while it runs: {measured}");
    assert!(["free", "days"].iter().all(|name| measured.get(name).and_then(Value::as_int) > Some(0)), "{measured}");
    let told = domain.done(&["ledger", "size"]);
    assert!(told.contains("10000 calls a day for 1 year: "), "{told}");
    assert!(told.contains("\nfree: ") && told.contains(" at that rate"), "{told}");
    let lineage = domain.passes(&secret, "it was copied");
    domain.ended(&lineage);
    let proof = domain.file("../proof.json");
    domain.done(&["lineage", "bundle", &lineage, "--out", &proof]);
    let runs = domain.run(&["ledger", "restore", &copy]);
    assert_eq!(runs.status.code(), Some(1), "it runs");
    assert_eq!(domain.supervisor().interrupt(), Some(0));

    for none in [domain.file("nosuch"), domain.file("authority"), domain.file("eleven.toml")] {
        let refused = domain.run(&["ledger", "restore", &none]);
        assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
        assert!(text(&refused).contains(&format!("{none} holds no copy of a ledger")), "{}", text(&refused));
    }
    let refused = domain.run(&["ledger", "restore", &copy]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains("is published"), "{}", text(&refused));
    let newest = domain.file("../newest");
    domain.json(&["ledger", "backup", &newest]);
    let (head, word) = (domain.file("../head.json"), domain.file("../recovery.json"));
    let shown = domain.json(&["ledger", "backup", &domain.file("../again")]);
    std::fs::write(&head, shown.get("head").expect("a head").canonical()).expect("written");
    let sign = ["ledger", "recovery", "sign", "--backup", &copy, "--lost", &head, "--cause", "a drill"];
    let key = domain.file("root-key.json");
    domain.done(&[&sign[..], &["--root-key", &key, "--out", &word]].concat());
    let restored = domain.json(&["ledger", "restore", &copy, "--head", &proof, "--recovery", &word]);
    assert_eq!(restored.pointer("/head/size").and_then(Value::as_int), Some(size));
    // The copy with all of it comes back without anybody's word, on top of what was just restored.
    domain.json(&["ledger", "restore", &newest, "--head", &proof]);
    let sound = domain.json(&["ledger", "fsck"]);
    assert!(sound.get("entries").and_then(Value::as_int).is_some_and(|entries| entries > size), "{sound}");
}

#[test]
fn retention_is_only_raised_and_holds_are_placed_and_lifted() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let lineage = domain.passes(&secret, "it started");
    let refused = domain.run(&["retention", "set", "--regime", "hipaa", "--days", "30"]);
    assert!(!refused.status.success() && text(&refused).contains("asks for more days"), "{}", text(&refused));
    let refused = domain.run(&["retention", "set", "--regime", "foo"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("eu-ai-act, hipaa, sec-17a-4 or own"), "{}", text(&refused));
    let refused = domain.run(&["retention", "set", "--regime", "own"]);
    assert!(refused.status.code() == Some(2) && text(&refused).contains("by --days"), "{}", text(&refused));
    assert!(domain.done(&["retention", "show"]).contains("no retention is set"), "a day was nobody's wish");
    domain.done(&["retention", "set", "--regime", "eu-ai-act"]);
    domain.done(&["retention", "set", "--regime", "hipaa"]);
    let refused = domain.run(&["retention", "set", "--regime", "hipaa"]);
    assert!(!refused.status.success() && text(&refused).contains("it is set so already"), "{}", text(&refused));
    let refused = domain.run(&["retention", "set", "--regime", "eu-ai-act"]);
    assert!(!refused.status.success() && text(&refused).contains("only ever raised"), "{}", text(&refused));
    let refused = domain.run(&["retention", "set", "--regime", "eu-ai-act", "--days", "200"]);
    assert!(!refused.status.success() && text(&refused).contains("only ever raised"), "{}", text(&refused));
    let shown = domain.json(&["retention", "show"]);
    assert_eq!(shown.get("days").and_then(Value::as_int), Some(2192), "{shown}");

    domain.done(&["hold", "place", "--operation", &lineage]);
    domain.done(&["hold", "place", "--identity", "svc:demo-app:dev"]);
    // By its artifact it is the same operation.
    for operation in [lineage.clone(), lineage.replace("lineage://op/", "auth_")] {
        let twice = domain.run(&["hold", "place", "--operation", &operation]);
        assert!(!twice.status.success() && text(&twice).contains("held already"), "{}", text(&twice));
    }
    domain.done(&["hold", "place", "--identity", "svc:nobody:dev"]);
    // An id as the registry writes it.
    domain.done(&["hold", "lift", "--operation", &lineage.to_ascii_lowercase()]);
    let list = domain.json(&["hold", "list"]);
    let list = list.as_array().expect("a list").iter();
    let row = |held: &Value| {
        let text = |name: &str| held.get(name).and_then(Value::as_str).map(str::to_owned);
        (held.get("held").cloned(), text("kind").expect("a kind"), text("operation"), text("identity"))
    };
    let mut list: Vec<_> = list.map(row).collect();
    list.sort_by_key(|(_, kind, _, identity)| (kind.clone(), identity.clone()));
    let op = lineage.strip_prefix("lineage://op/").expect("a lineage").split('.').next().map(str::to_owned);
    let (identity, operation) = ("identity".to_owned(), "operation".to_owned());
    let expected = [
        (Some(Value::Bool(true)), identity.clone(), None, None),
        (Some(Value::Bool(true)), identity, None, Some("svc:demo-app:dev".to_owned())),
        (Some(Value::Bool(false)), operation, op.clone(), None),
    ];
    assert_eq!(list, expected);
    let table = domain.done(&["hold", "list"]);
    let line = |subject: &str| {
        table.lines().find(|line| line.contains(subject)).map(|line| line.split_whitespace().next_back())
    };
    assert_eq!(line("svc:demo-app:dev"), Some(Some("yes")), "{table}");
    assert_eq!(line(&op.expect("an id")), Some(Some("no")), "{table}");
    assert_eq!(domain.supervisor().interrupt(), Some(0));
    let done = domain.json(&["ledger", "archive", "--to", &domain.file("../archive")]);
    assert_eq!(done.get("pieces").and_then(Value::as_int), Some(0), "all of it is young: {done}");
}

#[test]
fn a_ledger_that_archives_runs_confined_and_holds_its_archive() {
    let mut domain = Domain::make(&["ledger.archive=../archive", "ledger.archive_every=1"]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    domain.done(&["retention", "set", "--regime", "eu-ai-act"]);
    domain.passes(&secret, "it started");
    let mark = std::fs::read_to_string(domain.file("../archive/FORMAT")).expect("the archive is there");
    assert!(mark.contains("corner = archive"), "{mark}");
    let refused = domain.run(&["ledger", "archive", "--to", &domain.file("../archive")]);
    assert!(!refused.status.success() && text(&refused).contains("set `ledger.archive_every`"), "{}", text(&refused));
    assert_eq!(domain.supervisor().interrupt(), Some(0));
    domain.json(&["ledger", "archive", "--to", &domain.file("../archive")]);
}

#[test]
fn a_ledger_whose_archive_can_not_be_made_says_so_and_does_not_start() {
    let domain = Domain::make(&["ledger.archive=../taken/archive", "ledger.archive_every=1"]);
    // `init` made it; now a file stands where its folder was.
    std::fs::remove_dir_all(domain.file("../taken")).expect("removed");
    std::fs::write(domain.file("../taken"), "no folder").expect("written");
    let refused = domain.run(&["ledger", "serve"]);
    assert!(!refused.status.success());
    let said = text(&refused);
    assert!(said.contains("taken/archive"), "{said}");
    assert!(said.contains("`ledger.archive` can't be made") && said.contains("or name another"), "{said}");
}
