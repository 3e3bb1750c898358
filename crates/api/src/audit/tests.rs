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
