use super::*;
use crate::encoding::parse;
use alloc::format;
use alloc::string::String;
use proptest::prelude::*;

fn ledger() -> Value {
    parse(include_bytes!("../../../../spec/vectors/ledger.json")).expect("I-JSON")
}

fn entries(file: &Value) -> &[Value] {
    file.get("entries").and_then(Value::as_array).expect("entries")
}

#[test]
fn vectors_chain() {
    let file = ledger();
    let expected = file.get("chain").and_then(Value::as_array).expect("chain");
    assert_eq!(entries(&file).len(), expected.len());
    let mut tip: Option<ChainValue> = None;
    for (n, (value, expected)) in entries(&file).iter().zip(expected).enumerate() {
        let entry = Entry::read(value.clone()).unwrap_or_else(|e| panic!("entry {n}: {e}"));
        assert_eq!((entry.header.seq, entry.header.prev), (n as u64, tip), "entry {n}");
        let bytes = entry.header.bytes(&entry.record.canonical());
        assert_eq!(bytes, value.canonical(), "entry {n}");
        let next = advance(tip.as_ref(), &bytes);
        let [hash, hash_alt] = expected.as_array().expect("a pair") else { panic!("not a pair: {expected}") };
        assert_eq!((&Value::from(next.hash), &Value::from(next.hash_alt)), (hash, hash_alt), "entry {n}");
        tip = Some(next);
    }
}

#[test]
fn vectors_split_and_parse_back() {
    for value in entries(&ledger()) {
        let bytes = value.canonical();
        let entry = Entry::parse(&bytes).expect("an entry");
        let (header, record) = EntryHeader::split(&bytes).expect("an entry");
        assert_eq!((&header, record), (&entry.header, entry.record.canonical().as_slice()));
        assert_eq!(entry.to_value(), *value);
    }
}

#[test]
fn what_is_not_an_entry_is_refused() {
    let (hash, alt) = (Sha3([1; 64]), Blake2b([2; 64]));
    let at = "2026-05-12T17:04:11.008Z";
    let cases = [
        (format!(r#"{{"at":"{at}","prev":null,"prev_alt":null,"record":{{}},"seq":1}}"#), "null beyond 0"),
        (format!(r#"{{"at":"{at}","prev":"{hash}","prev_alt":"{alt}","record":{{}},"seq":0}}"#), "not null at 0"),
        (format!(r#"{{"at":"{at}","prev":"{hash}","prev_alt":null,"record":{{}},"seq":1}}"#), "one of two"),
        (format!(r#"{{"at":"{at}","prev":null,"prev_alt":null,"record":{{}},"seq":00}}"#), "a leading zero"),
        (format!(r#"{{"at":"{at}","prev":null,"prev_alt":null,"record":{{}},"seq":-0}}"#), "a sign"),
        (format!(r#"{{"at":"{at}","prev":null,"prev_alt":null,"record":{{}},"seq":}}"#), "no number"),
        (format!(r#"{{"at":"{at}","prev":null,"prev_alt":null,"record":{{}},"seq":0}} "#), "trailing space"),
        (format!(r#"{{"at":"{at}","prev":null,"prev_alt":null,"record":{{}}}}"#), "no seq"),
        (format!(r#"{{"at":"{}","prev":null,"prev_alt":null,"record":{{}},"seq":0}}"#, &at[..19]), "seconds"),
    ];
    for (text, what) in cases {
        assert!(Entry::parse(text.as_bytes()).is_err(), "parsed with {what}");
        assert!(EntryHeader::split(text.as_bytes()).is_err(), "split with {what}");
    }
    let beyond = format!(r#"{{"at":"{at}","prev":"{hash}","prev_alt":"{alt}","record":{{}},"seq":9007199254740992}}"#);
    assert!(EntryHeader::split(beyond.as_bytes()).is_err() && Entry::parse(beyond.as_bytes()).is_err());
    let no_object = format!(r#"{{"at":"{at}","prev":null,"prev_alt":null,"record":[],"seq":0}}"#);
    assert!(Entry::parse(no_object.as_bytes()).is_err());
}

proptest! {
    #[test]
    fn the_fast_bytes_are_the_encoders(seq in 0u64..1 << 53, at in 0i64..4_102_444_800_000, seed: u8, text: String) {
        let prev = (seq > 0).then_some(ChainValue { hash: Sha3([seed; 64]), hash_alt: Blake2b([!seed; 64]) });
        let header = EntryHeader { seq, at: Time(at), prev };
        let record = Value::Object(Object::new().with("event", text).with("seq", seq));
        let entry = Entry { header: header.clone(), record: record.clone() };
        let record = record.canonical();
        let bytes = header.bytes(&record);
        prop_assert_eq!(&bytes, &entry.to_value().canonical());
        prop_assert_eq!(EntryHeader::split(&bytes), Ok((header, record.as_slice())));
        prop_assert_eq!(Entry::parse(&bytes), Ok(entry));
    }

    #[test]
    fn any_bytes_are_split_or_refused(prefix in 0usize..450, bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let prev = ChainValue { hash: Sha3([3; 64]), hash_alt: Blake2b([4; 64]) };
        let mut entry = entry_bytes(7, Time(0), Some(&prev), b"{}");
        entry.truncate(prefix);
        entry.extend(bytes);
        if let Ok((header, record)) = EntryHeader::split(&entry) {
            prop_assert_eq!(header.bytes(record), entry);
        }
    }
}
