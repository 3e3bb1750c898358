use super::*;
use crate::recover::tests::{again, begun};
use eleven_core::hash::Sha3;

#[test]
fn a_point_says_what_of_it_was_not_approved_and_what_to_do() {
    let point = again(&begun());
    let approved = RuntimeRecord {
        point: point.name.clone(),
        runtime: "host://here/gateway".to_owned(),
        region: "eu".to_owned(),
        tenancy: "here".to_owned(),
        mode: "gateway".to_owned(),
        binary: point.binary,
        config: point.config,
        kid: point.event.kid().to_owned(),
    };
    assert_eq!(unapproved(Some(&approved), &point), None);
    for (row, told) in [
        (None, "is not registered"),
        (Some(RuntimeRecord { binary: Sha3([9; 64]), ..approved.clone() }), "another binary"),
        (Some(RuntimeRecord { config: Sha3([9; 64]), ..approved }), "another configuration"),
    ] {
        let why = unapproved(row.as_ref(), &point).unwrap_or_else(|| panic!("{told}: it was approved"));
        assert!(why.contains(told) && why.contains("`eleven runtime register`"), "{told}: {why}");
    }
}
