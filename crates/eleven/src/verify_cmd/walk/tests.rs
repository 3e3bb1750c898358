use super::*;
use eleven_core::chain::ChainValue;
use eleven_core::encoding::parse;
use eleven_core::hash::{Blake2b, Sha3, Sha256};
use eleven_core::head::RegistryRef;
use eleven_core::root::{KeyStatus, Witnesses};
use eleven_core::signature::{SeedSigner, Signer as _};
use eleven_core::time::Time;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

fn of(size: u64) -> Commitment {
    Commitment {
        ledger: "ledger://11-11".to_owned(),
        size,
        chain: ChainValue { hash: Sha3([0; 64]), hash_alt: Blake2b([0; 64]) },
        root: Sha256([0; 32]),
        index: Sha256([0; 32]),
        registry: RegistryRef { epoch: 1, hash: Sha3([0; 64]) },
    }
}

#[test]
fn the_smaller_head_comes_first_whichever_was_published_last() {
    for (one, other) in [(3, 8), (8, 3), (8, 8)] {
        let (one, other) = (of(one), of(other));
        let (first, second) = by_size(&one, &other);
        assert!(first.size <= second.size && first.size + second.size == one.size + other.size);
    }
}

fn head_key(n: u8) -> SeedSigner {
    SeedSigner::new(format!("key:11-11/head/{n}"), &[n; 32])
}

fn record(n: u8, status: KeyStatus) -> KeyRecord {
    KeyRecord {
        kid: head_key(n).kid().to_owned(),
        public: head_key(n).public(),
        usage: KeyUse::Head,
        owner: "ledger://11-11".to_owned(),
        nbf: Time(0),
        exp: Time(1_000_000),
        status,
    }
}

fn root(version: u64, nbf: Time, roles: Vec<KeyRecord>) -> TrustRoot {
    TrustRoot {
        domain: "11-11".to_owned(),
        version,
        threshold: 1,
        keys: Vec::new(),
        roles,
        witnesses: Witnesses::default(),
        nbf,
        exp: Time(1_000_000),
        prev: None,
        sigs: Vec::new(),
    }
}

#[test]
fn a_head_is_signed_by_the_newest_root_that_was_in_force_and_by_none_before_it() {
    let first = root(1, Time(0), vec![record(1, KeyStatus::Active)]);
    let ended = record(1, KeyStatus::Compromised(Time(50_000)));
    let second = root(2, Time(60_000), vec![record(2, KeyStatus::Active), ended]);
    // The one that is trusted stands among them twice, and the bundle's order is its own.
    let roots = [second.clone(), first, second];
    let signed = |n: u8, at: i64| signs(&roots, &Head::sign(of(3), Time(at), &head_key(n)));
    assert!(signed(1, 55_000) && signed(2, 60_000));
    assert!(!signed(1, 60_000), "it was in other hands by then");
    assert!(!signed(2, 55_000), "it stood in no root yet");
    assert!(!signed(2, 1_000_000), "nothing is in force any more");
}

/// A ledger that answers with these documents, by the beginnings of their paths, for as long as the test runs.
fn serving(answers: Vec<(&'static str, Value)>) -> At {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let asked = lines.next().unwrap_or_default();
            lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
            let path = asked.split(' ').nth(1).unwrap_or_default();
            let found = answers.iter().find(|(begins, _)| path.starts_with(begins));
            let body = found.map_or_else(|| panic!("{path} was asked"), |(_, answer)| answer.to_string());
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            (&stream).write_all((head + &body).as_bytes()).expect("an answer");
        }
    });
    At::of(Some(&url), None, std::path::Path::new("")).expect("an address")
}

/// The steps where the proof file is the vectors', and the published head and the index's are these; and what that file comes to.
fn walk_of(published: &Value, indexed: &Value) -> (Vec<Step>, Report) {
    let vector = |name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors").join(name);
        parse(&std::fs::read(path).expect("a vector")).expect("I-JSON")
    };
    let (bundle, root) = (vector("bundle.proof.json"), vector("root.json"));
    let member = |path: &str| bundle.pointer(path).expect("a member").clone();
    let op = member("/op").as_str().expect("an id").to_owned();
    let index = Object::new().with("head", indexed.clone()).with("proof", member("/index/op"));
    let at = serving(vec![
        (routes::PROOF_LINEAGE, Value::Object(Object::new().with("events", member("/events")))),
        (routes::PROOF_BUNDLE, bundle.clone()),
        (routes::PROOF_EXCLUSION, Value::Object(index)),
        (routes::PROOF_HEAD, published.clone()),
        // Of two heads of one size, all that there is to prove.
        (routes::PROOF_CONSISTENCY, Value::Object(Object::new().with("proof", Vec::<Value>::new()))),
    ]);
    let fetched = fetch(&at, &op).expect("fetched");
    let pinned = Pinned::new(root);
    let report = verify_bytes(&fetched.bundle, &Caller { root: Some(&pinned), ..Caller::default() }).expect("I-JSON");
    let mut steps = walk(&op, &fetched, &fetched.proof, Some(pinned.value()));
    steps.extend(heads(&fetched, &report));
    (steps, report)
}

/// Whether each of them holds.
fn walked(published: &Value, indexed: &Value) -> BTreeMap<String, bool> {
    let (steps, _) = walk_of(published, indexed);
    steps.into_iter().map(|step| (step.what, step.holds)).collect()
}

/// The head of the vectors' proof file, with a member that is another.
fn head(change: impl FnOnce(Object) -> Object) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors/bundle.proof.json");
    let bundle = parse(&std::fs::read(path).expect("a vector")).expect("I-JSON");
    let Some(Value::Object(head)) = bundle.get("head").cloned() else { panic!("a head") };
    Value::Object(change(head))
}

const OF_ONE_HISTORY: &str = "the published head and that one are of one history";
const OWN_OF_ONE_HISTORY: &str = "the published head and that of the proof file are of one history";
const NOT_BEFORE: &str = "the index is that of the published head, or of a later one";

#[test]
fn a_proof_file_of_another_history_than_the_published_one_is_not_walked_through() {
    let same = head(|head| head);
    let steps = walked(&same, &same);
    assert!(steps.values().all(|holds| *holds), "{steps:?}");
    // The index's answer and the published head agree, and the proof file is of the other history.
    let other = head(|head| head.with("root", Sha256([7; 32])));
    let steps = walked(&other, &other);
    assert_eq!((steps[OF_ONE_HISTORY], steps[OWN_OF_ONE_HISTORY]), (true, false), "{steps:?}");
    assert!(steps["the head in the proof file"] && steps[NOT_BEFORE], "{steps:?}");
}

#[test]
fn two_heads_of_one_size_that_name_two_indexes_are_not_of_one_history() {
    let (same, other) = (head(|head| head), head(|head| head.with("index", Sha256([7; 32]))));
    let steps = walked(&other, &same);
    assert_eq!((steps[OF_ONE_HISTORY], steps[OWN_OF_ONE_HISTORY]), (false, false), "one tree: {steps:?}");
    let signed = |size: u64, at: i64| Head::sign(of(size), Time(at), &head_key(1));
    assert!(contradict(&signed(3, 2), &signed(8, 1)) && contradict(&signed(8, 1), &signed(3, 2)), "it went back");
    for other in [signed(8, 3), signed(8, 2), signed(3, 9), signed(2, 1)] {
        assert!(!contradict(&signed(3, 2), &other), "{other:?}");
    }
    let mut renamed = of(8);
    renamed.ledger = "ledger://11-12".to_owned();
    assert!(contradict(&signed(3, 2), &Head::sign(renamed, Time(3), &head_key(1))), "another's");
}

#[test]
fn an_index_of_before_the_published_head_does_not_do() {
    let (same, later) = (head(|head| head), head(|head| head.with("size", 65u64)));
    let steps = walked(&later, &same);
    assert!(!steps[NOT_BEFORE], "{steps:?}");
    assert!(walked(&same, &later)[NOT_BEFORE]);
}

#[test]
fn a_walk_of_which_a_step_does_not_hold_is_not_verified_by_its_proof_file() {
    let (same, other) = (head(|head| head), head(|head| head.with("root", Sha256([7; 32]))));
    for (published, verdict) in [(same, Verdict::Verified), (other, Verdict::Failed)] {
        let (steps, report) = walk_of(&published, &published);
        assert_eq!(report.verdict, Verdict::Verified, "the proof file alone holds together");
        let report = judged(report, &steps);
        assert_eq!(report.verdict, verdict);
        let document = value(&steps, &report);
        assert_eq!(document.pointer("/report/verdict").and_then(Value::as_str), Some(verdict.name()));
        let said = text(&steps, &report, Output::new(false));
        let verified = verdict == Verdict::Verified;
        assert_eq!((said.contains("VERIFIED"), said.contains("FAILED")), (verified, !verified), "{said}");
        assert_eq!(said.contains("steps of the walk do not hold"), !verified, "{said}");
    }
}
