//! A witness as a process of its own: made, told of a log, killed, started again.

use crate::domain::{Domain, PATIENCE, eleven, text};
use crate::port::Port;
use eleven_api::client::Client;
use eleven_core::encoding::{Value, parse};
use eleven_core::hash::Sha256;
use eleven_core::head::checkpoint::{Checkpoint, Line, Note, read_vkey, read_witness_vkey, vkey, witness_vkey};
use eleven_core::signature::{SeedSigner, Signer as _, VerifyingKey};
use eleven_core::tree::{self, MemoryTree};
use eleven_ledger::witness::AddCheckpoint;
use http_body_util::{BodyExt as _, Full};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

const ORIGIN: &str = "log.example/a";

fn signer() -> SeedSigner {
    SeedSigner::new("key:log/head/1", &[7; 32])
}

/// A witness's process. It is killed with this value.
struct Witness {
    process: Child,
    url: String,
}

impl Witness {
    fn start(dir: &Path) -> Self {
        Self::at(dir, "127.0.0.1:0")
    }

    fn at(dir: &Path, listen: &str) -> Self {
        let mut command = eleven();
        command.args(["witness", "serve", "--json", "--listen", listen]).arg(dir);
        let mut process = command.stdout(Stdio::piped()).spawn().expect("a witness");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("its output")).read_line(&mut line).expect("where it listens");
        let said = parse(line.trim().as_bytes()).expect("I-JSON");
        let url = said.get("listening").and_then(Value::as_str).expect("an address").to_owned();
        Self { process, url }
    }

    fn add(&self, request: &AddCheckpoint) -> (u16, String) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let posted = http::Request::post(format!("{}/add-checkpoint", self.url));
            let posted = posted.body(Full::new(bytes::Bytes::from(request.to_string()))).expect("a request");
            let sent = tokio::time::timeout(PATIENCE, Client::new().send(posted)).await.expect("in time");
            let response = sent.expect("an answer");
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.expect("a body").to_bytes();
            (status, String::from_utf8(body.to_vec()).expect("text"))
        })
    }
}

impl Witness {
    /// The status with which it ends when it is told by this signal.
    fn told(mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.process), signal).expect("it runs");
        self.process.wait().expect("it ends").code()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn request(tree: &MemoryTree, old: u64, size: u64) -> AddCheckpoint {
    let root: Sha256 = tree.root_at(size).expect("a root");
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root };
    let lines = vec![checkpoint.sign(&signer())];
    let proof = tree::consistency_proof(tree, old, size).expect("a proof");
    AddCheckpoint { old, proof, note: Note { checkpoint, lines } }
}

#[test]
fn a_killed_witness_remembers_what_it_cosigned() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("w");
    let at = dir.display().to_string();
    let run = |args: &[&str]| {
        let output = eleven().args(args).output().expect("it runs");
        (output.status.code(), text(&output))
    };
    let (code, said) = run(&["witness", "log", "add", &at, "--vkey", &vkey(ORIGIN, &signer().public())]);
    assert!(code == Some(2) && said.contains("eleven witness key new"), "{said}");
    let (code, said) = run(&["witness", "log", "list", &at]);
    assert!(code == Some(2) && said.contains("holds no witness: make it with `eleven witness key new`"), "{said}");
    let (code, said) = run(&["witness", "key", "new", &at, "--name", "witness.example/one", "--json"]);
    assert_eq!(code, Some(0), "{said}");
    let made = parse(said.trim().as_bytes()).expect("I-JSON");
    let verifier = made.get("vkey").and_then(Value::as_str).expect("a verifier key");
    let (name, public) = read_witness_vkey(verifier).expect("a verifier key");
    assert_eq!(name, "witness.example/one");
    let (code, said) = run(&["witness", "key", "new", &at, "--name", "witness.example/two"]);
    assert!(code == Some(1) && said.contains("is there already"), "{said}");
    let (code, said) = run(&["witness", "log", "add", &at, "--vkey", "log.example+00000000+AAAA"]);
    assert!(code == Some(2) && said.contains("no verifier key"), "{said}");
    for _ in 0..2 {
        let (code, said) = run(&["witness", "log", "add", &at, "--vkey", &vkey(ORIGIN, &signer().public()), "--json"]);
        assert_eq!(code, Some(0), "{said}");
        let logs = parse(said.trim().as_bytes()).expect("I-JSON");
        assert_eq!(logs.get("logs").and_then(Value::as_array).map(<[Value]>::len), Some(1), "each once: {said}");
    }

    let mut tree = MemoryTree::new();
    (0..50u8).for_each(|leaf| tree.append(tree::leaf_hash(&[leaf])));
    let mut known = 0;
    for size in [5, 6, 20, 50] {
        let witness = Witness::start(&dir);
        let shown = || text(&eleven().args(["witness", "show", &witness.url]).output().expect("it runs"));
        let told = shown();
        assert!(told.contains(ORIGIN) && told.contains("nothing yet") == (known == 0), "{told}");
        assert_eq!(witness.add(&request(&tree, 0, size)).0, if known == 0 { 200 } else { 409 });
        let (status, lines) = witness.add(&request(&tree, known, size));
        // The first is there already: the same size again.
        assert_eq!(status, if known == 0 { 409 } else { 200 }, "{lines}");
        let asked = request(&tree, size, size);
        let (status, lines) = witness.add(&asked);
        assert_eq!(status, 200, "{lines}");
        let lines = lines.lines().map(|line| Line::parse(line).expect("a line")).collect();
        let note = Note { checkpoint: asked.note.checkpoint, lines };
        let key = VerifyingKey::new(&public).expect("a key");
        assert!(note.cosigned_by("witness.example/one", &key).is_some());
        assert!(shown().contains(ORIGIN), "{}", shown());
        // Killed while nothing is asked of it, and at the next turn another process knows what this one answered.
        drop(witness);
        known = size;
    }
    let witness = Witness::start(&dir);
    assert_eq!(witness.add(&request(&tree, 20, 50)), (409, "50\n".to_owned()));
    let evidence = eleven().args(["witness", "evidence", &witness.url]).output().expect("it runs");
    assert!(text(&evidence).contains("\"evidence\":[]"), "{}", text(&evidence));
    // Told to make place it says so by its status, and its next process goes on.
    assert_eq!(witness.told(Signal::HUP), Some(75), "start me again");
    let witness = Witness::start(&dir);
    assert_eq!(witness.add(&request(&tree, 20, 50)), (409, "50\n".to_owned()));
    assert_eq!(witness.told(Signal::TERM), Some(0), "let me be");
}

#[test]
fn a_witness_of_another_make_is_named_by_its_verifier_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let (dir, file) = (folder.path().join("d"), folder.path().join("w.vkey"));
    let theirs = witness_vkey("witness.elsewhere/W:1", &SeedSigner::new("key:w/w/1", &[9; 32]).public());
    std::fs::write(&file, format!("{theirs}\n")).expect("written");
    let made = eleven().args(["init", "--free-ports", "--witness"]).args([&file, &dir]).output().expect("it runs");
    assert!(made.status.success(), "{}", text(&made));
    let root = dir.join("root.json");
    let value = parse(&std::fs::read(&root).expect("a root")).expect("I-JSON");
    let member = |name: &str| value.pointer(&format!("/witnesses/keys/0/{name}"));
    assert_eq!(member("name").and_then(Value::as_str), Some("witness.elsewhere/W:1"));
    assert_eq!(member("audits"), Some(&Value::Bool(false)));

    // What both are known by elsewhere.
    let printed = eleven().args(["root", "vkeys"]).arg(&root).output().expect("it runs");
    assert!(printed.status.success(), "{}", text(&printed));
    let printed = String::from_utf8(printed.stdout).expect("text");
    let (ours, rest) = printed.split_once('\n').expect("two lines");
    assert_eq!(read_vkey(ours).map(|(origin, _)| origin).as_deref(), Some("11-11/ledger"), "{ours}");
    assert_eq!(rest.trim_end(), theirs);
}

#[test]
fn a_witness_that_is_to_audit_nothing_that_has_an_address_does_not_start() {
    let domain = Domain::make(&[]);
    let (at, root) = (domain.file("w"), domain.file("root.json"));
    let made = eleven().args(["witness", "key", "new", &at, "--name", "witness.example/one"]).output();
    assert!(made.expect("it runs").status.success());
    for (args, why) in [
        (&["--audit"][..], "a value is required for '--audit <URL>'"),
        (&["--audit", "--root", &root], "a value is required for '--audit <URL>'"),
        (&["--audit", "http://127.0.0.1:9"], "--root <FILE>"),
        (&["--root", &root], "--audit <URL>"),
        (&["--audit", "", "--root", &root], "`` is no address: begin it with http:// or https://"),
        (
            &["--audit", "127.0.0.1:9", "--root", &root],
            "`127.0.0.1:9` is no address: begin it with http:// or https://",
        ),
        (&["--audit", "ftp://127.0.0.1:9", "--root", &root], "`ftp://127.0.0.1:9` is no address: write it as http://"),
    ] {
        let serve = ["witness", "serve", "--listen", "127.0.0.1:0", at.as_str()];
        let output = eleven().args(serve).args(args).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(why), "{args:?}: {}", text(&output));
        assert!(!text(&output).contains("listening"), "{args:?}: {}", text(&output));
        assert!(!Path::new(&domain.file("w/mirror")).exists(), "{args:?}: nothing is mirrored");
    }
}

#[test]
fn a_witness_that_is_named_as_an_auditor_does_not_start_without_a_ledger_to_replay() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("w").display().to_string();
    let made = eleven().args(["witness", "key", "new", &at, "--name", "witness.example/one", "--audits"]).output();
    assert!(made.expect("it runs").status.success());
    let output = eleven().args(["witness", "serve", "--listen", "127.0.0.1:0", &at]).output().expect("it runs");
    let said = text(&output);
    assert!(output.status.code() == Some(2) && said.contains("says that this witness audits"), "{said}");
    assert!(said.contains("--audit and --root") && !said.contains("listening"), "{said}");
}

#[test]
fn a_key_that_a_root_calls_compromised_is_watched_no_more() {
    let domain = Domain::make(&[]);
    let (at, first, second) = (domain.file("w"), domain.file("root.json"), domain.file("two.json"));
    let (key, renewed) = (domain.file("root-key.json"), domain.file("renewed.json"));
    let made = eleven().args(["witness", "key", "new", &at, "--name", "witness.example/one"]).output();
    assert!(made.expect("it runs").status.success());
    let watched = |root: &str| {
        let output = eleven().args(["witness", "log", "add", &at, "--root", root, "--json"]).output().expect("it runs");
        let logs = parse(text(&output).trim().as_bytes()).expect("I-JSON");
        let logs = logs.get("logs").and_then(Value::as_array).expect("a list").iter();
        let line = |log: &Value| log.get("vkey").and_then(Value::as_str).expect("a key").to_owned();
        logs.map(line).collect::<Vec<String>>()
    };
    let before = watched(&first);
    assert_eq!(before.len(), 1, "{before:?}");
    domain.done(&["ledger", "key", "renew", "--label", "2", "--out", &renewed]);
    let next = ["root", "next", "--from", &first, "--root-key", &key, "--renew", &renewed, "--out", &second];
    domain.done(&[&next[..], &["--compromise", "key:11-11/head/1"]].concat());
    let after = watched(&second);
    assert!(after.len() == 1 && after != before, "{before:?}, {after:?}");
}

/// Makes a witness of the domain's ledger, which stands in the domain's folder `w`, and starts it.
fn watching(domain: &Domain, listen: std::net::SocketAddr) -> Witness {
    watching_as(domain, "w", "witness.example/one", &listen.to_string())
}

/// The same in another folder, by another name.
fn watching_as(domain: &Domain, folder: &str, name: &str, listen: &str) -> Witness {
    let (at, root) = (domain.file(folder), domain.file("root.json"));
    let made = ["witness", "key", "new", at.as_str(), "--name", name];
    assert!(eleven().args(made).output().expect("it runs").status.success());
    let watch = ["witness", "log", "add", at.as_str(), "--root", root.as_str()];
    assert!(eleven().args(watch).output().expect("it runs").status.success());
    Witness::at(Path::new(&at), listen)
}

/// Until the ledger is well, and its last head as durable as this.
fn until_durable(domain: &Domain, level: &str) {
    let until = std::time::Instant::now() + PATIENCE;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    loop {
        let asked = async { Client::new().get_json(&domain.ledger(), eleven_api::routes::HEALTH, PATIENCE).await };
        let health = runtime.block_on(asked);
        if health.as_ref().is_ok_and(|health| health.get("durability").and_then(Value::as_str) == Some(level)) {
            return;
        }
        assert!(std::time::Instant::now() < until, "{health:?}, not {level}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// How `doctor` finds the witnesses, and what it says of them; nothing where it looks for none.
fn found(domain: &Domain) -> Option<(String, String)> {
    let output = domain.run(&["doctor", "--json"]);
    let findings = parse(&output.stdout).expect("findings");
    let text = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut rows = findings.as_array().expect("findings").iter();
    rows.find(|row| text(row, "what") == "witnesses").map(|row| (text(row, "state"), text(row, "detail")))
}

#[test]
fn a_domain_without_witnesses_gets_one_by_a_new_root_and_loses_it_by_another() {
    let kept = Port::keep().expect("a port");
    let free = kept.at();
    let mut domain = Domain::make(&[&format!("ledger.witnesses=[\"http://{free}\"]")]);
    let root = domain.file("root.json");
    let _witness = watching(&domain, free);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    until_durable(&domain, "D3");
    assert_eq!(found(&domain), None, "the root names none");

    let (key, public) = (domain.file("root-key.json"), domain.file("w/witness.json"));
    let next = |before: &str, out: &str, change: &[&str]| {
        let (from, to) = (domain.file(before), domain.file(out));
        std::fs::write(&from, domain.done(&["root", "show"])).expect("written");
        let args = ["root", "next", "--from", &from, "--root-key", &key, "--out", &to];
        domain.run(&[&args[..], change].concat())
    };
    let same = next("one.json", "none.json", &[]);
    assert!(same.status.code() == Some(2) && text(&same).contains("nothing would change"), "{}", text(&same));
    let unknown = next("one.json", "none.json", &["--remove", "witness.example/two"]);
    assert!(unknown.status.code() == Some(2) && text(&unknown).contains("names no witness"), "{}", text(&unknown));
    let second = next("one.json", "two.json", &["--add", &public]);
    assert!(second.status.success(), "{}", text(&second));
    let witnessed = "witnessed by 1 of witness.example/one, none of them has to audit";
    assert!(text(&second).contains(witnessed), "{}", text(&second));
    domain.done(&["root", "publish", &domain.file("two.json")]);
    until_durable(&domain, "D4");

    // What is proven under the new root is verified by who pinned the old one, cosignatures included.
    let lineage = domain.passes(&secret, "the root changed");
    domain.ended(&lineage);
    until_durable(&domain, "D4");
    let (state, detail) = found(&domain).expect("the root names one");
    assert!(state == "ok" && detail.contains("1 of 1"), "{detail}");
    let proof = domain.file("witnessed.proof.json");
    domain.done(&["lineage", "bundle", &lineage, "--out", &proof]);
    let verify = ["verify", proof.as_str(), "--root", root.as_str()];
    let verified = eleven().args(verify).output().expect("it runs");
    assert!(verified.status.success(), "{}", text(&verified));

    let third = next("two-again.json", "three.json", &["--remove", "witness.example/one"]);
    assert!(third.status.success(), "{}", text(&third));
    domain.done(&["root", "publish", &domain.file("three.json")]);
    until_durable(&domain, "D3");
    let again = domain.run(&["root", "publish", &domain.file("two.json")]);
    assert_eq!(again.status.code(), Some(1), "a root does not go back: {}", text(&again));
}

/// A witness of another make: it shows nothing of what it remembers, and answers every checkpoint like this.
fn foreign_witness(status: &'static str, body: String) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().take(2) {
            let mut stream = stream.expect("a connection");
            let mut request = [0; 16 << 10];
            let read = stream.read(&mut request).expect("a request");
            let answer = if request[..read].starts_with(b"POST") {
                format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
            } else {
                "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned()
            };
            stream.write_all(answer.as_bytes()).expect("an answer");
        }
    });
    url
}

#[test]
fn an_old_copy_does_not_come_back_behind_what_a_witness_cosigned() {
    let kept = Port::keep().expect("a port");
    let free = kept.at();
    let mut domain = Domain::make(&[&format!("ledger.witnesses=[\"http://{free}\"]")]);
    let witness = watching(&domain, free);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let lineage = domain.passes(&secret, "it started");
    domain.ended(&lineage);
    let (copy, size) = domain.copied();
    domain.ended(&domain.passes(&secret, "it was copied"));
    let cosigned = || {
        let shown = eleven().args(["witness", "show", &witness.url, "--json"]).output().expect("it runs");
        let shown = parse(text(&shown).trim().as_bytes()).expect("I-JSON");
        shown.pointer("/seen/0/size").and_then(Value::as_int).unwrap_or(0)
    };
    let until = std::time::Instant::now() + PATIENCE;
    while cosigned() <= size {
        assert!(std::time::Instant::now() < until, "the witness stands at {}", cosigned());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(domain.supervisor().interrupt(), Some(0));

    // The machine is lost: of what was published nothing is known on this one.
    let ledger = domain.dir().join("ledger");
    std::fs::remove_dir_all(ledger.join("log")).expect("the log is gone");
    std::fs::remove_dir_all(ledger.join("heads")).expect("the heads are gone");
    let restore = |more: &[&str]| domain.run(&[&["ledger", "restore", &copy], more].concat());
    let refused = restore(&[]);
    let lost = cosigned();
    let why = format!("the copy holds {size} entries and a head over {lost} is published");
    assert!(refused.status.code() == Some(1) && text(&refused).contains(&why), "{}", text(&refused));
    let foreign = foreign_witness("409 Conflict", "999999\n".to_owned());
    let refused = restore(&["--witness", &foreign]);
    assert!(text(&refused).contains("cosigned a head of 999999 entries"), "{}", text(&refused));
    assert!(!text(&refused).contains("--unwitnessed"), "nobody is told to leave it out: {}", text(&refused));
    let why = format!("cosigned another head of {size} entries than the copy's");
    for (status, body) in [("409 Conflict", format!("{size}\n")), ("422 Unprocessable Entity", "no\n".to_owned())] {
        let refused = restore(&["--witness", &foreign_witness(status, body)]);
        assert!(text(&refused).contains(&why), "{}", text(&refused));
    }
    let refused = restore(&["--unwitnessed"]);
    assert!(text(&refused).contains("no published head is known"), "{}", text(&refused));

    let (word, key, url) = (domain.file("../recovery.json"), domain.file("root-key.json"), witness.url.clone());
    let sign = ["ledger", "recovery", "sign", "--backup", &copy, "--lost", &url, "--cause", "a drill"];
    domain.done(&[&sign[..], &["--root-key", &key, "--out", &word]].concat());
    drop(witness);
    let refused = restore(&["--recovery", &word]);
    assert!(text(&refused).contains("leave all out by --unwitnessed"), "{}", text(&refused));
    let _witness = Witness::at(Path::new(&domain.file("w")), &free.to_string());
    let restored = restore(&["--recovery", &word]);
    let said = text(&restored);
    assert!(restored.status.success() && said.contains(&format!("{size} entries of ")), "{said}");
    assert!(said.contains("up to the head of ") && said.contains("After a recovery"), "{said}");

    // The witness never cosigns again; another takes its place, and the head over the root that names it is cosigned.
    let second = watching_as(&domain, "w2", "witness.example/two", "127.0.0.1:0");
    domain.configure(|text| text.replace(&format!("http://{free}"), &second.url));
    domain.start(eleven(), &[]);
    let (from, next, public) = (domain.file("one.json"), domain.file("two.json"), domain.file("w2/witness.json"));
    std::fs::write(&from, domain.done_at_last(&["root", "show"])).expect("written");
    domain.done(&["root", "next", "--from", &from, "--root-key", &key, "--out", &next, "--add", &public]);
    domain.done_at_last(&["root", "publish", &next]);
    until_durable(&domain, "D4");
}
