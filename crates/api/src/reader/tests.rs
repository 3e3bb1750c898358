use super::*;
use crate::edge::ManualClock;
use eleven_core::hash::Sha256;
use eleven_core::signature::SeedSigner;
use http::header::AUTHORIZATION;

fn now() -> Time {
    Time::parse_millis("2026-05-12T17:00:00.000Z").expect("a time")
}

#[test]
fn a_signature_is_for_one_path_and_ten_seconds() {
    let signer = SeedSigner::new("key:11-11/authority/1".to_owned(), &Sha256::of(&[b"seed"]).0);
    let key = VerifyingKey::new(&signer.public()).expect("a key");
    let headers: HeaderMap = signed("/v1/proof/lineage/X?n=1", &signer, now()).into_iter().collect();
    let read = SignedRead::of(&headers).expect("signed");
    assert_eq!(read.kid, signer.kid());
    for apart in [-10_000, 0, 10_000] {
        assert!(read.verifies("/v1/proof/lineage/X?n=1", &key, now().plus_millis(apart)));
    }
    for apart in [-10_001, 10_001] {
        assert!(!read.verifies("/v1/proof/lineage/X?n=1", &key, now().plus_millis(apart)));
    }
    assert!(!read.verifies("/v1/proof/lineage/Y?n=1", &key, now()));
    let other = SeedSigner::new(signer.kid().to_owned(), &[7; 32]);
    assert!(!read.verifies("/v1/proof/lineage/X?n=1", &VerifyingKey::new(&other.public()).expect("a key"), now()));
    for missing in [READER, TIME, SIGNATURE] {
        let mut headers = headers.clone();
        headers.remove(missing);
        assert!(SignedRead::of(&headers).is_none());
    }
    for twice in [READER, TIME, SIGNATURE] {
        let mut headers = headers.clone();
        headers.append(twice, headers[twice].clone());
        assert!(SignedRead::of(&headers).is_none(), "nobody knows which of the two counts");
    }
}

#[test]
fn a_large_append_is_signed_for_and_a_small_one_is_not() {
    let signer = SeedSigner::new("key:11-11/authority/1".to_owned(), &Sha256::of(&[b"seed"]).0);
    let key = VerifyingKey::new(&signer.public()).expect("a key");
    let by = ReadAs { signer: Arc::new(signer), clock: Arc::new(ManualClock::new(now())) };
    assert_eq!(by.for_append(UNCOUNTED), Vec::new(), "it has its room anyway");
    let headers: HeaderMap = by.for_append(UNCOUNTED + 1).into_iter().collect();
    assert!(SignedRead::of(&headers).expect("signed").verifies("/v1/audit/events", &key, now()));
}

#[test]
fn a_bearer_credential_stands_behind_its_scheme() {
    let headers = |text: &'static str| HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(text))]);
    assert_eq!(bearer(&headers("Bearer abc")), Some("abc"));
    assert_eq!(bearer(&headers("bearer abc")), Some("abc"), "in any case");
    assert_eq!(bearer(&headers("Basic abc")), None);
    assert_eq!(bearer(&HeaderMap::new()), None);
}

#[test]
fn who_sent_a_secret_is_not_told_to_send_one() {
    let headers = |text: &'static str| HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(text))]);
    for nothing in [HeaderMap::new(), headers("Basic abc"), headers("Bearer ")] {
        assert!(how_to_be_known(&nothing).starts_with("send an auditor's secret as `Authorization: Bearer`"));
    }
    let sent = how_to_be_known(&headers("Bearer elk_examiner_x"));
    assert!(sent.starts_with("what was sent as `Authorization: Bearer` is no secret of an auditor that counts here"));
    assert!(sent.contains("the ledger's next head"));
}
