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
fn what_stands_before_the_end_of_a_pointer_and_has_no_parts_is_committed_whole() {
    for value in [r#""{\"mrn\":\"secret\",\"score\":0.5}""#, "7", "true", "null"] {
        let text = alloc::format!(r#"{{"a":[{{"b/c":{value}}}],"metadata":{value},"name":"x"}}"#);
        let pointers = ["/op/metadata/mrn", "/op/metadata/name/first", "/op/a/0/b~1c/d/e"];
        let before = Value::Object(op(&text));
        let found = pointers.map(|pointer| in_clear(&before, pointer));
        assert_eq!(found, [Some("/op/metadata"), Some("/op/metadata"), Some("/op/a/0/b~1c")]);
        let (artifact, disclosures) = committed(&text, &pointers);
        assert!(!artifact.to_string().contains("secret"), "{artifact}");
        let paths: Vec<&str> = disclosures.iter().map(|disclosure| disclosure.path.as_str()).collect();
        assert_eq!(paths, ["/op/metadata", "/op/a/0/b~1c"], "what is committed already stays");
        let value = parse(value.as_bytes()).expect("I-JSON");
        assert!(disclosures.iter().all(|disclosure| disclosure.stands_in(&artifact) && disclosure.value == value));
        let after = artifact.get("op").expect("an op");
        assert!(pointers.iter().all(|pointer| in_clear(after, pointer).is_none()), "{after}");
    }
}

#[test]
fn what_is_in_clear_is_told_by_where_it_stands() {
    let commitment = commitment(SALT_TEXT, "/op/user", &"alice".into());
    let text = alloc::format!(r#"{{"m":{{"mrn":"X"}},"name":"x","scope":["a.b"],"user":{commitment}}}"#);
    let op = Value::Object(op(&text));
    for (pointer, found) in [
        ("/op/m/mrn", Some("/op/m/mrn")),
        ("/op/m", Some("/op/m")),
        ("/op/m/mrn/deeper/still", Some("/op/m/mrn")),
        ("/op/m/other", None),
        ("/op/user", None),
        ("/op/user/deeper", None),
        ("/op/none/deeper", None),
        ("/op/name", Some("/op/name")),
        ("/op/name/deeper", None),
        ("/op/scope/0/deeper", None),
    ] {
        assert_eq!(in_clear(&op, pointer), found, "{pointer}");
    }
}

#[test]
fn pointers_overlap_where_one_leads_into_what_another_names() {
    let overlap =
        |pointers: &[&str]| overlap(&pointers.iter().map(|pointer| (*pointer).to_owned()).collect::<Vec<_>>());
    for apart in
        [&["/op/a", "/op/ab", "/op/b/a"][..], &["/op/a/b", "/op/a/c"], &["/op/a", "/op/a~1b"], &["/op/a", "/op/a"], &[]]
    {
        assert!(!overlap(apart), "{apart:?}");
    }
    for over in [["/op/a", "/op/a/b"], ["/op/a/b/c/d", "/op/a/b"], ["/op/a~1b", "/op/a~1b/c"], ["/op/a", "/op/a/"]] {
        assert!(overlap(&over), "{over:?}");
    }
}

#[test]
fn a_disclosure_of_another_form_is_refused_without_its_value() {
    for text in [r#"["secret"]"#, r#"["AA==","/op/user","secret"]"#, r#"{"secret":1}"#, r#"[1,"/op/user","secret"]"#] {
        let error = Disclosure::read(&parse(text.as_bytes()).expect("I-JSON")).expect_err(text);
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
