use super::*;
use crate::doctor::State;
use eleven_core::encoding::Object;
use eleven_core::hash::Sha3;
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse};

const POINT: &str = "host://here/gateway#gw-0";
const KEY: &str = "key:d1/gw-0/1";

fn measured(binary: u8) -> Measured {
    Measured { binary: Sha3([binary; 64]).to_string(), config: Sha3([2; 64]).to_string(), kid: KEY.to_owned() }
}

/// A registry that approves binary 1, with the key in this state.
fn snapshot(status: KeyStatus) -> Value {
    let row = RuntimeRecord {
        point: POINT.to_owned(),
        runtime: "host://here/gateway".to_owned(),
        region: "eu".to_owned(),
        tenancy: "here".to_owned(),
        mode: "gateway".to_owned(),
        binary: Sha3([1; 64]),
        config: Sha3([2; 64]),
        kid: KEY.to_owned(),
    };
    let key = KeyRecord {
        kid: KEY.to_owned(),
        public: [7; 32],
        usage: KeyUse::Event,
        owner: POINT.to_owned(),
        nbf: Time(1_000),
        exp: Time(1_000_000_000),
        status,
    };
    Value::Object(Object::new().with("runtimes", vec![row.to_value()]).with("keys", vec![key.to_value()]))
}

#[test]
fn the_registration_is_held_against_what_runs_and_not_against_this_binary() {
    let now = Time(5_000);
    let with = |ours: u8, running: Option<u8>, status| {
        compare(&snapshot(status), POINT, &measured(ours), running.map(measured).as_ref(), now)
    };
    let active = KeyStatus::Active;
    for (ours, running, status, state, told) in [
        (1, Some(1), active, State::Good, "is approved with this binary"),
        (1, None, active, State::Good, "is approved with this binary"),
        // The file was replaced, and what runs is what was approved.
        (9, Some(1), active, State::Warn, "`eleven runtime register` and then `eleven runtime restart`"),
        // The new binary runs, and nobody approved it.
        (9, Some(9), active, State::Bad, "`eleven runtime register`"),
        // It was approved, and the old one runs.
        (1, Some(9), active, State::Bad, "`eleven runtime restart`"),
        (9, Some(8), active, State::Bad, "`eleven runtime register`"),
        (9, None, active, State::Bad, "another binary was approved than this one"),
        (1, Some(1), KeyStatus::Retired(Time(4_000)), State::Bad, "`eleven runtime key replace`"),
        (1, None, KeyStatus::Compromised(Time(4_000)), State::Bad, "`eleven runtime key replace`"),
    ] {
        let found = with(ours, running, status);
        assert!(found.state == state && found.detail.contains(told), "{ours} {running:?}: {}", found.detail);
    }
    let other = Measured { kid: "key:d1/gw-0/2".to_owned(), ..measured(1) };
    let found = compare(&snapshot(active), POINT, &measured(1), Some(&other), now);
    assert!(found.state == State::Bad && found.detail.contains("another key was approved"), "{}", found.detail);
    // The approved one is not here: somebody else has it, whatever else is another.
    let other = Measured { kid: other.kid, ..measured(9) };
    for running in [Some(&other), None] {
        let found = compare(&snapshot(active), POINT, &other, running, now);
        let (another, next) = ("another key was approved", "else stop what else runs under this name");
        assert!(found.detail.contains(another) && found.detail.contains(next), "{}", found.detail);
    }
    // It is not registered while the other counts: what was used under that is known by its end.
    let found = compare(&snapshot(active), POINT, &other, Some(&other), now);
    let first = format!("`eleven key retire {}` and then `eleven runtime register`", measured(1).kid);
    assert!(found.detail.contains("`eleven runtime key replace`") && found.detail.contains(&first), "{}", found.detail);
    let found = compare(&snapshot(active), POINT, &other, Some(&measured(1)), now);
    let first = format!("`eleven key retire {KEY}`, then `eleven runtime register`");
    assert!(found.state == State::Warn && found.detail.contains(&first), "{}", found.detail);
    let found = compare(&snapshot(active), "host://here/gateway#gw-1", &measured(1), None, now);
    assert!(found.state == State::Bad && found.detail.contains("is not registered"), "{}", found.detail);
}

#[test]
fn two_points_of_one_runtime_are_bad_since_each_counts_uses_by_itself() {
    let with = |point: &str, runtime: &str| {
        let alone = snapshot(KeyStatus::Active);
        let rows = alone.get("runtimes").and_then(Value::as_array).expect("rows");
        let row = rows.first().cloned().and_then(|row| RuntimeRecord::read(row).ok()).expect("a row");
        let second = RuntimeRecord { point: point.to_owned(), runtime: runtime.to_owned(), ..row.clone() };
        let rows = vec![row.to_value(), second.to_value()];
        others(&Value::Object(Object::new().with("runtimes", rows)), POINT)
    };
    let found = with("host://here/gateway#gw-1", "host://here/gateway").expect("a finding");
    assert!(found.state == State::Bad && found.detail.starts_with("host://here/gateway#gw-1 is"), "{}", found.detail);
    assert!(with("host://here/other#gw-0", "host://here/other").is_none());
    assert!(others(&snapshot(KeyStatus::Active), POINT).is_none());
    assert!(others(&Value::Object(Object::new()), POINT).is_none());
}

#[test]
fn a_key_that_does_not_count_is_named_before_another_binary() {
    let now = Time(5_000);
    let retired = snapshot(KeyStatus::Retired(Time(4_000)));
    let lost = || Some(uncounted(&retired, POINT, KEY, now));
    let found = first(compare(&retired, POINT, &measured(9), None, now), lost(), lost());
    assert!(found.state == State::Bad && found.detail.contains("`eleven runtime key replace`"), "{}", found.detail);
    let active = snapshot(KeyStatus::Active);
    let found = first(compare(&active, POINT, &measured(9), None, now), None, None);
    assert!(found.state == State::Bad && found.detail.contains("`eleven runtime register`"), "{}", found.detail);
    // What runs knows of its attestation key, and that one here which does not run does not count is no matter yet.
    let running = || compare(&active, POINT, &measured(1), Some(&measured(1)), now);
    let found = first(running(), None, Some("its attestation key".to_owned()));
    assert!(found.state == State::Bad && found.detail == "its attestation key", "{}", found.detail);
    assert_eq!(first(running(), lost(), None).state, State::Good);
}

#[test]
fn before_a_key_counts_it_is_the_clock_that_is_told_and_no_key_is_replaced() {
    let active = snapshot(KeyStatus::Active);
    let found = compare(&active, POINT, &measured(1), None, Time(0));
    assert_eq!(found.state, State::Bad);
    assert!(found.detail.contains("counts from 1970-01-01T00:00:01.000Z on"), "{}", found.detail);
    assert!(!found.detail.contains("`eleven runtime key replace`"), "{}", found.detail);
    assert_eq!(compare(&active, POINT, &measured(1), None, Time(1_000)).state, State::Good);
}

#[test]
fn a_corner_that_answers_is_bad_where_its_clock_or_its_key_is() {
    let found = |ready: bool, body: Object| {
        let said = Said { ready, value: Value::Object(body) };
        answers("the listener".to_owned(), "http://127.0.0.1:1", &said)
    };
    let behind = || Object::new().with("clock_behind_ms", 87_219u64);
    for (ready, body, state, told) in [
        (true, Object::new(), State::Good, "is ready"),
        (true, behind(), State::Bad, "87219 ms behind what it signed last"),
        (false, behind(), State::Bad, "its log says why"),
        (false, Object::new(), State::Bad, "its log says why"),
        (
            false,
            Object::new().with("events", "stalled"),
            State::Bad,
            "the ledger takes none of its events; its log says",
        ),
        (false, Object::new().with("ledger", "silent"), State::Bad, "hears nothing from the ledger"),
        (false, Object::new().with("fresh", false), State::Bad, "its view of the registry is not fresh"),
        (false, Object::new().with("signs_heads", false), State::Bad, "it signs no heads"),
        (false, Object::new().with("uncounted", KEY), State::Bad, "`eleven authority restart`"),
        (false, Object::new().with("denies", "runtime.contained"), State::Bad, "refuses every call: runtime.contained"),
    ] {
        let found = found(ready, body);
        assert!(found.state == state && found.detail.contains(told), "{told}: {}", found.detail);
    }
}

#[test]
fn policies_in_force_that_do_not_decide_are_found() {
    let found = |body: Object| policies(Some(&Health::Ours(Said { ready: true, value: Value::Object(body) })));
    let bad = found(Object::new().with("undecided", 2u64)).expect("a finding");
    assert!(bad.state == State::Bad && bad.detail.starts_with("2 of those in force do not decide"), "{}", bad.detail);
    assert!(found(Object::new()).is_none() && policies(None).is_none() && policies(Some(&Health::Nobody)).is_none());
}

#[test]
fn a_corner_that_does_not_run_is_bad_where_others_do() {
    let listen: SocketAddr = "127.0.0.1:1".parse().expect("an address");
    let found = |kind: Option<ErrorKind>, others: bool| {
        let error = kind.map(std::io::Error::from);
        down("the listener".to_owned(), listen, error.as_ref(), others)
    };
    for (kind, others, state, told) in [
        (None, false, State::Warn, "the corner does not run"),
        (None, true, State::Bad, "its log says why it ended"),
        (
            Some(ErrorKind::AddrInUse),
            false,
            State::Bad,
            "its supervisor holds it while the corner can't start, which the corner's log tells",
        ),
        (Some(ErrorKind::AddrNotAvailable), true, State::Bad, "can't be bound"),
    ] {
        let found = found(kind, others);
        assert!(found.state == state && found.detail.contains(told), "{told}: {}", found.detail);
    }
}
