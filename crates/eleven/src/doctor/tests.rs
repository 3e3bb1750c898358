use super::*;

#[test]
fn a_full_disk_is_bad_and_not_only_to_be_looked_at() {
    for (free, state) in [
        (0, State::Bad),
        (FULL - 1, State::Bad),
        (FULL, State::Warn),
        (LOW_SPACE - 1, State::Warn),
        (LOW_SPACE, State::Good),
    ] {
        let found = room(free, "ledger");
        assert!(found.state == state && found.detail.contains("MiB free for the ledger"), "{free}: {}", found.detail);
    }
    let full = synced(Err(std::io::Error::from(ErrorKind::StorageFull)));
    assert!(full.state == State::Bad && full.detail.contains("make room"), "{}", full.detail);
    assert_eq!(synced(Err(std::io::Error::from(ErrorKind::NotFound))).state, State::Warn, "the folder is not there");
    assert_eq!(synced(Ok(SLOW_SYNC)).state, State::Good);
    assert_eq!(synced(Ok(SLOW_SYNC + Duration::from_micros(1))).state, State::Warn);
}

#[test]
fn a_folder_on_a_read_only_file_system_is_bad_for_each_corner() {
    let data = Path::new("/srv/corner");
    for which in Which::ALL {
        let what = format!("{} folder", which.name());
        let found = |flags| read_only(&what, data, flags);
        let bad = found(StatVfsMountFlags::RDONLY | StatVfsMountFlags::NOATIME).expect("nothing can be written");
        assert!(bad.state == State::Bad && bad.what == what && bad.detail.contains("read-only"), "{}", bad.detail);
        assert!(found(StatVfsMountFlags::NOATIME).is_none());
    }
    let found = synced(Err(std::io::Error::from(ErrorKind::ReadOnlyFilesystem)));
    assert!(found.state == State::Bad && found.detail.contains("nothing can be written"), "{}", found.detail);
}
