use super::*;
use alloc::string::ToString;
use alloc::vec;

extern crate std;

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
        fn members_are_left_out_and_items_found_in_whatever_is_encoded(value in any_value(), more in any_value()) {
            let items = [value.clone(), more.clone()].to_vec();
            let object = Object::new().with("r", items.clone()).with("sig", value).with("z", more);
            let bytes = object.canonical();
            for left_out in [&["sig"][..], &["r", "z"], &[]] {
                prop_assert_eq!(without(&bytes, left_out), object.canonical_without(left_out));
            }
            let (again, places) = parse_items(&bytes, "r").expect("I-JSON");
            prop_assert_eq!(again, Value::Object(object));
            let found: Vec<&[u8]> = places.into_iter().map(|place| &bytes[place.expect("canonical")]).collect();
            prop_assert_eq!(found, items.iter().map(Value::canonical).collect::<Vec<_>>());
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
fn members_are_left_out_of_the_encoding_as_of_the_value() {
    let texts = [
        "{}",
        r#"{"a":1}"#,
        r#"{"a":"x\"},{","b":{"c":[1,{"d":"]"}],"e":{}},"f":[],"g":null,"h":-12,"i":true}"#,
        r#"{"a":"\\","b":"\\\"","c":[[["}"]]]}"#,
    ];
    for text in texts {
        let value = parse_canonical(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
        let object = value.as_object().expect("an object");
        let names: Vec<&str> = object.iter().map(|(name, _)| name).chain(["c", "z"]).collect();
        let expected = object.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.canonical()));
        let found = members(text.as_bytes()).map(|(name, value)| (name.to_vec(), value.to_vec()));
        assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        for first in &names {
            for second in &names {
                let left_out = [*first, *second];
                assert_eq!(without(text.as_bytes(), &left_out), object.canonical_without(&left_out), "{left_out:?}");
            }
        }
        // Of what is no encoding it gives something, and ends.
        for cut in 0..text.len() {
            let (begun, ended) = text.as_bytes().split_at(cut);
            assert!(without(begun, &["a"]).len() + without(ended, &["a"]).len() <= text.len() + 4);
        }
    }
}

#[test]
fn items_that_came_in_their_canonical_encoding_are_known_by_their_place() {
    let items = [
        (r#"{"a":1,"b":[2]}"#, true),
        (r#"{"b":1,"a":2}"#, false),
        (r#"{"a": 1}"#, false),
        (r#""\n""#, true),
        (r#""\u000a""#, false),
        (r#"{"r":[ 1]}"#, false),
        (r#"{"r":[1,"x"]}"#, true),
        ("-5", true),
    ];
    let joined: Vec<&str> = items.iter().map(|(text, _)| *text).collect();
    let body = alloc::format!("{{ \"q\":[1],\"r\": [ {} ] ,\"a\":[7]}}", joined.join(" , "));
    let (value, places) = parse_items(body.as_bytes(), "r").expect("I-JSON");
    assert_eq!(Ok(&value), parse(body.as_bytes()).as_ref());
    assert_eq!(places.len(), items.len());
    for ((text, canonical), place) in items.iter().zip(places) {
        assert_eq!(place.map(|place| &body.as_bytes()[place]), canonical.then_some(text.as_bytes()), "{text}");
    }
    assert_eq!(parse_items(b"{\"x\":{\"r\":[1]}}", "r").expect("I-JSON").1, []);
    assert_eq!(parse_items(b"[1]", "r").expect("I-JSON").1, []);
}
