use super::Source;
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
