use super::*;
use crate::PolicyError;
use crate::compile::tests::SCHEMA;
use crate::fixtures::{bundle, compile_with};

fn said_of(error: &PolicyError) -> String {
    error.to_string()
}

#[test]
fn a_byte_stands_in_a_line_and_a_column() {
    assert_eq!(of("ab\ncä d", 0).as_deref(), Some("line 1, column 1"));
    assert_eq!(of("ab\ncä d", 3).as_deref(), Some("line 2, column 1"));
    assert_eq!(of("ab\ncä d", 7).as_deref(), Some("line 2, column 4"));
    assert_eq!(of("ab\ncä d", 8).as_deref(), Some("line 2, column 5"), "the end of the text");
    assert_eq!((of("ä", 1), of("a", 2)), (None, None));
}

#[test]
fn what_is_no_cedar_is_told_by_its_line() {
    let told = |cedar: &str| said_of(&crate::CompiledPolicy::compile(&bundle(cedar)).unwrap_err());
    let text = told("// a comment\npermit(principal, action, resource)\nwhen { context.op.model = \"m\" };\n");
    assert!(text.contains("line 3, column "), "{text}");
    let text = told("permit(principal, action, resource);\n\npermit(principal, action, resource) unles { true };");
    assert!(text.contains("line 3, column "), "{text}");
    let two = "permit(principal, action, resource) when { contxt.op.a == 1 };\n\
               permit(principal, action, resource) when { contxt.op.b == 1 };";
    let text = told(two);
    assert!(text.contains("line 1, ") && text.contains("line 2, "), "each of them: {text}");
}

#[test]
fn what_does_not_fit_the_schema_is_told_by_rule_and_line() {
    let told = |cedar: &str| said_of(&compile_with(cedar, "schema", SCHEMA).unwrap_err());
    let cedar = "permit(principal, action, resource);\n@id(\"typo\")\npermit(principal, action, resource)\nwhen { context.op.modle == \"m\" };";
    let text = told(cedar);
    assert!(text.contains("rule `typo`") && text.contains("line 4, column "), "{text}");
    assert!(!text.contains("policy1"), "an author knows no such name: {text}");
}

#[test]
fn an_error_of_a_schema_is_told_by_its_line() {
    let schema = SCHEMA.replace("at: datetime", "at datetime");
    let text = said_of(&compile_with("permit(principal, action, resource);", "schema", schema).unwrap_err());
    assert!(text.contains("line 14, column "), "{text}");
}

#[test]
fn of_many_errors_the_first_are_told() {
    let said = |n: u32| {
        assert!(n <= 3, "of others nothing is asked");
        n.to_string()
    };
    assert_eq!(several([1, 2, 3, 4, 5].into_iter(), said), "1; 2; 3; and 2 more");
    assert_eq!(several([1, 2, 3].into_iter(), said), "1; 2; 3");
}
