use super::*;
use crate::encoding::parse;

#[test]
fn vectors() {
    let file = parse(include_bytes!("../../../../spec/vectors/ed25519.json")).expect("I-JSON");
    for case in file.as_array().expect("an array") {
        let text = |name: &str| case.get(name).and_then(Value::as_str).expect("a string");
        let public = bytes32(text("public"));
        let message = hash::unbase64(text("message").strip_prefix("base64:").expect("base64:")).expect("base64");
        let sig = bytes64(text("sig"));
        let (Some(public), Some(sig)) = (public, sig) else { panic!("sizes: {case}") };
        let expected = case.get("valid") == Some(&Value::Bool(true));
        let plain = VerifyingKey::new(&public).is_some_and(|key| key.verifies(&message, &sig));
        let tabled = VerifyingKey::new(&public).is_some_and(|key| key.with_table().verifies(&message, &sig));
        assert_eq!((plain, tabled), (expected, expected), "{case}");
    }
}

#[test]
fn a_signer_and_its_key_agree_and_nothing_else_does() {
    let signer = SeedSigner::new("key:test/role/a", &[7; 32]);
    let key = VerifyingKey::new(&signer.public()).expect("a key");
    let tabled = key.clone().with_table();
    let sig = signer.sign(b"message");
    assert!(key.verifies(b"message", &sig) && tabled.verifies(b"message", &sig));
    for bit in 0..512 {
        let mut other = sig;
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(!key.verifies(b"message", &other) && !tabled.verifies(b"message", &other));
    }
    assert!(!key.verifies(b"messagE", &sig));
}
