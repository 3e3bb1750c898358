use super::*;
use crate::faulty::FaultyDisk;

const CAPACITY: u64 = 1 << 20;

#[test]
fn a_disk_without_room_for_the_next_segment_is_not_filled_with_its_zeros() {
    let disk = FaultyDisk::new(1);
    disk.set_room(Some(CAPACITY as usize - 1));
    let metrics: Arc<Metrics> = Arc::default();
    let mut spare = Spare::default();
    spare.prepare(&(Arc::new(disk.clone()) as Arc<dyn Disk>), CAPACITY, &metrics);
    let made = spare.job.take().expect("a thread").thread.join().expect("it ends");
    assert_eq!(made.err().expect("there is no room").raw_os_error(), Some(28), "ENOSPC");
    assert_eq!((disk.used(), disk.names().len()), (0, 0), "all the room is free again");
    assert_eq!(metrics.failed_spares.load(Relaxed), 1);

    // Who needs the segment tries once more, and leaves as little where there is still no room.
    assert!(spare.take(&disk, CAPACITY).is_err());
    assert_eq!(disk.used(), 0);
    disk.set_room(None);
    let (_, capacity) = spare.take(&disk, CAPACITY).expect("made");
    assert_eq!((capacity, disk.used() as u64), (CAPACITY, CAPACITY));
}
