use super::*;
use proptest::collection::vec as any_vec;
use proptest::prelude::*;

/// [`Sha3::of_each`], as this processor does it and as one with narrower registers does.
fn of_each_in_every_width<const PARTS: usize>(messages: &[[&[u8]; PARTS]]) -> Vec<Vec<Sha3>> {
    let mut ways = alloc::vec![Sha3::of_each(messages)];
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = fearless_simd::Level::new().as_avx2() {
        ways.extend(lanes::sha3_at(fearless_simd::Level::Avx2(avx2), messages));
    }
    ways
}

/// SHA-512 and SHA3-512 of one message, by others' code.
fn by_library<D: sha3::digest::Digest>(message: &[u8]) -> [u8; 64] {
    D::digest(message).as_slice().try_into().expect("64 bytes")
}

/// SHA3-512 of FIPS 202's examples and the lengths around a block, in every number of messages that fill lanes or not.
#[test]
fn several_hashes_at_a_time_are_those_of_one_at_a_time() {
    let bytes: Vec<u8> = (0..400u32).map(|n| (n * 7 % 251) as u8).collect();
    let lengths = [0, 1, 71, 72, 73, 143, 144, 145, 216, 400];
    let all: Vec<[&[u8]; 1]> = lengths.iter().map(|length| [&bytes[..*length]]).collect();
    for first in 0..all.len() {
        for last in first..=all.len() {
            let some = &all[first..last];
            let one_by_one: Vec<Sha3> = some.iter().map(|message| Sha3::of(message)).collect();
            for hashes in of_each_in_every_width(some) {
                assert_eq!(hashes, one_by_one, "{first}..{last}");
            }
            let one_by_one: Vec<Blake2b> = some.iter().map(|message| Blake2b::of(message)).collect();
            assert_eq!(Blake2b::of_each(some), one_by_one, "{first}..{last}");
        }
    }
}

#[test]
fn every_length_around_a_block_is_hashed_as_the_library_does() {
    let bytes: Vec<u8> = (0..400u32).map(|n| (n * 11 % 251) as u8).collect();
    let all: Vec<[&[u8]; 1]> = (0..=300).map(|length| [&bytes[..length]]).collect();
    let sha512: Vec<[u8; 64]> = all.iter().map(|[message]| by_library::<sha2::Sha512>(message)).collect();
    assert_eq!(sha512_of_each(&all), sha512);
    for [message] in all {
        assert_eq!(Sha3::of(&[message]).0[..], by_library::<sha3::Sha3_512>(message), "{} bytes", message.len());
    }
}

#[test]
fn the_published_examples_hold_in_every_lane() {
    // FIPS 202's example values of SHA3-512, and RFC 7693's of BLAKE2b.
    let empty = "a69f73cca23a9ac5c8b567dc185a756e97c982164fe25859e0d1dcc1475c80a6\
                 15b2123af1f5f94c11e3e9402c3ac558f500199d95b6d3e301758586281dcd26";
    let abc = "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e\
               10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0";
    let messages: Vec<[&[u8]; 1]> = (0..10).map(|n| if n % 2 == 0 { [&b"abc"[..]] } else { [&b""[..]] }).collect();
    for hashes in of_each_in_every_width(&messages) {
        let digests: Vec<String> = hashes.iter().map(Sha3::hex).collect();
        assert_eq!(digests, [abc, empty].repeat(5));
    }
    let abc = "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1\
               7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923";
    let digests = Blake2b::of_each(&messages);
    assert!(digests.iter().step_by(2).all(|digest| digest.hex() == abc), "{digests:?}");
}

proptest! {
    /// In whatever pieces a message comes.
    #[test]
    fn one_message_is_hashed_as_the_library_does(
        message in any_vec(any::<u8>(), 0..700), cuts in any_vec(any::<prop::sample::Index>(), 0..5)
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(message.len() + 1)).collect();
        cuts.sort_unstable();
        let begins = core::iter::once(0).chain(cuts.iter().copied());
        let ends = cuts.iter().copied().chain([message.len()]);
        let pieces: Vec<&[u8]> = begins.zip(ends).map(|(begin, end)| &message[begin..end]).collect();
        let hash = Sha3::of(&pieces);
        prop_assert_eq!(&hash.0[..], by_library::<sha3::Sha3_512>(&message));
        let mut stream = Sha3Stream::default();
        pieces.iter().for_each(|piece| stream.update(piece));
        prop_assert_eq!(stream.finish(), hash);
    }

    /// Of whatever lengths the messages are, around the bytes that a block and its end take, too.
    #[test]
    fn several_messages_are_hashed_as_the_library_does_each(
        messages in any_vec((any_vec(any::<u8>(), 0..400), any::<prop::sample::Index>()), 0..21)
    ) {
        let parts = |(message, cut): &'_ (Vec<u8>, prop::sample::Index)| cut.index(message.len() + 1);
        let parts: Vec<[&[u8]; 2]> = messages.iter().map(|one| one.0.split_at(parts(one)).into()).collect();
        let expected: Vec<[u8; 64]> = messages.iter().map(|(message, _)| by_library::<sha2::Sha512>(message)).collect();
        prop_assert_eq!(sha512_of_each(&parts), expected);
    }

    /// Whatever the messages are and wherever their parts are cut.
    #[test]
    fn parts_are_hashed_as_if_they_were_one(
        messages in any_vec((any_vec(any::<u8>(), 0..700), any::<prop::sample::Index>()), 0..21)
    ) {
        let cut = |(message, at): &(Vec<u8>, prop::sample::Index)| at.index(message.len() + 1);
        let parts: Vec<[&[u8]; 2]> = messages.iter().map(|one| one.0.split_at(cut(one)).into()).collect();
        let whole: Vec<Sha3> = messages.iter().map(|(message, _)| Sha3::of(&[message])).collect();
        for hashes in of_each_in_every_width(&parts) {
            prop_assert_eq!(&hashes, &whole);
        }
        let whole: Vec<Blake2b> = messages.iter().map(|(message, _)| Blake2b::of(&[message])).collect();
        prop_assert_eq!(Blake2b::of_each(&parts), whole);
    }
}
