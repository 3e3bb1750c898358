use super::Source;
use crate::output::Failure;
use eleven_api::client::CallError;
use eleven_api::problem::Problem;
use eleven_core::encoding::Value;

#[test]
fn cedar_text_and_schema_are_read_from_beside_the_bundle_where_it_has_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("p.json");
    let text = |name: &str| Source::read(&file).expect("a bundle").into_object().get(name).cloned();
    std::fs::write(&file, r#"{"ref":"policy://p/v1"}"#).expect("written");
    let refused = Source::read(&file).err().expect("a refusal").to_string();
    assert!(refused.contains("p.cedar"), "{refused}");
    std::fs::write(file.with_extension("cedar"), "permit(principal, action, resource);").expect("written");
    assert_eq!(text("cedar"), Some(Value::from("permit(principal, action, resource);")));
    assert_eq!(text("schema"), Some(Value::Null));
    std::fs::write(file.with_extension("cedarschema"), "entity Identity;").expect("written");
    assert_eq!(text("schema"), Some(Value::from("entity Identity;")));
    std::fs::write(&file, r#"{"cedar":"forbid(principal, action, resource);","ref":"policy://p/v1"}"#)
        .expect("written");
    assert_eq!(text("cedar"), Some(Value::from("forbid(principal, action, resource);")), "its own text stays");
    for extension in ["cedar", "cedarschema"] {
        let refused = Source::read(&file.with_extension(extension)).err().expect("no bundle").to_string();
        assert!(refused.contains(&format!("name the `.json` beside it, {}", file.display())), "{refused}");
    }
    std::fs::write(&file, "{").expect("written");
    assert!(Source::read(&file).is_err());
}

#[test]
fn the_next_version_is_the_one_that_a_refusal_names_as_that_and_of_the_same_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("p.json");
    std::fs::write(&file, r#"{"cedar":"","ref":"policy://p/v1"}"#).expect("written");
    let source = Source::read(&file).expect("a bundle");
    let sentence = Problem::with_status(409, "a policy is published so: the next is policy://p/v4");
    let next_by =
        |problem: Problem| source.next_by(&Failure::from(CallError::Refused(problem)).while_("policy.publish"));
    assert_eq!(next_by(sentence.clone()), None, "what is said to people may be said otherwise");
    assert_eq!(next_by(sentence.clone().naming_next("policy://p/v4")).as_deref(), Some("policy://p/v4"));
    for other in ["policy://q/v4", "policy://p", "v4", ""] {
        assert_eq!(next_by(sentence.clone().naming_next(other)), None, "{other}");
    }
}
