use super::*;
use crate::faulty::FaultyDisk;

fn packed(records: &[Vec<u8>]) -> (FaultyDisk, Blocks) {
    let disk = FaultyDisk::new(1);
    let mut writer = Writer::create(&disk, 100, 100 + records.len() as u64).expect("create");
    records.iter().for_each(|record| writer.push(record).expect("push"));
    let blocks = writer.finish().expect("finish");
    (disk, blocks)
}

#[test]
fn blocks_hold_what_was_pushed_each_from_its_position() {
    let record = |n: usize| vec![n as u8; n * 37 % 9000];
    let pushed: Vec<Vec<u8>> = (0..100).map(record).chain([Vec::new(), vec![7; 200_000], Vec::new()]).collect();
    let (disk, blocks) = packed(&pushed);
    let file = disk.open(TEMPORARY).expect("the file");
    let (mut at, mut blocks_seen) = (100, 0);
    while at < blocks.next() {
        let (number, position) = blocks.holding(at);
        assert_eq!((number, position), (blocks_seen, at), "each position past a block begins the next");
        let bytes = blocks.unpack(&*file, "a", number).expect("unpack");
        for record in records(&bytes).expect("records") {
            assert_eq!(record, pushed[(at - 100) as usize]);
            assert_eq!(blocks.holding(at), (number, position));
            at += 1;
        }
        blocks_seen += 1;
    }
    assert!(at == 203 && blocks_seen > 3);
}

#[test]
fn a_segment_with_too_few_records_is_not_finished() {
    let disk = FaultyDisk::new(1);
    let mut writer = Writer::create(&disk, 0, 2).expect("create");
    writer.push(b"one").expect("push");
    assert!(writer.finish().is_err());
}

#[test]
fn lengths_that_do_not_fit_are_no_records() {
    assert_eq!(records(&[2, 0, 0, 0, 7, 8]), Some(vec![&[7, 8][..]]));
    assert_eq!(records(&[3, 0, 0, 0, 7, 8]), None);
    assert_eq!(records(&[3, 0, 0]), None);
}
