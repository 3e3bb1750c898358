use super::OperatorKey;
use eleven_core::signature::{Signer as _, VerifyingKey};
use std::os::unix::fs::PermissionsExt as _;
use zeroize::Zeroizing;

const KID: &str = "key:11-11/operator/1";

#[test]
fn an_operators_key_comes_back_and_signs_and_is_its_owners_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("operator.key");
    let seed = Zeroizing::new([9; 32]);
    let made = OperatorKey::create(&file, "human:operator:dev", KID, &seed).expect("a key");
    let read = OperatorKey::load(&file).expect("the key");
    assert_eq!((read.identity.as_str(), read.signer.kid()), ("human:operator:dev", KID));
    let key = VerifyingKey::new(&made.signer.public()).expect("a key");
    assert!(key.verifies(b"act", &read.signer.sign(b"act")));
    assert!(OperatorKey::create(&file, "human:operator:dev", KID, &seed).is_err(), "a key is never overwritten");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("permissions");
    let refused = OperatorKey::load(&file).err().expect("a refusal").to_string();
    assert!(refused.contains("chmod 600") && !refused.contains("base64"), "{refused}");
    let absent = OperatorKey::load(&folder.path().join("absent")).err().expect("a refusal").to_string();
    assert!(absent.contains("`operator.key` in the configuration says where it is"), "{absent}");
}
