use super::*;
use core::fmt::Debug;

/// What a reader of the member `v` came to.
type Reading = fn(&mut Form<'_>) -> Result<String, FormError>;

fn shown<T: Debug>(read: Result<T, FormError>) -> Result<String, FormError> {
    read.map(|value| format!("{value:?}"))
}

const READINGS: [Reading; 23] = [
    |form| shown(form.take("v")),
    |form| Ok(format!("{:?}", form.opt("v"))),
    |form| form.encoded("v").map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    |form| form.string("v"),
    |form| form.named("v", "a word", str::is_ascii),
    |form| shown(form.opt_named("v", "a word", str::is_ascii)),
    |form| shown(form.opt_named("w", "a word", str::is_ascii)),
    |form| shown(form.version()),
    |form| shown(form.uint("v")),
    |form| shown(form.positive("v")),
    |form| shown(form.boolean("v")),
    |form| shown(form.object("v")),
    |form| shown(form.array("v")),
    |form| shown(form.strings("v")),
    |form| shown(form.sha3("v")),
    |form| shown(form.sha3_or_null("v")),
    |form| shown(form.blake2b("v")),
    |form| shown(form.blake2b_or_null("v")),
    |form| shown(form.sha256("v")),
    |form| shown(form.seconds("v")),
    |form| shown(form.millis("v")),
    |form| form.form("v", "inner").map(|mut inner| format!("{:?}, {:?}", inner.string("a"), inner.finish())),
    |form| form.string("w"),
];

#[test]
fn a_structure_is_the_same_out_of_a_value_and_where_it_stands() {
    let hashes = [Sha3([7; 64]).to_string(), Blake2b([7; 64]).to_string(), Sha256([7; 32]).to_string()];
    let hashes = hashes.map(|hash| format!("\"{hash}\""));
    let plain = ["null", "true", "-1", "0", "7", "9007199254740991", "[]", "[1]", "{}"];
    let texts = [
        r#""1""#,
        r#""""#,
        r#""\"""#,
        r#""\\""#,
        r#""null""#,
        r#""1\n""#,
        r#""\u0001""#,
        "\"\u{e9}\u{1f600}\"",
        r#""2026-05-12T17:04:11Z""#,
        r#""2026-05-12T17:04:11.402Z""#,
        r#"["a","\\","\"]"]"#,
        r#"{"a":"1"}"#,
        r#"{"a":"\t}","b":2}"#,
    ];
    for value in plain.into_iter().chain(texts).chain(hashes.iter().map(String::as_str)) {
        let text = format!(r#"{{"v":{value}}}"#);
        let encoded = Encoded::of(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
        let object = parse(text.as_bytes()).expect("I-JSON");
        for (place, reading) in READINGS.into_iter().enumerate() {
            let read = |mut form: Form<'_>| (reading(&mut form), form.has("v"), form.finish());
            let out_of_value = read(Form::of(object.clone(), "it").expect("an object"));
            assert_eq!(read(Form::of_encoded(&encoded, "it")), out_of_value, "{place} of {text}");
        }
    }
}

/// Such a name is none of the protocol's, however it is written.
#[test]
fn a_member_whose_name_has_an_escape_is_unknown() {
    let text = r#"{"":1,"a\n":2,"b":3}"#.as_bytes();
    let forms = [
        Form::of(parse(text).expect("I-JSON"), "it").expect("an object"),
        Form::of_encoded(&Encoded::of(text).expect("canonical"), "it"),
    ];
    for mut form in forms {
        assert_eq!((form.uint("b"), form.uint("")), (Ok(3), Ok(1)));
        assert!(!form.has("a") && !form.has("b") && form.opt("b").is_none());
        assert!(form.finish().is_err_and(|error| error.0.starts_with("it has an unknown member `a")));
    }
}
