//! `eleven runtime key replace`: in order, so that nothing is missing between the keys; and where it can't be done, so that nothing
//! is moved and the point goes on as it was.

use crate::domain::{Domain, PATIENCE, eleven, event, text};
use crate::processes::records;
use eleven_core::encoding::{Value, parse};
use http::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use std::process::Child;
use std::time::{Duration, Instant};

/// The keystore, what stands in the point's folder, and the registry's keys and points.
fn as_it_is(domain: &Domain) -> (Vec<u8>, Vec<String>, Option<Value>, Option<Value>) {
    let keystore = std::fs::read(domain.file("runtime/keystore.json")).expect("a keystore");
    let folder = std::fs::read_dir(domain.dir().join("runtime")).expect("the folder");
    let mut names: Vec<String> =
        folder.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let registry = domain.json(&["registry", "show"]);
    (keystore, names, registry.get("keys").cloned(), registry.get("runtimes").cloned())
}

#[test]
fn keys_are_replaced_under_a_new_label_only_and_nothing_moves_before_that_is_sure() {
    let mut domain = Domain::make(&[]);
    let up = domain.up(&["--no-restart"]);
    kill_process(up.pid("runtime"), Signal::KILL).expect("it runs");
    up.wait_for("that it is down", |value| event(value) == Some("down"));
    let secret = domain.client("app", "svc:demo-app:dev");
    let replace = |label: &str| domain.run(&["runtime", "key", "replace", "--label", label]);
    let serve = || {
        eleven().args(["runtime", "serve", "--config", &domain.file("eleven.toml")]).spawn().expect("the point runs")
    };

    let before = as_it_is(&domain);
    let refused = replace("1");
    assert_eq!(refused.status.code(), Some(2), "the label of the keys in force: {}", text(&refused));
    assert!(text(&refused).contains("is registered under") && text(&refused).contains("nothing was done"));
    assert_eq!(as_it_is(&domain), before);

    let done = replace("2");
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    let mut point = serve();
    domain.passes(&secret, "the keys were replaced");
    point.kill().and_then(|()| point.wait()).expect("it ends");

    let before = as_it_is(&domain);
    let refused = replace("1");
    assert_eq!(refused.status.code(), Some(2), "a label of retired keys: {}", text(&refused));
    assert!(text(&refused).contains("is in the registry already"), "{}", text(&refused));
    let (passphrase, away) = (domain.file("runtime/keystore.pass"), domain.file("away.pass"));
    std::fs::rename(&passphrase, &away).expect("moved");
    let unread = replace("3");
    std::fs::rename(&away, &passphrase).expect("moved back");
    assert_eq!(unread.status.code(), Some(1), "without the passphrase: {}", text(&unread));
    assert!(text(&unread).contains("keystore.pass"), "{}", text(&unread));
    let (operator, away) = (domain.file("operator.key"), domain.file("away.key"));
    std::fs::rename(&operator, &away).expect("moved");
    let unsigned = replace("3");
    std::fs::rename(&away, &operator).expect("moved back");
    assert_eq!(unsigned.status.code(), Some(1), "without the operator's key: {}", text(&unsigned));
    assert_eq!(as_it_is(&domain), before);

    let mut point = serve();
    domain.passes(&secret, "all that was refused");
    point.kill().and_then(|()| point.wait()).expect("it ends");
}

#[test]
fn what_was_interrupted_is_gone_on_with_by_the_same_command() {
    let mut domain = Domain::make(&[]);
    let up = domain.up(&["--no-restart"]);
    kill_process(up.pid("runtime"), Signal::KILL).expect("it runs");
    up.wait_for("that it is down", |value| event(value) == Some("down"));
    let replace = || domain.run(&["runtime", "key", "replace", "--label", "2", "--json"]);
    // Signed by a stranger the first act is refused, when the keys are made already.
    let own = std::fs::read_to_string(domain.file("operator.key")).expect("the operator's key");
    let seed = parse(own.as_bytes()).expect("a document");
    let seed = seed.get("seed").and_then(Value::as_str).expect("a seed");
    let strangers = own.replace(seed, &format!("base64:{}", eleven_core::hash::base64(&[7; 32])));
    std::fs::write(domain.file("operator.key"), strangers).expect("written");
    let refused = replace();
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("identity.unauthenticated"), "{}", text(&refused));
    std::fs::write(domain.file("operator.key"), own).expect("written");
    let keystore = std::fs::read(domain.file("runtime/keystore.json")).expect("a keystore");
    let done = replace();
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    assert!(text(&done).contains("\"retired\":[\"key:11-11/attest-gw-0/1\",\"key:11-11/gw-0/1\"]"), "{}", text(&done));
    assert_eq!(std::fs::read(domain.file("runtime/keystore.json")).expect("a keystore"), keystore, "made once");
}

#[test]
fn keys_of_before_that_were_not_retired_any_more_are_retired_by_the_same_command() {
    let domain = drained();
    // As where the authority fell between the point's registration under its new keys and the end of the old ones.
    for name in ["keystore.json", "journal"] {
        let from = domain.file(&format!("runtime/{name}"));
        std::fs::rename(&from, format!("{from}.before-2.1")).expect("moved");
    }
    let keys = domain.file("runtime-2.json");
    std::fs::write(&keys, domain.done(&["runtime", "key", "new", "--label", "2", "--json"])).expect("written");
    domain.done(&["key", "register", &keys]);
    domain.done(&["runtime", "register"]);
    let replace = || domain.run(&["runtime", "key", "replace", "--label", "2"]);
    let done = replace();
    assert!(done.status.success() && text(&done).contains(DRAINED), "{}", text(&done));
    assert!(text(&done).contains("keys retired: key:11-11/attest-gw-0/1, key:11-11/gw-0/1"), "{}", text(&done));
    let again = replace();
    assert_eq!(again.status.code(), Some(2), "there is nothing left to do: {}", text(&again));
    assert!(text(&again).contains("were replaced already"), "{}", text(&again));
}

/// A domain whose point does not run, and whose ledger has all that the point's journal holds.
fn drained() -> Domain {
    let mut domain = Domain::make(&[]);
    domain.up(&["--no-restart"]);
    let secret = domain.client("app", "svc:demo-app:dev");
    domain.ended(&domain.passes(&secret, "the start"));
    killed(&mut domain, "runtime");
    domain
}

const DRAINED: &str = "the ledger has all that their journal held";

#[test]
fn a_journal_that_can_not_be_read_now_is_not_given_up_unasked() {
    let domain = drained();
    let replace = || domain.run(&["runtime", "key", "replace", "--label", "2"]);
    let (segment, away) = (domain.file("runtime/journal/00000000000000000000.seg"), domain.file("away.seg"));
    let before = as_it_is(&domain);
    let refused = |why: &str| {
        let refused = replace();
        assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
        assert!(text(&refused).contains(why) && text(&refused).contains("--journal-lost"), "{}", text(&refused));
        assert_eq!(as_it_is(&domain), before);
    };
    std::fs::copy(&segment, &away).expect("copied");
    let mut later = std::fs::read(&segment).expect("a segment");
    later[8] = 9;
    std::fs::write(&segment, later).expect("written");
    refused("has format 9");
    // What a disk refuses may be whole.
    std::fs::remove_file(&segment).expect("removed");
    std::fs::create_dir(&segment).expect("a folder that can't be opened as a file");
    refused("check the disk");
    std::fs::remove_dir(&segment).expect("removed");
    std::fs::rename(&away, &segment).expect("moved back");
    // What is none of it says nothing of it.
    let stray = domain.file("runtime/journal/00000000000000000000 (copy).seg");
    std::fs::write(&stray, b"somebody's").expect("written");
    refused("not the name of a segment");
    std::fs::remove_file(&stray).expect("removed");
    let done = replace();
    assert!(done.status.success() && text(&done).contains(DRAINED), "{}", text(&done));
}

#[test]
fn a_journal_that_was_drained_and_moved_away_is_not_taken_for_lost_where_no_keys_were_made() {
    let domain = drained();
    // As where the disk was full when the new keystore was to be written.
    for name in ["keystore.json", "journal"] {
        let from = domain.file(&format!("runtime/{name}"));
        std::fs::rename(&from, format!("{from}.before-2.1")).expect("moved");
    }
    let done = domain.run(&["runtime", "key", "replace", "--label", "2"]);
    assert!(done.status.success() && text(&done).contains(DRAINED), "{}", text(&done));
    assert!(text(&done).contains("keys retired: key:11-11/attest-gw-0/1, key:11-11/gw-0/1"), "{}", text(&done));
}

#[test]
fn a_keystore_or_a_journal_that_a_crash_moved_away_alone_is_put_back_first() {
    for (half, label) in [("keystore.json", "2"), ("journal", "3")] {
        let domain = drained();
        let from = domain.file(&format!("runtime/{half}"));
        std::fs::rename(&from, format!("{from}.before-2.1")).expect("moved");
        if half == "keystore.json" {
            let started = domain.run(&["runtime", "serve"]);
            assert_eq!(started.status.code(), Some(1), "{}", text(&started));
            assert!(text(&started).contains("`eleven runtime key replace`"), "{}", text(&started));
        }
        let done = domain.run(&["runtime", "key", "replace", "--label", label]);
        assert!(done.status.success() && text(&done).contains(DRAINED), "{half}: {}", text(&done));
        for name in ["keystore.json", "journal"] {
            let aside = domain.file(&format!("runtime/{name}.before-{label}.1"));
            assert!(std::path::Path::new(&aside).exists(), "{half}: {aside}");
        }
    }
}

#[test]
fn what_a_crash_moved_away_alone_is_put_back_first_also_where_the_journal_is_given_up() {
    for (half, label) in [("keystore.json", "2"), ("journal", "3")] {
        let domain = drained();
        let from = domain.file(&format!("runtime/{half}"));
        std::fs::rename(&from, format!("{from}.before-2.1")).expect("moved");
        let lost = domain.run(&["runtime", "key", "replace", "--label", label, "--journal-lost"]);
        assert!(lost.status.success() && text(&lost).contains("audit.discontinuity"), "{half}: {}", text(&lost));
        for name in ["keystore.json", "journal"] {
            let aside = domain.file(&format!("runtime/{name}.before-{label}.1"));
            assert!(std::path::Path::new(&aside).exists(), "{half}: {aside}");
        }
    }
}

#[test]
fn a_keystore_of_keys_that_are_retired_is_not_put_back() {
    let domain = drained();
    let replace = |label: &str| domain.run(&["runtime", "key", "replace", "--label", label]);
    let done = replace("2");
    assert!(done.status.success() && text(&done).contains(DRAINED), "{}", text(&done));
    let secret = domain.client("other", "svc:demo-app:dev");
    let point = serve(&domain, "runtime");
    domain.passes(&secret, "the keys were replaced");
    drop(point);
    // What is left looks as if the keystore before had been moved away alone.
    std::fs::remove_file(domain.file("runtime/keystore.json")).expect("the keystore is lost");
    std::fs::remove_dir_all(domain.file("runtime/journal.before-2.1")).expect("thrown away");
    let lost = replace("3");
    assert!(lost.status.success() && text(&lost).contains("audit.discontinuity"), "{}", text(&lost));
    assert!(text(&lost).contains("keys retired: key:11-11/attest-gw-0/2, key:11-11/gw-0/2"), "{}", text(&lost));
    let there = |name: &str| domain.dir().join("runtime").join(name).exists();
    assert!(there("keystore.json.before-2.1") && there("journal.before-3.lost"), "each is where it was put");
    assert!(!there("keystore.json.before-3.1") && !there("journal.before-3.1"));
}

#[test]
fn keys_are_not_replaced_where_the_ledger_or_the_keystore_does_not_tell_how_the_journal_stands() {
    let mut domain = drained();
    let replace = |domain: &Domain| domain.run(&["runtime", "key", "replace", "--label", "2"]);
    let before = as_it_is(&domain);
    let pass = domain.dir().join("runtime/keystore.pass");
    let own = std::fs::read(&pass).expect("a passphrase");
    std::fs::write(&pass, "another passphrase entirely\n").expect("written");
    let shut = replace(&domain);
    std::fs::write(&pass, own).expect("written");
    assert_eq!(shut.status.code(), Some(1), "{}", text(&shut));
    assert!(text(&shut).contains("does not open") && text(&shut).contains("--journal-lost"), "{}", text(&shut));
    assert_eq!(as_it_is(&domain), before);

    killed(&mut domain, "ledger");
    let silent = replace(&domain);
    assert_eq!(silent.status.code(), Some(1), "{}", text(&silent));
    for part in ["how far the ledger has the journal: ", "--journal-lost", "start `eleven ledger serve`"] {
        assert!(text(&silent).contains(part), "{part}: {}", text(&silent));
    }
    assert_eq!(as_it_is(&domain), before);
    let _ledger = serve(&domain, "ledger");
    let until = Instant::now() + PATIENCE;
    while !replace(&domain).status.success() {
        assert!(Instant::now() < until, "the ledger is back, and the keys are not replaced");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// That the keys are replaced, and what their journal held is given up.
fn given_up(domain: &Domain) {
    let lost = domain.run(&["runtime", "key", "replace", "--label", "2"]);
    assert!(lost.status.success() && text(&lost).contains("audit.discontinuity"), "{}", text(&lost));
}

#[test]
fn a_journal_that_is_older_than_what_the_ledger_has_is_lost() {
    let domain = drained();
    let (journal, copy) = (domain.dir().join("runtime/journal"), domain.dir().join("journal.copy"));
    std::fs::create_dir(&copy).expect("made");
    for file in std::fs::read_dir(&journal).expect("a folder") {
        let file = file.expect("an entry");
        std::fs::copy(file.path(), copy.join(file.file_name())).expect("copied");
    }
    let secret = domain.client("other", "svc:demo-app:dev");
    let point = serve(&domain, "runtime");
    domain.ended(&domain.passes(&secret, "it was started again"));
    drop(point);
    std::fs::remove_dir_all(&journal).expect("removed");
    std::fs::rename(&copy, &journal).expect("put back");
    given_up(&domain);
}

#[test]
fn a_journal_that_is_damaged_is_lost() {
    let domain = drained();
    let segment = domain.file("runtime/journal/00000000000000000000.seg");
    let mut damaged = std::fs::read(&segment).expect("a segment");
    damaged[0] ^= 1;
    std::fs::write(&segment, damaged).expect("written");
    given_up(&domain);
}

#[test]
fn a_point_that_is_given_other_keys_before_it_returned_is_said_once_to_have_broken_off() {
    let mut domain = drained();
    std::fs::remove_dir_all(domain.dir().join("runtime/journal")).expect("the journal is lost");
    given_up(&domain);
    let again = domain.run(&["runtime", "key", "replace", "--label", "3"]);
    assert!(again.status.success(), "{}", text(&again));
    domain.supervisor().interrupt();
    let of = |name: &str, record: &Value| record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let records = records(&domain.dir().join("ledger"));
    let breaks = records.iter().filter(|record| of("by", record).starts_with("ledger://"));
    let breaks = breaks.map(|record| of("event", record)).filter(|event| event.starts_with("audit."));
    assert_eq!(breaks.collect::<Vec<_>>(), ["audit.discontinuity"]);
}

/// Kills a corner that stays down.
fn killed(domain: &mut Domain, corner: &str) {
    let up = domain.supervisor();
    kill_process(up.pid(corner), Signal::KILL).expect("it runs");
    up.wait_for("that it is down", |value| {
        event(value) == Some("down") && value.get("corner").and_then(Value::as_str) == Some(corner)
    });
}

#[test]
fn what_a_journal_holds_is_in_the_ledger_before_its_keys_are_replaced_or_given_up() {
    let mut domain = Domain::make(&[]);
    domain.up(&["--no-restart"]);
    let secret = domain.client("app", "svc:demo-app:dev");
    domain.ended(&domain.passes(&secret, "the start"));
    let body = br#"{"model":"demo-summarizer","messages":[{"role":"user","content":"Rain fell on the hills."}]}"#;
    let token = domain.artifact(&secret, "svc:demo-app:dev", body);
    killed(&mut domain, "ledger");
    assert_eq!(domain.presents(&secret, &token, body).0, StatusCode::OK, "only its journal knows");
    killed(&mut domain, "runtime");
    let serve = |corner: &str| serve(&domain, corner);
    let ledger = serve("ledger");
    let replace = |more: &[&str]| domain.run(&[&["runtime", "key", "replace", "--label"], more].concat());

    let before = as_it_is(&domain);
    let until = Instant::now() + PATIENCE;
    let refused = loop {
        let refused = replace(&["2"]);
        assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
        if text(&refused).contains("start the runtime once") {
            break refused;
        }
        assert!(Instant::now() < until, "the ledger does not answer: {}", text(&refused));
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(text(&refused).contains("--journal-lost") && text(&refused).contains("nothing was done"));
    assert_eq!(as_it_is(&domain), before);

    // Sent, by a point that is started once and told to stop.
    let sent = |mut point: Running, after: &str| {
        domain.ended(&domain.passes(&secret, after));
        kill_process(Pid::from_child(&point.0), Signal::TERM).expect("it runs");
        point.0.wait().expect("it ends");
    };
    sent(serve("runtime"), "the ledger is back");
    let done = replace(&["2"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    assert!(text(&done).contains(DRAINED), "{}", text(&done));
    assert!(text(&done).contains("keys retired: key:11-11/attest-gw-0/1, key:11-11/gw-0/1"), "{}", text(&done));
    sent(serve("runtime"), "the keys were replaced");
    let lost = replace(&["3", "--journal-lost"]);
    assert_eq!(lost.status.code(), Some(0), "{}", text(&lost));
    assert!(text(&lost).contains("audit.discontinuity"), "{}", text(&lost));

    drop(ledger);
    domain.supervisor().interrupt();
    let of = |name: &str, record: &Value| record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let records = records(&domain.dir().join("ledger"));
    let breaks = records.iter().filter(|record| of("by", record).starts_with("ledger://"));
    let breaks = breaks.map(|record| of("event", record)).filter(|event| event.starts_with("audit."));
    assert_eq!(breaks.collect::<Vec<_>>(), ["audit.discontinuity"], "of what was given up alone");
    assert!(!records.iter().any(|record| of("event", record) == "execution.interrupted"), "what ran has its end");
}

/// A corner that was started by hand.
fn serve(domain: &Domain, corner: &str) -> Running {
    let serve = eleven().args([corner, "serve", "--config", &domain.file("eleven.toml")]).spawn();
    Running(serve.expect("it runs"))
}

/// A process that is killed with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn whoever_ran_all_corners_is_told_how_the_two_that_are_needed_start() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let replace = || domain.run(&["runtime", "key", "replace", "--label", "2"]);
    let next = "start `eleven ledger serve` and `eleven authority serve`, and not the runtime";
    let runs = replace();
    assert_eq!(runs.status.code(), Some(1), "{}", text(&runs));
    assert!(text(&runs).contains("is held by process") && text(&runs).contains(next), "{}", text(&runs));
    assert_eq!(domain.supervisor().interrupt(), Some(0));
    let keystore = std::fs::read(domain.file("runtime/keystore.json")).expect("a keystore");
    let replace = || domain.run(&["runtime", "key", "replace", "--label", "2"]);
    let alone = replace();
    assert_eq!(alone.status.code(), Some(1), "{}", text(&alone));
    assert!(text(&alone).contains(next) && !text(&alone).contains("`eleven up`"), "{}", text(&alone));
    assert_eq!(std::fs::read(domain.file("runtime/keystore.json")).expect("a keystore"), keystore, "nothing moved");

    let _corners = ["ledger", "authority"].map(|corner| serve(&domain, corner));
    let until = Instant::now() + PATIENCE;
    loop {
        let done = replace();
        if done.status.success() {
            break;
        }
        assert!(Instant::now() < until, "{}", text(&done));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_ne!(std::fs::read(domain.file("runtime/keystore.json")).expect("a keystore"), keystore);
}
