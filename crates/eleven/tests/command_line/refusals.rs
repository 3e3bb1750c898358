//! Wrong command lines and configurations: status 2, what is wrong, and nothing done.

use crate::domain::{Domain, eleven, text};
use crate::port::Port;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::signature::{SeedSigner, Signer as _, base64_value};
use std::fs::File;
use std::path::Path;

#[test]
fn an_unknown_key_stops_every_command_with_its_line() {
    let domain = Domain::make(&[]);
    let file = domain.dir().join("eleven.toml");
    let config = std::fs::read_to_string(&file).expect("the configuration");
    let line = config.lines().position(|line| line == "[runtime]").expect("a section") + 2;
    std::fs::write(&file, config.replace("[runtime]\n", "[runtime]\naudit_bond = 2\n")).expect("written");
    for args in
        [&["up"][..], &["ledger", "serve"], &["policy", "list"], &["ledger", "fsck"], &["why", "x"], &["doctor"]]
    {
        let output = domain.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
        let expected =
            format!("eleven.toml:{line}: unknown key `runtime.audit_bond`: did you mean `runtime.audit_bound`?");
        assert!(text(&output).contains(&expected), "{args:?}: {}", text(&output));
    }
}

#[test]
fn vectors_that_are_not_there_are_told_to_machines_as_they_ask() {
    let folder = tempfile::tempdir().expect("a folder");
    let vectors = |dir: &Path, more: &[&str]| {
        eleven().args(["conformance", "vectors"]).arg(dir).args(more).output().expect("it runs")
    };
    let output = vectors(&folder.path().join("nowhere"), &["--json"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(output.stderr.is_empty(), "{}", text(&output));
    let told = parse(text(&output).trim().as_bytes()).expect("a document");
    let error = told.get("error").and_then(Value::as_str).unwrap_or_default();
    assert!(error.contains("is not a folder"), "{error}");
    // What was not run is told to them as to people.
    std::fs::write(folder.path().join("own.json"), "{}").expect("written");
    let output = vectors(folder.path(), &["--json"]);
    let told = parse(text(&output).trim().as_bytes()).expect("a document");
    let note = told.pointer("/notes/0").and_then(Value::as_str).unwrap_or_default();
    assert!(output.status.code() == Some(1) && note.starts_with("own.json"), "{told}");
    assert!(text(&vectors(folder.path(), &[])).contains("note  own.json"));
}

#[test]
fn help_that_can_not_be_written_is_not_said_to_be_given() {
    for args in [&["--help"][..], &["--version"], &["ledger", "fsck", "--help"], &["--help", "--json"]] {
        let full = File::options().write(true).open("/dev/full").expect("a full device");
        let output = eleven().args(args).stdout(full).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && said.contains("standard output: "), "{args:?}: {said}");
        assert_eq!(eleven().args(args).output().expect("it runs").status.code(), Some(0), "{args:?}");
    }
}

#[test]
fn a_wrong_command_line_is_told_to_machines_as_they_ask() {
    let run = |args: &[&str]| eleven().args(args).output().expect("it runs");
    for (args, what) in [
        (&["verify", "--json"][..], "were not provided: <FILE>"),
        (&["init", "--json"], "<DIR>"),
        (&["nosuch", "--json"], "'nosuch'"),
        (&["verify", "p.json", "--max-age", "soon", "--json"], "--max-age"),
        (&["--json"], "requires a subcommand"),
        (&["ledger", "--json"], "requires a subcommand"),
        (&["--json", "ledger"], "a command is missing"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
        assert!(output.stderr.is_empty(), "{args:?}: {}", text(&output));
        let told = parse(String::from_utf8_lossy(&output.stdout).trim().as_bytes()).expect("a document");
        let error = told.get("error").and_then(Value::as_str).unwrap_or_default();
        assert!(error.contains(what) && error.contains("--help") && !error.contains('\n'), "{args:?}: {error}");
        assert!(!error.contains("demo-upstream") && !error.contains("genesis"), "what is hidden is: {error}");
    }
    let output = run(&["--config", "eleven.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty() && !text(&output).contains("demo-upstream"), "{}", text(&output));
    for asked in ["--help", "--version"] {
        let output = run(&[asked, "--json"]);
        assert!(output.status.success() && text(&output).contains("eleven"), "{}", text(&output));
    }
}

#[test]
fn a_listener_beyond_loopback_without_tls_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("d");
    let output = eleven().args(["init", "--set", "ledger.listen=0.0.0.0:0"]).arg(&dir).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(
        text(&output).contains("beyond loopback") && text(&output).contains("tls_certificate"),
        "{}",
        text(&output)
    );
    assert!(!dir.join("ledger").exists(), "nothing was made");
}

#[test]
fn what_init_can_not_do_is_found_before_anything_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("d");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = format!("ledger.listen={}", taken.local_addr().expect("an address"));
    let absent = folder.path().join("absent.json").display().to_string();
    let witness = folder.path().join("w");
    let made = eleven().args(["witness", "key", "new", "--name", "witness.example/1"]).arg(&witness).output();
    assert!(made.expect("it runs").status.success());
    let witness = witness.join("witness.json").display().to_string();
    // What a note may be signed under, and no root names.
    let public = base64_value(&SeedSigner::new("key:w/w/1", &[7; 32]).public());
    let [ours, accented] = ["11-11/ledger", "witness.example/\u{e9}"].map(|name| {
        let file = folder.path().join(format!("{}.json", name.len()));
        let value = Object::new().with("v", "1").with("type", "11-11/witness").with("name", name);
        let value = value.with("public", public.clone()).with("audits", false);
        std::fs::write(&file, value.canonical()).expect("written");
        file.display().to_string()
    });
    let cases: [(&[&str], &str); 12] = [
        (&["--set", &listen], "the ledger can't listen"),
        (&["--set", "runtime.point=host://h/gateway#head"], "key:11-11/head/1 would be two keys"),
        (&["--set", "runtime.point=host://h/gateway#operator"], "key:11-11/operator/1 would be two keys"),
        (&["--set", "runtime.point=host://h/gateway#identity"], "key:11-11/identity/1 would be two keys"),
        (&["--witness", &absent], "absent.json"),
        (&["--witness", &witness, "--quorum", "2"], "--quorum 2"),
        (&["--witness", &witness, "--auditors", "1"], "--auditors 1"),
        (&["--witness", &witness, "--witness", &witness], "a witness stands twice"),
        (&["--witness", &ours], "the name under which the ledger signs its checkpoints"),
        (&["--witness", &accented], "not printable ASCII"),
        (&["--set", "ledger.head_interval=1"], "head_interval"),
        (&["--valid-days", "0"], "--valid-days"),
    ];
    for (args, why) in cases {
        let output = eleven().args(["init", "--free-ports"]).args(args).arg(&dir).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(why), "{args:?}: {}", text(&output));
        assert!(!dir.exists(), "{args:?}: nothing was made");
    }
}

#[test]
fn a_domain_that_was_begun_and_could_not_be_made_is_said_to_be_no_whole_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let (dir, key) = (folder.path().join("d"), folder.path().join("absent/operator.key"));
    let set = format!("operator.key={}", key.display());
    let output = eleven().args(["init", "--free-ports", "--set", &set]).arg(&dir).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let told = format!("(the domain is not whole: remove {}, and begin anew)", dir.display());
    assert!(text(&output).contains("absent/operator.key") && text(&output).contains(&told), "{}", text(&output));
    // Of what it has elsewhere, only what was made is named.
    let (dir, ledger) = (folder.path().join("e"), folder.path().join("ledger"));
    let data = format!("ledger.data={}", ledger.display());
    let asked = ["init", "--free-ports", "--set", &set, "--set", &data];
    let output = eleven().args(asked).arg(&dir).output().expect("it runs");
    let told = format!("remove {} and {}, and begin anew)", dir.display(), ledger.display());
    assert!(text(&output).contains(&told), "{}", text(&output));
    // What a corner's own command failed by is said, also of one that prints for machines.
    let (dir, absent) = (folder.path().join("f"), folder.path().join("absent/ledger.pass"));
    let set = format!("ledger.passphrase_file={}", absent.display());
    let output = eleven().args(["init", "--free-ports", "--set", &set]).arg(&dir).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains(&absent.display().to_string()), "{}", text(&output));
}

#[test]
fn an_export_that_verify_would_refuse_is_not_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("out");
    let nobody = Port::keep().expect("a port");
    let url = format!("http://{}", nobody.at());
    let cases: [(&[&str], i32, &str); 7] = [
        (&["--identity", "demo-app"], 2, "write it as `svc:name:environment`"),
        (&["--identity", "svc:demo app"], 2, "write it as `svc:name:environment`"),
        (&["--operation", "model invoke"], 2, "write it as `model.invoke`"),
        (&["--operation", "é"], 2, "write it as `model.invoke`"),
        (&["--from", "2026-02-01", "--to", "2026-01-01"], 2, "--from is before --to"),
        (&["--to", "2999-01-01"], 2, "in the future"),
        (&["--identity", "svc:demo-app:dev"], 1, "is it running?"),
    ];
    for (args, code, why) in cases {
        let asked = ["evidence", "export", "--ledger", &url, "--out"];
        let output = eleven().args(asked).arg(&dir).args(args).output().expect("it runs");
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(why), "{args:?}: {}", text(&output));
        assert!(!dir.exists(), "{args:?}: nothing was made");
    }
    std::fs::write(&dir, "").expect("written");
    let asked = ["evidence", "export", "--ledger", &url, "--out"];
    let output = eleven().args(asked).arg(&dir).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    std::fs::write(folder.path().join("manifest.json"), "{}").expect("written");
    for args in [["--identity", "demo-app"], ["--operation", "model invoke"]] {
        let output = eleven().args(["evidence", "verify"]).arg(folder.path()).args(args).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
        assert!(text(&output).contains("write it as"), "{args:?}: {}", text(&output));
    }
}

#[test]
fn whoever_only_looks_makes_no_folder() {
    let domain = Domain::make(&[]);
    let file = domain.dir().join("eleven.toml");
    let config = std::fs::read_to_string(&file).expect("the configuration");
    std::fs::write(&file, config.replace("[ledger]\n", "[ledger]\ndata = \"elsewhere\"\n")).expect("written");
    let archive = domain.file("archive");
    let none = "elsewhere is no data folder";
    for (args, why) in [
        (&["ledger", "restart"][..], "the ledger does not run"),
        (&["ledger", "size"], none),
        (&["ledger", "reindex"], none),
        (&["ledger", "archive", "--to", &archive], none),
    ] {
        let output = domain.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(why), "{args:?}: {}", text(&output));
        assert!(!domain.dir().join("elsewhere").exists(), "{args:?}: nothing was made");
    }
}

#[test]
fn what_is_not_there_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("eleven.toml");
    let output = eleven().arg("up").arg("--config").arg(&config).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("eleven init DIR"), "{}", text(&output));
    let domain = Domain::make(&[]);
    let output = domain.run(&["policy", "list"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("eleven up"), "{}", text(&output));
    let output = domain.run(&["policy", "list", "--json"]);
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("{\"error\":"), "{}", text(&output));
    assert_eq!(eleven().arg("nonsense").output().expect("it runs").status.code(), Some(2));
    let nobody = Port::keep().expect("a port");
    let url = format!("http://{}", nobody.at());
    for command in ["show", "evidence"] {
        let output = eleven().args(["witness", command, &url]).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        let said = text(&output);
        assert!(said.contains("`eleven witness serve` starts") && !said.contains("eleven up"), "{said}");
    }
}

#[test]
fn what_is_no_address_is_said_to_be_none() {
    let domain = Domain::make(&[]);
    let (root, copy, data) = (domain.file("root.json"), domain.file("ledger"), domain.file("mirror"));
    for (args, why) in [
        (&["why", "X", "--ledger", "127.0.0.1:40135"][..], "`127.0.0.1:40135` is no address: begin it with http://"),
        (&["ledger", "search", "--ledger", "ledger.example"], "`ledger.example` is no address"),
        (&["verify", "lineage://op/X", "--from", "127.0.0.1:9"], "begin it with http://"),
        (&["ledger", "compare", "http://127.0.0.1:9", "mirror", "--root", &root], "`mirror` is no address"),
        (&["ledger", "follow", "127.0.0.1:9", "--root", &root, "--data", &data], "begin it with http://"),
        (&["ledger", "restore", &copy, "--witness", "127.0.0.1:1114"], "begin it with http://"),
        (&["witness", "show", "127.0.0.1:1114"], "begin it with http://"),
        (&["witness", "evidence", "ftp://127.0.0.1:1114"], "write it as http://"),
    ] {
        let output = domain.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(why), "{args:?}: {}", text(&output));
    }
    assert!(!domain.dir().join("mirror").exists(), "nothing was made");
}

#[test]
fn a_corner_without_its_keys_or_with_anothers_does_not_start() {
    let domain = Domain::make(&[]);
    let again = domain.run(&["ledger", "key", "new"]);
    assert_eq!(again.status.code(), Some(1), "keys are never overwritten: {}", text(&again));
    let (ledger, runtime) = (domain.dir().join("ledger/keystore.json"), domain.dir().join("runtime/keystore.json"));
    std::fs::copy(&ledger, &runtime).expect("copied");
    let output = domain.run(&["runtime", "serve"]);
    assert!(text(&output).contains("is the keystore of ledger"), "{}", text(&output));
    std::fs::remove_file(&runtime).expect("removed");
    let output = domain.run(&["runtime", "serve"]);
    assert!(text(&output).contains("holds no keystore"), "{}", text(&output));
    std::fs::write(domain.dir().join("ledger/keystore.pass"), "another passphrase entirely\n").expect("written");
    let output = domain.run(&["ledger", "serve"]);
    assert!(text(&output).contains("does not open"), "{}", text(&output));
}
