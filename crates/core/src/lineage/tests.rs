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

/// The first record that is one of those, as `change` leaves it: what the order reads of it, without its hashes.
fn changed(is_one: impl Fn(&Record) -> bool, change: impl Fn(Object) -> Object) -> Result<Lineage, LineageError> {
    let mut lineages = BTreeMap::new();
    let entries = records(include_bytes!("../../../../spec/vectors/ledger.json"), "entries", "record");
    for (_, record) in entries.iter().filter(|(_, record)| is_lineage_event(record)) {
        if is_one(record) {
            let Value::Object(whole) = record.to_value() else { panic!("an object") };
            let changed = Record::read(Value::Object(change(whole))).expect("of its form");
            return advance(&lineages, &changed).expect("a lineage");
        }
        lineages.insert(record.op.clone(), advance(&lineages, record).expect("a lineage").expect("it follows"));
    }
    panic!("the vectors have none")
}

/// The first record of that name with other data.
fn with_data(event: &str, change: impl Fn(Object) -> Object) -> Result<Lineage, LineageError> {
    changed(|record| record.event == event, |whole| in_data(whole, &change))
}

fn in_data(whole: Object, change: impl Fn(Object) -> Object) -> Object {
    let data = whole.get("data").and_then(Value::as_object).expect("data").clone();
    whole.with("data", change(data))
}

fn stage(next: Result<Lineage, LineageError>) -> Result<Stage, LineageError> {
    next.map(|lineage| lineage.stage)
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
fn a_consumption_names_a_nonce() {
    let consumed = |nonce: Value| stage(with_data("authorization.consumed", |data| data.with("nonce", nonce.clone())));
    assert_eq!(consumed("n_0123456789ABCDEFGHJKMNPQRS".into()), Ok(Stage::Consumed));
    for nonce in ["n_1", "n_0123456789ABCDEFGHIJKLMNOP", "0123456789ABCDEFGHJKMNPQRS", ""] {
        assert_eq!(consumed(nonce.into()), Err(LineageError::Data), "{nonce}");
    }
    assert_eq!(consumed(Value::Null), Err(LineageError::Data));
}

#[test]
fn a_cause_is_a_text_that_says_something() {
    let caused = |cause: Value| with_data("execution.completed", |data| data.with("cause", cause.clone()));
    assert!(with_data("execution.completed", |data| data).is_ok() && caused("upstream.failed".into()).is_ok());
    for cause in [Value::Null, "".into(), Value::Int(1), Value::Object(Object::new().with("text", "of a caller"))] {
        assert_eq!(caused(cause.clone()), Err(LineageError::Data), "{cause}");
    }
}

#[test]
fn a_consumption_says_which_use_it_is() {
    let uses = |suffix: &str, number: u64| {
        let consumes = |record: &Record| record.event == "authorization.consumed" && record.op.ends_with(suffix);
        stage(changed(consumes, |whole| in_data(whole, |data| data.with("use", number))))
    };
    assert_eq!(uses("", 1), Ok(Stage::Consumed));
    assert_eq!(uses("", 2), Err(LineageError::Data), "of a single use");
    assert_eq!(uses(".2", 2), Ok(Stage::Consumed));
    for other in [1, 3] {
        assert_eq!(uses(".2", other), Err(LineageError::Data), "{other} of the second use");
    }
}

#[test]
fn an_admission_has_a_fingerprint_and_no_event_has_more_than_is_its_own() {
    let of = |event: &'static str, change: fn(Object) -> Object| stage(changed(|record| record.event == event, change));
    assert_eq!(of("admission.granted", |whole| whole), Ok(Stage::Granted));
    let without = |mut whole: Object| {
        whole.remove("fingerprint");
        whole
    };
    assert_eq!(of("admission.granted", without), Err(LineageError::Binding));
    let changes: [fn(Object) -> Object; 3] = [
        |whole| whole.with("fingerprint", Sha3::of(&[b"x"])),
        |whole| whole.with("reason", "policy.denied"),
        |whole| whole.with("policy_required", "policy://medical/inference/v3"),
    ];
    for change in changes {
        assert_eq!(of("execution.started", change), Err(LineageError::Binding));
    }
}

#[test]
fn of_what_crashed_the_effect_is_unknown() {
    let crashed = |change: fn(Object) -> Object| {
        let crash = |record: &Record| record.event == "execution.interrupted" && record.data.get("effect").is_some();
        stage(changed(crash, |whole| in_data(whole, change)))
    };
    assert_eq!(crashed(|data| data), Ok(Stage::Ended(None)));
    let changes: [fn(Object) -> Object; 6] = [
        |data| data.with("effect", "none"),
        |data| data.with("effect", Value::Null),
        |data| data.with("cause", ""),
        |data| data.with("note", ""),
        // As many members, and another in the place of one.
        |mut data| {
            data.remove("effect");
            data.with("note", "")
        },
        |mut data| {
            data.remove("cause");
            data.with("note", "")
        },
    ];
    for change in changes {
        assert_eq!(crashed(change), Err(LineageError::Data));
    }
}

#[test]
fn the_evidence_is_the_envelope_that_was_signed_and_all_events() {
    let other = Value::from(Sha3::of(&[b"another"]));
    let closing = |crashed: bool, name: &str, value: &Value| {
        let closes = |record: &Record| {
            record.event == "evidence.committed" && (record.data.get("evidence") == Some(&Value::Null)) == crashed
        };
        stage(changed(closes, |whole| in_data(whole, |data| data.with(name, value.clone()))))
    };
    for (crashed, events) in [(false, 7), (true, 6)] {
        assert_eq!(closing(crashed, "events", &Value::Int(events)), Ok(Stage::Closed));
        for number in [99, events + 1, events - 1] {
            assert_eq!(closing(crashed, "events", &Value::Int(number)), Err(LineageError::Data), "{number}");
        }
        assert_eq!(closing(crashed, "evidence", &other), Err(LineageError::Data), "{crashed}");
        assert_eq!(closing(crashed, "note", &Value::Null), Err(LineageError::Data), "{crashed}");
    }
    assert_eq!(closing(false, "evidence", &Value::Null), Err(LineageError::Data), "none where one was signed");
}

#[test]
fn a_lineage_begins_with_the_issuance_of_the_artifact_that_names_it() {
    type Change = fn(Object) -> Object;
    let issues = |record: &Record| record.event == "authorization.issued";
    let begun = |change: Change| stage(changed(issues, change));
    assert_eq!(begun(|whole| whole), Ok(Stage::Issued));
    assert_eq!(begun(|whole| whole.with("event", "authorization.consumed")), Err(LineageError::Order));
    let others: [(&str, Change); 6] = [
        ("another issuer than whom it is by", |whole| whole.with("issuer", "governance://11-11/authority/other")),
        ("another artifact", |whole| whole.with("artifact_id", "auth_".to_string() + &"0".repeat(32))),
        ("another lineage", |whole| whole.with("op", "0".repeat(32))),
        ("a reason", |whole| whole.with("reason", "policy.denied")),
        ("a policy that is required", |whole| whole.with("policy_required", "policy://medical/inference/v3")),
        ("a fingerprint", |whole| whole.with("fingerprint", Sha3::of(&[b"x"]))),
    ];
    for (what, change) in others {
        assert_eq!(begun(change), Err(LineageError::Binding), "{what}");
    }
    for member in ["identity", "operation", "artifact_id", "issuer", "runtime", "policy"] {
        let without = |mut whole: Object| {
            whole.remove(member);
            whole
        };
        assert_eq!(stage(changed(issues, without)), Err(LineageError::Binding), "without {member}");
    }
}

#[test]
fn an_event_continues_its_tip_by_number_and_by_both_hashes() {
    let entries = records(include_bytes!("../../../../spec/vectors/ledger.json"), "entries", "record");
    let all = || entries.iter().map(|(_, record)| record);
    let consumed = all().find(|record| record.event == "authorization.consumed").expect("a consumption");
    let issued = all().find(|record| record.op == consumed.op).expect("its issuance");
    let lineage = Lineage::begin(issued).expect("a lineage");
    let continues = |change: fn(&mut Record)| {
        let mut record = consumed.clone();
        change(&mut record);
        stage(lineage.advance(&record))
    };
    assert_eq!(continues(|_| {}), Ok(Stage::Consumed));
    let others: [fn(&mut Record); 5] = [
        |record| record.n += 1,
        |record| record.n -= 1,
        |record| record.prev = None,
        |record| record.prev.iter_mut().for_each(|(hash, _)| hash.0[63] ^= 1),
        |record| record.prev.iter_mut().for_each(|(_, hash_alt)| hash_alt.0[63] ^= 1),
    ];
    for change in others {
        assert_eq!(continues(change), Err(LineageError::Position));
    }
}

/// PROTOCOL 5.1: no other order exists.
#[test]
fn after_each_event_come_those_that_may_and_no_others() {
    let entries = records(include_bytes!("../../../../spec/vectors/ledger.json"), "entries", "record");
    let all = || entries.iter().map(|(_, record)| record);
    let completed = all().find(|record| record.event == "execution.completed").expect("an execution");
    let run: Vec<&Record> = all().filter(|record| record.op == completed.op).collect();
    assert_eq!(
        (run.len(), run[0].event.as_str(), run[6].event.as_str()),
        (7, "authorization.issued", "evidence.committed")
    );
    let like = |of: &Record, event: &str, data: Object| {
        let mut record = of.clone();
        (record.event, record.data) = (event.into(), data);
        record
    };
    let mut events: Vec<Record> = run.iter().copied().cloned().collect();
    for event in ["execution.failed", "execution.interrupted"] {
        events.push(like(run[5], event, run[5].data.clone()));
    }
    let crashed = Object::new().with("cause", "restart").with("effect", "unknown");
    events.push(like(run[5], "execution.interrupted", crashed));
    events.push(like(run[6], "evidence.committed", Object::new().with("evidence", Value::Null)));
    let after = |lineage: &Lineage, event: &Record| {
        let mut record = event.clone();
        (record.n, record.prev) = (lineage.tip.n + 1, Some((lineage.tip.hash, lineage.tip.hash_alt)));
        if record.event == "evidence.committed" {
            record.data.insert("events", record.n);
        }
        lineage.advance(&record)
    };
    let mut lineages = Vec::from([Lineage::begin(run[0]).expect("issued")]);
    for event in &events[1..7] {
        let next = after(&lineages[lineages.len() - 1], event).expect("it follows");
        lineages.push(next);
    }
    // What crashed once it had started.
    lineages.push(after(&lineages[3], &events[9]).expect("it follows"));
    // Behind each of them, by their places among the events: completed, failed and interrupted are 5, 7 and 8.
    let lawful: [&[usize]; 8] = [&[1], &[2, 9], &[3, 9], &[4, 9], &[5, 7, 8], &[6], &[], &[10]];
    for (lineage, lawful) in lineages.iter().zip(lawful) {
        for (at, event) in events.iter().enumerate() {
            let named = lawful.iter().any(|lawful| events[*lawful].event == event.event);
            let expected = match (lawful.contains(&at), named) {
                (true, _) => Ok(()),
                // The same name, and what the other carries.
                (false, true) => Err(LineageError::Data),
                (false, false) => Err(LineageError::Order),
            };
            let came = after(lineage, event).map(drop);
            assert_eq!(came, expected, "{:?}: {at}, {}", lineage.stage, event.event);
        }
    }
}

#[test]
fn each_event_carries_its_own_data_and_nothing_beside_it() {
    let data = |event: &str, change: &dyn Fn(Object) -> Object| stage(with_data(event, change));
    for (event, members) in [
        ("authorization.issued", &["chash", "exp", "request"][..]),
        ("authorization.consumed", &["nonce", "use"]),
        ("admission.granted", &["workload"]),
        ("execution.started", &[]),
        ("attestation.signed", &["attestation", "envelope"]),
        ("execution.completed", &["result"]),
        ("evidence.committed", &["evidence", "events"]),
    ] {
        assert!(data(event, &|data| data).is_ok(), "{event}");
        let more = data(event, &|data| data.with("note", ""));
        assert_eq!(more, Err(LineageError::Data), "{event} and more");
        for member in members {
            let less = data(event, &|mut data| {
                data.remove(member);
                data
            });
            assert_eq!(less, Err(LineageError::Data), "{event} without {member}");
            let other = data(event, &|data| data.with(*member, true));
            assert_eq!(other, Err(LineageError::Data), "{event} of another {member}");
        }
    }
    let nobodys = "att_".to_string() + &"0".repeat(32);
    let another = data("attestation.signed", &|data| data.with("attestation", nobodys.as_str()));
    assert_eq!(another, Err(LineageError::Data), "another operation's");
    let result = |change: &dyn Fn(Object) -> Object| {
        data("execution.completed", &|data| {
            let result = data.get("result").and_then(Value::as_object).expect("a result").clone();
            data.with("result", change(result))
        })
    };
    assert!(result(&|result| result).is_ok());
    assert_eq!(result(&|result| result.with("note", "")), Err(LineageError::Data));
    for member in ["digest", "bytes", "status"] {
        let less = result(&|mut result| {
            result.remove(member);
            result
        });
        let negative = result(&|result| result.with(member, Value::Int(-1)));
        assert_eq!((less, negative), (Err(LineageError::Data), Err(LineageError::Data)), "{member}");
    }
}
