use super::*;
use crate::disk::{read_exact, write_all};

/// A disk with "old" durable in the file `f`, a handle to it, and the number of the next operation.
fn with_old() -> (FaultyDisk, Arc<dyn DiskFile>, usize) {
    let disk = FaultyDisk::new(1);
    let file = disk.create("f").expect("create");
    write_all(&*file, 0, b"oldold").expect("write");
    file.sync_data().expect("sync");
    disk.sync_dir().expect("sync the folder");
    let next = disk.done().len();
    (disk, file, next)
}

fn read(disk: &FaultyDisk) -> Vec<u8> {
    disk.bytes("f").expect("the file")
}

#[test]
fn a_crash_keeps_the_synced_and_what_it_is_told_of_the_rest() {
    for (survival, wanted) in [(Survival::Lost, b"oldold"), (Survival::Kept, b"newnew"), (Survival::Torn(2), b"nedold")]
    {
        let (disk, file, _) = with_old();
        write_all(&*file, 0, b"newnew").expect("write");
        assert_eq!(read(&disk), b"newnew", "seen at once");
        assert_eq!(read(&disk.reboot(survival)), wanted, "{survival:?}");
        assert!(file.sync_data().is_err(), "a handle from before the crash is dead");
    }
}

#[test]
fn a_failed_sync_forgets_what_it_did_not_persist() {
    for (effect, wanted) in [(Effect::Nothing, b"oldold"), (Effect::Part(3), b"newold"), (Effect::All, b"newnew")] {
        let (disk, file, next) = with_old();
        disk.plan(next + 1, Fault::Eio(effect));
        write_all(&*file, 0, b"newnew").expect("write");
        assert_eq!(file.sync_data().err().and_then(|error| error.raw_os_error()), Some(EIO));
        assert_eq!(read(&disk), b"newnew", "the cache still shows it");
        file.sync_data().expect("and the next sync succeeds");
        assert_eq!(read(&disk.reboot(Survival::Kept)), wanted, "{effect:?}");
    }
}

#[test]
fn writes_fail_short_or_with_part_of_their_effect() {
    let (disk, file, next) = with_old();
    disk.plan(next, Fault::Short(2));
    assert_eq!(file.write_at(0, b"newnew").expect("short"), 2);
    assert_eq!(read(&disk), b"nedold");
    disk.plan(next + 1, Fault::Enospc(Effect::Part(1)));
    assert_eq!(file.write_at(5, b"xy").err().and_then(|error| error.raw_os_error()), Some(ENOSPC));
    assert_eq!(read(&disk), b"nedolx");
    assert_eq!(disk.done().len(), next + 2);
}

#[test]
fn names_wait_for_the_sync_of_the_folder() {
    let (disk, _, _) = with_old();
    disk.rename("f", "g").expect("rename");
    disk.create("h").map(drop).expect("create");
    assert_eq!(disk.names(), ["g", "h"]);
    let disk = disk.reboot(Survival::Lost);
    assert_eq!(disk.names(), ["f"]);
    disk.remove("f").expect("remove");
    disk.sync_dir().expect("sync the folder");
    assert_eq!(disk.reboot(Survival::Lost).names(), [""; 0]);
}

#[test]
fn after_a_planned_crash_nothing_works_until_the_reboot() {
    let (disk, file, next) = with_old();
    disk.plan(next, Fault::Crash);
    assert!(file.write_at(0, b"new").is_err());
    assert!(disk.is_down() && disk.list().is_err());
    let disk = disk.reboot(Survival::Kept);
    let mut bytes = [0; 6];
    read_exact(&*disk.open("f").expect("open"), 0, &mut bytes).expect("read");
    assert_eq!(&bytes, b"newold", "the write it crashed in may have happened");
}

#[test]
fn scattering_follows_its_seed() {
    let outcome = |seed| {
        let (disk, file, _) = with_old();
        write_all(&*file, 0, &[b'x'; 64 * SCATTER_BYTES]).expect("write");
        read(&disk.reboot(Survival::Scattered(seed)))
    };
    assert_eq!(outcome(7), outcome(7));
    assert_ne!(outcome(7), outcome(8));
    assert!(outcome(7).contains(&0) && outcome(7).contains(&b'x'));
}

#[test]
fn a_full_disk_takes_what_fits_and_no_more() {
    let (disk, file, _) = with_old();
    disk.set_room(Some(8));
    let error = file.write_at(4, b"123456").expect_err("two bytes too many");
    assert_eq!((error.raw_os_error(), disk.used()), (Some(ENOSPC), 8));
    assert_eq!(read(&disk), b"oldo1234");
    assert_eq!(file.write_at(0, b"in place").expect("no new byte"), 8);
    disk.set_room(None);
    assert_eq!(file.write_at(8, b"more").expect("room again"), 4);
}
