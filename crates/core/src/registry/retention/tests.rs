use super::*;

const OP: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

fn set(lists: &mut Lists, record: InterfaceRecord) {
    assert_eq!(check("test", lists, &record), Ok(()), "{record:?}");
    let mut tree = crate::index::OperationIndex::default();
    lists.interfaces.put(record, &mut tree);
}

fn retention(days: u64, regime: &str) -> InterfaceRecord {
    Retention::new(days, regime).expect("a retention").record("test")
}

#[test]
fn a_regimes_floor_holds_and_a_retention_is_only_ever_raised() {
    assert_eq!(Retention::new(182, "eu-ai-act"), Err("the regime asks for more days"));
    assert_eq!(Retention::new(2191, "hipaa"), Err("the regime asks for more days"));
    assert_eq!(Retention::new(2191, "sec-17a-4"), Err("the regime asks for more days"));
    assert!(Retention::new(183, "gdpr").is_err() && Retention::new(40_000, "own").is_err());
    let mut lists = Lists::default();
    assert_eq!(Retention::in_force(&lists), None);
    set(&mut lists, retention(183, "eu-ai-act"));
    set(&mut lists, retention(2192, "hipaa"));
    assert_eq!(Retention::in_force(&lists).map(|set| set.days), Some(2192));
    for lower in [retention(183, "own"), retention(2000, "eu-ai-act"), retention(2191, "own")] {
        assert_eq!(check("test", &lists, &lower), Err("a retention is only ever raised"), "{lower:?}");
    }
    set(&mut lists, retention(2192, "sec-17a-4"));
}

#[test]
fn what_is_not_of_its_form_is_refused() {
    let lists = Lists::default();
    for version in ["183", "0183.own", "x.own", "182.eu-ai-act", "183.eu-ai-act.x"] {
        let record = record("test", RETENTION_SERVICE, version.into());
        assert!(check("test", &lists, &record).is_err(), "{version}");
    }
    for version in ["operation.x.1", "operation", "model.abc.1", "operation.0123456789ABCDEFGHJKMNPQRSTVWXYZ.1"] {
        assert!(check("test", &lists, &record("test", HOLD_SERVICE, version.into())).is_err(), "{version}");
    }
    let other = InterfaceRecord { hash: Sha3([0; 64]), ..retention(183, "eu-ai-act") };
    assert!(check("test", &lists, &other).is_err_and(|why| why.contains("hash")));
    let elsewhere = Retention::new(183, "own").expect("a retention").record("elsewhere");
    assert!(check("test", &lists, &elsewhere).is_err(), "another domain's");
    assert_eq!(check("test", &lists, &record("test", "audit", "v1".into())), Ok(()), "not ours to judge");
}

#[test]
fn a_hold_is_placed_and_lifted_in_turn() {
    let mut lists = Lists::default();
    for (kind, subject) in [("operation", OP), ("identity", "svc:app:prod")] {
        let hold = Hold::on(kind, subject).expect("a hold");
        assert_eq!(hold.record("test", &lists, false), Err("it is not held"));
        let first = hold.record("test", &lists, true).expect("placed");
        assert!(crate::name::is_segment(&first.version), "{}", first.version);
        set(&mut lists, first.clone());
        assert!(hold.is_in(&Hold::all(&lists)));
        assert!(check("test", &lists, &first).is_err(), "the same number again");
        assert_eq!(hold.record("test", &lists, true), Err("it is held already"));
        let lifted = hold.record("test", &lists, false).expect("lifted");
        set(&mut lists, lifted);
        assert!(!hold.is_in(&Hold::all(&lists)));
        let again = hold.record("test", &lists, true).expect("placed again");
        set(&mut lists, again);
        assert!(hold.is_in(&Hold::all(&lists)));
    }
    assert_eq!(Hold::all(&lists).len(), 2);
    let subject = |kind, of: &str| Hold::on(kind, of).map(|hold| (hold.subject().0 == kind, hold.subject().1));
    assert_eq!(subject("operation", OP), Ok((true, OP.into())));
    assert_eq!(subject("identity", "svc:app:prod"), Ok((true, id::content_id(&Value::from("svc:app:prod")))));
    assert_eq!(Hold::on("operation", &format!("{OP}.3")), Hold::on("operation", OP), "uses are held together");
    assert!(
        Hold::on("operation", "x").is_err() && Hold::on("identity", "x").is_err() && Hold::on("model", OP).is_err()
    );
}
