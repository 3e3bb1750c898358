use super::*;
use crate::encoding::parse;
use crate::hash::Sha256;
use crate::index::{Proves, item_key};
use crate::registry::snapshot::Stamp;
use crate::signature::SeedSigner;

fn vector(bytes: &[u8]) -> Value {
    parse(bytes).expect("I-JSON")
}

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).expect("an array")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).expect("a string")
}

/// Time, event, producer and data of a ledger entry.
fn entry(value: &Value) -> (Time, &str, &str, &Object) {
    let record = value.get("record").expect("a record");
    let data = record.get("data").and_then(Value::as_object).expect("data");
    (Time::parse_millis(text(value, "at")).expect("a time"), text(record, "event"), text(record, "by"), data)
}

fn ledger() -> Value {
    vector(include_bytes!("../../../../../spec/vectors/ledger.json"))
}

fn fold_of(entries: &[Value], mut each: impl FnMut(usize, &Fold)) -> Fold {
    let (first, rest) = entries.split_first().expect("a genesis");
    let (at, event, by, data) = entry(first);
    assert_eq!(event, "ledger.genesis");
    let mut fold = Fold::genesis(at, by, data).expect("a genesis");
    each(0, &fold);
    for (seq, value) in rest.iter().enumerate() {
        let (at, event, by, data) = entry(value);
        if fold.apply(at, event, by, data).expect("an event that was appended") {
            each(seq + 1, &fold);
        }
    }
    fold
}

#[test]
fn vectors_every_epoch() {
    let (ledger, registry) = (ledger(), vector(include_bytes!("../../../../../spec/vectors/registry.json")));
    let mut folds = items(&registry, "folds").iter();
    let list = |fold: &Fold| Value::Object(fold.lists().write(Object::new()));
    let fold = fold_of(items(&ledger, "entries"), |seq, fold| {
        let expected = folds.next().expect("another fold");
        assert_eq!(expected.get("seq").and_then(Value::as_int), i64::try_from(seq).ok());
        assert_eq!(expected.get("header"), Some(&Value::Object(fold.header().to_object())), "epoch {}", fold.epoch());
        assert_eq!(Sha3::parse(text(expected, "hash")), Some(fold.hash()));
        if seq == 0 {
            assert_eq!(Some(&list(fold)), registry.get("first"));
        }
    });
    assert!(folds.next().is_none(), "an epoch was not made");
    assert_eq!(registry.get("root"), Some(&fold.root().to_value()));

    let served = registry.get("snapshot").expect("a snapshot");
    let snapshot = Snapshot::read(served.clone()).expect("a snapshot");
    assert_eq!(&snapshot.to_value(), served);
    assert_eq!((&snapshot.lists, &snapshot.header), (fold.lists(), fold.header()));
    let stamp = Stamp::read(registry.get("stamp").expect("a stamp").clone()).expect("a stamp");
    assert_eq!(Some(&stamp.to_value()), registry.get("stamp"));
    let key = fold.root().role_key(KeyUse::Registry, &stamp.sig.kid, stamp.issued).expect("the registry key");
    assert!(snapshot.verifies(&key) && stamp.verifies(&key));
    assert_eq!((stamp.epoch, stamp.hash), (fold.epoch(), fold.hash()));

    let seed = crate::signature::bytes32(text(ledger.get("seeds").expect("seeds"), "registry")).expect("a seed");
    let signer = SeedSigner::new(stamp.sig.kid.clone(), &seed);
    assert_eq!(fold.snapshot(&signer).expect("its key"), snapshot);
    assert_eq!(Stamp::sign(fold.header(), stamp.issued, &signer), stamp);
    assert!(fold.snapshot(&SeedSigner::new("key:11-11/registry/other", &seed)).is_err());
}

#[test]
fn vectors_items() {
    let registry = vector(include_bytes!("../../../../../spec/vectors/registry.json"));
    let fold = fold_of(items(&ledger(), "entries"), |_, _| ());
    for item in items(&registry, "items") {
        let (kind, name) = text(item, "name").split_once(':').expect("kind:name");
        let (key, value) = (Sha256::parse(text(item, "key")), Sha256::parse(text(item, "value")));
        assert_eq!(Some(item_key(kind, name)), key, "{name}");
        assert_eq!(fold.prove(kind, name).end, key.zip(value), "{name}");
    }
    let nobody = "key:11-11/nobody/1";
    let proves = fold.prove("key", nobody).proves(&fold.header().items, &item_key("key", nobody));
    assert_eq!(proves, Proves::Absent);
}

/// The cases of append.json that the registry decides. What the registry can't tell (who issued an artifact, until when)
/// it takes.
#[test]
fn vectors_append() {
    let append = vector(include_bytes!("../../../../../spec/vectors/append.json"));
    let fold = fold_of(items(&ledger(), "entries"), |_, _| ());
    let beyond = ["revocation with another expiry", "revocation of what was never issued"];
    let mut ran = 0;
    for case in items(&append, "cases") {
        let (at, event, by, data) = entry(case);
        let Some(kind) = crate::event::Event::parse(event).filter(|kind| kind.registry) else {
            assert_eq!(fold.check(at, event, by, data), Ok(()), "{}", text(case, "what"));
            continue;
        };
        let expected = text(case, "expect") == "accept" || beyond.contains(&text(case, "what"));
        let checked = fold.check(at, event, by, data);
        assert_eq!(checked.is_ok(), expected, "{} {}: {checked:?}", kind.name, text(case, "what"));
        let mut next = fold.clone();
        assert_eq!(next.apply(at, event, by, data).is_ok(), expected);
        assert_eq!(next.epoch(), fold.epoch() + u64::from(expected));
        ran += 1;
    }
    assert!(ran >= 17, "{ran}");
}
