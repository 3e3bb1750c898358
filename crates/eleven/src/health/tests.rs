use super::*;
use eleven_api::answer::read_json;
use std::path::Path;

fn config() -> Config {
    let text = "[domain]\nname = \"d1\"\n[runtime]\npoint = \"host://here/gateway#gw-0\"\n\
                [runtime.gateway]\nupstream = \"http://127.0.0.1:8000\"\n";
    Config::read(Path::new("eleven.toml"), text).expect("a configuration")
}

/// What an answer with this body is taken for.
fn judged(which: Which, ready: bool, body: &str) -> Health {
    let said = read_json(body.as_bytes()).map_err(|error| CallError::Malformed(error.to_string()));
    judge(which, &config(), said.map(|value| (ready, value)))
}

#[test]
fn a_corner_is_known_by_its_name_and_its_domains() {
    let who = |body: &str| match judged(Which::Ledger, true, body) {
        Health::Other(who) => who,
        health => format!("{health:?}"),
    };
    let ours = judged(Which::Ledger, false, r#"{"corner":"ledger","domain":"d1"}"#);
    assert!(matches!(ours, Health::Ours(Said { ready: false, .. })), "{ours:?}");
    assert_eq!(who(r#"{"corner":"ledger","domain":"d2"}"#), "the ledger of d2");
    assert_eq!(who(r#"{"corner":"authority","domain":"d1"}"#), "the authority of d1");
    assert_eq!(who(r#"{"corner":"witness","ok":true}"#), "a witness that names no domain");
    for nobody in ["", "<html>", "[]", r#"{"ok":true}"#] {
        assert_eq!(who(nobody), "a server that is no corner");
    }
}

#[test]
fn a_point_that_is_contained_is_up_and_not_ready() {
    let said = |ready: bool, body: &str| {
        let body = format!(r#"{{"corner":"runtime","domain":"d1",{body}}}"#);
        let Health::Ours(said) = judged(Which::Runtime, ready, &body) else { panic!("it is ours") };
        said
    };
    let contained = r#""reason":"runtime.contained","denies":"runtime.contained: mesh * is contained""#;
    let behind = r#""reason":"audit.discontinuity","denies":"audit.discontinuity: the ledger has not acknowledged""#;
    for (ready, body, only_denies, up) in [
        (true, r#""approved":true,"fresh":true"#.to_owned(), false, true),
        (false, r#""approved":true,"fresh":true"#.to_owned(), false, false),
        (false, format!(r#"{contained},"approved":true,"fresh":true"#), true, true),
        (false, format!(r#"{contained},"approved":true,"fresh":false"#), false, false),
        (false, format!(r#"{contained},"approved":false,"fresh":true"#), false, false),
        (false, format!(r#"{contained},"approved":null,"fresh":false"#), false, false),
        (false, format!(r#"{behind},"approved":true,"fresh":true"#), true, false),
    ] {
        let said = said(ready, &body);
        assert!(!said.went_back(), "{body}");
        assert_eq!((said.only_denies(), said.is_up()), (only_denies, up), "{body}");
        assert_eq!(said.denies().is_some(), body.contains("denies"), "{body}");
    }
    // By its reason, whatever the sentence is; and told apart from a containment, which somebody can lift.
    let back = r#""reason":"runtime.contained","denies":"from epoch 7 to 4","epoch":4,"seen_epoch":7"#;
    let said = said(false, &format!(r#"{back},"approved":true,"fresh":true"#));
    assert!(said.is_up() && said.went_back(), "{said:?}");
}

#[test]
fn what_a_point_says_of_its_approval_is_heard() {
    let body = r#"{"corner":"runtime","domain":"d1","approved":false,"unapproved":"another binary"}"#;
    let Health::Ours(said) = judged(Which::Runtime, false, body) else { panic!("it is ours") };
    assert_eq!(said.unapproved(), Some("another binary"));
}

#[test]
fn a_corner_says_what_it_signs_with_and_what_is_wrong_with_that() {
    let said = |which, ready, body: &str| {
        let Health::Ours(said) = judged(which, ready, body) else { panic!("it is ours") };
        said
    };
    let body =
        r#"{"corner":"ledger","domain":"d1","kid":"a","head_keys":[{"kid":"b"},{"kid":"c"}],"clock_behind_ms":87219}"#;
    let ledger = said(Which::Ledger, true, body);
    let kids = |kids: &[&str]| -> Vec<String> { kids.iter().map(|kid| (*kid).to_owned()).collect() };
    assert_eq!(ledger.signs(), [kids(&["a"]), kids(&["b", "c"]), Vec::new()]);
    assert_eq!((ledger.clock_behind_ms(), ledger.uncounted()), (Some(87_219), None));
    let authority = said(Which::Authority, false, r#"{"corner":"authority","domain":"d1","kid":"a","uncounted":"a"}"#);
    assert_eq!((authority.clock_behind_ms(), authority.uncounted()), (None, Some("a")));
    assert_eq!(authority.signs(), [kids(&["a"]), Vec::new(), Vec::new()], "it does not say what it holds");
    let authority = said(Which::Authority, true, r#"{"corner":"authority","domain":"d1","kid":"a","undecided":2}"#);
    assert_eq!((authority.undecided(), ledger.undecided()), (Some(2), None));
    let held = r#""kid":"a","event_keys":[{"kid":"b"},{"kid":"a"}],"issuer_keys":[{"kid":"c"}]"#;
    let authority = said(Which::Authority, true, &format!(r#"{{"corner":"authority","domain":"d1",{held}}}"#));
    assert_eq!(authority.signs(), [kids(&["b", "a"]), Vec::new(), kids(&["c"])], "also what is not in use");
}
