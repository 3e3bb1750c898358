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
