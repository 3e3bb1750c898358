use super::folder::{Folder, Listed, Writer, is_name, proof};
use super::moment;
use super::regime::{Asked, Regime};
use std::path::Path;

#[test]
fn moments_are_days_or_times() {
    let midnight = moment("2026-01-31").expect("a day");
    assert_eq!(midnight.millis(), "2026-01-31T00:00:00.000Z");
    assert_eq!(moment("2026-01-31T00:00:00Z"), Ok(midnight));
    assert_eq!(moment("2026-01-31T00:00:00.000Z"), Ok(midnight));
    for wrong in ["", "yesterday", "2026-02-30", "2026-01-31T00:00:00+01:00"] {
        assert!(moment(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_manifest_names_no_file_outside_of_its_folder() {
    assert!(is_name("proofs/0123456789ABCDEFGHJKMNPQRSTVWXYZ.1.proof.json"));
    for wrong in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a b", "manifest.json", "a\\b"] {
        assert!(!is_name(wrong), "{wrong}");
    }
}

#[test]
fn an_export_writes_no_file_outside_of_its_folder() {
    let around = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::make(&around.path().join("out/deep")).expect("made");
    for op in ["../../escaped/authorized", "/tmp/escaped", "../up", "a/../../b"] {
        assert!(writer.put(&proof(op), b"{}").is_err_and(|why| why.contains("nothing was written")), "{op}");
        assert!(writer.lines(&proof(op)).is_err(), "{op}");
    }
    assert!(writer.put(&around.path().join("x").display().to_string(), b"{}").is_err());
    let names = |dir: &Path| std::fs::read_dir(dir).expect("a folder").count();
    assert_eq!((names(around.path()), names(&around.path().join("out"))), (1, 1));
    assert_eq!(names(&around.path().join("out/deep")), 0, "a name that is refused leaves no folder behind");
    writer.put(&proof("0123456789ABCDEFGHJKMNPQRSTVWXYZ.1"), b"{}").expect("written");
}

#[cfg(unix)]
#[test]
fn a_folder_of_a_stranger_is_read_as_far_as_its_plain_files_go() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("manifest.json"), b"{}").expect("written");
    let folder = Folder::open(dir.path()).expect("a folder");
    let zero = Listed { bytes: 0, hash: Listed::of(b"").hash };
    std::os::unix::fs::symlink("/dev/zero", path("retention.json")).expect("linked");
    std::os::unix::fs::symlink("manifest.json", path("linked.json")).expect("linked");
    let _socket = std::os::unix::net::UnixListener::bind(path("socket.json")).expect("bound");
    // A folder that is a link leads out of it, too.
    let elsewhere = tempfile::tempdir().expect("a folder");
    std::fs::write(elsewhere.path().join("x.json"), b"{}").expect("written");
    std::os::unix::fs::symlink(elsewhere.path(), path("proofs")).expect("linked");
    for name in ["retention.json", "linked.json", "socket.json", "proofs/x.json"] {
        let refusals =
            [folder.read(name).err(), folder.each_line(name, |_| Ok(())).err(), folder.is_listed(name, zero).err()];
        assert!(refusals.into_iter().all(|why| why.is_some_and(|why| why.contains("no plain file"))), "{name}");
        assert!(!folder.holds(name), "{name}");
    }
    // A file of another length than the manifest's is not hashed, and one that has holes is not taken for a line.
    let sparse = std::fs::File::create(path("entries.jsonl")).expect("made");
    sparse.set_len(1 << 40).expect("stretched");
    assert!(folder.is_listed("entries.jsonl", zero).is_err_and(|why| why.contains("manifest lists")));
    assert!(folder.each_line("entries.jsonl", |_| Ok(())).is_err_and(|why| why.contains("longer than any entry")));
    assert!(folder.read("entries.jsonl").is_err_and(|why| why.contains("more than any")));
    std::fs::write(path("lines"), [vec![b'x'; 65_535], b"\ny\n".to_vec()].concat()).expect("written");
    let mut lengths = Vec::new();
    let taken = folder.each_line("lines", |line| {
        lengths.push(line.len());
        Ok(())
    });
    assert_eq!((taken, lengths), (Ok(()), vec![65_535, 1]));
}

#[test]
fn every_regime_reads_and_names_what_it_does_not_show() {
    let names = ["eu-ai-act", "hipaa", "sec-17a-4", "soc2", "nist-800-53"].map(str::to_owned);
    let regimes = Regime::all(&names, &[] as &[&Path]).expect("they read");
    let floors: Vec<Option<u64>> = regimes.iter().map(|regime| regime.retention_days).collect();
    assert_eq!(floors, [Some(183), Some(2192), Some(2192), None, None]);
    for regime in &regimes {
        assert!(!regime.not_shown.is_empty() && regime.controls.len() >= 5, "{}", regime.id);
        for control in &regime.controls {
            assert!(!control.not_shown.is_empty() && !control.asks.is_empty(), "{}", control.id);
        }
        let retained = regime.controls.iter().flat_map(|control| &control.evidence);
        let asks_for_it = retained.filter(|evidence| matches!(evidence.asked, Asked::Retention)).count();
        assert!(regime.retention_days.is_none() || asks_for_it > 0, "{}", regime.id);
    }
    let twice = ["hipaa".to_owned(), "hipaa".to_owned()];
    assert!(Regime::all(&twice, &[] as &[&Path]).expect_err("twice").contains("asked for twice"));
    let unknown = Regime::all(&["gdpr".to_owned()], &[] as &[&Path]).expect_err("unknown");
    assert!(unknown.contains("use one of eu-ai-act, hipaa"), "{unknown}");
}

#[test]
fn a_regime_that_asks_for_what_no_ledger_has_is_refused() {
    let with = |evidence: &str| {
        let control = format!(
            r#"{{"id":"c1","title":"t","asks":"a","needs":"all","does_not_show":"n","evidence":[{{"what":"w","minimum":1,{evidence}}}]}}"#
        );
        let text = format!(r#"{{"v":"1","regime":"own","title":"t","does_not_show":"n","controls":[{control}]}}"#);
        Regime::read(text.as_bytes()).map(|_| ()).map_err(|error| error.0)
    };
    assert_eq!(with(r#""events":["execution.denied"],"reasons":["policy.denied"]"#), Ok(()));
    for (wrong, why) in [
        (r#""events":["execution.dreamt"]"#, "an event that the catalogue does not have"),
        (r#""events":[]"#, "`events` is empty"),
        (r#""events":["execution.denied"],"reasons":["because"]"#, "reasons"),
        (r#""lineages":["finished"]"#, "kinds of proof files"),
        (r#""in_force":["keys"]"#, "in_force"),
        (r#""ledger":"moon""#, "range or retention"),
        (r#""events":["execution.denied"],"lineages":["open"]"#, "unknown member"),
    ] {
        let refused = with(wrong).expect_err(wrong);
        assert!(refused.contains(why), "{refused}");
    }
}
