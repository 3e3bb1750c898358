use super::names;

#[test]
fn a_list_names_a_tag_strong_weak_or_by_the_star() {
    for list in ["\"a\"", "\"b\", \"a\"", "W/\"a\"", "*", " \"a\" "] {
        assert!(names(list, "\"a\""), "{list}");
    }
    for list in ["", "a", "\"b\"", "\"ab\"", "W/*"] {
        assert!(!names(list, "\"a\""), "{list}");
    }
}
