//! Somebody else's ledger, from outside: followed, checked, compared, and convicted where it lies.

use crate::domain::{Domain, PATIENCE, eleven, text};
use eleven_core::encoding::{Value, parse};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

fn vectors() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors/equivocation.json");
    parse(&std::fs::read(path).expect("the vectors")).expect("I-JSON")
}

#[test]
fn a_ledger_is_followed_by_whoever_has_the_root_and_the_mirror_is_checked_like_it() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let lineage = domain.passes(&secret, "before it is followed");
    domain.ended(&lineage);
    // A bundle is shown under a head that covers the whole lineage: what is followed after it has all of that.
    let proof = domain.file("lineage.proof.json");
    domain.done(&["lineage", "bundle", &lineage, "--out", &proof]);
    let (url, root, mirror) = (domain.url("ledger"), domain.file("root.json"), domain.file("mirror"));
    let refused = domain.run(&["ledger", "follow", &url, "--root", &root, "--data", &domain.file("none"), "--once"]);
    assert_eq!(refused.status.code(), Some(1), "a stranger is not shown the entries: {}", text(&refused));
    let refused = domain.run(&["ledger", "follow", &url, "--root", &root, "--data", &domain.file("none")]);
    let said = text(&refused);
    assert!(refused.status.code() == Some(1) && said.contains("exposure is by-possession"), "nor later: {said}");
    assert!(said.contains("(--secret-file FILE sends the secret in a file)"), "{said}");
    assert!(!Path::new(&domain.file("none")).exists(), "of what nothing was shown nothing is kept");
    let export = domain.run(&["evidence", "export", "--out", &domain.file("none")]);
    assert_eq!(export.status.code(), Some(1), "{}", text(&export));
    assert!(text(&export).contains("(--secret-file FILE sends the secret in a file)"), "{}", text(&export));
    let added = domain.json(&["auditor", "add", "examiner", "--identity", "human:examiner:dev"]);
    let held = domain.file("auditor.secret");
    let secret = added.get("secret").and_then(Value::as_str).expect("a secret");
    std::fs::write(&held, secret).expect("written");
    let follow = ["ledger", "follow", &url, "--root", &root, "--data", &mirror, "--secret-file", &held, "--once"];
    let verified = when_known(&domain, &follow);
    let size = verified.get("size").and_then(Value::as_int).expect("a size");
    assert!(size >= 12 && verified.get("at").is_some(), "{verified}");
    assert!(domain.done(&["ledger", "compare", &url, &url, "--root", &root]).contains("one history"));
    let sound = domain.json(&["ledger", "fsck", "--data", &mirror]);
    assert_eq!(sound.get("entries").and_then(Value::as_int), Some(size), "{sound}");
    let again = domain.json(&follow);
    assert!(again.get("size").and_then(Value::as_int) >= Some(size), "{again}");

    let stranger = domain.file("stranger.json");
    let other = vectors().get("root").expect("a root").canonical();
    std::fs::write(&stranger, other).expect("written");
    let other = domain.file("other");
    let args = ["ledger", "follow", &url, "--root", &stranger, "--data", &other, "--once"];
    let output = eleven().args(args).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
}

#[test]
fn a_secret_that_went_into_a_file_opens_the_ledger_and_what_is_none_is_named() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let (url, root, held) = (domain.url("ledger"), domain.file("root.json"), domain.file("auditor.secret"));
    let mut add = eleven();
    add.args([
        "auditor",
        "add",
        "examiner",
        "--identity",
        "human:examiner:dev",
        "--config",
        &domain.file("eleven.toml"),
    ]);
    let into = std::fs::File::create(&held).expect("a file");
    let added = add.stdout(Stdio::from(into)).output().expect("it runs");
    let told = text(&added);
    assert!(added.status.success() && told.contains("The secret of examiner") && told.contains("durable"), "{told}");
    let secret = std::fs::read_to_string(&held).expect("a text");
    assert!(secret.lines().count() == 1 && !told.contains(secret.trim()), "it is there alone, and nowhere else");
    let mirror = domain.file("mirror");
    let follow = ["ledger", "follow", &url, "--root", &root, "--data", &mirror, "--secret-file", &held, "--once"];
    when_known(&domain, &follow);

    let search = ["ledger", "search", "--secret-file", &held];
    for wrong in ["", "\n", &format!("{secret}It is shown this once: keep it.\n")] {
        std::fs::write(&held, wrong).expect("written");
        for args in [&follow[..], &search] {
            let refused = domain.run(args);
            assert_eq!(refused.status.code(), Some(2), "{args:?}: {}", text(&refused));
            let said = text(&refused);
            assert!(said.contains(&held) && said.contains("the one line that `eleven auditor add` prints"), "{said}");
        }
    }
}

#[test]
fn what_an_auditor_types_goes_one_after_the_other_as_the_readme_has_it() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let lineage = domain.passes(&secret, "before it is examined");
    domain.ended(&lineage);
    domain.done(&["lineage", "bundle", &lineage, "--out", &domain.file("lineage.proof.json")]);
    let (url, root, mirror) = (domain.url("ledger"), domain.file("root.json"), domain.file("mirror"));
    let (held, evidence) = (domain.file("auditor.secret"), domain.file("evidence"));
    let added = domain.done(&["auditor", "add", "examiner", "--identity", "human:examiner:dev"]);
    std::fs::write(&held, added).expect("written");
    // Each at once, and the first time that it is typed.
    domain.done(&["ledger", "follow", &url, "--root", &root, "--data", &mirror, "--secret-file", &held, "--once"]);
    domain.done(&["evidence", "export", "--regime", "eu-ai-act", "--out", &evidence, "--secret-file", &held]);
    domain.done(&["evidence", "verify", &evidence, "--root", &root]);
    // The same by a file that the command writes, which is its owner's alone.
    let written = domain.file("second.secret");
    let args = ["auditor", "add", "second", "--identity", "human:second:dev", "--out", &written];
    let added = domain.json(&args);
    assert!(added.get("secret").is_none() && added.get("file").is_some(), "it is in the file alone: {added}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&written).expect("the file").permissions());
    assert_eq!(mode & 0o777, 0o600);
    domain.done(&["evidence", "export", "--out", &domain.file("second"), "--secret-file", &written]);
}

/// The document of a command that an auditor is allowed once his registration is sealed, half a second at most.
fn when_known(domain: &Domain, args: &[&str]) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let output = domain.run(&[args, &["--json"]].concat());
        if output.status.success() {
            return parse(&output.stdout).expect("a document");
        }
        assert!(Instant::now() < until, "{}", text(&output));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A process that is killed with this value.
struct Running(Child);

impl Running {
    /// The status with which it ends; none where it does not end before a ledger that says nothing is given up.
    fn ended(&mut self) -> Option<i32> {
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if let Some(status) = self.0.try_wait().expect("a status") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn who_follows_a_ledger_that_does_not_answer_is_told_so_and_ends_when_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("root.json"), vectors().get("root").expect("a root").canonical()).expect("written");
    // It breaks off what it is asked, and from some moment on keeps who asks waiting.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let silent = Arc::new(AtomicBool::new(false));
    let (say, asked) = channel();
    let keeps = Arc::clone(&silent);
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming().map_while(Result::ok) {
            if keeps.load(Ordering::Acquire) {
                held.push(stream);
                if say.send(()).is_err() {
                    return;
                }
            }
        }
    });
    let mut command = eleven();
    command.args(["ledger", "follow", &url, "--root", &at("root.json"), "--data", &at("mirror"), "--every", "10"]);
    let mut process = Running(command.stderr(Stdio::piped()).spawn().expect("it runs"));
    let mut said = String::new();
    let mut errors = BufReader::new(process.0.stderr.take().expect("its errors"));
    errors.read_line(&mut said).expect("a line");
    assert!(said.contains("the ledger is asked again") && said.contains(&url), "{said}");
    silent.store(true, Ordering::Release);
    asked.recv_timeout(PATIENCE).expect("it asks again");
    // In the middle of a round, and not the first.
    kill_process(Pid::from_child(&process.0), Signal::TERM).expect("it runs");
    assert_eq!(process.ended(), Some(0));
    assert!(!Path::new(&at("mirror")).exists(), "it holds nothing");
}

#[test]
fn who_goes_on_with_a_mirror_and_without_the_secret_is_told_and_waits() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let (url, root, mirror) = (domain.url("ledger"), domain.file("root.json"), domain.file("mirror"));
    let added = domain.json(&["auditor", "add", "examiner", "--identity", "human:examiner:dev"]);
    let held = domain.file("auditor.secret");
    std::fs::write(&held, added.get("secret").and_then(Value::as_str).expect("a secret")).expect("written");
    let follow = ["ledger", "follow", &url, "--root", &root, "--data", &mirror];
    let known = [&follow[..], &["--secret-file", &held, "--once"]].concat();
    let size = |value: &Value| value.get("size").and_then(Value::as_int).expect("a size");
    let verified = size(&when_known(&domain, &known));
    // Heads are shown to anybody: only what is new under one needs the secret.
    domain.client("app", "svc:demo-app:dev");
    let until = Instant::now() + PATIENCE;
    while size(&domain.get("ledger", "/v1/proof/head")) <= verified {
        assert!(Instant::now() < until, "no head covers what is new");
        std::thread::sleep(Duration::from_millis(20));
    }

    let refused = domain.run(&[&follow[..], &["--once"]].concat());
    let said = text(&refused);
    assert!(refused.status.code() == Some(1) && said.contains("exposure is by-possession"), "{said}");
    // What it was shown once it may be shown again, as when its secret is renewed: it does not end, and says so once.
    let mut command = eleven();
    command.args(follow).args(["--every", "10"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut process = Running(command.spawn().expect("it runs"));
    let mut errors = BufReader::new(process.0.stderr.take().expect("its errors"));
    let (mut said, mut more) = (String::new(), String::new());
    errors.read_line(&mut said).expect("a line");
    assert!(said.contains("the ledger is asked again") && said.contains("exposure is by-possession"), "{said}");
    std::thread::sleep(Duration::from_millis(500));
    assert!(process.0.try_wait().expect("a status").is_none(), "it waits");
    kill_process(Pid::from_child(&process.0), Signal::TERM).expect("it runs");
    assert_eq!(process.ended(), Some(0));
    errors.read_to_string(&mut more).expect("text");
    assert!(!more.contains("asked again"), "{more}");

    let sound = domain.json(&["ledger", "fsck", "--data", &mirror]);
    assert_eq!(sound.get("entries").and_then(Value::as_int), Some(verified), "the mirror is what it was: {sound}");
    assert!(size(&when_known(&domain, &known)) > verified, "and goes on with the secret");
}

/// What answers everything by a page of its own, as a proxy does.
fn page() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let asked = stream.read(&mut [0; 4096]);
            // Who asked may have left.
            let _ = asked.and_then(|_| {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>")
            });
        }
    });
    url
}

#[test]
fn a_page_is_no_ledger_and_who_has_a_mirror_waits_for_it_to_go() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let (url, root, mirror, page) = (domain.url("ledger"), domain.file("root.json"), domain.file("mirror"), page());
    let added = domain.json(&["auditor", "add", "examiner", "--identity", "human:examiner:dev"]);
    let held = domain.file("auditor.secret");
    std::fs::write(&held, added.get("secret").and_then(Value::as_str).expect("a secret")).expect("written");
    when_known(
        &domain,
        &["ledger", "follow", &url, "--root", &root, "--data", &mirror, "--secret-file", &held, "--once"],
    );
    let none = domain.run(&["ledger", "follow", &page, "--root", &root, "--data", &domain.file("none")]);
    assert!(none.status.code() == Some(1) && text(&none).contains("not of its form"), "{}", text(&none));
    let mut command = eleven();
    command.args(["ledger", "follow", &page, "--root", &root, "--data", &mirror, "--every", "10"]);
    let mut process = Running(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs"));
    let mut said = String::new();
    let mut errors = BufReader::new(process.0.stderr.take().expect("its errors"));
    errors.read_line(&mut said).expect("a line");
    assert!(said.contains("the ledger is asked again") && said.contains("not of its form"), "{said}");
    kill_process(Pid::from_child(&process.0), Signal::TERM).expect("it runs");
    assert_eq!(process.ended(), Some(0));
}

#[test]
fn a_mirror_is_begun_in_an_empty_folder_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("root.json"), vectors().get("root").expect("a root").canonical()).expect("written");
    std::fs::create_dir(at("empty")).expect("made");
    // Nobody is there: whether there is a mirror does not hang on that.
    let follow = |data: &str| {
        let args = ["ledger", "follow", "http://127.0.0.1:9", "--root", &at("root.json"), "--data", data, "--once"];
        let output = eleven().args(args).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        text(&output)
    };
    let refused = follow(&folder.path().display().to_string());
    assert!(refused.contains("holds something else: name an empty folder"), "{refused}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 2, "nothing was made");
    for data in [at("empty"), at("new"), at("new")] {
        let unreachable = follow(&data);
        assert!(unreachable.contains("127.0.0.1:9") && !unreachable.contains("something else"), "{unreachable}");
    }
    assert_eq!(std::fs::read_dir(at("empty")).expect("a folder").count(), 0, "no mirror is left that holds nothing");
    assert!(!Path::new(&at("new")).exists(), "nor its folder, which was made for it");
}

#[test]
fn evidence_is_verified_by_its_type_and_is_no_bundle() {
    let folder = tempfile::tempdir().expect("a folder");
    let vectors = vectors();
    std::fs::write(folder.path().join("root.json"), vectors.get("root").expect("a root").canonical()).expect("written");
    let file = folder.path().join("e.json");
    let verify = |args: &[&str]| {
        eleven().current_dir(folder.path()).args(["verify", "e.json"]).args(args).output().expect("it runs")
    };
    for case in vectors.get("cases").and_then(Value::as_array).expect("cases") {
        std::fs::write(&file, case.get("evidence").expect("evidence").canonical()).expect("written");
        let proven = case.get("failed").and_then(Value::as_array).is_some_and(<[Value]>::is_empty);
        let output = verify(&["--root", "root.json"]);
        assert_eq!(output.status.code(), Some(i32::from(!proven)), "{}", text(&output));
        assert_eq!(text(&output).contains("NOT PROVEN"), !proven, "{}", text(&output));
        assert_eq!(verify(&[]).status.code(), Some(1), "without a root it convicts nobody");
        assert_eq!(verify(&["--root", "root.json", "--kind", "execution"]).status.code(), Some(1));
    }
}
