//! The encoder and both strengths of the parser, against each other and against an encoder that others wrote.

use crate::vectors;
use eleven_core::encoding::{Encoded, Item, Most, Value, parse, parse_canonical, parse_items};
use eleven_core::hash::unbase64;
use eleven_core::limits::MAX_DEPTH;

/// What both parsers accept is one value with one encoding; the strict one accepts exactly that encoding.
///
/// # Panics
/// Where that does not hold.
pub fn run(bytes: &[u8]) {
    let strict = parse_canonical(bytes);
    let object = strict.as_ref().is_ok_and(|value| value.as_object().is_some());
    assert_eq!(Encoded::of(bytes).is_ok(), object, "what is scanned is another text than what is parsed strictly");
    items(bytes);
    let Ok(value) = parse(bytes) else {
        assert!(strict.is_err(), "the strict parser accepts what the other refuses");
        return;
    };
    let canonical = value.canonical();
    assert_eq!(strict.is_ok(), canonical == bytes, "strict is: exactly the canonical bytes");
    assert_eq!(parse_canonical(&canonical).as_ref(), Ok(&value), "the encoding is read back as another value");
    assert!(value.depth() <= MAX_DEPTH, "deeper than the limit");
    let other: serde_json::Value = serde_json::from_slice(bytes).expect("another parser refuses what is I-JSON");
    let others = serde_json_canonicalizer::to_vec(&other).expect("an encoding");
    assert_eq!(canonical, others, "another encoder writes other bytes");
}

/// As an item of a list: what is taken apart where it stands is what is taken apart by itself.
fn items(bytes: &[u8]) {
    const ANY: Most = Most { items: usize::MAX, values: usize::MAX };
    let text = [b"{\"r\":[", bytes, b"]}"].concat();
    let found = parse_items(&text, "r", ANY);
    assert_eq!(found.is_ok(), parse(&text).is_ok(), "a list whose items are left where they stand is another list");
    let Ok((_, items)) = found else { return };
    if let ([item], Ok(alone)) = (items.as_slice(), Encoded::of(bytes)) {
        let Item::Encoded(item) = item else { panic!("it is canonical, and was not left where it stands") };
        assert_eq!((item.bytes(), item.depth()), (alone.bytes(), alone.depth()));
        assert!(*item == alone, "other members");
    }
}

/// Every text of the encoding vectors, and whole files of others.
#[must_use]
pub fn corpus() -> Vec<Vec<u8>> {
    let file = vectors::file("jcs.json");
    let cases = ["accept", "reject"].into_iter().flat_map(|name| vectors::items(file, name));
    let mut texts: Vec<Vec<u8>> = cases.filter_map(text).collect();
    texts.extend(vectors::canonical(&vectors::objects_with(&["event_hash"])[..20]));
    texts.push(vectors::file("root.json").canonical());
    texts
}

/// The bytes of a case: as text, or in base64 where they are no text.
fn text(case: &Value) -> Option<Vec<u8>> {
    let member = |name: &str| case.get(name).and_then(Value::as_str);
    member("in").map(|text| text.as_bytes().to_vec()).or_else(|| {
        let encoded = member("in_base64").or(member("base64"))?;
        unbase64(encoded.strip_prefix("base64:").unwrap_or(encoded))
    })
}
