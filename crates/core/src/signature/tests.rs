use super::*;
use crate::encoding::parse;
use alloc::vec;
use sha2::Digest as _;

/// The same key with a table as a processor without wide registers has it.
fn plainly_tabled(key: &VerifyingKey) -> VerifyingKey {
    let made = OnceBox::with_value(Box::new(Some(Multiples::Plain(Table::of(&key.minus)))));
    let lazy = LazyTable { made, begun: AtomicBool::new(true), tables: Tables::new(0) };
    VerifyingKey { table: Some(Arc::new(lazy)), ..key.clone() }
}

#[test]
fn vectors() {
    let file = parse(include_bytes!("../../../../spec/vectors/ed25519.json")).expect("I-JSON");
    let cases = file.as_array().expect("an array");
    let mut readable = Vec::new();
    for case in cases {
        let text = |name: &str| case.get(name).and_then(Value::as_str).expect("a string");
        let public = bytes32(text("public"));
        let message = hash::unbase64(text("message").strip_prefix("base64:").expect("base64:")).expect("base64");
        let sig = bytes64(text("sig"));
        let (Some(public), Some(sig)) = (public, sig) else { panic!("sizes: {case}") };
        let expected = case.get("valid") == Some(&Value::Bool(true));
        match VerifyingKey::new(&public) {
            Some(key) => readable.push((key, message, sig, expected)),
            None => assert!(!expected, "{case}"),
        }
    }
    let tabled = |key: &VerifyingKey| key.clone().with_table(&Tables::new(1));
    let ways: [fn(&VerifyingKey) -> VerifyingKey; 3] = [VerifyingKey::clone, tabled, plainly_tabled];
    for key in ways {
        let keys: Vec<VerifyingKey> = readable.iter().map(|(plain, ..)| key(plain)).collect();
        let signed = keys.iter().zip(&readable).map(|(key, (_, message, sig, _))| (key, &message[..], sig));
        let signed: Vec<(&VerifyingKey, &[u8], &[u8; 64])> = signed.collect();
        let together = VerifyingKey::verify_each(&signed);
        for (((key, message, sig), together), (.., expected)) in signed.iter().zip(together).zip(&readable) {
            let alone = key.verifies(message, sig);
            // As on a processor without wide registers.
            let equation = Equation::of_each(&[(*key, *message, *sig)]).pop();
            let by_library = equation.map(|equation| equation.recompute().compress().0);
            let by_library = by_library.is_some_and(|point| point == *halves(sig).0 && !is_of_small_order(&point));
            assert_eq!((alone, together, by_library), (*expected, *expected, *expected), "{key:?}");
        }
    }
}

#[test]
fn signatures_that_are_verified_together_are_each_judged_by_themselves() {
    let signers = [SeedSigner::new("key:test/role/a", &[7; 32]), SeedSigner::new("key:test/role/b", &[8; 32])];
    let plain = signers.each_ref().map(|signer| VerifyingKey::new(&signer.public()).expect("a key"));
    // Two by turns: one with a table and one without.
    let [a, b] = plain;
    let keys = [a.with_table(&Tables::new(1)), b];
    let messages: Vec<Vec<u8>> = (0..40u8).map(|n| vec![n; usize::from(n)]).collect();
    let mut signatures: Vec<[u8; 64]> =
        messages.iter().enumerate().map(|(at, message)| signers[at % 2].sign(message)).collect();
    // A bit of R, a bit of S, an S that is not canonical, another key's.
    signatures[3][5] ^= 1;
    signatures[8][40] ^= 1;
    signatures[13][32..].fill(0xff);
    signatures[21] = signers[0].sign(&messages[21]);
    let wrong = [3, 8, 13, 21];
    let signed: Vec<(&VerifyingKey, &[u8], &[u8; 64])> =
        (0..messages.len()).map(|at| (&keys[at % 2], messages[at].as_slice(), &signatures[at])).collect();
    let judged = VerifyingKey::verify_each(&signed);
    for (at, ((key, message, signature), judged)) in signed.iter().zip(&judged).enumerate() {
        assert_eq!((*judged, key.verifies(message, signature)), (!wrong.contains(&at), !wrong.contains(&at)), "{at}");
    }
    assert_eq!((judged.len(), VerifyingKey::verify_each(&[]).len()), (40, 0));
}

#[test]
fn the_equation_has_no_cofactor_for_keys_of_mixed_order_either() {
    let scalar = |n: u64| Scalar::from_bytes_mod_order_wide(&sha2::Sha512::digest(n.to_le_bytes()).into());
    let (a, torsion) = (scalar(1), EIGHT_TORSION[1]);
    let key = VerifyingKey::new((EdwardsPoint::mul_base(&a) + torsion).compress().as_bytes()).expect("a key");
    let key = key.with_table(&Tables::new(1));
    let signed: Vec<([u8; 8], [u8; 64], bool)> = (0..64u64)
        .map(|n| {
            let (message, r) = (n.to_le_bytes(), scalar(n + 2));
            let mut sig = [0; 64];
            sig[..32].copy_from_slice(EdwardsPoint::mul_base(&r).compress().as_bytes());
            let k = Equation::of_each(&[(&key, &message, &sig)]).pop().expect("0 is canonical").k;
            sig[32..].copy_from_slice((r + k * a).as_bytes());
            // What the torsion adds is nothing where k is a multiple of eight.
            (message, sig, k.as_bytes()[0].is_multiple_of(8))
        })
        .collect();
    let holds: Vec<bool> = signed.iter().map(|(.., holds)| *holds).collect();
    assert!(holds.contains(&true) && holds.contains(&false));
    let together: Vec<(&VerifyingKey, &[u8], &[u8; 64])> =
        signed.iter().map(|(message, sig, _)| (&key, &message[..], sig)).collect();
    assert_eq!(VerifyingKey::verify_each(&together), holds);
    for ((key, message, sig), holds) in together.iter().zip(holds) {
        assert_eq!(key.verifies(message, sig), holds);
    }
}

/// Whoever has a key can make one for any message, and needs no nonce for it: what follows ZIP-215 takes it.
#[test]
fn an_r_of_small_order_is_refused_though_the_equation_holds() {
    let a = Scalar::from_bytes_mod_order_wide(&sha2::Sha512::digest(b"a key").into());
    let plain = VerifyingKey::new(EdwardsPoint::mul_base(&a).compress().as_bytes()).expect("a key");
    let tabled = plain.clone().with_table(&Tables::new(1));
    let messages = [&b"one"[..], b"another", b""];
    let forged = messages.map(|message| {
        let mut sig = [0; 64];
        sig[..32].copy_from_slice(EdwardsPoint::identity().compress().as_bytes());
        let k = Equation::of_each(&[(&plain, message, &sig)]).pop().expect("0 is canonical").k;
        sig[32..].copy_from_slice((k * a).as_bytes());
        sig
    });
    for key in [&plain, &tabled] {
        let signed: Vec<(&VerifyingKey, &[u8], &[u8; 64])> =
            messages.iter().zip(&forged).map(|(message, sig)| (key, *message, sig)).collect();
        for (equation, sig) in Equation::of_each(&signed).iter().zip(&forged) {
            assert_eq!(equation.recompute().compress().0, *halves(sig).0, "the equation holds");
        }
        assert_eq!(VerifyingKey::verify_each(&signed), [false; 3]);
        for (key, message, sig) in signed {
            assert!(!key.verifies(message, sig));
        }
    }
}

#[test]
fn a_signer_and_its_key_agree_and_nothing_else_does() {
    let signer = SeedSigner::new("key:test/role/a", &[7; 32]);
    let key = VerifyingKey::new(&signer.public()).expect("a key");
    let tabled = key.clone().with_table(&Tables::new(1));
    let sig = signer.sign(b"message");
    assert!(key.verifies(b"message", &sig) && tabled.verifies(b"message", &sig));
    for bit in 0..512 {
        let mut other = sig;
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(!key.verifies(b"message", &other) && !tabled.verifies(b"message", &other));
    }
    assert!(!key.verifies(b"messagE", &sig));
}

#[test]
fn tables_go_to_the_keys_that_verify_first() {
    let tables = Tables::new(2);
    let signers = [1u8, 2, 3, 4].map(|seed| SeedSigner::new("key:test/role/a", &[seed; 32]));
    let keys = signers.each_ref().map(|signer| VerifyingKey::new(&signer.public()).expect("a key").with_table(&tables));
    for at in [2, 0, 1, 2, 3] {
        assert!(keys[at].verifies(b"message", &signers[at].sign(b"message")));
        assert!(!keys[at].clone().verifies(b"another", &signers[at].sign(b"message")));
    }
    assert_eq!(keys.each_ref().map(|key| key.multiples().is_some()), [true, false, true, false]);
}

#[test]
fn a_key_that_several_verify_with_at_once_takes_one_table() {
    extern crate std;
    let signer = SeedSigner::new("key:test/role/a", &[9; 32]);
    let signature = signer.sign(b"message");
    for _ in 0..20 {
        let tables = Tables::new(8);
        let key = VerifyingKey::new(&signer.public()).expect("a key").with_table(&tables);
        let together = std::sync::Barrier::new(4);
        let verify = || {
            together.wait();
            assert!(key.verifies(b"message", &signature));
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(verify);
            }
        });
        assert_eq!((tables.0.load(Ordering::Relaxed), key.multiples().is_some()), (7, true));
    }
}

#[test]
fn a_table_multiplies_as_the_library_does() {
    let point = -VerifyingKey::new(&SeedSigner::new("key:test/role/a", &[7; 32]).public()).expect("a key").minus;
    let (six, eight) = (Table::<6>::of(&point), Table::<8>::of(&point));
    let mut scalars: Vec<Scalar> = (0..300u32).map(Scalar::from).collect();
    scalars.extend((0..300u32).map(|n| -Scalar::from(n)));
    // Every power of two, and one less: each digit at its edges, carries through all rows.
    let mut power = Scalar::ONE;
    for _ in 0..253 {
        scalars.extend([power, power - Scalar::ONE, -power]);
        power += power;
    }
    let hashed = |n: u8| Scalar::from_bytes_mod_order_wide(&sha2::Sha512::digest([n]).into());
    scalars.extend((0..=255).map(hashed));
    for scalar in &scalars {
        let expected = point * scalar;
        for product in [
            six.add_product(EdwardsPoint::identity(), scalar),
            eight.add_product(EdwardsPoint::identity(), scalar),
            six.add_product(point, scalar) - point,
        ] {
            assert_eq!(product, expected, "{scalar:?}");
        }
    }
    assert_eq!(
        table::base().add_product(EdwardsPoint::identity(), &scalars[700]),
        EdwardsPoint::mul_base(&scalars[700])
    );
}

#[test]
fn a_key_is_torsion_free_exactly_where_the_library_says_so() {
    let honest = (0..16u8).map(|seed| EdwardsPoint::mul_base(&Scalar::from(u64::from(seed) * 0x1234_5678_9abc + 1)));
    for point in honest {
        for torsion in curve25519_dalek::constants::EIGHT_TORSION {
            let mixed = point + torsion;
            let key = VerifyingKey::new(mixed.compress().as_bytes()).expect("a canonical point of large order");
            assert_eq!(key.is_torsion_free(), mixed.is_torsion_free());
            assert_eq!(key.is_torsion_free(), torsion.is_identity());
        }
    }
}

#[test]
fn a_key_is_taken_exactly_where_its_bytes_are_those_of_its_point() {
    let by_encoding_anew = |encoded: &[u8; 32]| {
        let point = CompressedEdwardsY(*encoded).decompress();
        point.is_some_and(|point| point.compress().as_bytes() == encoded && !point.mul_by_cofactor().is_identity())
    };
    // Every y around 0 and around the modulus, above it up to 2^255, with either sign; and some in between.
    let mut all: Vec<[u8; 32]> = Vec::new();
    for low in 0..=255u8 {
        for (middle, high) in [(0xff, 0x7f), (0xff, 0x7e), (0, 0), (0, 0x7f), (0xfe, 0x7f), (low, low & 0x7f)] {
            let mut encoded = [middle; 32];
            (encoded[0], encoded[31]) = (low, high);
            all.push(encoded);
            encoded[31] |= 0x80;
            all.push(encoded);
        }
    }
    let taken = all.iter().filter(|encoded| {
        assert_eq!(VerifyingKey::new(encoded).is_some(), by_encoding_anew(encoded), "{}", hash::hex(&encoded[..]));
        by_encoding_anew(encoded)
    });
    // About half of all y belong to a point.
    assert!((1000..2500).contains(&taken.count()), "neither all nor none");
}
