use super::*;

fn plain(bytes: &[u8]) -> u64 {
    Checksum::empty().add(bytes).value()
}

#[test]
fn the_published_check_value() {
    assert_eq!(plain(b"123456789"), 0x995D_C9BB_DF19_39FA);
}

#[test]
fn any_split_gives_the_same_value() {
    // Long enough for what folds many bytes at a time to begin in the middle.
    let bytes: Vec<u8> = (0..1100u32).map(|i| (i * 37 % 251) as u8).collect();
    let whole = Checksum::salted(7).add(&bytes).value();
    for cut in 0..bytes.len() {
        assert_eq!(Checksum::salted(7).add(&bytes[..cut]).add(&bytes[cut..]).value(), whole, "cut at {cut}");
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

/// Bit by bit, as its definition says it: files that were written by another build of this are read by this one.
fn by_definition(bytes: &[u8]) -> u64 {
    let step = |crc: u64, _| if crc & 1 == 1 { crc >> 1 ^ 0xC96C_5795_D787_0F42 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u64::from(*byte), step))
}

#[test]
fn every_length_has_the_value_of_the_definition() {
    let bytes: Vec<u8> = (0..1100u32).map(|i| ((i * i) >> 3) as u8).collect();
    for length in (0..300).chain(500..530).chain(1020..1100) {
        assert_eq!(plain(&bytes[..length]), by_definition(&bytes[..length]), "{length} bytes");
    }
}
