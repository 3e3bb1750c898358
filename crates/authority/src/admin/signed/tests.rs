use super::*;
use eleven_core::signature::SeedSigner;

const NOW: Time = Time(1_778_605_451_250);

fn signer() -> SeedSigner {
    SeedSigner::new("key:11-11/operator/root", &[5; 32])
}

fn key() -> VerifyingKey {
    VerifyingKey::new(&signer().public()).expect("a key")
}

fn signed() -> SignedAct {
    SignedAct::sign("policy.retire", Object::new().with("ref", "policy://a/v1"), NOW, &signer())
}

#[test]
fn an_act_is_the_operators_for_ten_seconds() {
    let read = SignedAct::read(&signed().to_bytes()).expect("of its form");
    assert_eq!(read.act, "policy.retire");
    for (age, holds) in [(0, true), (10_000, true), (10_001, false), (-1, false), (-10_000, false), (-10_001, false)] {
        assert_eq!(read.verify(&key(), NOW.plus_millis(age)).is_ok(), holds, "{age} ms");
    }
}

#[test]
fn an_act_that_is_dated_ahead_is_waited_for_a_second_at_most() {
    for (millis, waits) in [(0, None), (-1, None), (1, Some(1)), (1_000, Some(1_000)), (1_001, None), (10_000, None)] {
        let ahead = signed().ahead(&key(), NOW.plus_millis(-millis));
        assert_eq!(ahead, Ok(waits.map(Duration::from_millis)), "{millis} ms ahead");
    }
}

#[test]
fn an_act_that_its_operator_did_not_sign_is_not_waited_for() {
    let stranger = SeedSigner::new(signer().kid(), &[6; 32]);
    let act = SignedAct::sign("policy.retire", Object::new(), NOW, &stranger);
    for millis in [1, 1_000] {
        assert_eq!(act.ahead(&key(), NOW.plus_millis(-millis)), Err(SignedError::Signature), "{millis} ms ahead");
    }
}

#[test]
fn what_was_signed_is_what_is_done() {
    for other in [
        SignedAct { act: "policy.publish".into(), ..signed() },
        SignedAct { args: Object::new().with("ref", "policy://a/v2"), ..signed() },
        SignedAct { time: NOW.plus_millis(-1), ..signed() },
        SignedAct { kid: "key:11-11/operator/other".into(), ..signed() },
    ] {
        assert_eq!(other.verify(&key(), NOW), Err(SignedError::Signature));
    }
    let body = String::from_utf8(signed().to_bytes()).expect("JSON");
    assert!(SignedAct::read(body.replace("\"act\"", "\"acts\"").as_bytes()).is_err());
}

fn signed_at(time: Time) -> SignedAct {
    SignedAct::sign("policy.retire", Object::new().with("ref", "policy://a/v1"), time, &signer())
}

#[test]
fn an_act_is_taken_once_and_never_from_before_the_process() {
    let replays = Replays::new(NOW.plus_millis(-1));
    assert_eq!(replays.take(&signed()), Ok(()));
    assert_eq!(replays.take(&signed()), Err(SignedError::Replayed));
    // The process before this one took no act before its time: what it took is not after this one began.
    for early in [-1, -2, -9_000] {
        assert_eq!(replays.take(&signed_at(NOW.plus_millis(early))), Err(SignedError::Before), "{early} ms");
    }
}

#[test]
fn an_act_is_not_taken_again_because_the_clock_was_set() {
    let replays = Replays::new(NOW.plus_millis(-1));
    let ahead = signed_at(NOW.plus_seconds(3_600));
    assert_eq!(replays.take(&ahead), Ok(()), "by a clock that is an hour ahead");
    assert_eq!(replays.take(&signed()), Ok(()), "it is set right: operators go on");
    assert_eq!(replays.take(&signed_at(NOW.plus_seconds(60))), Ok(()));
    assert_eq!(replays.take(&ahead), Err(SignedError::Replayed), "an hour later");
}

#[test]
fn what_is_forgotten_is_not_taken_again() {
    let replays = Replays::new(NOW.plus_millis(-1));
    let act = |n: usize| signed_at(NOW.plus_millis(i64::try_from(n).expect("a number")));
    for n in 0..=REMEMBERED {
        assert_eq!(replays.take(&act(n)), Ok(()), "{n}");
    }
    assert_eq!(replays.take(&act(0)), Err(SignedError::Before), "it made room");
    assert_eq!(replays.take(&act(1)), Err(SignedError::Replayed));
}

#[test]
fn who_cannot_be_known_now_may_try_again_and_who_is_not_known_may_not() {
    let stale = SignedError::Stale.problem();
    assert_eq!((stale.status, stale.reason), (503, Some(Reason::AuditUnavailable)));
    let (time, before) = (SignedError::Time, SignedError::Before);
    for error in [SignedError::Unknown, time, before, SignedError::Signature, SignedError::Replayed] {
        let problem = error.problem();
        assert_eq!((problem.status, problem.reason), (401, Some(Reason::IdentityUnauthenticated)), "{error}");
    }
}
