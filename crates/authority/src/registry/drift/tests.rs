use super::*;
use crate::fixtures::{AUTHORITY, NOW, POINT, signer};
use eleven_core::encoding::Object;
use eleven_core::event::{About, Draft, Place};
use eleven_core::id;

const LEDGER: &str = "ledger://11-11";

fn record(event: &'static str, by: &str, place: Place, data: Object) -> Record {
    let draft = Draft { event, place, ts: NOW, by: by.into(), src_seq: 0, data, about: About::default() };
    draft.sign(&signer("event")).expect("a record")
}

fn discontinuity(by: &str, producer: &str, cause: &str) -> Record {
    let data = Object::new().with("cause", cause).with("from", 3u64).with("producer", producer).with("to", 3u64);
    record("audit.discontinuity", by, Place::Alone, data)
}

fn lifecycle(event: &'static str, by: &str) -> Record {
    let data = Object::new().with("kind", "runtime").with("subject", POINT).with("cause", "operator");
    record(event, by, Place::First { op: id::subject_op("runtime", POINT) }, data)
}

fn equivocation() -> Record {
    discontinuity(LEDGER, POINT, EQUIVOCATION)
}

/// What is open after these records.
fn open(records: &[Record]) -> Vec<(String, String, &'static str)> {
    let mut drifts = Drifts::default();
    records.iter().for_each(|record| drifts.take("11-11", record));
    drifts.open().iter().map(|(subject, cause)| (subject.kind.clone(), subject.name.clone(), *cause)).collect()
}

fn point() -> Vec<(String, String, &'static str)> {
    vec![("runtime".to_owned(), POINT.to_owned(), EQUIVOCATION)]
}

#[test]
fn a_point_that_equivocates_and_a_registry_that_is_two_ask_for_a_containment() {
    assert_eq!(open(&[equivocation(), equivocation()]), point());
    let domain = vec![("domain".to_owned(), "11-11".to_owned(), REGISTRY)];
    assert_eq!(open(&[discontinuity(LEDGER, AUTHORITY, REGISTRY)]), domain);
}

#[test]
fn what_is_no_equivocation_of_a_point_asks_for_none() {
    for (what, drifted) in [
        ("a refused record or a lost journal", discontinuity(LEDGER, POINT, "drift.audit")),
        ("a point's word about another", discontinuity("k8s://c/ns/x#gw-1", POINT, EQUIVOCATION)),
        ("another domain's ledger", discontinuity("ledger://elsewhere", POINT, EQUIVOCATION)),
        ("an authority", discontinuity(LEDGER, AUTHORITY, EQUIVOCATION)),
        ("a ledger", discontinuity(LEDGER, LEDGER, EQUIVOCATION)),
    ] {
        assert_eq!(open(&[drifted]), [], "{what}");
    }
}

#[test]
fn a_containment_answers_once_and_what_drifts_after_it_was_lifted_asks_anew() {
    let contained = || lifecycle("lifecycle.contained", AUTHORITY);
    let (recovering, governed) =
        (lifecycle("lifecycle.recovering", AUTHORITY), lifecycle("lifecycle.governed", AUTHORITY));
    let mut records = vec![equivocation(), contained()];
    assert_eq!(open(&records), []);
    records.push(equivocation());
    assert_eq!(open(&records), [], "it is contained already");
    records.push(recovering);
    assert_eq!(open(&records), [], "who lifts it has looked");
    let lifted = [records.clone(), vec![governed]].concat();
    assert_eq!(open(&lifted), []);
    for before in [records, lifted] {
        assert_eq!(open(&[before.clone(), vec![equivocation()]].concat()), point());
        assert_eq!(open(&[before, vec![equivocation(), contained()]].concat()), []);
    }
}

#[test]
fn what_a_point_says_of_itself_answers_nothing_and_a_revocation_everything() {
    let by_itself = lifecycle("lifecycle.contained", POINT);
    assert_eq!(open(&[equivocation(), by_itself.clone()]), point());
    assert_eq!(open(&[by_itself, equivocation()]), point());
    let revoked = || lifecycle("lifecycle.revoked", POINT);
    assert_eq!(open(&[equivocation(), revoked()]), []);
    assert_eq!(open(&[revoked(), equivocation()]), []);
}
