use super::*;
use crate::form::Form;
use crate::registry::Item as _;
use alloc::vec::Vec;

fn lists(interfaces: &[InterfaceRecord]) -> Lists {
    let mut interfaces: Vec<&InterfaceRecord> = interfaces.iter().collect();
    interfaces.sort_by_key(|interface| interface.name());
    let interfaces: Vec<Value> = interfaces.into_iter().map(InterfaceRecord::to_value).collect();
    let snapshot = Lists::default().write(Object::new()).with("interfaces", interfaces);
    Lists::read(&mut Form::of_object(snapshot, "lists")).expect("lists")
}

fn set(version: &str, exposure: Exposure) -> InterfaceRecord {
    let hash = Sha3::of_value(&exposure.document("11-11"));
    InterfaceRecord { service: EXPOSURE_SERVICE.into(), version: version.into(), hash }
}

#[test]
fn where_nothing_was_set_a_proof_is_for_who_holds_the_id() {
    assert_eq!(Exposure::in_force("11-11", &lists(&[])), Exposure::ByPossession);
    let other = InterfaceRecord { service: "audit".into(), ..set("9", Exposure::Open) };
    assert_eq!(Exposure::in_force("11-11", &lists(&[other])), Exposure::ByPossession);
}

#[test]
fn the_greatest_version_counts_as_a_number() {
    let two = [set("9", Exposure::Private), set("10", Exposure::Open)];
    assert_eq!(Exposure::in_force("11-11", &lists(&two)), Exposure::Open);
    let mut all = Vec::new();
    for exposure in [Exposure::Open, Exposure::Private, Exposure::ByPossession, Exposure::Open] {
        all.push(exposure.record("11-11", &lists(&all)));
        assert_eq!(Exposure::in_force("11-11", &lists(&all)), exposure);
    }
    assert_eq!(all.last().map(|last| last.version.as_str()), Some("4"));
}

#[test]
fn what_is_not_understood_shows_nothing() {
    let hash = Sha3::of(&[b"something else"]);
    let unknown = InterfaceRecord { hash, ..set("2", Exposure::Open) };
    assert_eq!(Exposure::in_force("11-11", &lists(&[set("1", Exposure::Open), unknown])), Exposure::Private);
    for version in ["latest", "03", "x"] {
        let unnumbered = [set("1", Exposure::Open), set(version, Exposure::Open)];
        assert_eq!(Exposure::in_force("11-11", &lists(&unnumbered)), Exposure::Private, "{version}");
    }
    // Signed for another domain it says nothing here.
    assert_eq!(Exposure::in_force("eu.example", &lists(&[set("1", Exposure::Open)])), Exposure::Private);
}

#[test]
fn names_are_read_as_they_are_written() {
    assert!(Exposure::ALL.into_iter().all(|exposure| Exposure::parse(exposure.name()) == Some(exposure)));
    assert_eq!(Exposure::parse("public"), None);
    assert!(Exposure::Private < Exposure::ByPossession && Exposure::ByPossession < Exposure::Open);
}
