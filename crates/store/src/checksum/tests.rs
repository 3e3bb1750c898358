use super::*;

fn plain(bytes: &[u8]) -> u64 {
    Checksum(!0).add(bytes).value()
}

#[test]
fn the_published_check_value() {
    assert_eq!(plain(b"123456789"), 0x995D_C9BB_DF19_39FA);
}

#[test]
fn any_split_gives_the_same_value() {
    let bytes: Vec<u8> = (0..100u8).map(|i| i.wrapping_mul(37)).collect();
    let whole = plain(&bytes);
    for cut in 0..bytes.len() {
        assert_eq!(Checksum(!0).add(&bytes[..cut]).add(&bytes[cut..]).value(), whole, "cut at {cut}");
    }
}

#[test]
fn every_single_bit_and_the_salt_count() {
    let bytes = [7u8; 40];
    let value = Checksum::salted(1).add(&bytes).value();
    assert_ne!(Checksum::salted(2).add(&bytes).value(), value);
    for bit in 0..bytes.len() * 8 {
        let mut other = bytes;
        other[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(Checksum::salted(1).add(&other).value(), value, "bit {bit}");
    }
}
