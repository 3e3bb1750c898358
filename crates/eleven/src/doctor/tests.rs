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
