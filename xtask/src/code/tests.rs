use super::tokens;

fn texts(source: &str) -> Vec<&str> {
    tokens(source).into_iter().map(|token| token.text).collect()
}

#[test]
fn paths_and_punctuation_are_told_apart() {
    assert_eq!(texts("use std::{fs, io};"), ["use", "std", "::", "{", "fs", ",", "io", "}", ";"]);
}

#[test]
fn comments_are_left_out() {
    assert_eq!(texts("a // std::fs\nb /* std::fs /* nested */ std::env */ c"), ["a", "b", "c"]);
    assert_eq!(texts("//! std::fs\n/// std::env\n"), Vec::<&str>::new());
}

#[test]
fn literals_are_left_out() {
    assert_eq!(
        texts(r##"f("std::fs \" tokio", r#"std::"env"#, b"x", 'x', b'\'', "é")"##).join(" "),
        "f ( \" , r , b , ' , b , \" )"
    );
}

#[test]
fn lifetimes_and_names_with_a_literals_prefix_stay() {
    assert_eq!(
        texts("fn f<'a>(b: &'a str, r: c)"),
        "fn f < ' a > ( b : & ' a str , r : c )".split(' ').collect::<Vec<_>>()
    );
}

#[test]
fn lines_are_counted_through_comments_and_literals() {
    let found = tokens("/*\n\n*/ a \"x\ny\" b");
    assert_eq!(found.iter().map(|token| (token.line, token.text)).collect::<Vec<_>>(), [(3, "a"), (3, "\""), (4, "b")]);
}

#[test]
fn an_open_end_ends_at_the_end() {
    assert_eq!(texts("a /* b"), ["a"]);
    assert_eq!(texts("a \"b"), ["a", "\""]);
    assert_eq!(texts("a r#\"b"), ["a", "r"]);
}
