use super::*;

const SALT: u64 = 0x1111_2222_3333_4444;

fn frame(records: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![0xEE; 3];
    encode(&mut out, SALT, 64, 9, records);
    out
}

#[test]
fn a_frame_gives_back_its_records() {
    for records in [vec![&b""[..]], vec![b"a"], vec![b"one", b"", b"three"], vec![&[7; 1000], &[8; 1]]] {
        let bytes = frame(&records);
        assert_eq!(bytes.len() as u64, extent(&records));
        assert_eq!(bytes.len() % ALIGN, 0);
        let header = FrameHeader::parse(&bytes, SALT, 64).expect("header");
        assert_eq!((header.first, header.next()), (9, 9 + records.len() as u64));
        assert_eq!(header.extent(), bytes.len() as u64);
        assert_eq!(header.records(&bytes[FRAME_HEADER..], SALT).expect("body"), records);
    }
}

#[test]
fn no_flipped_bit_and_no_cut_passes() {
    let bytes = frame(&[b"hello", b"world!"]);
    let whole = |bytes: &[u8]| {
        FrameHeader::parse(bytes, SALT, 64)
            .is_some_and(|header| bytes.get(FRAME_HEADER..).is_some_and(|body| header.records(body, SALT).is_some()))
    };
    assert!(whole(&bytes));
    for bit in 0..bytes.len() * 8 {
        let mut other = bytes.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(!whole(&other), "bit {bit}");
    }
    for cut in 0..bytes.len() {
        assert!(!whole(&bytes[..cut]), "cut {cut}");
    }
}

#[test]
fn a_frame_counts_only_in_its_file_and_at_its_place() {
    let bytes = frame(&[b"hello"]);
    assert!(FrameHeader::parse(&bytes, SALT + 1, 64).is_none());
    assert!(FrameHeader::parse(&bytes, SALT, 72).is_none());
}

#[test]
fn a_segment_header_gives_itself_back_and_nothing_else_passes() {
    let header = SegmentHeader { first: 5, capacity: 4096, salt: SALT };
    let bytes = header.encode();
    assert_eq!(SegmentHeader::parse(&bytes), Ok(header));
    for bit in 0..bytes.len() * 8 {
        let mut other = bytes;
        other[bit / 8] ^= 1 << (bit % 8);
        match SegmentHeader::parse(&other) {
            Err(HeaderError::Version(_)) => assert_eq!(bit / 32, 2, "only the version's own bits"),
            Err(HeaderError::Damaged(_)) => {}
            Ok(_) => panic!("bit {bit} passed"),
        }
    }
    assert!(matches!(SegmentHeader::parse(&bytes[..63]), Err(HeaderError::Damaged(_))));
}
