use super::*;
use alloc::string::ToString;
use alloc::vec;

extern crate std;

const ANY: Most = Most { items: usize::MAX, values: usize::MAX };

fn vectors() -> Value {
    parse(include_bytes!("../../../../spec/vectors/jcs.json")).expect("the vector file is I-JSON")
}

fn input(case: &Value) -> Vec<u8> {
    match (case.get("in"), case.get("in_base64")) {
        (Some(Value::Str(text)), _) => text.as_bytes().to_vec(),
        (_, Some(Value::Str(text))) => crate::hash::unbase64(text).expect("base64"),
        other => panic!("a case without input: {other:?}"),
    }
}

#[test]
fn vectors_accept() {
    let file = vectors();
    for case in file.get("accept").and_then(Value::as_array).expect("accept") {
        let expected = case.get("out").and_then(Value::as_str).expect("out");
        let value = parse(&input(case)).unwrap_or_else(|e| panic!("{case}: {e}"));
        assert_eq!(value.to_string(), expected);
        assert_eq!(parse_canonical(expected.as_bytes()).as_ref(), Ok(&value), "the canonical text parses as itself");
    }
}

#[test]
fn vectors_reject() {
    for case in vectors().get("reject").and_then(Value::as_array).expect("reject") {
        assert!(parse(&input(case)).is_err(), "accepted: {case}");
    }
}

#[test]
fn canonical_parser_takes_canonical_bytes_only() {
    for text in ["{ }", "{\"b\":1,\"a\":2}", "\"\\u0041\"", "\"\\/\"", "\"\\u000A\"", "[1, 2]", "\"\\u001F\""] {
        assert!(parse(text.as_bytes()).is_ok(), "{text}");
        assert!(parse_canonical(text.as_bytes()).is_err(), "{text}");
    }
    for text in ["{}", "{\"a\":2,\"b\":1}", "\"A\"", "\"/\"", "\"\\n\"", "[1,2]", "\"\\u001f\"", "-5", "\"\\\\\\\"\""] {
        let value = parse_canonical(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(value.canonical(), text.as_bytes());
    }
}

#[test]
fn names_are_ordered_by_utf16() {
    // U+FB33 is one code unit above the surrogates of U+1F600, though its UTF-8 bytes are below.
    let value = parse("{\"\u{fb33}\":1,\"\u{1f600}\":2,\"\":3}".as_bytes()).expect("parses");
    assert_eq!(value.to_string(), "{\"\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}");
}

#[test]
fn what_is_encoded_without_a_value_is_encoded_as_its_value_is() {
    let hash = crate::hash::Sha3::of(&[b"x"]);
    let mut members = Members::new();
    members.insert("text", "a \"b\"\n\u{1f600}");
    members.insert("number", &9_007_199_254_740_991u64);
    members.insert("none", &None::<Value>);
    members.insert("some", &Some(hash));
    members.insert("hash", &hash);
    members.insert("object", &Object::new().with("a", 1u64));
    let object = Object::new()
        .with("text", "a \"b\"\n\u{1f600}")
        .with("number", 9_007_199_254_740_991u64)
        .with("none", Value::Null)
        .with("some", hash)
        .with("hash", hash)
        .with("object", Object::new().with("a", 1u64));
    assert_eq!(members.canonical(), object.canonical());
}

#[test]
fn what_has_its_bytes_stands_among_the_members_as_if_it_were_one() {
    let values: Vec<(&str, Value)> = ["m", "\u{fb33}", "a", "\u{1f600}", "z", "", "k\"q"]
        .into_iter()
        .zip(["{}", "[1,{\"x\":null}]", "\"\\n\"", "-7", "true", "[]", "{\"b\":[2]}"])
        .map(|(name, text)| (name, parse(text.as_bytes()).expect("parses")))
        .collect();
    let whole = values.iter().fold(Object::new(), |object, (name, value)| object.with(*name, value.clone()));
    // Each member once in the object and once beside it.
    for beside in 0..1u32 << values.len() {
        let is_beside = |at: usize| beside & (1 << at) != 0;
        let (mut object, mut others) = (Object::new(), Vec::new());
        for (at, (name, value)) in values.iter().enumerate() {
            match is_beside(at) {
                true => others.push((*name, value.canonical())),
                false => object = object.with(*name, value.clone()),
            }
        }
        let others: Vec<(&str, &[u8])> = others.iter().map(|(name, bytes)| (*name, &bytes[..])).collect();
        assert_eq!(object.canonical_with(&others), whole.canonical(), "{beside:b}");
    }
    assert_eq!(Object::new().canonical_with(&[]), b"{}");
    assert_eq!(array_of([]), b"[]");
    assert_eq!(array_of([&b"1"[..], b"{}"]), b"[1,{}]");
}

#[test]
fn depth_is_bounded() {
    let nested = |n: usize| [vec![b'['; n], vec![b']'; n]].concat();
    assert!(parse(&nested(32)).is_ok());
    assert!(parse(&nested(33)).is_err());
}

#[test]
fn pointers_follow_rfc_6901() {
    let value = parse(br#"{"a":{"b/c":[10,{"~":11}]}}"#).expect("parses");
    assert_eq!(value.pointer("/a/b~1c/0"), Some(&Value::Int(10)));
    assert_eq!(value.pointer("/a/b~1c/1/~0"), Some(&Value::Int(11)));
    assert_eq!(value.pointer("/a/b~1c/01"), None);
    assert_eq!(value.pointer(""), Some(&value));
    // An escape is read once, whatever its outcome looks like.
    assert_eq!(tokens("/a~1b/~01/").collect::<Vec<_>>(), ["", "a/b", "~1", ""]);
}

mod properties {
    use super::super::*;
    use alloc::string::{String, ToString};
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            (-(1i64 << 53) + 1..1i64 << 53).prop_map(Value::Int),
            any::<String>().prop_map(Value::Str),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                proptest::collection::vec((any::<String>(), inner), 0..6).prop_map(|members| {
                    let mut object = Object::new();
                    for (name, value) in members {
                        object.insert(name, value);
                    }
                    Value::Object(object)
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn encode_then_parse_is_the_same_value(value in any_value()) {
            let bytes = value.canonical();
            prop_assert_eq!(parse_canonical(&bytes), Ok(value.clone()));
            prop_assert_eq!(parse(&bytes), Ok(value));
        }

        #[test]
        fn members_stand_as_in_the_object_whenever_each_came(
            members in proptest::collection::vec((any::<String>(), any_value()), 0..8),
        ) {
            let (mut object, mut encoded) = (Object::new(), Members::new());
            prop_assert_eq!(encoded.canonical(), object.canonical());
            for (name, value) in &members {
                if object.get(name).is_none() {
                    object.insert(name, value.clone());
                    encoded.insert(name, value);
                }
                prop_assert_eq!(encoded.canonical(), object.canonical());
            }
        }

        #[test]
        fn members_are_left_out_and_items_found_in_whatever_is_encoded(value in any_value(), more in any_value()) {
            let items = [value.clone(), more.clone()].to_vec();
            let object = Object::new().with("r", items.clone()).with("sig", value).with("z", more);
            let bytes = object.canonical();
            for left_out in [&["sig"][..], &["r", "z"], &[]] {
                let encoded = Encoded::of(&bytes).expect("an object");
                prop_assert_eq!(encoded.without(left_out), object.canonical_without(left_out));
                prop_assert_eq!(encoded.depth(), object.depth());
            }
            let (again, found) = parse_items(&bytes, "r", super::ANY).expect("I-JSON");
            prop_assert_eq!(again, Value::Object(object.with("r", Vec::new())));
            prop_assert_eq!(found.len(), items.len());
            for (found, item) in found.iter().zip(&items) {
                let expected = item.canonical();
                match (found, Encoded::of(&expected)) {
                    (Item::Encoded(found), Ok(alone)) => {
                        prop_assert_eq!((found.bytes(), found.depth()), (alone.bytes(), alone.depth()));
                        prop_assert_eq!(found.members(), alone.members());
                    }
                    (Item::Other(found), Err(_)) => prop_assert_eq!(found, item),
                    (found, _) => prop_assert!(false, "{found:?}"),
                }
            }
        }

        #[test]
        fn what_is_scanned_is_what_is_parsed(value in any_value(), at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = Object::new().with("a", value.clone()).with("b", 7u64).with("é\u{1f600}", value).canonical();
            prop_assert!(Encoded::of(&bytes).is_ok());
            let at = at.index(bytes.len());
            // Any byte in any place; above all those that mean something.
            let bytes_there = [byte, b'"', b'\\', b',', b'}', b']', b'{', b'0', b'-', b'u', b' ', 0x1f];
            for byte in bytes_there {
                let before = core::mem::replace(&mut bytes[at], byte);
                let parsed = parse_canonical(&bytes);
                let object = parsed.as_ref().is_ok_and(|value| value.as_object().is_some());
                prop_assert_eq!(Encoded::of(&bytes).is_ok(), object, "{:?}", alloc::string::String::from_utf8_lossy(&bytes));
                bytes[at] = before;
            }
        }

        #[test]
        fn agrees_with_another_canonicalizer(value in any_value()) {
            let text = value.to_string();
            let theirs: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let theirs = serde_json_canonicalizer::to_vec(&theirs).expect("canonicalizes");
            prop_assert_eq!(theirs, text.into_bytes());
        }

        #[test]
        fn any_bytes_are_parsed_or_refused_and_canonical_means_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = parse_canonical(&bytes) {
                prop_assert_eq!(value.canonical(), bytes.clone());
            }
            let _ = parse(&bytes);
        }
    }
}

#[test]
fn an_encoded_object_is_taken_apart_as_the_value_is() {
    let texts = [
        "{}",
        r#"{"a":1}"#,
        r#"{"a":"x\"},{","b":{"c":[1,{"d":"]"}],"e":{}},"f":[],"g":null,"h":-12,"i":true}"#,
        r#"{"a":"\\","b":"\\\"","c":[[["}"]]]}"#,
        "{\"\\n\":1,\"\\u001f\":2,\"!\":3,\"\\\"\":4,\"A\":5,\"\\\\\":6,\"\u{1f600}\":7,\"\u{fb33}\":8}",
    ];
    for text in texts {
        let value = parse_canonical(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
        let object = value.as_object().expect("an object");
        let encoded = Encoded::of(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(encoded.depth(), object.depth());
        let found = encoded.members().iter().map(|member| member.value().value().expect("canonical"));
        assert_eq!(found.collect::<Vec<_>>(), object.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>());
        let plain = |name: &&str| name.chars().all(|c| c.is_ascii_alphabetic());
        let names: Vec<&str> = object.iter().map(|(name, _)| name).filter(plain).chain(["z"]).collect();
        for first in &names {
            let (there, value) = (encoded.get(first), object.get(first));
            assert_eq!(there.map(|there| there.as_bytes().to_vec()), value.map(Value::canonical));
            assert_eq!(encoded.text(first).as_deref(), value.and_then(Value::as_str));
            assert_eq!(encoded.int(first), value.and_then(Value::as_int));
            for second in &names {
                let left_out = [*first, *second];
                assert_eq!(encoded.without(&left_out), object.canonical_without(&left_out), "{left_out:?}");
            }
        }
        for cut in 0..text.len() {
            let (begun, ended) = text.as_bytes().split_at(cut);
            assert!(Encoded::of(begun).is_err() && (cut == 0 || Encoded::of(ended).is_err()), "{text} cut at {cut}");
        }
    }
    for text in
        ["[]", "1", "", "\"x\"", "{} ", " {}", "{\"a\":1}{", "{\"b\":1,\"a\":2}", "{\"a\":1,\"a\":2}", "{\"a\":-0}"]
    {
        assert!(Encoded::of(text.as_bytes()).is_err(), "{text}");
    }
    let nested = |n: usize| [b"{\"a\":".repeat(n - 1), b"{}".to_vec(), vec![b'}'; n - 1]].concat();
    assert!(Encoded::of(&nested(32)).is_ok_and(|encoded| encoded.depth() == 32) && Encoded::of(&nested(33)).is_err());
}

#[test]
fn objects_that_came_in_their_canonical_encoding_are_left_where_they_stand() {
    let items = [
        (r#"{"a":1,"b":[2]}"#, true),
        (r#"{"b":1,"a":2}"#, false),
        (r#"{"a": 1}"#, false),
        (r#""\n""#, false),
        (r#""\u000a""#, false),
        (r#"{"r":[ 1]}"#, false),
        (r#"{"r":[1,"x"]}"#, true),
        ("-5", false),
        ("{}", true),
    ];
    let joined: Vec<&str> = items.iter().map(|(text, _)| *text).collect();
    let body = alloc::format!("{{ \"q\":[1],\"r\": [ {} ] ,\"a\":[7]}}", joined.join(" , "));
    let (value, found) = parse_items(body.as_bytes(), "r", ANY).expect("I-JSON");
    assert_eq!(Ok(value), parse(br#"{"a":[7],"q":[1],"r":[]}"#));
    assert_eq!(found.len(), items.len());
    for ((text, is_encoded), item) in items.iter().zip(found) {
        match item {
            Item::Encoded(encoded) if *is_encoded => assert_eq!(encoded.bytes(), text.as_bytes()),
            Item::Other(value) if !is_encoded => assert_eq!(Ok(value), parse(text.as_bytes())),
            other => panic!("{text}: {other:?}"),
        }
    }
    assert!(parse_items(b"{\"x\":{\"r\":[1]}}", "r", ANY).expect("I-JSON").1.is_empty());
    assert!(parse_items(b"[1]", "r", ANY).expect("I-JSON").1.is_empty());
    for broken in ["1.5", "01", "1 2", "\"\u{1}\"", "{\"a\":1,\"a\":1}", "tru", "-", "", "1,"] {
        assert!(parse_items(alloc::format!("{{\"r\":[{broken}x]}}").as_bytes(), "r", ANY).is_err(), "{broken}");
        assert!(parse_items(alloc::format!("{{\"r\":[1,{broken}]}}").as_bytes(), "r", ANY).is_err(), "{broken}");
    }
}

#[test]
fn a_text_of_more_than_is_read_at_most_is_not_read_to_its_end() {
    let zeros = |count: usize| alloc::format!("{{\"r\":[{}0]}}", "0,".repeat(count - 1)).into_bytes();
    let most = Most { items: 4096, values: 10_000 };
    assert_eq!(parse_items(&zeros(4096), "r", most).expect("as many as may be").1.len(), 4096);
    let text = zeros(1 << 20);
    let error = parse_items(&text, "r", most).expect_err("more items");
    assert_eq!((error.what, error.at), (TOO_MUCH, 6 + 2 * 4096), "at the first item that is too many");
    // As one item of whatever encoding, and beside the items.
    let inner = [b"{\"r\":[".as_slice(), &text, b"]}"].concat();
    let spaced = [b"{\"r\":[ {\"r\": ".as_slice(), &text, b"}]}"].concat();
    let beside = [b"{\"r\":[],\"s\":".as_slice(), &text, b"}"].concat();
    for text in [&inner, &spaced, &beside] {
        assert_eq!(parse_items(text, "r", most).expect_err("more values").what, TOO_MUCH);
        assert_eq!(parse_at_most(text, 10_000).expect_err("more values").what, TOO_MUCH);
    }
    // An object that is taken apart where it stands is no exception.
    let members: String = (0..20_000).map(|n| alloc::format!("\"{n:05}\":0,")).collect();
    let text = alloc::format!("{{\"r\":[{{{members}\"z\":0}}]}}");
    let error = parse_items(text.as_bytes(), "r", most).expect_err("more values");
    assert_eq!((error.what, error.at < text.len() * 2 / 3), (TOO_MUCH, true), "where there is one too many");
    let (seven, more) = (b"{\"r\":[1,{\"a\":[2]}],\"z\":3}", Most { items: 2, values: 7 });
    assert_eq!(parse_at_most(seven, 7), parse(seven));
    assert!(parse_items(seven, "r", more).is_ok());
    assert!(parse_at_most(seven, 6).is_err() && parse_items(seven, "r", Most { values: 6, ..more }).is_err());
}

#[test]
fn a_member_that_stands_again_and_again_is_looked_at_as_anything_else_is() {
    // Looked at with all that follows each time, this would take hours.
    let text = alloc::format!("{{{}\"z\":0}}", "\"r\":[],\"q\":1,".repeat(1 << 17));
    assert_eq!(parse_items(text.as_bytes(), "r", ANY).map(|_| ()), parse(text.as_bytes()).map(|_| ()));
    let error = parse_items(b"{\"r\":[1],\"q\":1,\"r\":[2]}", "r", ANY).expect_err("twice");
    assert_eq!(error.what, "a name stands twice");
}

#[test]
fn an_item_stands_as_deep_as_its_text_does() {
    for (depth, is_taken) in [(1, true), (29, true), (30, true), (31, false)] {
        let item = alloc::format!("{}{}", "{\"a\":".repeat(depth - 1) + "{}", "}".repeat(depth - 1));
        let text = alloc::format!("{{\"r\":[{item}]}}");
        let found = parse_items(text.as_bytes(), "r", ANY);
        assert_eq!(found.is_ok(), is_taken, "{depth}");
        if let Some(Item::Encoded(encoded)) = found.ok().and_then(|(_, items)| items.into_iter().next()) {
            assert_eq!((encoded.depth(), encoded.bytes()), (depth, item.as_bytes()));
        } else {
            assert!(!is_taken, "{depth}");
        }
    }
}
