use super::*;

#[test]
fn a_row_and_its_debug_text_do_not_hold_the_secret() {
    let secret = Secret::new("app", &[1; 32]).expect("a name");
    let shown = secret.reveal().rsplit('_').next().expect("a part").to_owned();
    let row = format!("{:?}", secret.source(CLIENT, "svc:demo:dev"));
    assert!(!row.contains(&shown) && !format!("{secret:?}").contains(&shown));
}

#[test]
fn what_is_no_secret_is_not_read_as_one() {
    let secret = Secret::new("app", &[1; 32]).expect("a name");
    let text = secret.reveal();
    for wrong in ["", "elk_", "elk_app", "elk_app_short", &text[1..], &format!("{text}A"), &text.replace("app", "A/p")]
    {
        assert!(Secret::parse(wrong).is_none(), "{wrong}");
    }
    assert!(Secret::new("no/name", &[1; 32]).is_none());
    assert!(Secret::new(&"n".repeat(49), &[1; 32]).is_none());
    let longest = Secret::new(&"n".repeat(48), &[1; 32]).expect("a name");
    assert!(name::is_segment(&client_row(longest.holder())));
}

#[test]
fn a_secret_is_of_its_own_row_and_kind() {
    let secret = Secret::new("examiner", &[1; 32]).expect("a name");
    let row = secret.source(AUDITOR, "human:examiner:prod");
    assert_eq!((row.name.as_str(), row.source.as_str()), ("auditor.examiner", "auditor"));
    assert_eq!(auditor_row(secret.holder()), row.name);
    assert_eq!(
        source_of(AUDITOR, "examiner", "human:examiner:prod", &secret.hash()),
        row,
        "whoever knows the hash alone"
    );
    assert!(secret.is_of(&row, AUDITOR));
    assert!(!secret.is_of(&row, CLIENT));
    assert!(!Secret::new("examiner", &[2; 32]).expect("a name").is_of(&row, AUDITOR));
    let bare = SourceRecord { mapping: Object::new().with("kind", AUDITOR), ..row };
    assert!(!secret.is_of(&bare, AUDITOR));
}

#[test]
fn a_row_is_named_by_its_kind_and_its_holder() {
    for (row, name) in [
        (client_row("app"), "client.app"),
        (auditor_row("examiner"), "auditor.examiner"),
        (operator_row("root"), "operator.root"),
    ] {
        assert_eq!(row, name);
    }
    assert!(HOLDER_FORM.contains(&format!("1 to {MAX_NAME} characters")), "{HOLDER_FORM}");
}
