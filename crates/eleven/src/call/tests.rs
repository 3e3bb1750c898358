use super::*;

#[test]
fn a_secret_is_one_line_of_its_file_and_what_else_it_holds_is_told_and_not_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("auditor.secret");
    let asked = || At::of(Some("http://127.0.0.1:9"), Some(&file), Path::new("eleven.toml"));
    let refused = || asked().err().expect("a refusal").to_string();
    let path = file.display();
    assert!(refused().starts_with(&format!("{path}: the auditor's secret: ")), "it is not there: {}", refused());
    let what = "the file has to hold the one line that `eleven auditor add` prints, and nothing else";
    for text in ["", " \n", "a\nb", "a b", "a\tb", "a\rb", "a\0b", "a\u{7f}", "s\u{fc}\u{df}"] {
        std::fs::write(&file, text).expect("written");
        assert_eq!(refused(), format!("{path}: the auditor's secret: {what}"), "{text:?}");
    }
    std::fs::write(&file, [0xff, b'a']).expect("written");
    assert!(refused().starts_with(&format!("{path}: the auditor's secret: ")), "no text: {}", refused());
    std::fs::write(&file, "a_secret~of-1.line\n").expect("written");
    let at = asked().expect("a ledger");
    let (url, headers) = at.parts("/v1/proof/head");
    let [(name, value)] = &headers[..] else { panic!("{headers:?}") };
    assert_eq!((url, name.as_str()), ("http://127.0.0.1:9", "authorization"));
    assert!(value == "Bearer a_secret~of-1.line" && value.is_sensitive());
}

#[test]
fn whoever_has_no_secret_sends_none() {
    let at = At::of(Some("http://127.0.0.1:9/"), None, Path::new("eleven.toml")).expect("a ledger");
    assert_eq!(at.parts("/v1/proof/head"), ("http://127.0.0.1:9", Vec::new()));
}
