use super::*;
use eleven_core::encoding::parse;

fn answer() -> Object {
    let file = parse(include_bytes!("../../../../spec/vectors/admission.json")).expect("I-JSON");
    let text = file.pointer("/base/token").and_then(Value::as_str).expect("a token");
    let allowed = Allowed { token: Token::read(text).expect("a token of the vectors") };
    allowed.to_value().as_object().cloned().expect("an object")
}

#[test]
fn an_answer_is_read_as_it_was_written() {
    let read = Allowed::read(&answer().canonical()).expect("of its form");
    assert_eq!(read.to_value(), Value::Object(answer()));
}

#[test]
fn an_answer_that_contradicts_itself_is_refused() {
    let other = "9H2YJ5JAS18RBPJMQTFN1XFQ03KPEM4Z";
    for (name, value) in [
        ("artifact_id", format!("auth_{other}")),
        ("lineage", id::lineage_name(other)),
        ("salt", "salt".into()),
        ("decision", "deny".into()),
    ] {
        assert!(Allowed::read(&answer().with(name, value).canonical()).is_err(), "{name}");
    }
}
