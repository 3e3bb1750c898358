use super::*;
use eleven_core::encoding::parse;

fn allowed() -> Allowed {
    let file = parse(include_bytes!("../../../../spec/vectors/admission.json")).expect("I-JSON");
    let text = file.pointer("/base/token").and_then(Value::as_str).expect("a token");
    Allowed { token: Token::read(text).expect("a token of the vectors") }
}

fn answer() -> Object {
    parse(&allowed().to_bytes()).expect("I-JSON").as_object().cloned().expect("an object")
}

#[test]
fn an_answer_is_read_as_it_was_written() {
    let bytes = allowed().to_bytes();
    assert_eq!(answer().canonical(), bytes, "it is written canonically");
    let members: Vec<String> = answer().iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(members, ["artifact", "artifact_id", "decision", "issued", "lineage", "salt"]);
    let spaced = [b" ", bytes.as_slice()].concat();
    for text in [&bytes, &spaced] {
        assert_eq!(Allowed::read(text).expect("of its form").to_bytes(), bytes);
    }
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

#[test]
fn the_runtime_that_is_named_fits_into_an_event() {
    let asked = |length: usize| {
        let path: String = (0..length - "host://".len()).map(|at| if at % 60 == 59 { '/' } else { 'a' }).collect();
        let env = Object::new().with("runtime", format!("host://{path}"));
        let asked = Object::new().with("identity", "svc:a").with("op", Object::new()).with("env", env);
        Execute::read(&asked.canonical())
    };
    assert_eq!(asked(MAX_RUNTIME).expect("of its form").runtime.len(), MAX_RUNTIME);
    for length in [MAX_RUNTIME + 1, 18_000] {
        let error = asked(length).expect_err("too long to be recorded");
        assert!(error.0.contains("512 bytes"), "{error}");
    }
}
