use super::*;
use eleven_core::encoding::parse;

#[test]
fn open_lineages_are_read_as_they_were_written_and_nothing_else_is() {
    let file = parse(include_bytes!("../../../../spec/vectors/ledger.json")).expect("I-JSON");
    let entries = file.get("entries").and_then(Value::as_array).expect("entries");
    let records =
        entries.iter().map(|entry| Record::read(entry.get("record").expect("one").clone()).expect("a record"));
    let records: Vec<Record> = records.take(3).collect();
    for after in [None, Some(records[0].op.clone())] {
        let left = LeftOpen { lineages: vec![records[..1].to_vec(), records.clone()], after };
        assert_eq!(LeftOpen::read(left.to_value()), Ok(left));
    }
    for wrong in [
        r#"{"lineages":[]}"#,
        r#"{"after":null}"#,
        r#"{"lineages":[],"after":1}"#,
        r#"{"lineages":{},"after":null}"#,
        r#"{"lineages":[{}],"after":null}"#,
        r#"{"lineages":[[{}]],"after":null}"#,
        r#"{"lineages":[],"after":null,"more":true}"#,
        "[]",
    ] {
        assert!(LeftOpen::read(parse(wrong.as_bytes()).expect("I-JSON")).is_err(), "{wrong}");
    }
}

#[test]
fn an_append_of_more_records_than_may_be_or_of_values_without_end_is_not_read_to_its_end() {
    let records = |count: usize| format!("{{\"records\":[{}0]}}", "0,".repeat(count - 1)).into_bytes();
    assert_eq!(SentAppend::read(&records(MAX_RECORDS)).expect("as many as may be").records.len(), MAX_RECORDS);
    let zeros = "0,".repeat(1 << 20);
    for body in [
        records(MAX_RECORDS + 1),
        format!("{{\"records\":[[{zeros}0]]}}").into_bytes(),
        format!("{{\"records\":[[ {zeros}0]]}}").into_bytes(),
        format!("{{\"records\":[0],\"blobs\":[{zeros}0]}}").into_bytes(),
    ] {
        let FormError(why) = SentAppend::read(&body).expect_err("too much");
        assert!(why.ends_with("send them in parts"), "{why}");
    }
}
