use super::{FileKeystore, Keystore as _, KeystoreError, Wanted, make_passphrase, passphrase, public_keys};
use eleven_api::edge;
use eleven_core::root::KeyUse;
use eleven_core::signature::VerifyingKey;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use zeroize::Zeroizing;

const PASSPHRASE: &[u8] = b"correct horse battery staple";

fn wanted() -> Vec<Wanted> {
    let key = |role: &str, usage| Wanted { kid: format!("key:11-11/{role}/a"), usage, owner: "ledger://11-11".into() };
    vec![key("audit", KeyUse::Event), key("head", KeyUse::Head)]
}

fn random() -> Zeroizing<[u8; 32]> {
    Zeroizing::new(edge::random())
}

fn make(path: &Path) -> FileKeystore {
    FileKeystore::create(path, "ledger", PASSPHRASE, wanted(), random).expect("a keystore")
}

#[test]
fn keys_come_back_and_sign() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keystore.json");
    let made = make(&path);
    let opened = FileKeystore::open(&path, "ledger", PASSPHRASE).expect("the keystore");
    assert_eq!(opened.keys(), made.keys());
    assert_eq!(public_keys(&path, "ledger").expect("public keys"), made.keys());
    assert_eq!(std::fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
    for (usage, key) in [KeyUse::Event, KeyUse::Head].into_iter().zip(made.keys()) {
        let signer = opened.signer(usage).expect("a signer");
        let verifying = VerifyingKey::new(&key.public).expect("a key");
        assert_eq!(signer.kid(), key.kid);
        assert!(verifying.verifies(b"message", &signer.sign(b"message")));
    }
    assert!(matches!(opened.signer(KeyUse::Issuer), Err(KeystoreError::NoKey(_, KeyUse::Issuer))));
}

#[test]
fn it_opens_for_its_corner_and_passphrase_only_and_is_never_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keystore.json");
    make(&path);
    let wrong = FileKeystore::open(&path, "ledger", b"correct horse battery stable");
    assert!(matches!(wrong, Err(KeystoreError::Sealed(_))));
    assert!(matches!(FileKeystore::open(&path, "runtime", PASSPHRASE), Err(KeystoreError::Corner(_, _))));
    let again = FileKeystore::create(&path, "ledger", PASSPHRASE, wanted(), random);
    assert!(matches!(again, Err(KeystoreError::Exists(_))));
    FileKeystore::open(&path, "ledger", PASSPHRASE).expect("still the keystore");
}

#[test]
fn a_changed_file_does_not_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keystore.json");
    make(&path);
    let text = std::fs::read_to_string(&path).expect("the file");
    let sealed = text.find("\"sealed\":\"base64:").expect("sealed bytes") + 20;
    let flipped = if text.as_bytes()[sealed] == b'A' { "B" } else { "A" };
    let changes = [
        text.replace("key:11-11/head/a", "key:11-11/head/b"),
        text.replace("\"passes\":2", "\"passes\":1"),
        format!("{}{flipped}{}", &text[..sealed], &text[sealed + 1..]),
        text.replace("\"use\":\"event\"", "\"use\":\"attestation\""),
        text.replace("\"v\":\"1\"", "\"v\":\"2\""),
        text[..text.len() - 1].to_owned(),
    ];
    for changed in changes {
        assert_ne!(changed, text);
        std::fs::write(&path, &changed).expect("written");
        assert!(FileKeystore::open(&path, "ledger", PASSPHRASE).is_err(), "{changed}");
    }
    std::fs::write(&path, text.replace("19456", "4194304")).expect("written");
    let costly = FileKeystore::open(&path, "ledger", PASSPHRASE);
    assert!(matches!(costly, Err(KeystoreError::Form(_, _))), "a cost that would exhaust memory is refused unread");
}

#[test]
fn the_same_seeds_never_seal_to_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let seal = |name: &str| {
        let path = folder.path().join(name);
        make(&path);
        std::fs::read_to_string(&path).expect("the file")
    };
    assert_ne!(seal("a"), seal("b"));
}

#[test]
fn a_passphrase_is_its_owners_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keystore.pass");
    make_passphrase(&path, &edge::random()).expect("a passphrase");
    let first = passphrase(&path).expect("the passphrase");
    make_passphrase(&path, &edge::random()).expect("nothing to do");
    assert_eq!(first, passphrase(&path).expect("the same passphrase"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("permissions");
    assert!(matches!(passphrase(&path), Err(KeystoreError::Passphrase(_, _))));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("permissions");
    std::fs::write(&path, "short\n").expect("written");
    assert!(matches!(passphrase(&path), Err(KeystoreError::Passphrase(_, _))));
}

#[test]
fn what_is_held_signs_as_the_protocols_own_signer_does() {
    use super::Held;
    use eleven_core::signature::{SeedSigner, Signer as _, VerifyingKey};
    for n in 0..32u8 {
        let (seed, message) = ([n; 32], vec![n; usize::from(n) * 9]);
        let held = Held::new("key:test/role/a".to_owned(), &seed).expect("a key");
        let theirs = SeedSigner::new("key:test/role/a", &seed);
        assert_eq!((held.kid(), held.public()), (theirs.kid(), theirs.public()));
        assert_eq!(held.sign(&message), theirs.sign(&message));
        assert!(VerifyingKey::new(&held.public()).is_some_and(|key| key.verifies(&message, &held.sign(&message))));
    }
}

#[test]
fn keys_are_added_beside_those_that_are_held_and_both_sign() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keystore.json");
    let made = make(&path);
    let newer = || {
        let (kid, usage, owner) = ("key:11-11/head/b".to_owned(), KeyUse::Head, "ledger://11-11".to_owned());
        vec![Wanted { kid, usage, owner }]
    };
    let before = std::fs::read(&path).expect("the file");
    let wrong = FileKeystore::add(&path, "ledger", b"correct horse battery stable", newer(), random);
    assert!(matches!(wrong, Err(KeystoreError::Sealed(_))));
    assert_eq!(std::fs::read(&path).expect("the file"), before, "what is not opened is not replaced");
    let added = FileKeystore::add(&path, "ledger", PASSPHRASE, newer(), random).expect("added");
    let [newer] = &added[..] else { panic!("one key: {added:?}") };
    let opened = FileKeystore::open(&path, "ledger", PASSPHRASE).expect("the keystore");
    assert_eq!(opened.keys(), [made.keys(), &added].concat());
    assert_eq!(std::fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
    let heads = opened.ring(KeyUse::Head).expect("head keys");
    assert_eq!(heads.newest().kid(), newer.kid);
    assert_eq!(opened.signer(KeyUse::Head).expect("a signer").kid(), newer.kid);
    for key in opened.keys().iter().filter(|key| key.usage == KeyUse::Head) {
        let signer = heads.named(&key.kid).expect("it is held");
        assert!(VerifyingKey::new(&key.public).expect("a key").verifies(b"message", &signer.sign(b"message")));
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 1, "no draft is left");
}

#[test]
fn no_key_is_added_of_a_name_that_is_held() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keystore.json");
    make(&path);
    let before = std::fs::read(&path).expect("the file");
    let new = Wanted { kid: "key:11-11/issuer/a".into(), usage: KeyUse::Issuer, owner: "ledger://11-11".into() };
    let more = std::iter::once(new).chain(wanted()).collect();
    let again = FileKeystore::add(&path, "ledger", PASSPHRASE, more, random);
    assert!(matches!(&again, Err(KeystoreError::Known(_, kid)) if kid == "key:11-11/audit/a"), "{again:?}");
    assert_eq!(std::fs::read(&path).expect("the file"), before, "nor is another beside it");
}

#[test]
fn of_two_who_add_keys_at_once_none_takes_away_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keystore.json");
    make(&path);
    // One that was cut short.
    std::fs::write(path.with_extension("new"), b"half of a keystore").expect("written");
    let add = |label: usize| {
        let (kid, usage) = (format!("key:11-11/head/{label}"), KeyUse::Head);
        let wanted = vec![Wanted { kid, usage, owner: "ledger://11-11".into() }];
        FileKeystore::add(&path, "ledger", PASSPHRASE, wanted, random)
    };
    let added: Vec<bool> = std::thread::scope(|scope| {
        let adding: Vec<_> = (0..4).map(|label| scope.spawn(move || add(label).map(drop))).collect();
        let ended = adding.into_iter().map(|one| one.join().expect("it ends"));
        ended
            .map(|added| added.map_err(|error| assert!(matches!(error, KeystoreError::Busy(_)), "{error}")).is_ok())
            .collect()
    });
    let opened = FileKeystore::open(&path, "ledger", PASSPHRASE).expect("the keystore");
    let labels: Vec<String> = opened.keys().iter().map(|key| key.kid.clone()).collect();
    for (label, added) in added.iter().enumerate() {
        assert_eq!(labels.contains(&format!("key:11-11/head/{label}")), *added, "{label}: {labels:?}");
    }
    assert!(added.contains(&true) && !path.with_extension("new").exists());
}
