use super::*;
use crate::encoding::parse;
use alloc::string::ToString as _;

const SALT_TEXT: &str = "AAECAwQFBgcICQoLDA0ODw==";

fn op(text: &str) -> Object {
    parse(text.as_bytes()).expect("I-JSON").as_object().expect("an object").clone()
}

fn committed(text: &str, pointers: &[&str]) -> (Value, Vec<Disclosure>) {
    let pointers: Vec<String> = pointers.iter().map(|pointer| (*pointer).to_owned()).collect();
    let (op, disclosures) = commit(op(text), &pointers, |_| SALT_TEXT.to_owned());
    (Value::Object(Object::new().with("op", op)), disclosures)
}

#[test]
fn what_is_named_is_committed_and_opens_to_what_it_was() {
    let (artifact, disclosures) =
        committed(r#"{"a/b":{"c":[1,{"d":"secret"}]},"name":"x","user":"alice"}"#, &["/op/user", "/op/a~1b/c/1/d"]);
    let text = artifact.to_string();
    assert!(!text.contains("alice") && !text.contains("secret"), "{text}");
    assert_eq!(disclosures.len(), 2);
    for disclosure in &disclosures {
        assert!(disclosure.stands_in(&artifact), "{disclosure:?}");
        assert_eq!(Disclosure::read(&disclosure.to_value()).as_ref(), Ok(disclosure));
        let other = Disclosure { value: "another".into(), ..disclosure.clone() };
        assert!(!other.stands_in(&artifact));
        let elsewhere = Disclosure { path: "/op/name".into(), ..disclosure.clone() };
        assert!(!elsewhere.stands_in(&artifact));
    }
    assert_eq!(artifact.pointer("/op/name"), Some(&"x".into()));
}

#[test]
fn what_is_not_there_or_committed_already_stays() {
    let commitment = commitment(SALT_TEXT, "/op/user", &"alice".into());
    let text = alloc::format!(r#"{{"items":[7],"name":"x","user":{commitment}}}"#);
    let pointers = ["/op/user", "/op/none", "/op/name/deeper", "/op/items/00", "/op/items/1", "/env/region"];
    let (artifact, disclosures) = committed(&text, &pointers);
    assert_eq!(disclosures, Vec::new());
    assert_eq!(artifact.get("op"), Some(&Value::Object(op(&text))));
}

#[test]
fn a_disclosure_of_another_form_is_refused_without_its_value() {
    for text in [r#"["secret"]"#, r#"["AA==","/op/user","secret"]"#, r#"{"secret":1}"#, r#"[1,"/op/user","secret"]"#] {
        let error = Disclosure::read(&parse(text.as_bytes()).expect("I-JSON")).expect_err(text);
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
