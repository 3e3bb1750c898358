use super::*;
use crate::identity::{jwt_source, operator_source};
use eleven_api::secret::Secret;
use eleven_core::encoding::{Object, Value};
use eleven_core::registry::{Item as _, List};
use eleven_core::signature::{SeedSigner, Signer as _};
use eleven_core::time::Time;

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

/// A registry with this one source.
fn listing(row: &SourceRecord) -> Lists {
    listing_all(std::slice::from_ref(row))
}

/// A registry with these sources, in the order of their names.
fn listing_all(rows: &[SourceRecord]) -> Lists {
    let rows: Vec<Value> = rows.iter().map(SourceRecord::to_value).collect();
    let rows = Object::new().with("sources", rows);
    let sources = List::read(&mut Form::of_object(rows, "lists")).expect("of its form");
    Lists { sources, ..Lists::default() }
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
    let lists = listing(&jwt("authority"));
    assert!(check(&jwt("other"), &lists).expect_err("the same key").0.contains("`kid`"));
    let named = SeedSigner::new("key:11-11/identity/other", &[7; 32]);
    let renamed = jwt_source("other", AUTHORITY, named.kid(), &named.public());
    assert!(check(&renamed, &lists).expect_err("the same key by another name").0.contains("`public`"));
    assert_eq!(check(&jwt("authority"), &lists), Ok(()), "the row itself may be made anew");
    assert_eq!(check(&secret(CLIENT, "svc:app:dev"), &lists), Ok(()));
}

#[test]
fn an_identity_key_that_has_ended_does_not_come_back() {
    let since = Time(1_778_605_451_000);
    let ended = keys::ended(&jwt("authority"), keys::RETIRED, since).expect("it was in service");
    let lists = listing(&ended);
    let other = SeedSigner::new("key:11-11/identity/other", &[8; 32]);
    let same = SeedSigner::new(other.kid(), &[7; 32]);
    for (row, why) in [
        (jwt("authority"), "not replaced"),
        (jwt("other"), "`kid`"),
        (jwt_source("other", AUTHORITY, same.kid(), &same.public()), "`public`"),
        (jwt_source("authority", AUTHORITY, other.kid(), &other.public()), "not replaced"),
        (SourceRecord { name: "other".into(), ..ended.clone() }, "`kind`"),
        (ended, "`kind`"),
    ] {
        assert!(check(&row, &lists).expect_err(why).0.contains(why), "{why}");
    }
    assert_eq!(check(&jwt_source("other", AUTHORITY, other.kid(), &other.public()), &lists), Ok(()));
    // Nor is one in service replaced unseen by another.
    let replaced = jwt_source("authority", AUTHORITY, other.kid(), &other.public());
    assert!(check(&replaced, &listing(&jwt("authority"))).is_err());
}

#[test]
fn an_identity_key_ends_once_and_may_have_been_in_other_hands_before_that() {
    let since = Time(1_778_605_451_000);
    let end = |row: &SourceRecord, status: &str, at: i64| keys::ended(row, status, since.plus_seconds(at));
    let retired = end(&jwt("authority"), keys::RETIRED, 0).expect("it was in service");
    assert_eq!((retired.name.as_str(), retired.source.as_str()), ("authority", AUTHORITY));
    assert!(keys::has_ended(&retired) && keys::is_key(&retired) && text(&retired, "status") == Some(keys::RETIRED));
    assert_eq!(keys::row_of(&listing(&retired), signer().kid()), Some(&retired), "its name stays known");
    assert_eq!(end(&retired, keys::RETIRED, -1), None);
    assert_eq!(end(&retired, keys::COMPROMISED, 1), None, "it would have counted for longer");
    let stolen = end(&retired, keys::COMPROMISED, -1).expect("before it was retired");
    for status in [keys::RETIRED, keys::COMPROMISED] {
        assert_eq!(end(&stolen, status, -2), None);
    }
    // Of two rows of one key, as there may be of earlier versions, the one in service ends next.
    let twice = listing_all(&[stolen, jwt("second")]);
    assert_eq!(keys::row_of(&twice, signer().kid()), Some(&jwt("second")));
    let said = |row: &SourceRecord| {
        let Value::Object(data) = row.to_value() else { panic!("an object") };
        keys::registered(&data).map(str::to_owned)
    };
    assert_eq!(said(&jwt("authority")).as_deref(), Some(signer().kid()));
    assert_eq!((said(&retired), said(&secret(CLIENT, "svc:app:dev"))), (None, None));
}
