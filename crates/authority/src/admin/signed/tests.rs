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
    for (apart, holds) in [(0, true), (10_000, true), (-10_000, true), (10_001, false), (-10_001, false)] {
        assert_eq!(read.verify(&key(), NOW.plus_millis(apart)).is_ok(), holds, "{apart} ms");
    }
}

#[test]
fn what_was_signed_is_what_is_done() {
    for other in [
        SignedAct { act: "policy.publish".into(), ..signed() },
        SignedAct { args: Object::new().with("ref", "policy://a/v2"), ..signed() },
        SignedAct { time: NOW.plus_millis(1), ..signed() },
        SignedAct { kid: "key:11-11/operator/other".into(), ..signed() },
    ] {
        assert_eq!(other.verify(&key(), NOW), Err(SignedError::Signature));
    }
    let body = String::from_utf8(signed().to_bytes()).expect("JSON");
    assert!(SignedAct::read(body.replace("\"act\"", "\"acts\"").as_bytes()).is_err());
}

#[test]
fn an_act_is_taken_once_and_never_from_before_the_process() {
    let replays = Replays::new(NOW);
    assert_eq!(replays.take(&signed(), NOW), Ok(()));
    assert_eq!(replays.take(&signed(), NOW.plus_seconds(9)), Err(SignedError::Replayed));
    let early = SignedAct::sign("policy.retire", Object::new(), NOW.plus_millis(-1), &signer());
    assert_eq!(replays.take(&early, NOW), Err(SignedError::Time));
}

#[test]
fn who_cannot_be_known_now_may_try_again_and_who_is_not_known_may_not() {
    let stale = SignedError::Stale.problem();
    assert_eq!((stale.status, stale.reason), (503, Some(Reason::AuditUnavailable)));
    for error in [SignedError::Unknown, SignedError::Time, SignedError::Signature, SignedError::Replayed] {
        let problem = error.problem();
        assert_eq!((problem.status, problem.reason), (401, Some(Reason::IdentityUnauthenticated)), "{error}");
    }
}
