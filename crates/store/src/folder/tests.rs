use std::os::unix::fs::PermissionsExt;

use super::*;

fn fresh() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("deep/ledger");
    (folder, path)
}

#[test]
fn a_new_folder_is_private_and_marked_and_opens_again() {
    let (_keep, path) = fresh();
    let folder = Folder::open(&path, "ledger").expect("open");
    assert_eq!(folder.path(), path);
    assert_eq!(std::fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o700);
    let format = std::fs::read_to_string(path.join("FORMAT")).expect("FORMAT");
    assert_eq!(format, "eleven data folder\ncorner = ledger\nformat = 1\n");
    drop(folder);
    Folder::open(&path, "ledger").expect("open again");
}

#[test]
fn whoever_only_looks_makes_no_folder() {
    let (keep, path) = fresh();
    let refused = Folder::open_existing(&path, "ledger").expect_err("there is none");
    assert!(matches!(&refused, FolderError::Absent { wanted, .. } if wanted == "ledger"), "{refused}");
    assert!(!keep.path().join("deep").exists(), "nothing was made");
    std::fs::create_dir_all(&path).expect("a folder of something else");
    Folder::open_existing(&path, "ledger").expect_err("it is not marked");
    assert_eq!(std::fs::read_dir(&path).expect("a folder").count(), 0, "and stays so");
    Folder::open(&path, "ledger").map(drop).expect("made");
    let held = Folder::open_existing(&path, "ledger").expect("it is there now");
    Folder::check(&path, "ledger").expect("it is the ledger's, whoever holds it");
    assert!(matches!(Folder::check(&path, "runtime"), Err(FolderError::Corner { .. })));
    assert!(matches!(Folder::check(keep.path(), "ledger"), Err(FolderError::Absent { .. })));
    drop(held);
    assert!(matches!(Folder::open_existing(&path, "runtime"), Err(FolderError::Corner { .. })));
}

#[test]
fn a_folder_is_begun_beside_nothing_else() {
    let (_keep, path) = fresh();
    std::fs::create_dir_all(&path).expect("a folder");
    std::fs::write(path.join("starter.cedar"), "permit").expect("written");
    let refused = Folder::open_or_begin(&path, "auditor").expect_err("something else is there");
    assert!(matches!(&refused, FolderError::Taken { wanted, .. } if wanted == "auditor"), "{refused}");
    assert_eq!(std::fs::read_dir(&path).expect("a folder").count(), 1, "nothing was made");
    std::fs::remove_file(path.join("starter.cedar")).expect("removed");
    for left in ["LOCK", "FORMAT.tmp"] {
        std::fs::write(path.join(left), "").expect("written");
    }
    Folder::open_or_begin(&path, "auditor").map(drop).expect("begun, where it was begun once and not marked");
    std::fs::write(path.join("more"), "").expect("written");
    Folder::open_or_begin(&path, "auditor").map(drop).expect("it is the auditor's, whatever is in it");
    assert!(matches!(Folder::open_or_begin(&path, "ledger"), Err(FolderError::Corner { .. })));
    Folder::open_or_begin(path.join("deeper"), "ledger").expect("made").abandon().expect("taken back");
    assert_eq!(std::fs::read_dir(path.join("deeper")).expect("a folder").count(), 0, "nothing is left of it");
    Folder::open_or_begin(path.join("deeper"), "runtime").map(drop).expect("anybody begins there");
    Folder::open_or_begin(path.join("more"), "ledger").expect_err("a file");
}

#[test]
fn a_second_opener_is_told_who_holds_it() {
    let (_keep, path) = fresh();
    let _held = Folder::open(&path, "ledger").expect("open");
    let refused = Folder::open(&path, "ledger").expect_err("held");
    assert!(matches!(refused, FolderError::Locked { pid: Some(pid), .. } if pid == std::process::id()));
    assert!(refused.to_string().contains(&format!("held by process {}", std::process::id())));
}

#[test]
fn a_folder_is_held_also_where_its_lock_is_taken_away_or_replaced() {
    let (_keep, path) = fresh();
    let held = Folder::open(&path, "ledger").expect("open");
    std::fs::remove_file(path.join(LOCK_FILE)).expect("removed");
    assert!(matches!(Folder::open(&path, "ledger"), Err(FolderError::Locked { .. })));
    std::fs::write(path.join("copy"), "1\n").expect("written");
    std::fs::rename(path.join("copy"), path.join(LOCK_FILE)).expect("replaced");
    assert!(matches!(Folder::open(&path, "ledger"), Err(FolderError::Locked { .. })));
    assert!(matches!(Folder::as_it_lies(&path, "ledger"), Err(FolderError::Locked { .. })));
    drop(held);
    Folder::open(&path, "ledger").expect("it is free");
}

#[test]
fn what_cannot_be_locked_is_neither_free_nor_held() {
    let keep = tempfile::tempdir().expect("folder");
    // Opened so, nothing can be done with it but to say where it is.
    let flag = i32::try_from(rustix::fs::OFlags::PATH.bits()).expect("a flag");
    let folder = OpenOptions::new().read(true).custom_flags(flag).open(keep.path()).expect("opened");
    let refused = is_taken(keep.path(), &folder).expect_err("it cannot be locked");
    assert!(matches!(&refused, FolderError::Io { doing: LOCKING, .. }), "{refused}");
    assert!(refused.to_string().starts_with("can't lock "), "{refused}");
}

#[test]
fn a_lock_that_leads_elsewhere_names_nobody() {
    let place = tempfile::tempdir().expect("a folder");
    let (held, other) = (place.path().join("held"), place.path().join("other"));
    let folder = Folder::open(&held, "authority").expect("a folder");
    drop(Folder::open(&other, "ledger").expect("a folder"));
    std::fs::remove_file(other.join(LOCK_FILE)).expect("removed");
    std::os::unix::fs::symlink(held.join(LOCK_FILE), other.join(LOCK_FILE)).expect("a link");
    assert_eq!(Folder::holder(&held).expect("a list of locks"), Some(std::process::id()));
    assert_eq!(
        Folder::holder(&other).expect("a list of locks"),
        None,
        "whose process that is the folder's owner does not say"
    );
    drop(folder);
}

#[test]
fn who_holds_a_folder_is_told_without_taking_it() {
    let (_keep, path) = fresh();
    let holder = || Folder::holder(&path).expect("a list of locks");
    assert_eq!(holder(), None, "it is not there");
    let held = Folder::open(&path, "ledger").expect("open");
    assert_eq!(holder(), Some(std::process::id()));
    drop(held);
    let left = std::fs::read(path.join("LOCK")).expect("LOCK");
    assert_eq!(holder(), None, "who held it last is named there, and holds it no more");
    assert_eq!(std::fs::read(path.join("LOCK")).expect("LOCK"), left);
    // One that was taken this moment does not name its holder yet.
    let lock = File::options().write(true).open(path.join("LOCK")).expect("LOCK");
    lock.set_len(0).expect("emptied");
    lock.try_lock().expect("locked");
    assert_eq!(holder(), Some(std::process::id()));
    drop(lock);
    // Whoever asks all the time is in nobody's way.
    let asking = std::sync::atomic::AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while asking.load(std::sync::atomic::Ordering::Acquire) {
                Folder::holder(&path).expect("a list of locks");
            }
        });
        for _ in 0..200 {
            Folder::open(&path, "ledger").map(drop).expect("open");
        }
        asking.store(false, std::sync::atomic::Ordering::Release);
    });
}

#[test]
fn another_users_folder_is_left_as_it_is() {
    let (_keep, path) = fresh();
    // Root can give a folder away; others find one that is root's.
    let theirs = if rustix::process::geteuid().is_root() {
        std::fs::create_dir_all(&path).expect("folder");
        std::os::unix::fs::chown(&path, Some(4711), Some(4711)).expect("given away");
        path
    } else {
        PathBuf::from("/usr")
    };
    let owner = std::fs::metadata(&theirs).expect("metadata").uid();
    let refused = Folder::open(&theirs, "ledger").expect_err("another user's");
    assert!(matches!(refused, FolderError::Owner { owner: found, .. } if found == owner), "{refused}");
    assert!(refused.to_string().contains(&format!("`sudo -u '#{owner}'")), "{refused}");
    assert!(!theirs.join("LOCK").exists() && !theirs.join("FORMAT").exists(), "nothing was written");
}

#[test]
fn a_log_keeps_the_folder_locked_and_its_place_claimed() {
    let (_keep, path) = fresh();
    let folder = Folder::open(&path, "ledger").expect("open");
    let place = folder.place("log").expect("place");
    assert!(matches!(folder.place("log"), Err(FolderError::Claimed { .. })));
    folder.place("other").map(drop).expect("another place is free");
    drop(folder);
    assert!(matches!(Folder::open(&path, "ledger"), Err(FolderError::Locked { .. })));
    drop(place);
    let folder = Folder::open(&path, "ledger").expect("free again");
    folder.place("log").map(drop).expect("free again");
}

#[test]
fn a_log_has_one_name() {
    let (_keep, path) = fresh();
    let folder = Folder::open(&path, "ledger").expect("open");
    let _log = folder.place("log").expect("place");
    let absolute = path.join("log").display().to_string();
    for name in ["log/", "./log", "log/.", "other/../log", "../other", "/", ".", "..", "", absolute.as_str()] {
        let refused = folder.place(name).map(drop).expect_err(name);
        assert!(matches!(refused, FolderError::Io { .. }), "{name}: {refused}");
    }
    assert!(!path.with_file_name("other").exists() && !path.join("other").exists(), "nothing was made");
}

#[test]
fn a_folder_in_which_nothing_can_be_written_is_opened_to_read() {
    let (_keep, path) = fresh();
    let folder = Folder::open(&path, "ledger").expect("open");
    drop(folder.place("log").expect("place"));
    std::fs::write(path.join("log/a"), "hello").expect("written");
    assert!(matches!(Folder::open_to_read(&path, "ledger"), Err(FolderError::Locked { .. })), "somebody may write");
    assert!(matches!(Folder::as_it_lies(&path, "ledger"), Err(FolderError::Locked { .. })));
    drop(folder);
    let mode = |name: &str, mode| {
        std::fs::set_permissions(path.join(name), std::fs::Permissions::from_mode(mode)).expect("changed");
    };
    for (name, to) in [("LOCK", 0o400), ("FORMAT", 0o400), ("log/a", 0o400), ("log", 0o500), ("", 0o500)] {
        mode(name, to);
    }
    // Root may write there all the same.
    drop(Folder::open_to_read(&path, "ledger").expect("open").place("log").expect("place"));
    let before = std::fs::read(path.join("LOCK")).expect("LOCK");
    let folder = Folder::as_it_lies(&path, "ledger").expect("open");
    assert!(matches!(Folder::as_it_lies(&path, "ledger"), Err(FolderError::Locked { .. })), "and holds it");
    let place = folder.place("log").expect("place");
    assert!(place.disk.open("a").is_ok() && place.disk.create("b").is_err());
    assert!(matches!(folder.place("log"), Err(FolderError::Claimed { .. })));
    folder.place("heads").map(drop).expect_err("none is made");
    drop((folder, place));
    assert_eq!(std::fs::read(path.join("LOCK")).expect("LOCK"), before);
    assert!(matches!(Folder::as_it_lies(&path, "runtime"), Err(FolderError::Corner { .. })));
    mode("", 0o700);
    mode("log", 0o700);
    std::fs::remove_file(path.join("LOCK")).expect("removed");
    drop(Folder::as_it_lies(&path, "ledger").expect("nobody can hold it"));
    assert!(!path.join("LOCK").exists(), "and none is made");
    std::fs::remove_file(path.join("FORMAT")).expect("removed");
    assert!(matches!(Folder::as_it_lies(&path, "ledger"), Err(FolderError::Absent { .. })));
}

#[test]
fn another_corner_another_format_and_nonsense_are_refused() {
    let (_keep, path) = fresh();
    drop(Folder::open(&path, "ledger").expect("open"));
    let refused = Folder::open(&path, "authority").expect_err("another corner's");
    assert!(matches!(&refused, FolderError::Corner { found, .. } if found == "ledger"));
    assert!(refused.to_string().contains("is the folder of ledger: name the folder of authority"));

    std::fs::write(path.join("FORMAT"), "eleven data folder\nformat = 2\n").expect("write");
    let refused = Folder::open(&path, "ledger").expect_err("unknown format");
    assert!(matches!(refused, FolderError::Format { found: 2, .. }));
    assert!(refused.to_string().contains("use the build that wrote it"));

    for nonsense in [&b""[..], b"format = x", b"format = 1\n", b"\xff\xfe"] {
        std::fs::write(path.join("FORMAT"), nonsense).expect("write");
        assert!(matches!(Folder::open(&path, "ledger"), Err(FolderError::Unmarked { .. })), "{nonsense:?}");
    }
}

#[test]
fn a_draft_of_format_left_by_a_crash_does_no_harm() {
    let (_keep, path) = fresh();
    std::fs::create_dir_all(&path).expect("folder");
    std::fs::write(path.join("FORMAT.tmp"), "elev").expect("write");
    Folder::open(&path, "ledger").expect("open");
    assert!(!path.join("FORMAT.tmp").exists());
}
