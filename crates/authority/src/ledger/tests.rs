use super::*;
use eleven_core::encoding::parse;

#[test]
fn a_key_is_one_segment_of_a_path() {
    assert_eq!(percent_encoded("key:11-11/prod/2026-q2"), "key%3A11-11%2Fprod%2F2026-q2");
    assert_eq!(percent_encoded("a.b_c~d-e"), "a.b_c~d-e");
}

#[test]
fn a_page_is_read_strictly() {
    let read_page = |value| read_page(Which::Registry, value);
    let page = parse(br#"{"entries":[],"next":7,"size":9}"#).map(read_page);
    let page = page.expect("I-JSON").expect("a page");
    assert_eq!((page.entries.len(), page.next, page.size), (0, 7, 9));
    for wrong in [
        r#"{"entries":[],"next":7}"#,
        r#"{"entries":[{}],"next":7,"size":9}"#,
        r#"{"entries":[],"more":1,"next":7,"size":9}"#,
    ] {
        assert!(read_page(parse(wrong.as_bytes()).expect("I-JSON")).is_err(), "{wrong}");
    }
}

#[test]
fn only_an_answer_about_the_records_settles_their_fate() {
    use eleven_api::problem::Problem;
    assert!(fate_unknown(&CallError::Unreachable("gone".into())));
    assert!(fate_unknown(&CallError::Refused(Problem::with_status(503, "starting"))));
    assert!(!fate_unknown(&CallError::Refused(Problem::with_status(409, "gap"))));
    assert!(!fate_unknown(&CallError::Refused(Problem::with_status(422, "refused"))));
}
