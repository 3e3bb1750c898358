use super::*;
use eleven_core::encoding::parse;

#[test]
fn a_document_is_told_where_it_differs_first() {
    let made = parse(br#"{"a":[{"b":"1"},{"b":"2"}],"c":true}"#).expect("I-JSON");
    for (found, at) in [
        (r#"{"c":true,"a":[{"b":"1"},{"b":"2"}]}"#, None),
        (r#"{"a":[{"b":"1"},{"b":"3"}],"c":true}"#, Some("/a/1/b")),
        (r#"{"a":[{"b":"1"}],"c":true}"#, Some("/a/1")),
        (r#"{"a":[{"b":"1"},{"b":"2"},{}],"c":true}"#, Some("/a")),
        (r#"{"a":[{"b":"1"},{"b":"2","more":"x"}],"c":true}"#, Some("/a/1")),
        (r#"{"a":[{"b":"1"},{"b":"2"}]}"#, Some("/c")),
        (r#"[]"#, Some("")),
    ] {
        let differs = differs(&made, &parse(found.as_bytes()).expect("I-JSON"));
        assert_eq!(differs.as_deref(), at, "{found}");
    }
}
