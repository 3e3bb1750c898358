use super::*;
use crate::encoding::parse;
use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;

fn records(file: &[u8], list: &str, member: &str) -> Vec<(Value, Record)> {
    let file = parse(file).expect("I-JSON");
    let items = file.get(list).and_then(Value::as_array).expect("a list").to_vec();
    let read = |item: Value| Some((item.clone(), Record::read(item.get(member)?.clone()).ok()?));
    items.into_iter().filter_map(read).collect()
}

fn is_lineage_event(record: &Record) -> bool {
    ["authorization.issued", "authorization.consumed", "admission.", "execution.", "attestation.", "evidence."]
        .iter()
        .any(|prefix| record.event.starts_with(prefix))
        && record.event != "execution.denied"
}

fn advance(lineages: &BTreeMap<String, Lineage>, record: &Record) -> Option<Result<Lineage, LineageError>> {
    let first = record.op.split('.').next().unwrap_or_default().to_string();
    if record.n == 1 {
        return Some(Lineage::begin(record));
    }
    let before = if record.n == 2 { &first } else { &record.op };
    Some(lineages.get(before)?.advance(record))
}

#[test]
fn the_ledger_of_the_vectors_steps_through() {
    let mut lineages = BTreeMap::new();
    let entries = records(include_bytes!("../../../../spec/vectors/ledger.json"), "entries", "record");
    for (_, record) in entries.iter().filter(|(_, record)| is_lineage_event(record)) {
        let next = advance(&lineages, record).expect("a lineage").unwrap_or_else(|e| panic!("{}: {e}", record.event));
        lineages.insert(record.op.clone(), next);
    }
    let closed = lineages.values().filter(|lineage| lineage.stage == Stage::Closed).count();
    assert_eq!(closed, 6, "six lineages of the vectors come to their end");
    let cases = records(include_bytes!("../../../../spec/vectors/append.json"), "cases", "record");
    let mut refused = 0;
    for (case, record) in cases.iter().filter(|(_, record)| is_lineage_event(record)) {
        let what = case.get("what").and_then(Value::as_str).expect("what");
        let expected = case.get("expect").and_then(Value::as_str).expect("expect");
        let result = advance(&lineages, record);
        match expected {
            "accept" | "gap" => assert!(matches!(result, Some(Ok(_))), "{what}: {result:?}"),
            _ => refused += usize::from(!matches!(result, Some(Ok(_)))),
        }
    }
    assert_eq!(refused, 9, "what the order alone refuses; the rest is for keys, artifacts and numbers");
}

/// The last record of that name with other data: what the order reads of it, without its hashes.
fn with_data(event: &str, change: impl Fn(Object) -> Object) -> Result<Lineage, LineageError> {
    let mut lineages = BTreeMap::new();
    let entries = records(include_bytes!("../../../../spec/vectors/ledger.json"), "entries", "record");
    for (_, record) in entries.iter().filter(|(_, record)| is_lineage_event(record)) {
        if record.event == event {
            let Value::Object(whole) = record.to_value() else { panic!("an object") };
            let changed = whole.with("data", change(record.data.clone()));
            let changed = Record::read(Value::Object(changed)).expect("of its form");
            return advance(&lineages, &changed).expect("a lineage");
        }
        lineages.insert(record.op.clone(), advance(&lineages, record).expect("a lineage").expect("it follows"));
    }
    panic!("the vectors have no {event}")
}

#[test]
fn a_point_of_another_runtime_consumes_nothing() {
    let entries = records(include_bytes!("../../../../spec/vectors/ledger.json"), "entries", "record");
    let all = || entries.iter().map(|(_, record)| record);
    let consumed = all().find(|record| record.event == "authorization.consumed").expect("a consumption");
    let issued = all().find(|record| consumed.op.starts_with(&record.op));
    let lineage = Lineage::begin(issued.expect("its issuance")).expect("a lineage");
    let runtime = consumed.about.runtime.as_deref().expect("a runtime");
    let by = |by: String| {
        let mut record = consumed.clone();
        record.by = by;
        lineage.advance(&record).map(|lineage| lineage.stage)
    };
    assert_eq!(by(alloc::format!("{runtime}#another")), Ok(Stage::Consumed));
    for other in ["k8s://lab-cluster/ns/sandbox#p-0", "governance://11-11/authority/prod", "k8s://cluster-east-1#gw-0"]
    {
        assert_eq!(by(other.into()), Err(LineageError::Producer), "{other}");
    }
    assert_eq!(
        by(alloc::format!("{runtime}/below#gw-0")),
        Err(LineageError::Producer),
        "a path below is another runtime"
    );
}

#[test]
fn a_consumption_names_an_epoch_and_its_hash_or_no_view_at_all() {
    let hash = Sha3::of(&[b"registry"]);
    let whole = Object::new().with("epoch", 3u64).with("hash", hash);
    let view = |registry: Object| with_data("authorization.consumed", |data| data.with("registry", registry.clone()));
    assert!(view(whole.clone()).is_ok());
    let none = |mut data: Object| {
        data.remove("registry");
        data
    };
    assert!(with_data("authorization.consumed", none).is_ok());
    for (what, registry) in [
        ("a hash alone", Object::new().with("hash", hash)),
        ("an epoch alone", Object::new().with("epoch", 3u64)),
        ("an epoch in words", whole.clone().with("epoch", "3")),
        ("no epoch", whole.clone().with("epoch", 0u64)),
        ("something more", whole.clone().with("note", "")),
    ] {
        assert_eq!(view(registry), Err(LineageError::Data), "{what}");
    }
}

#[test]
fn a_cause_is_a_text_that_says_something() {
    let caused = |cause: Value| with_data("execution.completed", |data| data.with("cause", cause.clone()));
    assert!(with_data("execution.completed", |data| data).is_ok() && caused("upstream.failed".into()).is_ok());
    for cause in [Value::Null, "".into(), Value::Int(1), Value::Object(Object::new().with("text", "of a caller"))] {
        assert_eq!(caused(cause.clone()), Err(LineageError::Data), "{cause}");
    }
}
