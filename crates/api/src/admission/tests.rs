use super::*;
use eleven_core::encoding::parse;

fn token() -> Object {
    let file = parse(include_bytes!("../../../../spec/vectors/admission.json")).expect("I-JSON");
    let text = file.pointer("/base/token").and_then(Value::as_str).expect("a token");
    let Token { artifact, issued, salt } = Token::read(text).expect("a token of the vectors");
    Object::new().with("artifact", artifact.to_value()).with("issued", issued.to_value()).with("salt", salt)
}

fn asked(token: Object) -> Object {
    let workload = Object::new().with("image", Sha3::of(&[b"image"])).with("runtime", "host://a");
    token.with("workload", workload)
}

fn read(body: Object) -> Result<Admit, FormError> {
    Admit::read(&body.canonical())
}

#[test]
fn without_an_artifact_nothing_was_presented_and_with_one_all_its_parts_are() {
    assert!(read(asked(token())).expect("of its form").token.is_some());
    assert!(read(asked(Object::new())).expect("of its form").token.is_none());
    assert!(read(asked(Object::new().with("salt", ""))).expect("of its form").token.is_none());
    for part in ["issued", "salt"] {
        let mut less = token();
        less.remove(part);
        assert!(read(asked(less)).is_err(), "without {part}");
    }
}

#[test]
fn an_unknown_member_is_refused_whether_or_not_there_is_an_artifact() {
    assert!(read(asked(token()).with("zz", 1_u32)).is_err());
    assert!(read(asked(Object::new()).with("zz", 1_u32)).is_err());
}

#[test]
fn a_salt_has_the_form_that_it_has_in_a_token() {
    assert!(read(asked(token().with("salt", ""))).is_ok());
    assert!(read(asked(token().with("salt", "salt"))).is_err());
}

#[test]
fn the_runtime_that_is_named_fits_into_an_event() {
    let asked = |length: usize| {
        let path: String = (0..length - "host://".len()).map(|at| if at % 60 == 59 { '/' } else { 'a' }).collect();
        let workload = Object::new().with("image", Sha3::of(&[b"image"])).with("runtime", format!("host://{path}"));
        read(token().with("workload", workload))
    };
    assert_eq!(asked(MAX_RUNTIME).expect("of its form").runtime.len(), MAX_RUNTIME);
    for length in [MAX_RUNTIME + 1, 18_000] {
        let error = asked(length).expect_err("too long to be recorded");
        assert!(error.0.contains("512 bytes"), "{error}");
    }
}
