//! Keys that are renewed as `docs/keys.md` says, under a domain that runs; and those that are ended early.

use crate::domain::{Domain, PATIENCE, eleven, text};
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::hash::unbase64url;
use eleven_core::root::{KeyRecord, KeyStatus, TrustRoot};
use eleven_core::signature::{SeedSigner, Signer as _, bytes32};
use http::StatusCode;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// The commands of the first block of the page.
fn renewal() -> Vec<String> {
    let page = include_str!("../../../../docs/keys.md");
    let block = page.split("```").nth(1).expect("a block of commands");
    block.lines().filter(|line| line.starts_with("eleven ")).map(str::to_owned).collect()
}

/// Runs a line as somebody types it in the domain's folder.
fn typed(domain: &Domain, line: &str) -> Output {
    let folder = Path::new(env!("CARGO_BIN_EXE_eleven")).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(domain.dir()).env("PATH", path);
    let output = shell.output().expect("a shell");
    assert!(output.status.success(), "{line}: {}", text(&output));
    output
}

/// Somebody who follows the ledger by its first root. It is killed with this value.
struct Mirror {
    process: Child,
    said: Receiver<Value>,
}

impl Mirror {
    /// The command that follows into a folder, for an auditor whose secret is in the file.
    fn command(domain: &Domain, folder: &str) -> Command {
        let (url, root, held) = (domain.url("ledger"), domain.file("root.json"), domain.file("auditor.secret"));
        let (data, mut command) = (domain.file(folder), eleven());
        command.args(["ledger", "follow", &url, "--root", &root, "--data", &data, "--secret-file", &held, "--json"]);
        command
    }

    /// Follows once, and tells how many entries were verified; a registration may not stand under a head yet.
    fn once(domain: &Domain, folder: &str) -> i64 {
        let until = Instant::now() + PATIENCE;
        loop {
            let output = Self::command(domain, folder).arg("--once").output().expect("it runs");
            if output.status.success() {
                return size(&parse(&output.stdout).expect("a document"), "/size");
            }
            assert!(Instant::now() < until, "{}", text(&output));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn start(domain: &Domain, folder: &str) -> Self {
        let mut process = Self::command(domain, folder).stdout(Stdio::piped()).spawn().expect("it runs");
        let out = BufReader::new(process.stdout.take().expect("its output"));
        let (say, said) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = say.send(parse(line.as_bytes()).expect("a JSON document a line"));
            }
        });
        Self { process, said }
    }

    /// Waits until it has verified so many entries; it says each size once.
    fn verified(&self, entries: i64) {
        let until = Instant::now() + PATIENCE;
        loop {
            let said = self.said.recv_timeout(until.saturating_duration_since(Instant::now()));
            if size(&said.expect("it goes on"), "/size") >= entries {
                return;
            }
        }
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn size(value: &Value, path: &str) -> i64 {
    value.pointer(path).and_then(Value::as_int).unwrap_or_else(|| panic!("{path} of {value}"))
}

fn root(file: &str) -> TrustRoot {
    TrustRoot::read(parse(&std::fs::read(file).expect("a file")).expect("I-JSON")).expect("a root")
}

/// What `doctor` says of the lifetimes.
fn lifetimes(domain: &Domain) -> String {
    let findings = parse(&domain.run(&["doctor", "--json"]).stdout).expect("findings");
    let of = |row: &&Value| row.get("what").and_then(Value::as_str) == Some("lifetimes");
    let row = findings.as_array().expect("findings").iter().find(of).expect("a finding").clone();
    row.get("detail").and_then(Value::as_str).expect("a detail").to_owned()
}

/// Takes the proof of a call that passes now, and verifies it by the first root.
fn proven(domain: &Domain, secret: &str, name: &str) -> Value {
    let lineage = domain.passes(secret, name);
    domain.ended(&lineage);
    let (file, root) = (domain.file(name), domain.file("root.json"));
    domain.done(&["lineage", "bundle", &lineage, "--out", &file]);
    let verified = eleven().args(["verify", &file, "--root", &root, "--json"]).output().expect("it runs");
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified));
    parse(&std::fs::read(&file).expect("a proof")).expect("I-JSON")
}

fn label<'a>(bundle: &'a Value, path: &str) -> &'a str {
    let kid = bundle.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("{path}"));
    kid.rsplit('/').next().expect("a label")
}

#[test]
fn a_domain_that_ends_in_thirty_days_is_renewed_as_the_page_says_and_needs_no_old_key_any_more() {
    let mut domain = Domain::with(&["--valid-days", "30"]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let first = proven(&domain, &secret, "first.proof.json");
    assert_eq!(label(&first, "/head/kid"), "1");
    assert!(lifetimes(&domain).contains("key:11-11/root/1"));
    let added = domain.json(&["auditor", "add", "examiner", "--identity", "human:examiner:dev"]);
    let shown = added.get("secret").and_then(Value::as_str).expect("a secret");
    std::fs::write(domain.file("auditor.secret"), shown).expect("written");
    Mirror::once(&domain, "mirror");
    let mirror = Mirror::start(&domain, "mirror");

    let lines = renewal();
    assert_eq!(lines.len(), 8, "{lines:#?}");
    let (publish, before) = lines.split_last().expect("lines");
    for line in before {
        typed(&domain, line);
    }
    // A label names the same keys for good, and a registered key is not registered again.
    let again = domain.file("again.json");
    domain.done(&["ledger", "key", "renew", "--label", "2027", "--out", &again]);
    let file = |name: &str| std::fs::read(domain.file(name)).expect("a file");
    assert_eq!(file("again.json"), file("ledger-2027.json"));
    let over = domain.run(&["ledger", "key", "renew", "--label", "2028", "--out", &again]);
    assert!(over.status.code() == Some(2) && text(&over).contains("nothing was done"), "{}", text(&over));
    let known = domain.done(&["key", "register", &domain.file("ledger-2027.json")]);
    assert!(known.contains("registered already"), "{known}");
    typed(&domain, publish);
    let ends = lifetimes(&domain);
    assert!(ends.contains("gw-0/1") && !ends.contains("root") && !ends.contains("issuer"), "the point's alone: {ends}");

    let second = proven(&domain, &secret, "second.proof.json");
    for member in ["/registry/header/sig/kid", "/head/kid", "/events/0/kid", "/seal/record/kid"] {
        assert_eq!(label(&second, member), "2027", "{member}");
    }
    mirror.verified(size(&second, "/head/size"));
    // The old ones are ended: those of the registry by the operator, those of the root by the new root key alone.
    for key in ["audit", "authority", "issuer", "identity"] {
        domain.done(&["key", "retire", &format!("key:11-11/{key}/1")]);
    }
    let of_the_root = domain.run(&["key", "retire", "key:11-11/head/1"]);
    assert_eq!(of_the_root.status.code(), Some(2), "{}", text(&of_the_root));
    assert!(text(&of_the_root).contains("eleven root next --retire key:11-11/head/1"), "{}", text(&of_the_root));
    let (from, next) = (domain.file("root-next.json"), domain.file("root-third.json"));
    let sign = |more: &[&str]| {
        let key = domain.file("root-key-2027.json");
        domain.run(&[&["root", "next", "--from", &from, "--root-key", &key, "--out", &next], more].concat())
    };
    for (refused, why) in [
        (sign(&["--retire", "key:11-11/head/3"]), "names no key"),
        (sign(&["--retire", "key:11-11/head/1", "--retire", "key:11-11/head/2027"]), "no head key would count"),
        (sign(&["--retire", "key:11-11/root/1", "--retire", "key:11-11/root/2"]), "0 root keys would count"),
        (sign(&["--compromise", "key:11-11/root/1", "--compromise", "key:11-11/root/2"]), "0 root keys would count"),
        (sign(&["--renew", &domain.file("ledger-2027.json")]), "stands in the root already"),
        (sign(&["--compromise", "key:11-11/head/1", "--since", "yesterday"]), "write it in UTC"),
        (sign(&["--compromise", "key:11-11/head/1", "--since", "2999-01-31"]), "is not yet"),
        (sign(&[]), "nothing would change"),
    ] {
        assert!(refused.status.code() == Some(2) && text(&refused).contains(why), "{why}: {}", text(&refused));
    }
    let ended =
        ["--retire", "key:11-11/root/1", "--retire", "key:11-11/policy/1", "--compromise", "key:11-11/registry/1"];
    let signed = sign(&[&ended[..], &["--retire", "key:11-11/head/1"]].concat());
    assert!(signed.status.success(), "{}", text(&signed));
    let signed = root(&next);
    let retired = signed.records().filter(|key| key.status == KeyStatus::Retired(signed.nbf));
    assert_eq!(retired.count(), 3, "from its first moment on");
    domain.done(&["root", "publish", &next]);
    domain.done(&["policy", "publish", &domain.file("policies/starter.json"), "--next"]);
    let third = proven(&domain, &secret, "third.proof.json");
    assert_eq!(label(&third, "/artifact/sig/kid"), "2027");
    let roots = third.get("roots").and_then(Value::as_array).expect("roots");
    assert_eq!(roots.len(), 3);
    mirror.verified(size(&third, "/head/size"));
    assert!(Mirror::once(&domain, "another") >= size(&third, "/head/size"), "also who begins now, by the first root");
    let (url, first_root) = (domain.url("ledger"), domain.file("root.json"));
    assert!(domain.done(&["ledger", "compare", &url, &url, "--root", &first_root]).contains("one history"));
    let listed = domain.done(&["key", "list"]);
    assert!(listed.contains("key:11-11/root/2") && listed.contains("compromised"), "{listed}");

    // What was proven before is proven, and a point that starts with the first version learns the others.
    let (file, root) = (domain.file("first.proof.json"), domain.file("root.json"));
    assert_eq!(eleven().args(["verify", &file, "--root", &root]).output().expect("it runs").status.code(), Some(0));
    std::fs::remove_file(domain.file("runtime/roots.json")).expect("it is kept there");
    domain.done(&["runtime", "restart"]);
    domain.passes(&secret, "the restart");
    domain.done(&["ledger", "restart"]);
    domain.passes(&secret, "the ledger's restart");
    domain.supervisor().interrupt();
    let sound = domain.done(&["ledger", "fsck"]);
    assert!(sound.contains("sound"), "{sound}");
}

/// Has a token issued for the demo's caller: it, and the label of the key that signed it.
fn issued(domain: &Domain) -> (String, String) {
    let token = domain.done(&["identity", "issue", "svc:demo-app:dev"]).trim().to_owned();
    let head = unbase64url(token.split('.').next().expect("a header")).expect("base64url");
    let label = label(&parse(&head).expect("I-JSON"), "/kid").to_owned();
    (token, label)
}

/// Waits until a call with this bearer credential is answered so: a point learns of an act within its refresh.
fn answered(domain: &Domain, bearer: &str, status: StatusCode) {
    let until = Instant::now() + PATIENCE;
    loop {
        let answered = domain.call(bearer, "demo-summarizer").0;
        if answered == status {
            return;
        }
        assert!(Instant::now() < until, "it is never {status}: {answered}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_key_for_identity_tokens_is_renewed_and_who_has_the_old_one_is_nobody() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let (old, by) = issued(&domain);
    assert_eq!(by, "1");
    answered(&domain, &old, StatusCode::OK);
    let refused = |domain: &Domain, kid: &str, why: &str| {
        let output = domain.run(&["key", "retire", kid]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains(why), "{}", text(&output));
    };
    refused(&domain, "key:11-11/identity/1", "eleven authority key renew");
    let renew = |domain: &Domain, label: &str| {
        let file = domain.file(&format!("authority-{label}.json"));
        domain.done(&["authority", "key", "renew", "--label", label, "--out", &file]);
        domain.done(&["authority", "restart"]);
        // Held, and not registered: nobody would take its tokens.
        domain.passes(&secret, "the restart");
        assert_ne!(issued(domain).1, label);
        domain.done(&["key", "register", &file]);
        let until = Instant::now() + PATIENCE;
        while issued(domain).1 != label {
            assert!(Instant::now() < until, "it never signs");
            std::thread::sleep(Duration::from_millis(50));
        }
        file
    };
    let file = renew(&domain, "2");
    let (new, _) = issued(&domain);
    for token in [&old, &new] {
        answered(&domain, token, StatusCode::OK);
    }
    let said = domain.done(&["key", "retire", "key:11-11/identity/1"]);
    assert!(said.contains("no token that it signed counts any more"), "{said}");
    answered(&domain, &old, StatusCode::UNAUTHORIZED);
    answered(&domain, &new, StatusCode::OK);
    domain.passes(&secret, "the old key's end");

    // It does not come back with the file that has it, and the name is known to have ended.
    let first = domain.file("authority-1.json");
    domain.done(&["authority", "key", "renew", "--label", "1", "--out", &first]);
    for file in [&first, &file] {
        let known = domain.done(&["key", "register", file]);
        assert!(known.contains("registered already"), "{known}");
    }
    answered(&domain, &old, StatusCode::UNAUTHORIZED);
    refused(&domain, "key:11-11/identity/1", "ended already");
    refused(&domain, "key:11-11/identity/2", "eleven authority key renew");
    let listed = domain.json(&["key", "list"]);
    let status = |kid: &str| {
        let of_kid = |key: &&Value| key.get("kid").and_then(Value::as_str) == Some(kid);
        let key = listed.as_array().expect("keys").iter().find(of_kid).expect("a key");
        key.get("status").and_then(Value::as_str).expect("a status").to_owned()
    };
    assert_eq!(["key:11-11/identity/1", "key:11-11/identity/2"].map(status), ["retired", "active"]);
    let registry = domain.done(&["registry", "show"]);
    let kinds = |end: &str| registry.lines().filter(|line| line.ends_with(end)).count();
    assert_eq!([kinds("  jwt-ended  retired"), kinds("  jwt")], [1, 1], "{registry}");

    // The last one ends, too, where it is in other hands; then another authenticates.
    domain.done(&["key", "compromise", "key:11-11/identity/2"]);
    answered(&domain, &new, StatusCode::UNAUTHORIZED);
    answered(&domain, &secret, StatusCode::SERVICE_UNAVAILABLE);
    let none = domain.run(&["identity", "issue", "svc:demo-app:dev"]);
    assert!(!none.status.success() && text(&none).contains("no identity key"), "{}", text(&none));
    let third = domain.file("authority-3.json");
    domain.done(&["authority", "key", "renew", "--label", "3", "--out", &third]);
    domain.done(&["key", "register", &third]);
    domain.done(&["authority", "restart"]);
    domain.passes(&secret, "a third key");
    answered(&domain, &new, StatusCode::UNAUTHORIZED);
}

/// The keys in a file of public ones.
fn keys_in(file: &str) -> Vec<Value> {
    let printed = parse(&std::fs::read(file).expect("a file")).expect("I-JSON");
    printed.get("keys").and_then(Value::as_array).expect("keys").to_vec()
}

#[test]
fn keys_that_can_not_be_registered_or_ended_here_are_named_with_why_and_nothing_is_done() {
    let mut domain = Domain::make(&[]);
    let (printed, file) = (domain.file("ledger-2.json"), domain.file("keys.json"));
    domain.done(&["ledger", "key", "renew", "--label", "2", "--out", &printed]);
    let keys = keys_in(&printed);
    let of_use = |usage: &str| {
        let mut keys = keys.iter().filter_map(Value::as_object);
        keys.find(|key| key.get("use").and_then(Value::as_str) == Some(usage)).expect("a key").clone()
    };
    let (event, head) = (of_use("event"), of_use("head"));
    let holding = |keys: &[&Object]| {
        let keys: Vec<Value> = keys.iter().map(|key| Value::Object((*key).clone())).collect();
        Object::new().with("keys", keys).canonical()
    };
    let refused = |domain: &Domain, args: &[&str], why: &str| {
        let output = domain.run(args);
        assert_eq!(output.status.code(), Some(2), "{why}: {}", text(&output));
        assert_eq!(text(&output), format!("eleven: {why}\n"));
    };
    let register = ["key", "register", file.as_str()];
    refused(&domain, &register, &format!("{file}: No such file or directory (os error 2)"));
    let none = "it holds no public keys: name what `eleven authority key renew --out` or another corner's wrote";
    for nothing in [holding(&[]), b"[]".to_vec(), br#"{"keys":7}"#.to_vec()] {
        std::fs::write(&file, nothing).expect("written");
        refused(&domain, &register, &format!("{file}: {none}"));
    }
    std::fs::write(&file, b"{").expect("written");
    let unread = domain.run(&register);
    assert_eq!(unread.status.code(), Some(2), "{}", text(&unread));
    assert!(text(&unread).starts_with(&format!("eleven: {file}: ")), "{}", text(&unread));
    std::fs::write(&file, holding(&[&event, &head.clone().with("use", "nothing")])).expect("written");
    refused(&domain, &register, &format!("{file}: public key: `use` is not a use of keys"));
    std::fs::write(&file, holding(&[&event])).expect("written");
    let (from, key, out) = (domain.file("root.json"), domain.file("root-key.json"), domain.file("root-2.json"));
    let next = ["root", "next", "--from", &from, "--root-key", &key, "--out", &out, "--renew", &file];
    refused(&domain, &next, &format!("{file} holds no head, policy or registry key"));
    std::fs::write(&file, holding(&[&head])).expect("written");
    let none = "the files hold no issuer, event, attestation or identity key: nothing was done";
    refused(&domain, &register, none);

    domain.up(&[]);
    let before = domain.json(&["key", "list"]);
    refused(&domain, &register, none);
    // The name of one that is registered, behind one that could be.
    let taken = "key:11-11/audit/1";
    std::fs::write(&file, holding(&[&event, &head.with("kid", taken).with("use", "event")])).expect("written");
    refused(&domain, &register, &format!("{taken} is registered with another public key: nothing was done"));
    for end in ["retire", "compromise"] {
        for kid in ["key:11-11/head/1", "key:11-11/registry/1", "key:11-11/root/1"] {
            let next = format!("make its next version with `eleven root next --{end} {kid}`");
            refused(&domain, &["key", end, kid], &format!("{kid} stands in the trust root: {next}"));
        }
    }
    assert_eq!(domain.json(&["key", "list"]), before);
}

#[test]
fn a_label_of_which_some_keys_are_there_is_used_up() {
    let domain = Domain::make(&[]);
    let (keystore, out) = (domain.file("ledger/keystore.json"), domain.file("ledger-2.json"));
    let renew = || domain.run(&["ledger", "key", "renew", "--label", "2", "--out", &out]);
    assert!(renew().status.success());
    std::fs::remove_file(&out).expect("it was written");
    // As where this program has made keys of fewer uses once.
    let made = parse(&std::fs::read(&keystore).expect("a keystore")).expect("I-JSON");
    let made = made.as_object().cloned().expect("an object");
    let mut keys = made.get("keys").and_then(Value::as_array).expect("keys").to_vec();
    let last = keys.pop().expect("a key");
    assert_eq!(last.get("kid").and_then(Value::as_str), Some("key:11-11/head/2"));
    let fewer = made.with("keys", keys).canonical();
    std::fs::write(&keystore, &fewer).expect("written");
    let refused = renew();
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    let why = "key:11-11/audit/2 is in the keystore already: name a --label that was never used";
    assert_eq!(text(&refused), format!("eleven: {why}\n"));
    assert_eq!(std::fs::read(&keystore).expect("a keystore"), fewer, "nothing is added");
    assert!(!Path::new(&out).exists());
}

#[test]
fn a_root_whose_first_registry_key_the_authority_does_not_hold_is_not_published() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let lines = renewal();
    for line in lines.iter().filter(|line| !line.contains("restart") && !line.contains("publish")) {
        typed(&domain, line);
    }
    let refused = domain.run(&["root", "publish", &domain.file("root-next.json")]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("restart the authority first"), "{}", text(&refused));
    domain.done(&["authority", "restart"]);
    domain.done(&["root", "publish", &domain.file("root-next.json")]);
    domain.passes(&domain.client("app", "svc:demo-app:dev"), "the root was published");
}

#[test]
fn a_root_under_which_the_ledger_could_sign_no_head_is_not_published() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let [first, key, renewed, second] =
        ["root.json", "root-key.json", "ledger-2.json", "root-2.json"].map(|name| domain.file(name));
    domain.done(&["ledger", "key", "renew", "--label", "2", "--out", &renewed]);
    let next = ["root", "next", "--from", &first, "--root-key", &key, "--out", &second];
    domain.done(&[&next[..], &["--renew", &renewed, "--retire", "key:11-11/head/1"]].concat());
    let refused = domain.run(&["root", "publish", &second]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("restart the ledger first"), "{}", text(&refused));
    assert_eq!(domain.json(&["root", "show"]).get("version").and_then(Value::as_int), Some(1));
    domain.done(&["ledger", "restart"]);
    domain.passes(&secret, "the restart");
    domain.done(&["root", "publish", &second]);
    let proof = proven(&domain, &secret, "restarted.proof.json");
    assert_eq!(label(&proof, "/head/kid"), "2");
}

#[test]
fn a_root_that_ends_a_policy_key_before_a_policy_that_came_meanwhile_is_made_anew() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let secret = domain.client("app", "svc:demo-app:dev");
    let [first, key, renewed] = ["root.json", "root-key.json", "authority-2.json"].map(|name| domain.file(name));
    domain.done(&["authority", "key", "renew", "--label", "2", "--out", &renewed]);
    domain.done(&["authority", "restart"]);
    let sign = |out: &str| {
        let next = ["root", "next", "--from", &first, "--root-key", &key, "--out", out];
        domain.done(&[&next[..], &["--renew", &renewed, "--retire", "key:11-11/policy/1"]].concat());
    };
    let (early, late) = (domain.file("root-early.json"), domain.file("root-late.json"));
    sign(&early);
    domain.done(&["policy", "publish", &domain.file("policies/starter.json"), "--next"]);
    let refused = domain.run(&["root", "publish", &early]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("make the version anew"), "{}", text(&refused));
    // A version begins with a second: that of the publication has to be over.
    std::thread::sleep(Duration::from_secs(1));
    sign(&late);
    domain.done(&["root", "publish", &late]);
    let proof = proven(&domain, &secret, "meanwhile.proof.json");
    assert_eq!(label(&proof, "/published/record/data/sig/kid"), "1");
    assert_eq!(proof.get("roots").and_then(Value::as_array).map(<[Value]>::len), Some(2));
}

#[test]
fn a_key_of_the_root_ends_once_and_never_later_than_it_did() {
    let domain = Domain::make(&[]);
    let [first, second, third] = ["root.json", "root-2.json", "root-3.json"].map(|name| domain.file(name));
    let (root_key, renewed) = (domain.file("root-key.json"), domain.file("authority-2.json"));
    domain.done(&["authority", "key", "renew", "--label", "2", "--out", &renewed]);
    let sign = |from: &str, out: &str, more: &[&str]| {
        domain.run(&[&["root", "next", "--from", from, "--root-key", &root_key, "--out", out], more].concat())
    };
    let [head, policy, registry] = ["head", "policy", "registry"].map(|key| format!("key:11-11/{key}/1"));
    let ended = sign(&first, &second, &["--renew", &renewed, "--retire", &policy, "--compromise", &registry]);
    assert!(ended.status.success(), "{}", text(&ended));
    let ends: [(&[&str], &str); 4] = [
        (&["--retire", &policy], &policy),
        (&["--retire", &registry], &registry),
        (&["--compromise", &registry], &registry),
        (&["--retire", &head, "--retire", &head], &head),
    ];
    for (again, kid) in ends {
        let refused = sign(&second, &third, again);
        assert_eq!(refused.status.code(), Some(2), "{again:?}: {}", text(&refused));
        assert_eq!(text(&refused), format!("eleven: {kid} has ended already, and not later than that\n"));
    }
    // That it was in other hands before it was retired is another matter.
    let since = root(&second).nbf.seconds();
    let earlier = sign(&second, &third, &["--compromise", &policy, "--since", &since]);
    assert!(earlier.status.success(), "{}", text(&earlier));
    let third = root(&third);
    let key = third.records().find(|key| key.kid == policy).expect("no record goes");
    assert!(matches!(key.status, KeyStatus::Compromised(_)), "{:?}", key.status);
}

#[test]
fn a_root_key_that_is_in_other_hands_signs_no_version_after_the_one_that_says_so() {
    let mut domain = Domain::make(&[]);
    domain.up(&[]);
    let (first, second, stolen) = (domain.file("root.json"), domain.file("root-2.json"), domain.file("root-key.json"));
    let next = ["root", "next", "--from", &first, "--root-key", &stolen, "--out", &second];
    let new = domain.file("root-key-2.json");
    domain.done(&[&next[..], &["--new-root-key", &new, "--compromise", "key:11-11/root/1"]].concat());
    domain.done(&["root", "publish", &second]);

    let (one, two) = (root(&first), root(&second));
    let key = parse(&std::fs::read(&stolen).expect("the key")).expect("I-JSON");
    let seed = key.get("seed").and_then(Value::as_str).and_then(bytes32).expect("a seed");
    let (old, thief) = (SeedSigner::new("key:11-11/root/1", &seed), SeedSigner::new("key:11-11/root/9", &[9; 32]));
    let own = KeyRecord { kid: thief.kid().to_owned(), public: thief.public(), nbf: one.nbf, ..two.keys[0].clone() };
    // It says itself when it begins: before the key was ended, or as early as it may.
    for nbf in [one.nbf, two.nbf] {
        let mut third = TrustRoot { version: 3, prev: Some(two.hash_for_prev()), nbf, sigs: Vec::new(), ..two.clone() };
        third.keys.insert(0, own.clone());
        let file = domain.file("root-3.json");
        std::fs::write(&file, third.signed(&[&old, &thief]).expect("a root").to_value().canonical()).expect("written");
        let refused = domain.run(&["root", "publish", &file]);
        assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
        let why =
            if nbf < two.nbf { "`nbf` is before that of the version before" } else { "collect signatures of its keys" };
        assert!(text(&refused).contains(why), "{}", text(&refused));
    }
    assert_eq!(domain.json(&["root", "show"]).get("version").and_then(Value::as_int), Some(2));
}

#[test]
fn a_new_root_key_is_kept_with_its_version_or_not_at_all() {
    let domain = Domain::make(&[]);
    let (from, key, new) = (domain.file("root.json"), domain.file("root-key.json"), domain.file("root-key-2.json"));
    let sign = |out: &str| {
        let next = ["root", "next", "--from", &from, "--root-key", &key, "--new-root-key", &new];
        domain.run(&[&next[..], &["--out", out]].concat())
    };
    let taken = sign(&from);
    assert!(taken.status.code() == Some(1) && text(&taken).contains("root.json is there already"), "{}", text(&taken));
    let nowhere = sign(&domain.file("no-folder/root-2.json"));
    assert!(nowhere.status.code() == Some(1) && text(&nowhere).contains("no-folder"), "{}", text(&nowhere));
    let one = sign(&new);
    assert!(one.status.code() == Some(1) && text(&one).contains("is there already"), "{}", text(&one));
    assert!(!Path::new(&new).exists(), "no key without the version that names it");
    let made = sign(&domain.file("root-2.json"));
    assert!(made.status.success(), "{}", text(&made));
    // One that is there is nobody's to remove.
    let kept = std::fs::read(&new).expect("the key");
    let again = sign(&domain.file("root-3.json"));
    assert!(again.status.code() == Some(1) && text(&again).contains("root-key-2.json"), "{}", text(&again));
    assert_eq!(std::fs::read(&new).expect("the key"), kept);
    assert!(!Path::new(&domain.file("root-3.json")).exists());
}
