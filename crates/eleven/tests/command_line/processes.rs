//! The three processes: apart from each other, restarted when they fall, stopped together.
#![allow(clippy::print_stdout, reason = "what a kernel without Landlock can't show is said")]

use crate::domain::{Domain, PATIENCE, eleven, event, runs, text};
use crate::port::Port;
use eleven_core::encoding::{Value, parse};
use http::StatusCode;
use landlock::{ABI, Access as _, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _};
use rustix::process::{Signal, kill_process};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn a_fallen_corner_is_started_again_and_ctrl_c_stops_all() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    for corner in ["runtime", "authority", "ledger"] {
        let up = domain.supervisor();
        let before = up.pid(corner);
        kill_process(before, Signal::KILL).expect("it runs");
        let started = |value: &Value| {
            event(value) == Some("started") && value.get("corner").and_then(Value::as_str) == Some(corner)
        };
        up.wait_for("a new start", started);
        assert_ne!(up.pid(corner), before);
        let lineage = domain.passes(&secret, &format!("the {corner} fell"));
        domain.ended(&lineage);
    }
    let up = domain.supervisor();
    let pids = ["runtime", "authority", "ledger"].map(|corner| up.pid(corner));
    assert_eq!(up.interrupt(), Some(0));
    assert!(pids.iter().all(|pid| !runs(*pid)), "a corner outlived its supervisor");
    let fsck = domain.json(&["ledger", "fsck"]);
    assert_eq!(fsck.get("running").and_then(Value::as_int), Some(0), "{fsck}");
}

#[test]
fn a_corner_stays_down_where_that_was_asked_for() {
    let mut domain = Domain::make(&[]);
    let up = domain.up(&["--no-restart"]);
    kill_process(up.pid("runtime"), Signal::KILL).expect("it runs");
    up.wait_for("that it stays down", |value| event(value) == Some("down"));
    std::thread::sleep(Duration::from_millis(500));
    assert!(runs(up.pid("ledger")) && !runs(up.pid("runtime")));
    for corner in ["authority", "ledger"] {
        kill_process(up.pid(corner), Signal::KILL).expect("it runs");
    }
    assert_eq!(up.ended(), Some(1), "nothing is left to supervise");
}

#[test]
fn a_configuration_that_nobody_approved_is_told_at_once_and_the_point_is_not_ready() {
    let mut domain = Domain::make(&[]);
    domain.configure(|config| config.replace("# max_run = 300", "max_run = 299"));
    let up = domain.start(eleven(), &[]);
    let told = up.wait_for("that it is not approved", |value| event(value) == Some("unregistered"));
    assert!(told.get("detail").and_then(Value::as_str).is_some_and(|text| text.contains("eleven runtime register")));
    assert!(!up.has_said("ready"), "what refuses every call is not ready");
    domain.done(&["runtime", "register"]);
    domain.supervisor().wait_for("ready", |value| event(value) == Some("ready"));
    let secret = domain.client("app", "svc:demo-app:dev");
    domain.passes(&secret, "the configuration was approved");
    // Taken back, it is refused, and says so.
    let removed = domain.done(&["runtime", "remove"]);
    assert!(
        removed.contains("its keys count until they are ended") && removed.contains("eleven key retire"),
        "{removed}"
    );
    let until = Instant::now() + PATIENCE;
    while domain.status("runtime", "/health") == StatusCode::OK {
        assert!(Instant::now() < until, "it goes on being ready");
        std::thread::sleep(Duration::from_millis(20));
    }
    let (status, _, body) = domain.call(&secret, "demo-summarizer");
    assert!(!status.is_success(), "{body}");
    let says = |value: &Value| {
        let line = value.get("line").and_then(Value::as_str);
        line.is_some_and(|line| line.contains("this point admits nothing") && line.contains("is not registered"))
    };
    domain.supervisor().wait_for("that it is approved no more", says);
}

#[test]
fn a_second_supervisor_of_a_domain_ends_and_says_who_holds_it() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let ledger = domain.supervisor().pid("ledger").as_raw_nonzero();
    let began = Instant::now();
    let second = domain.run(&["up"]);
    assert!(began.elapsed() < Duration::from_secs(6), "it waits for what does not end");
    assert_eq!(second.status.code(), Some(1), "{}", text(&second));
    assert!(text(&second).contains(&format!("is held by process {ledger}")), "{}", text(&second));
    assert!(!text(&second).contains("waiting for"), "{}", text(&second));
    assert!(!text(&second).contains("ready:"), "{}", text(&second));
    let secret = domain.client("app", "svc:demo-app:dev");
    domain.passes(&secret, "the second ended");
}

#[test]
fn who_starts_a_domain_while_a_corner_of_it_ends_is_told_what_is_waited_for() {
    let domain = Domain::make(&[]);
    // It holds the folder as a corner does whose supervisor is gone, and does not end.
    let holds = ["--no-fork", &domain.file("ledger/LOCK"), "sh", "-c", "read line", "--parent", "1"];
    let mut left = Command::new("flock").args(holds).stdin(Stdio::piped()).spawn().expect("it runs");
    let until = Instant::now() + PATIENCE;
    let named = || std::fs::read_to_string(format!("/proc/{}/comm", left.id())).is_ok_and(|name| name.trim() == "sh");
    while !named() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    let second = domain.run(&["up"]);
    left.kill().and_then(|()| left.wait()).expect("it is there");
    let waiting =
        format!("waiting for process {} to end: it is the ledger that another `eleven up` left behind", left.id());
    assert!(second.status.code() == Some(1) && text(&second).contains(&waiting), "{}", text(&second));
}

#[test]
fn who_starts_a_domain_beside_a_corner_that_was_started_by_hand_is_told_at_once() {
    let domain = Domain::make(&[]);
    let serve = eleven().args(["ledger", "serve", "--config", &domain.file("eleven.toml")]).spawn();
    let mut ledger = serve.expect("it runs");
    let held =
        || std::fs::read_to_string(domain.file("ledger/LOCK")).is_ok_and(|pid| pid.trim() == ledger.id().to_string());
    let until = Instant::now() + PATIENCE;
    while !held() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    let began = Instant::now();
    let up = domain.run(&["up"]);
    let took = began.elapsed();
    let held = format!("is held by process {}: the ledger of this domain runs already", ledger.id());
    ledger.kill().and_then(|()| ledger.wait()).expect("it ran");
    assert_eq!(up.status.code(), Some(1), "{}", text(&up));
    assert!(text(&up).contains(&held) && !text(&up).contains("waiting for"), "{}", text(&up));
    assert!(took < Duration::from_secs(6), "it waits for what does not end");
}

#[test]
fn corners_of_another_domain_are_not_announced_as_this_ones() {
    let (mut first, mut second) = (Domain::make(&[]), Domain::make(&[]));
    first.up(&[]);
    let listens = |domain: &Domain| {
        let config = std::fs::read_to_string(domain.dir().join("eleven.toml")).expect("the configuration");
        let lines = config.lines().filter(|line| line.starts_with("listen = ")).map(str::to_owned);
        lines.collect::<Vec<_>>()
    };
    let (theirs, its) = (listens(&first), listens(&second));
    assert_eq!((theirs.len(), its.len()), (3, 3));
    // Of one name, too, as every domain that was made without one.
    second.configure(|config| {
        its.iter().zip(&theirs).fold(config.to_owned(), |text, (own, other)| text.replace(own, other))
    });
    let up = second.start(eleven(), &[]);
    for _ in 0..2 {
        up.wait_for("that it can't listen", |value| {
            event(value) == Some("fallen") && value.get("corner").and_then(Value::as_str) == Some("runtime")
        });
    }
    assert!(!up.has_said("ready"), "nothing of it runs");
    assert_eq!(up.interrupt(), Some(0));
    let doctor = second.run(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(1));
    assert!(text(&doctor).contains("it is not this domain's"), "{}", text(&doctor));
}

#[test]
fn a_corner_whose_address_is_taken_says_what_to_do() {
    let domain = Domain::make(&[]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = taken.local_addr().expect("an address");
    let config = std::fs::read_to_string(domain.dir().join("eleven.toml")).expect("the configuration");
    let authority = config.lines().find(|line| line.starts_with("listen = ")).expect("the authority's stands first");
    domain.configure(|config| config.replace(authority, &format!("listen = \"{at}\"")));
    let output = domain.run(&["authority", "serve"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    for told in [&format!("cannot listen on {at}: "), ": stop who listens there, or set another `authority.listen`"] {
        assert!(text(&output).contains(told), "{}", text(&output));
    }
}

#[test]
fn doctor_sees_what_breaks_the_first_call() {
    let found = |domain: &Domain, what: &str| {
        let output = domain.run(&["doctor", "--json"]);
        let findings = parse(&output.stdout).expect("findings");
        let text = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut rows = findings.as_array().expect("findings").iter();
        let row = rows.find(|row| text(row, "what") == what).expect("a finding");
        (output.status.code(), text(row, "state"), text(row, "detail"))
    };
    let nobody = Port::keep().expect("a port");
    let url = format!("http://{}", nobody.at());
    let domain = Domain::make(&[&format!("runtime.gateway.upstream={url}")]);
    let (code, state, detail) = found(&domain, "upstream");
    assert!(code == Some(0) && state == "look" && detail.contains(&url), "{state} {detail}");
    let answers = Domain::make(&[]);
    let (_, state, detail) = found(&answers, "upstream");
    assert_eq!(state, "ok", "{detail}");

    let (_, state, detail) = found(&domain, "operator key");
    assert!(state == "ok" && detail.contains("human:operator:dev"), "{state} {detail}");
    let key = domain.dir().join("operator.key");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).expect("set");
    let (code, state, detail) = found(&domain, "operator key");
    assert!(code == Some(1) && state == "bad" && detail.contains("chmod 600"), "{state} {detail}");
    std::fs::remove_file(&key).expect("removed");
    let (code, state, detail) = found(&domain, "operator key");
    assert!(code == Some(0) && state == "look" && detail.contains("operator.key"), "{state} {detail}");
}

#[test]
fn two_corners_on_one_address_are_refused() {
    let domain = Domain::make(&[]);
    let config = std::fs::read_to_string(domain.dir().join("eleven.toml")).expect("the configuration");
    let mut listens = config.lines().filter(|line| line.starts_with("listen = "));
    let (one, other) = (listens.next().expect("a line"), listens.next().expect("a line"));
    domain.configure(|config| config.replace(other, one));
    let output = domain.run(&["up"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("are both reached at"), "{}", text(&output));
}

#[test]
fn corners_end_with_a_supervisor_that_is_killed() {
    let mut domain = Domain::make(&[]);
    let up = domain.up(&[]);
    let pids = ["runtime", "authority", "ledger"].map(|corner| up.pid(corner));
    up.kill();
    let until = Instant::now() + PATIENCE;
    while pids.iter().any(|pid| runs(*pid)) {
        assert!(Instant::now() < until, "a corner outlived its supervisor");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a corner's probe of a path says: whether it was confined, and whether it opened it.
fn probed(domain: &Domain, corner: &str, path: &str) -> (bool, bool) {
    let output = domain.run(&[corner, "probe", path, "--json"]);
    let first = output.stdout.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let said = parse(first).unwrap_or_else(|_| panic!("{}", text(&output)));
    let is = |name: &str| match said.get(name) {
        Some(Value::Bool(is)) => *is,
        _ => panic!("no `{name}` in {said}"),
    };
    assert_eq!(output.status.success(), is("opened"), "{said}");
    (is("confined"), is("opened"))
}

/// Whether this kernel confines. Where it has no Landlock, what a test would show is said not to have run: of the kernel that
/// is asked here, and not on the word of what is tested.
fn confines(domain: &Domain) -> bool {
    let (confined, _) = probed(domain, "ledger", &domain.file("ledger"));
    let asked = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))
        .and_then(|ruleset| ruleset.create());
    assert_eq!(confined, asked.is_ok(), "a corner is confined where the kernel confines: {asked:?}");
    if !confined {
        println!("skipped: this kernel has no Landlock, so that no corner is confined");
    }
    confined
}

#[test]
fn no_corner_opens_anothers_folder() {
    let domain = Domain::make(&[]);
    if !confines(&domain) {
        return;
    }
    let corners = ["authority", "ledger", "runtime"];
    for corner in corners {
        for other in corners {
            let file = domain.file(&format!("{other}/keystore.json"));
            for path in [file.as_str(), &domain.file(other)] {
                assert_eq!(probed(&domain, corner, path), (true, corner == other), "{corner} {path}");
            }
        }
        for secret in ["operator.key", "root-key.json"] {
            assert_eq!(probed(&domain, corner, &domain.file(secret)), (true, false), "{corner} {secret}");
        }
    }
}

#[test]
fn every_folder_of_certificate_authorities_is_open_to_a_corner() {
    let domain = Domain::make(&[]);
    if !confines(&domain) {
        return;
    }
    let folders = ["first", "second"].map(|name| domain.file(name));
    for folder in &folders {
        std::fs::create_dir(folder).expect("made");
        std::fs::write(format!("{folder}/authority.pem"), "one").expect("written");
    }
    for (named, opens) in [(folders.join(":"), true), (String::new(), false)] {
        for folder in &folders {
            let mut probe = crate::domain::eleven();
            probe.env("SSL_CERT_DIR", &named).args(["runtime", "probe"]).arg(format!("{folder}/authority.pem"));
            let output = probe.args(["--config", &domain.file("eleven.toml")]).output().expect("it runs");
            assert_eq!(output.status.success(), opens, "{folder} of `{named}`: {}", text(&output));
        }
    }
}

#[test]
fn a_corner_that_serves_is_confined_as_its_probe_is() {
    let domain = Domain::make(&[]);
    if !confines(&domain) {
        return;
    }
    for (corner, other) in [("ledger", "authority"), ("authority", "runtime"), ("runtime", "ledger")] {
        // The first that it writes is its lock, which leads to another's folder now: who may write there makes the file.
        let planted = domain.dir().join(other).join("planted");
        let lock = domain.dir().join(corner).join("LOCK");
        let _ = std::fs::remove_file(&lock);
        std::os::unix::fs::symlink(&planted, &lock).expect("a link");
        let mut serve = crate::domain::eleven();
        serve
            .args([corner, "serve", "--config", &domain.file("eleven.toml")])
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut serving = serve.spawn().expect("it runs");
        let until = Instant::now() + PATIENCE;
        while !planted.exists() && matches!(serving.try_wait(), Ok(None)) {
            assert!(Instant::now() < until, "the {corner} neither serves nor ends");
            std::thread::sleep(Duration::from_millis(10));
        }
        let made = planted.exists();
        let _ = serving.kill();
        let ended = serving.wait_with_output().expect("it ends");
        assert!(!made, "the {corner} that serves writes to the folder of the {other}");
        assert_eq!(ended.status.code(), Some(1), "{}", text(&ended));
        assert!(text(&ended).contains("Permission denied"), "{}", text(&ended));
    }
}

#[test]
fn free_ports_are_three_that_nobody_listens_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let init = ["init", "--json", "--free-ports", "--upstream", "http://127.0.0.1:9", "d"];
    let made = crate::domain::eleven().current_dir(folder.path()).args(init).output().expect("it runs");
    assert!(made.status.success(), "{}", text(&made));
    let made = parse(made.stdout.trim_ascii()).expect("a JSON document");
    // Whoever reads this may stand elsewhere.
    for file in ["config", "root", "root_key"] {
        let file = std::path::Path::new(made.get(file).and_then(Value::as_str).expect("a file"));
        assert!(file.is_absolute() && file.exists(), "{}", file.display());
    }
    let urls = made.get("urls").and_then(Value::as_object).expect("addresses");
    let at = ["ledger", "authority", "runtime"].map(|corner| urls.get(corner).and_then(Value::as_str).expect("one"));
    let ports = at.map(|url| url.strip_prefix("http://127.0.0.1:").expect("loopback").parse::<u16>().expect("a port"));
    assert!(ports.iter().all(|port| ![0, 1111, 1112, 1113].contains(port)), "{ports:?}");
    assert!(ports[0] != ports[1] && ports[1] != ports[2] && ports[0] != ports[2], "{ports:?}");
}

#[test]
fn a_domain_is_its_owners_alone_and_the_root_key_lies_outside_the_corners() {
    let domain = Domain::make(&[]);
    let mode =
        |name: &str| std::fs::metadata(domain.dir().join(name)).expect("it is there").permissions().mode() & 0o777;
    for folder in ["", "authority", "ledger", "runtime"] {
        assert_eq!(mode(folder), 0o700, "{folder}");
    }
    for corner in ["authority", "ledger", "runtime"] {
        assert_eq!(
            (mode(&format!("{corner}/keystore.json")), mode(&format!("{corner}/keystore.pass"))),
            (0o600, 0o600)
        );
        let format = std::fs::read_to_string(domain.dir().join(corner).join("FORMAT")).expect("a format");
        assert!(format.contains(corner), "{format}");
    }
    assert_eq!((mode("root-key.json"), mode("operator.key")), (0o600, 0o600));
    // No key is held by two, nor one of another corner's uses (DESIGN, invariant 6).
    let mut publics = BTreeSet::new();
    for (corner, uses) in [
        ("authority", "event identity issuer policy registry"),
        ("ledger", "event head"),
        ("runtime", "attestation event"),
    ] {
        let store = std::fs::read(domain.dir().join(corner).join("keystore.json")).expect("a keystore");
        let store = parse(&store).expect("I-JSON");
        let keys = store.get("keys").and_then(Value::as_array).expect("keys");
        let text = |key: &Value, name: &str| key.get(name).and_then(Value::as_str).expect("a text").to_owned();
        let held: BTreeSet<String> = keys.iter().map(|key| text(key, "use")).collect();
        assert_eq!(held.into_iter().collect::<Vec<_>>().join(" "), uses, "{corner}");
        for key in keys {
            assert!(publics.insert(text(key, "public")), "{corner}: {key}");
        }
    }
    let root = std::fs::read_to_string(domain.dir().join("root-key.json")).expect("the root key");
    assert!(root.contains("\"kid\":\"key:11-11/root/1\""));
    let again = domain.run(&["init", &domain.dir().display().to_string()]);
    assert_eq!(again.status.code(), Some(2), "a domain is never made over another");
}

#[test]
fn a_point_that_lost_its_journal_returns_under_new_keys_only() {
    let mut domain = Domain::make(&[]);
    domain.up(&["--no-restart"]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let lineage = domain.passes(&secret, "the start");
    domain.ended(&lineage);
    let body = br#"{"model":"demo-summarizer","messages":[{"role":"user","content":"Rain fell on the hills."}]}"#;
    let used = domain.artifact(&secret, "svc:demo-app:dev", body);
    assert_eq!(domain.presents(&secret, &used, body).0, StatusCode::OK);
    let call = domain.begun(&secret);
    let up = domain.supervisor();
    kill_process(up.pid("runtime"), Signal::KILL).expect("it runs");
    up.wait_for("that it is down", |value| event(value) == Some("down"));
    call.join().expect("it ends with its point");
    domain.upstream_goes_on();
    std::fs::remove_dir_all(domain.dir().join("runtime/journal")).expect("the journal is lost");
    let refused = domain.run(&["runtime", "serve"]);
    assert_eq!(refused.status.code(), Some(65), "{}", text(&refused));
    assert!(text(&refused).contains("eleven runtime key replace"), "{}", text(&refused));

    let replaced = domain.json(&["runtime", "key", "replace", "--label", "2"]);
    assert_eq!(replaced.get("retired").and_then(Value::as_array).map(<[Value]>::len), Some(2), "{replaced}");
    let again = domain.run(&["runtime", "key", "replace", "--label", "2"]);
    assert_eq!(again.status.code(), Some(2), "once it stands under them nothing is left to replace: {}", text(&again));
    let keys = domain.json(&["registry", "show"]);
    let retired = |kid: &str| {
        let keys = keys.get("keys").and_then(Value::as_array).expect("keys").iter();
        keys.filter(|key| key.get("kid").and_then(Value::as_str) == Some(kid))
            .any(|key| key.get("status").and_then(Value::as_str) == Some("retired"))
    };
    for kid in replaced.get("retired").and_then(Value::as_array).expect("an array") {
        assert!(retired(kid.as_str().expect("a kid")), "{kid} {keys}");
    }
    let mut serving = crate::domain::eleven();
    let mut runtime =
        serving.args(["runtime", "serve", "--config", &domain.file("eleven.toml")]).spawn().expect("runs");
    domain.passes(&secret, "the point returned");
    // What was used under the journal that is lost is used, and what is issued now is not.
    let (status, refused) = domain.presents(&secret, &used, body);
    let reason = refused.get("reason").and_then(Value::as_str);
    assert_eq!((status, reason), (StatusCode::FORBIDDEN, Some("artifact.replayed")), "{refused}");
    let fresh = domain.artifact(&secret, "svc:demo-app:dev", body);
    assert_eq!(domain.presents(&secret, &fresh, body).0, StatusCode::OK);
    domain.ended(&domain.passes(&secret, "all that"));
    runtime.kill().expect("it runs");
    runtime.wait().expect("it ends");
    let up = domain.supervisor();
    up.interrupt();
    // Of all that was decided the authority has kept nothing: what is in its folder are its keys.
    let kept = std::fs::read_dir(domain.dir().join("authority")).expect("a folder");
    let kept = kept.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let kept: BTreeSet<String> = kept.collect();
    assert_eq!(kept, BTreeSet::from(["FORMAT", "LOCK", "keystore.json", "keystore.pass"].map(str::to_owned)));
    let records = records(&domain.dir().join("ledger"));
    let text = |record: &Value, name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let breaks = records.iter().filter(|record| text(record, "by").starts_with("ledger://"));
    let breaks = breaks.map(|record| text(record, "event")).filter(|event| event.starts_with("audit."));
    assert_eq!(breaks.collect::<Vec<_>>(), ["audit.discontinuity", "audit.resumed"], "by the ledger, once each");
    // The point closes under its new key what it had begun under the one whose journal is lost.
    let closed: Vec<&Value> =
        records.iter().filter(|record| text(record, "event") == "execution.interrupted").collect();
    let [closed] = closed[..] else { panic!("one was open: {closed:?}") };
    assert_eq!(text(closed, "kid"), text(&replaced, "kid"));
    assert_eq!(closed.pointer("/data/cause").and_then(Value::as_str), Some("journal.lost"));
    assert_eq!(domain.json(&["ledger", "fsck"]).get("running").and_then(Value::as_int), Some(0));
}

/// Only a person can give it new keys, which takes the two others.
#[test]
fn a_point_that_lost_its_journal_stays_down_and_the_others_go_on() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    domain.ended(&domain.passes(&secret, "the start"));
    let journal = domain.dir().join("runtime/journal");
    std::fs::rename(&journal, domain.dir().join("lost")).expect("moved");
    let up = domain.supervisor();
    kill_process(up.pid("runtime"), Signal::KILL).expect("it runs");
    let down = up.wait_for("that it stays down", |value| event(value) == Some("down"));
    assert_eq!(down.get("corner").and_then(Value::as_str), Some("runtime"));
    let said = down.get("detail").and_then(Value::as_str).expect("a text");
    assert!(said.contains("its last line says what is to be done"), "{said}");
    assert!(runs(up.pid("ledger")) && runs(up.pid("authority")) && !runs(up.pid("runtime")));
    let restart = domain.run(&["runtime", "restart"]);
    assert!(text(&restart).contains("unless it said that the runtime stays down"), "{}", text(&restart));
    domain.done(&["runtime", "key", "replace", "--label", "2"]);
    let said = domain.supervisor().all_said();
    let of_point = |line: &&str| line.contains("\"corner\":\"runtime\"") && line.contains("\"event\":\"started\"");
    assert_eq!(said.lines().filter(of_point).count(), 2, "at first, and when it was killed: {said}");
    domain.up(&[]);
    domain.passes(&secret, "the keys were replaced");
}

/// The records of a ledger that has ended, read from its log.
pub(crate) fn records(ledger: &std::path::Path) -> Vec<Value> {
    use eleven_store::{Folder, Log as _, SegmentLog, SegmentOptions};
    let home = Folder::open(ledger, "ledger").expect("the ledger has ended");
    let log = SegmentLog::open(home.place("log").expect("a place"), SegmentOptions::default()).expect("its log");
    let records = log.reader().read_from(0, usize::MAX, usize::MAX).expect("records");
    let entries = records.iter().filter_map(|(_, bytes)| parse(bytes.strip_suffix(b"e")?).ok());
    entries.filter_map(|entry| entry.get("record").cloned()).collect()
}
