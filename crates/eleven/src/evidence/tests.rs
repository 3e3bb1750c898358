use super::facts::{Fact, Facts};
use super::folder::{self, Folder, Listed, Writer, is_name, may_have, proof};
use super::history::History;
use super::lineage::Lineage;
use super::manifest::{Gap, Manifest, Query, tool};
use super::regime::{Asked, Regime};
use super::retention::Samples;
use super::stretch::Stretch;
use super::{controls, moment, oscal, page};
use eleven_api::token::{JWT, JWT_ENDED};
use eleven_core::chain::{Entry, EntryHeader, advance, entry_bytes};
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::event::{About, Draft, Event, Place, Record};
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::head::Head;
use eleven_core::recovery::{Recovery, TreeAt};
use eleven_core::signature::SeedSigner;
use eleven_core::time::Time;
use std::collections::{BTreeMap, BTreeSet};
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

#[test]
fn an_export_is_its_owners_alone_unless_its_folder_was_there() {
    use std::os::unix::fs::PermissionsExt as _;
    let around = tempfile::tempdir().expect("a folder");
    let mode = |dir: &Path| std::fs::metadata(dir).expect("it is there").permissions().mode() & 0o777;
    let out = around.path().join("out");
    Writer::make(&out).expect("made");
    assert_eq!(mode(&out), 0o700);
    std::fs::set_permissions(&out, std::fs::Permissions::from_mode(0o750)).expect("set");
    Writer::make(&out).expect("it is empty");
    assert_eq!(mode(&out), 0o750);
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
fn no_more_is_read_of_a_file_than_an_honest_one_of_its_name_has() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("manifest.json"), b"{}").expect("written");
    std::fs::create_dir(dir.path().join("proofs")).expect("made");
    let folder = Folder::open(dir.path()).expect("a folder");
    let op = proof("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
    for (name, most) in [("retention.json", 1_u64 << 30), ("index.html", 1 << 30), (op.as_str(), 4 << 20)] {
        let file = std::fs::File::create(dir.path().join(name)).expect("made");
        // It has holes, and is as long as the manifest says: without a bound it would be hashed to its end.
        file.set_len(1 << 40).expect("stretched");
        let listed = Listed { bytes: 1 << 40, hash: Listed::of(b"").hash };
        assert!(folder.is_listed(name, listed).is_err_and(|why| why.contains("more than any")), "{name}");
        file.set_len(most + 1).expect("cut");
        assert!(folder.read(name).is_err_and(|why| why.contains("more than any")), "{name}");
    }
    std::fs::write(dir.path().join(&op), vec![b' '; 4 << 20]).expect("written");
    assert!(folder.read(&op).is_ok());

    // Nor are there more values in one than its bytes make likely.
    let values = [b"[".to_vec(), b"0,".repeat(200_000), b"0]".to_vec()].concat();
    assert!(Manifest::read(&values).is_err_and(|why| why.to_string().contains("more than is read at once")));
    assert!(Samples::read(&values).is_err_and(|why| why.to_string().contains("more than is read at once")));
}

#[test]
fn the_names_of_an_export_are_known() {
    let hash = Listed::of(b"").hash;
    for name in folder::ALWAYS.map(str::to_owned).into_iter().chain([
        proof("0123456789ABCDEFGHJKMNPQRSTVWXYZ.1"),
        folder::policy(hash),
        folder::regime("own"),
    ]) {
        assert!(may_have(&name), "{name}");
    }
    for other in ["", "summary.html", "proofs/", "proofs/x.json", "proofs/.proof.json", "proofs/a/b.proof.json"] {
        assert!(!may_have(other), "{other}");
    }
    assert!(!may_have("regimes/own.html") && !may_have("policies/a/b.json") && !may_have("manifest.json"));
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
        for evidence in regime.controls.iter().flat_map(|control| &control.evidence) {
            let of_lineages = matches!(evidence.asked, Asked::Lineages(_));
            assert!(
                !of_lineages || !evidence.what.contains("attested"),
                "what a crash ended is not: {}",
                evidence.what
            );
            let of_containment = matches!(&evidence.asked, Asked::Events { names, .. } if names.iter().any(|name| name == "lifecycle.contained"));
            assert!(
                !of_containment || !evidence.what.contains("somebody"),
                "it may be nobody's act: {}",
                evidence.what
            );
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

#[test]
fn a_regime_whose_words_no_document_could_have_is_refused() {
    let with = |title: &str, control: &str, asks: &str, what: &str| {
        let evidence = format!(r#"[{{"what":"{what}","minimum":1,"ledger":"range"}}]"#);
        let control = format!(
            r#"{{"id":"c1","title":"{control}","asks":"{asks}","needs":"all","does_not_show":"n","evidence":{evidence}}}"#
        );
        let text =
            format!(r#"{{"v":"1","regime":"own","title":"{title}","does_not_show":"n","controls":[{control}]}}"#);
        Regime::read(text.as_bytes()).is_ok()
    };
    assert!(with("t", "t", "a", "w") && with("t", "t", "a\\nb", "w"), "what is asked may have paragraphs");
    for wrong in ["", " ", "a\\nb"] {
        assert!(!with(wrong, "t", "a", "w") && !with("t", wrong, "a", "w") && !with("t", "t", "a", wrong), "{wrong:?}");
    }
    assert!(!with("t", "t", "", "w"));
}

fn vectors(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors").join(name);
    parse(&std::fs::read(path).expect("a file")).expect("I-JSON")
}

/// The registry's entries of the vectors.
fn registry() -> Vec<Entry> {
    let file = vectors("ledger.json");
    let entries = file.get("entries").and_then(Value::as_array).expect("entries").iter();
    let entries = entries.map(|entry| Entry::read(entry.clone()).expect("an entry"));
    let is_of_registry = |entry: &Entry| {
        let event = entry.record.get("event").and_then(Value::as_str).and_then(Event::parse);
        event.is_some_and(|event| event.registry)
    };
    entries.filter(is_of_registry).collect()
}

/// The execution of the vectors, issued at .072 of a second and ended at .253 of it, as an export of a range shows it; and the
/// head that it stands under.
pub(super) fn executed(from: Time, to: Time) -> (Facts, Head) {
    let file = vectors("bundles.json");
    let mut cases = file.as_array().expect("cases").iter();
    let execution = cases.find(|case| case.get("what").and_then(Value::as_str) == Some("execution"));
    let bundle = execution.and_then(|case| case.get("bundle")).expect("a bundle");
    let (lineage, _) = Lineage::of(bundle).expect("a lineage");
    let head = Head::read(bundle.get("head").expect("a head").clone()).expect("a head");
    let history = History::of(&registry()).expect("a history");
    let query = Query { from, to, identity: None, operation: None, regimes: Vec::new() };
    let (stretch, lineages) = (Stretch::new(&query), vec![lineage]);
    (Facts { stretch, lineages, history, samples: Samples::default(), from, to }, head)
}

#[test]
fn what_lies_outside_of_the_range_is_shown_and_meets_no_control() {
    let control = |id: &str, evidence: &str| {
        format!(
            r#"{{"id":"{id}","title":"t","asks":"a","needs":"all","does_not_show":"n","evidence":[{{"what":"w","minimum":1,{evidence}}}]}}"#
        )
    };
    let asked = [
        r#""events":["authorization.issued"]"#,
        r#""events":["execution.started"]"#,
        r#""events":["execution.completed"]"#,
        r#""lineages":["execution"]"#,
    ];
    let list = ["c1", "c2", "c3", "c4"].iter().zip(asked).map(|(id, evidence)| control(id, evidence));
    let list = list.collect::<Vec<_>>().join(",");
    let text = format!(r#"{{"v":"1","regime":"own","title":"t","does_not_show":"n","controls":[{list}]}}"#);
    let regime = Regime::read(text.as_bytes()).expect("a regime");
    let at = |millis: i64| moment("2026-05-12T17:04:11.000Z").expect("a time").plus_millis(millis);
    let ranges: [(i64, i64, [u64; 4], [i64; 4]); 6] = [
        (0, 1000, [1, 1, 1, 1], [1, 1, 0, 7]),
        (72, 254, [1, 1, 1, 1], [1, 1, 0, 7]),
        // It goes on after the range, or began before it.
        (72, 253, [1, 1, 1, 0], [1, 0, 1, 6]),
        (0, 144, [1, 0, 0, 0], [1, 0, 1, 3]),
        (73, 1000, [0, 1, 1, 1], [1, 1, 0, 6]),
        (253, 254, [0, 0, 0, 1], [1, 1, 0, 1]),
    ];
    for (from, to, found, counts) in ranges {
        let (facts, head) = executed(at(from), at(to));
        let findings = controls::findings(&regime, &facts, &head);
        let there: Vec<u64> = findings.iter().map(|finding| finding.found[0].count).collect();
        assert_eq!(there, found, "{from} to {to}");
        let met: Vec<bool> = findings.iter().map(controls::Finding::is_met).collect();
        assert_eq!(met, found.map(|count| count > 0), "{from} to {to}");
        let shown = findings.iter().flat_map(|finding| &finding.found[0].shown);
        assert!(shown.map(|shown| shown.place.at).all(|place| (at(from)..at(to)).contains(&place)), "{from} to {to}");
        let missing = found.iter().filter(|count| **count == 0).count();
        assert_eq!(controls::gaps(std::slice::from_ref(&regime), &facts, &head).len(), missing, "{from} to {to}");
        let all = facts.counts();
        let told = ["lineages", "execution", "later", "events"].map(|name| all.get(name).and_then(Value::as_int));
        assert_eq!(told, counts.map(Some), "{from} to {to}");
    }
}

#[test]
fn an_event_that_every_use_of_an_artifact_shows_is_one_event() {
    let at = |millis: i64| moment("2026-05-12T17:04:11.000Z").expect("a time").plus_millis(millis);
    let control = |id: &str, event: &str| {
        format!(
            r#"{{"id":"{id}","title":"t","asks":"a","needs":"all","does_not_show":"n","evidence":[{{"what":"w","minimum":2,"events":["{event}"]}}]}}"#
        )
    };
    let list = [control("c1", "authorization.issued"), control("c2", "execution.started")].join(",");
    let text = format!(r#"{{"v":"1","regime":"own","title":"t","does_not_show":"n","controls":[{list}]}}"#);
    let regime = Regime::read(text.as_bytes()).expect("a regime");
    let (mut facts, head) = executed(at(0), at(1000));
    let (mut again, _) = executed(at(0), at(1000));
    // A second use: all but the issuance stands in entries of its own.
    let mut second = again.lineages.remove(0);
    let content = second.op.clone();
    second.op = format!("{content}.2");
    second.events.iter_mut().skip(1).for_each(|fact| fact.place.seq += 1000);
    facts.lineages[0].op = format!("{content}.1");
    facts.lineages.push(second);
    let counts = facts.counts();
    let told = ["lineages", "execution", "events"].map(|name| counts.get(name).and_then(Value::as_int));
    assert_eq!(told, [Some(2), Some(2), Some(13)]);
    let found = controls::findings(&regime, &facts, &head);
    assert_eq!([found[0].found[0].count, found[1].found[0].count], [1, 2]);
    assert!(!found[0].is_met(), "one artifact was issued, and two are asked for");
    assert_eq!(found[0].found[0].shown[0].proof, proof(&format!("{content}.1")));
}

#[test]
fn a_leaf_is_observed_as_each_thing_that_it_is() {
    let at = |millis: i64| moment("2026-05-12T17:04:11.000Z").expect("a time").plus_millis(millis);
    let regime = |id: &str| {
        let kinds = ["keys", "points", "keys"];
        let evidence = kinds.map(|kind| format!(r#"{{"what":"{kind}","minimum":1,"in_force":"{kind}"}}"#)).join(",");
        let control = format!(
            r#"{{"id":"c1","title":"t","asks":"a","needs":"all","does_not_show":"n","evidence":[{evidence}]}}"#
        );
        let text = format!(r#"{{"v":"1","regime":"{id}","title":"t","does_not_show":"n","controls":[{control}]}}"#);
        Regime::read(text.as_bytes()).expect("a regime")
    };
    let regimes = [regime("own"), regime("other")];
    let (facts, head) = executed(at(0), at(1000));
    let found = controls::findings(&regimes[0], &facts, &head);
    let counts: Vec<u64> = found[0].found.iter().map(|found| found.count).collect();
    let [keys, points, _] = counts[..] else { panic!("{counts:?}") };
    let at_genesis = found[0].found[0].shown.iter().filter(|shown| shown.place.seq == 0).count();
    assert!(at_genesis > 1 && points > 0, "{at_genesis} keys came with the genesis");
    let query = Query { from: at(0), to: at(1000), identity: None, operation: None, regimes: Vec::new() };
    let manifest = manifest(query, head, at(2000));
    let document = Value::Object(oscal::results(&manifest, &facts, &regimes, &BTreeMap::new()));
    let list = |pointer: &str| document.pointer(pointer).and_then(Value::as_array).expect(pointer);
    let observations = list("/assessment-results/results/0/observations");
    assert_eq!(observations.len() as u64, keys + points);
    let again = list("/assessment-results/results/1/observations");
    assert_eq!(again.len(), observations.len(), "the other result has the same of its own");
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).expect(name).to_owned();
    let titles: BTreeSet<String> = observations.iter().map(|one| text(one, "title")).collect();
    let names: BTreeSet<String> = observations.iter().map(|one| text(one, "uuid")).collect();
    assert_eq!((titles.len(), names.len()), (observations.len(), observations.len()));
    let related = list("/assessment-results/results/0/findings/0/related-observations");
    let related: BTreeSet<String> = related.iter().map(|one| text(one, "observation-uuid")).collect();
    assert_eq!(related, names);
    let mut all = Vec::new();
    uuids(&document, &mut all);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "no name stands twice");
    let plan = document.pointer("/assessment-results/import-ap/href").and_then(Value::as_str).expect("a plan");
    let resources = list("/assessment-results/back-matter/resources");
    let named = resources.iter().find(|resource| plan == format!("#{}", text(resource, "uuid"))).expect("it is there");
    let link = named.pointer("/rlinks/0/href").and_then(Value::as_str);
    assert_eq!(link, Some("../manifest.json"), "a resource leads somewhere");
    let props = list("/assessment-results/results/0/findings/0/props");
    let told: Vec<String> =
        props.iter().map(|prop| ["class", "name", "value"].map(|name| text(prop, name)).join(" ")).collect();
    let expected = [
        format!("evidence-1 found {keys}"),
        format!("evidence-1 observed {keys}"),
        format!("evidence-2 found {points}"),
        format!("evidence-2 observed {points}"),
        format!("evidence-3 found {keys}"),
        "evidence-3 observed 0".to_owned(),
    ];
    assert_eq!(told, expected, "what two kinds of evidence name is observed once");
}

/// A manifest without counts, gaps and files.
fn manifest(query: Query, head: Head, made: Time) -> Manifest {
    let (counts, files, checkpoint) = (Object::new(), BTreeMap::new(), String::new());
    Manifest { tool: tool(), made, query, range: (0, 0), head, checkpoint, counts, gaps: Vec::new(), files }
}

#[test]
fn page_and_oscal_claim_no_more_than_was_asked_for() {
    let at = |millis: i64| moment("2026-05-12T17:04:11.000Z").expect("a time").plus_millis(millis);
    let (facts, head) = executed(at(0), at(1000));
    let somebody = Some("svc:nobody:test".to_owned());
    for (identity, regimes, none, only) in [
        (None, Vec::new(), "every operation of the range has its proof; no regime was asked for.", "all operations."),
        (
            somebody,
            vec!["own".to_owned()],
            "every operation that was asked for has its proof, and every control that was asked for has evidence.",
            "operations of svc:nobody:test.",
        ),
    ] {
        let query = Query { from: at(0), to: at(1000), identity, operation: None, regimes };
        let manifest = manifest(query, head.clone(), at(2000));
        let page = page::page(&manifest, &facts, &[]);
        assert!(page.contains(&format!("<p>None: {none}</p>")), "{page}");
        // Whoever has it on paper types an operation's id, so it stands there whole.
        assert!(facts.lineages.iter().all(|lineage| page.contains(&format!("<code>{}</code>", lineage.op))), "{page}");
        let document = Value::Object(oscal::results(&manifest, &facts, &[], &BTreeMap::new()));
        let said = document.pointer("/assessment-results/results/0/description").and_then(Value::as_str);
        assert!(said.is_some_and(|said| said.ends_with(&format!(" entries; {only}"))), "{said:?}");
        // A control that is not met is a finding of its own; what could not be shown is told by no finding.
        let unmet = Gap { control: Some(("own".to_owned(), "c1".to_owned())), ..Gap::plain("nothing") };
        let manifest = Manifest { gaps: vec![unmet, Gap::plain("there is no proof file")], ..manifest };
        let document = Value::Object(oscal::results(&manifest, &facts, &[], &BTreeMap::new()));
        let said = document.pointer("/assessment-results/results/0/description").and_then(Value::as_str);
        let told = "What could not be shown, 1 in all, stands under `gaps` in manifest.json.";
        assert!(said.is_some_and(|said| said.ends_with(told)), "{said:?}");
    }
}

#[test]
fn records_that_the_ledger_refused_are_counted_and_no_page_passes_over_them() {
    let at = |millis: i64| moment("2026-05-12T17:04:11.000Z").expect("a time").plus_millis(millis);
    let (mut facts, head) = executed(at(0), at(1000));
    let query = Query { from: at(0), to: at(1000), identity: None, operation: None, regimes: Vec::new() };
    let told = |facts: &Facts| {
        let manifest = Manifest { counts: facts.counts(), ..manifest(query.clone(), head.clone(), at(2000)) };
        let counted = manifest.counts.get("refused_records").and_then(Value::as_int);
        (counted, page::page(&manifest, facts, &[]).contains("<p>Records that the ledger refused in this range: "))
    };
    assert_eq!(told(&facts), (Some(0), false));
    let place = facts.lineages[0].events[0].place;
    for event in ["ledger.refused", "audit.discontinuity", "ledger.refused"] {
        facts.stretch.domain.push(Fact { place, event: event.to_owned(), reason: None });
    }
    assert_eq!(told(&facts), (Some(2), true));
}

/// Every `uuid` of a document.
fn uuids(value: &Value, into: &mut Vec<String>) {
    into.extend(value.get("uuid").and_then(Value::as_str).map(str::to_owned));
    for (_, member) in value.as_object().into_iter().flat_map(Object::iter) {
        uuids(member, into);
    }
    for item in value.as_array().unwrap_or_default() {
        uuids(item, into);
    }
}

#[test]
fn a_key_is_in_force_for_as_long_as_it_counts() {
    let at = |millis: i64| moment("2026-05-12T17:04:11.000Z").expect("a time").plus_millis(millis);
    let day = |text: &str| moment(text).expect("a day");
    let control = r#"{"id":"c1","title":"t","asks":"a","needs":"all","does_not_show":"n","evidence":[{"what":"w","minimum":1,"in_force":"keys"}]}"#;
    let text = format!(r#"{{"v":"1","regime":"own","title":"t","does_not_show":"n","controls":[{control}]}}"#);
    let regime = Regime::read(text.as_bytes()).expect("a regime");
    // The last event retires the key of the second point; then that of the first is called compromised, since long before.
    let mut entries = registry();
    let mut told = entries.last().expect("an event").clone();
    let retired = told.header.at;
    assert_eq!(told.record.get("event").and_then(Value::as_str), Some("key.retired"));
    let data = Object::new().with("kid", "key:11-11/gw-0/2026-q2").with("since", at(200).millis());
    let record = told.record.as_object().expect("a record").clone();
    told.record = Value::Object(record.with("event", "key.compromised").with("data", data));
    told.header.seq += 1;
    entries.push(told);
    for (from, to, count) in [
        (at(0), at(1000), 7),
        (at(199), at(1000), 7),
        (at(200), at(1000), 6),
        (retired, at(1000), 5),
        (at(600), at(1000), 5),
        (day("2026-06-30"), day("2026-07-02"), 5),
        (day("2026-07-01"), day("2026-07-02"), 0),
        (day("2026-03-01"), day("2026-04-01"), 0),
    ] {
        let (mut facts, head) = executed(from, to);
        facts.history = History::of(&entries).expect("a history");
        let found = controls::findings(&regime, &facts, &head);
        assert_eq!(found[0].found[0].count, count, "{from} to {to}");
        assert_eq!(found[0].is_met(), count > 0);
    }
}

#[test]
fn an_identity_key_that_has_ended_is_no_source_in_force() {
    let control = r#"{"id":"c1","title":"t","asks":"a","needs":"all","does_not_show":"n","evidence":[{"what":"w","minimum":1,"in_force":"sources"}]}"#;
    let text = format!(r#"{{"v":"1","regime":"own","title":"t","does_not_show":"n","controls":[{control}]}}"#);
    let regime = Regime::read(text.as_bytes()).expect("a regime");
    let mut entries = registry();
    let last = entries.last().expect("an event").clone();
    let at = |millis: i64| last.header.at.plus_millis(millis);
    // Registered ten milliseconds after the last event, and ended ten more after that.
    for (n, kind) in [(1, JWT), (2, JWT_ENDED)] {
        let row = Object::new().with("name", "authority").with("source", last.record.get("by").cloned());
        let row = row.with("mapping", Object::new().with("kind", kind).with("kid", "key:11-11/identity/1"));
        let record = last.record.as_object().expect("a record").clone();
        let mut told = last.clone();
        told.record = Value::Object(record.with("event", "source.registered").with("data", row));
        told.header.seq += n;
        told.header.at = at(if kind == JWT { 10 } else { 20 });
        entries.push(told);
    }
    for (from, to, count) in [(0, 10, 0), (0, 11, 1), (11, 12, 1), (0, 1000, 1), (20, 1000, 1), (21, 1000, 0)] {
        let (mut facts, head) = executed(at(from), at(to));
        facts.history = History::of(&entries).expect("a history");
        let found = controls::findings(&regime, &facts, &head);
        assert_eq!(found[0].found[0].count, count, "{from} to {to}");
        assert_eq!(found[0].is_met(), count > 0);
    }
}

#[test]
fn every_event_of_the_registry_has_to_be_signed_by_a_key_that_counted() {
    let entries = registry();
    let history = History::of(&entries).expect("a history");
    let read = |entry: &Entry| Record::read(entry.record.clone()).expect("a record");
    for entry in &entries {
        assert_eq!(history.unsigned(&entry.header, &read(entry)), None, "entry {}", entry.header.seq);
    }
    let last = entries.last().expect("an event");
    let why = |header: &EntryHeader, change: &dyn Fn(&mut Record)| {
        let mut record = read(last);
        change(&mut record);
        history.unsigned(header, &record).expect("it is refused")
    };
    assert!(why(&last.header, &|record| record.sig.val[0] ^= 1).contains("does not verify"));
    let late = EntryHeader { at: moment("2026-07-01").expect("a day"), ..last.header.clone() };
    assert!(why(&late, &|_| ()).contains("that counts then"), "its window is over");
    assert!(why(&last.header, &|record| record.by = "ledger://11-11".into()).contains("that counts then"));
    assert!(why(&last.header, &|record| record.kid = "key:11-11/none/1".into()).contains("that counts then"));
}

#[test]
fn a_use_by_a_registry_that_never_was_is_found_by_the_history() {
    let entries = registry();
    let history = History::of(&entries).expect("a history");
    let first = History::of(&entries[..1]).expect("a history").reference();
    let last = history.reference();
    assert!(last.epoch > 1);
    let signer = SeedSigner::new("key:11-11/gw-0/1", &[7; 32]);
    let uses = |event: &'static str, registry: Option<(u64, Sha3)>| {
        let registry = registry.map(|(epoch, hash)| Object::new().with("epoch", epoch).with("hash", hash));
        let (place, ts) = (Place::Alone, moment("2026-05-12").expect("a day"));
        let by = "k8s://cluster-east-1/ns/inference#gw-0".to_owned();
        let data = Object::new().with("use", 1u64).with_some("registry", registry);
        let draft = Draft { event, place, ts, by, src_seq: 0, data, about: About::default() };
        draft.sign(&signer).expect("a record")
    };
    let consumed = "authorization.consumed";
    for (registry, never) in [
        (None, false),
        (Some((1, first.hash)), false),
        (Some((last.epoch, last.hash)), false),
        (Some((last.epoch, first.hash)), true),
        (Some((1, last.hash)), true),
        (Some((last.epoch + 1, last.hash)), true),
        (Some((u64::MAX >> 11, last.hash)), true),
    ] {
        assert_eq!(history.never_was(&uses(consumed, registry)), never, "{registry:?}");
        assert!(!history.never_was(&uses("runtime.step", registry)), "it is no use");
    }
}

#[test]
fn that_the_ledger_went_back_is_told_of_each_range_that_may_have_lost_by_it() {
    let at = |millis: i64| moment("2026-05-12T17:04:11.000Z").expect("a time").plus_millis(millis);
    let tree = |size: u64| TreeAt { size, root: Sha256::of(&[&size.to_be_bytes()]) };
    let recovery = Recovery {
        ledger: "ledger://11-11".into(),
        restored: tree(7),
        lost: tree(9),
        cause: "a disk was lost".into(),
        at: at(0),
        sigs: Vec::new(),
    };
    let draft = Draft {
        event: "ledger.recovered",
        place: Place::Alone,
        ts: at(100),
        by: "ledger://11-11".into(),
        src_seq: 0,
        data: recovery.to_object(),
        about: About::default(),
    };
    let record = draft.sign(&SeedSigner::new("key:11-11/audit/1", &[7; 32])).expect("a record");
    let entry = entry_bytes(7, at(100), Some(&advance(None, b"an entry")), record.canonical());
    // In the range, and as the entry behind it; not as the one before it.
    for (from, to, told) in [(0, 1000, true), (100, 1000, true), (0, 100, true), (101, 1000, false)] {
        let query = Query { from: at(from), to: at(to), identity: None, operation: None, regimes: Vec::new() };
        let (mut facts, head) = executed(at(from), at(to));
        facts.stretch = Stretch::new(&query);
        facts.stretch.take(&entry).expect("it is taken");
        let said = "the ledger goes on from 7 entries and gives up a head of 9: what that alone held is not here";
        let found: Vec<bool> = facts.stretch.went_back.iter().map(|found| found.ends_with(said)).collect();
        assert_eq!(found, vec![true; usize::from(told)], "{from} to {to}");
        let page = page::page(&manifest(query, head, at(2000)), &facts, &[]);
        assert_eq!(page.contains("gives up a head of 9"), told, "{from} to {to}");
    }
}

#[test]
fn what_the_ledger_refused_in_the_range_is_told() {
    let at = |millis: i64| moment("2026-05-12T17:04:11.000Z").expect("a time").plus_millis(millis);
    let signer = SeedSigner::new("key:11-11/audit/1", &[7; 32]);
    let query = Query { from: at(0), to: at(1000), identity: None, operation: None, regimes: Vec::new() };
    let mut stretch = Stretch::new(&query);
    let (mut before, mut told) = (advance(None, b"an entry"), Vec::new());
    for n in 0..21_u64 {
        // The first lies before the range, the second is another event of the ledger's.
        let (event, millis) = (if n == 1 { "audit.resumed" } else { "ledger.refused" }, if n == 0 { -1 } else { 100 });
        let data = Object::new().with("hash", Sha256::of(&[&n.to_be_bytes()])).with("reason", "lineage.order");
        let by = "ledger://11-11".into();
        let draft = Draft { event, place: Place::Alone, ts: at(millis), by, src_seq: n, data, about: About::default() };
        let record = draft.sign(&signer).expect("a record");
        let entry = entry_bytes(40 + n, at(millis), Some(&before), record.canonical());
        before = advance(Some(&before), &entry);
        stretch.take(&entry).expect("it is taken");
        told.push(stretch.refused());
    }
    let told: Vec<Option<&str>> =
        told.iter().map(|told| told.as_deref().and_then(|told| told.rsplit(": ").next())).collect();
    assert_eq!(told[..4], [None, None, Some("entry 42"), Some("entry 42, 43")]);
    assert_eq!(told[17], Some("entry 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57"));
    assert_eq!(told[20], Some("entry 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57 and 3 more"));
}
