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
    assert!(secret.is_of(&row, AUDITOR));
    assert!(!secret.is_of(&row, CLIENT));
    assert!(!Secret::new("examiner", &[2; 32]).expect("a name").is_of(&row, AUDITOR));
    let bare = SourceRecord { mapping: Object::new().with("kind", AUDITOR), ..row };
    assert!(!secret.is_of(&bare, AUDITOR));
}

#[test]
fn a_token_stands_as_long_as_the_secret_that_it_was_exchanged_for() {
    let (secret, other) =
        (Secret::new("app", &[1; 32]).expect("a name"), Secret::new("app", &[2; 32]).expect("a name"));
    let id = secret.token_id("svc:demo:dev", &[3; 16]);
    let row = |row: &str, secret: &Secret, identity: &str| {
        (row == "client.app").then(|| print(&secret.source(CLIENT, identity).mapping))
    };
    assert!(stands(&id, |name| row(name, &secret, "svc:demo:dev")));
    assert!(!stands(&id, |name| row(name, &other, "svc:demo:dev")), "another under the same name");
    assert!(!stands(&id, |name| row(name, &secret, "svc:other:dev")), "the same secret for another identity");
    assert!(!stands(&id, |_| None), "it was revoked");
    assert!(stands(&id::base32(&[3; 16]), |_| None), "one that nobody of the sources answers for");
    for cut in ["client.app:", "client.app", ":"] {
        assert_eq!(stands(cut, |name| row(name, &secret, "svc:demo:dev")), !cut.contains(':'), "{cut}");
    }
}
