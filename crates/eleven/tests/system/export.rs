//! An export of a running domain, as tests take it: made, read, verified, and forged as whoever wants to deceive would.

use crate::harness::Domain;
use eleven_authority::admin::Act;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::hash::Sha3;
use std::path::{Path, PathBuf};
use std::process::Output;

/// What was exported, and the root beside it.
pub(crate) struct Export {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) said: Value,
}

pub(crate) async fn eleven(args: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_eleven"));
    command.args(args).arg("--json").env("NO_COLOR", "1").output().await.expect("the binary runs")
}

pub(crate) fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    parse(output.stdout.trim_ascii()).unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// Registers an examiner and gives its secret: entries are shown to auditors. It counts from the next head on, which any
/// call that is proven afterwards is under.
pub(crate) async fn examiner(domain: &Domain) -> String {
    let done = domain
        .act(Act::AuditorAdd { auditor: "examiner".into(), identity: "human:examiner:test".into(), hash: None })
        .await;
    done.get("secret").and_then(Value::as_str).expect("a secret").to_owned()
}

impl Export {
    pub(crate) async fn of(domain: &Domain, secret: &str, args: &[&str]) -> Self {
        let (export, code) = Self::asked(domain, secret, args).await;
        assert_eq!(code, Some(0), "{}", export.said);
        export
    }

    /// The export, whatever it lacks, and the exit status that says whether it does.
    pub(crate) async fn asked(domain: &Domain, secret: &str, args: &[&str]) -> (Self, Option<i32>) {
        Self::asked_at(&domain.ledger_url(), domain, secret, args).await
    }

    /// The same from whoever shows the ledger there.
    pub(crate) async fn asked_at(ledger: &str, domain: &Domain, secret: &str, args: &[&str]) -> (Self, Option<i32>) {
        let folder = tempfile::tempdir().expect("a folder");
        let secret_file = folder.path().join("examiner.secret");
        std::fs::write(&secret_file, secret).expect("written");
        let secret_file = secret_file.display().to_string();
        let root = folder.path().join("root.json");
        std::fs::write(&root, domain.root.to_value().canonical()).expect("written");
        let out = folder.path().join("out").display().to_string();
        let root = root.display().to_string();
        let given =
            ["evidence", "export", "--ledger", ledger, "--root", &root, "--out", &out, "--secret-file", &secret_file];
        let done = eleven(&[&given[..], args].concat()).await;
        let said = json(&done);
        (Self { folder, said }, done.status.code())
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    pub(crate) fn count(&self, name: &str) -> i64 {
        self.said.pointer(&format!("/counts/{name}")).and_then(Value::as_int).expect("a count")
    }

    pub(crate) fn read(&self, name: &str) -> Value {
        parse(&std::fs::read(self.dir().join(name)).expect("a file")).expect("I-JSON")
    }

    /// The verdicts as `name status` and what they say, and the exit status.
    pub(crate) async fn verified(&self, logs: &[&Path]) -> (Vec<(String, String, String)>, i32) {
        let logs: Vec<String> = logs.iter().map(|log| log.display().to_string()).collect();
        self.verified_with(&logs.iter().flat_map(|log| ["--access-log", log]).collect::<Vec<_>>()).await
    }

    /// The same, with these options.
    pub(crate) async fn verified_with(&self, options: &[&str]) -> (Vec<(String, String, String)>, i32) {
        let (dir, root) =
            (self.dir().display().to_string(), self.folder.path().join("root.json").display().to_string());
        let done = eleven(&[&["evidence", "verify", &dir, "--root", &root][..], options].concat()).await;
        let said = json(&done);
        let verdicts = said.get("verdicts").and_then(Value::as_array).expect("verdicts").iter().map(|verdict| {
            let text = |name: &str| verdict.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            (text("name"), text("status"), verdict.get("details").expect("details").to_string())
        });
        (verdicts.collect(), done.status.code().expect("a status"))
    }

    /// One verdict, verified with these options: how it came out, and what it says.
    pub(crate) async fn verdict(&self, of: &str, options: &[&str]) -> (String, String) {
        let (verdicts, _) = self.verified_with(options).await;
        let found = verdicts.into_iter().find(|(name, ..)| name == of);
        found.map(|(_, status, details)| (status, details)).expect("the verdict")
    }

    /// The names of the verdicts that failed; the detail of `of` is given beside them.
    pub(crate) async fn failing(&self, of: &str, logs: &[&Path]) -> (Vec<String>, String) {
        let (verdicts, code) = self.verified(logs).await;
        let failed: Vec<String> =
            verdicts.iter().filter(|(_, status, _)| status == "failed").map(|(name, ..)| name.clone()).collect();
        assert_eq!(code, i32::from(!failed.is_empty()), "{verdicts:?}");
        let detail = verdicts.into_iter().find(|(name, ..)| name == of).map(|(.., detail)| detail);
        (failed, detail.expect("the verdict"))
    }

    /// Changes a file and lists it anew, as whoever forges the folder would.
    pub(crate) fn forge(&self, name: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        let path = self.dir().join(name);
        let bytes = change(std::fs::read(&path).expect("a file"));
        let hash = Sha3::of(&[&bytes]);
        let listed = Object::new().with("bytes", bytes.len() as u64).with("hash", hash);
        std::fs::write(&path, bytes).expect("written");
        self.manifest(|manifest| put(manifest, "files", |files| drop(files.insert(name, listed))));
    }

    pub(crate) fn manifest(&self, change: impl FnOnce(&mut Object)) {
        let mut manifest = self.read("manifest.json").as_object().cloned().expect("an object");
        change(&mut manifest);
        std::fs::write(self.dir().join("manifest.json"), manifest.canonical()).expect("written");
    }

    /// A copy to damage.
    pub(crate) fn copy(&self) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        copy(self.folder.path(), folder.path());
        Self { folder, said: self.said.clone() }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("copied");
        }
    }
}

/// Changes a member that is an object.
pub(crate) fn put(object: &mut Object, name: &str, change: impl FnOnce(&mut Object)) {
    let mut inner = object.remove(name).and_then(|value| value.as_object().cloned()).expect("an object");
    change(&mut inner);
    object.insert(name, inner);
}
