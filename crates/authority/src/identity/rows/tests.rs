use super::*;
use crate::identity::{jwt_source, operator_source};
use eleven_api::secret::Secret;
use eleven_core::encoding::Object;
use eleven_core::registry::{Item as _, List};
use eleven_core::signature::{SeedSigner, Signer as _};

const AUTHORITY: &str = "governance://11-11/authority/dev";

fn signer() -> SeedSigner {
    SeedSigner::new("key:11-11/identity/dev", &[7; 32])
}

fn jwt(label: &str) -> SourceRecord {
    jwt_source(label, AUTHORITY, signer().kid(), &signer().public())
}

fn secret(kind: &str, identity: &str) -> SourceRecord {
    Secret::new("app", &[1; 32]).expect("a name").source(kind, identity)
}

fn alone(row: &SourceRecord) -> Result<(), FormError> {
    check(row, &Lists::default())
}

#[test]
fn what_the_acts_make_may_be_registered() {
    let operator = operator_source("root", "human:operator:dev", signer().kid(), &signer().public());
    for row in [jwt("authority"), operator, secret(CLIENT, "svc:app:dev"), secret(AUDITOR, "human:examiner:dev")] {
        assert_eq!(alone(&row), Ok(()), "{}", row.name);
    }
}

#[test]
fn a_row_that_authenticates_nobody_is_not_registered() {
    let row = |mapping: Object| SourceRecord { name: "x".into(), source: "s".into(), mapping };
    assert!(alone(&row(Object::new())).is_err());
    assert!(alone(&row(Object::new().with("kind", "saml"))).is_err());
    for kind in [CLIENT, AUDITOR] {
        let SourceRecord { name, source, mapping } = secret(kind, "svc:app:dev");
        for mapping in [mapping.clone().with("hash", "x"), mapping.with("note", "x")] {
            let row = SourceRecord { name: name.clone(), source: source.clone(), mapping };
            assert!(alone(&row).is_err(), "{kind}");
        }
    }
}

#[test]
fn a_row_speaks_for_an_identity_of_this_domain() {
    let operator = operator_source("root", "human:operator@eu.example", signer().kid(), &signer().public());
    for row in [operator, secret(CLIENT, "svc:app@eu.example"), secret(AUDITOR, "human:examiner@eu.example")] {
        let error = alone(&row).expect_err("another domain's");
        assert!(error.0.contains("not one of this domain"), "{}: {error}", row.name);
    }
}

#[test]
fn a_row_is_named_by_its_kind() {
    for kind in [CLIENT, AUDITOR] {
        for name in ["app", "client", "client.", "clients.app", "operator.app"] {
            let row = SourceRecord { name: name.into(), ..secret(kind, "svc:app:dev") };
            assert!(alone(&row).is_err(), "{kind} {name}");
        }
    }
    for name in ["client.app", "auditor.app", "operator.app"] {
        assert!(alone(&jwt(name)).is_err(), "{name}");
    }
    assert_eq!(alone(&jwt("clients")), Ok(()));
}

#[test]
fn no_key_stands_in_two_rows() {
    let rows = Object::new().with("sources", vec![jwt("authority").to_value()]);
    let sources = List::read(&mut Form::of_object(rows, "lists")).expect("of its form");
    let lists = Lists { sources, ..Lists::default() };
    assert!(check(&jwt("other"), &lists).expect_err("the same key").0.contains("`kid`"));
    assert_eq!(check(&jwt("authority"), &lists), Ok(()), "the row itself may be made anew");
    assert_eq!(check(&secret(CLIENT, "svc:app:dev"), &lists), Ok(()));
}
