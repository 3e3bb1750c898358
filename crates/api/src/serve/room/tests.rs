use super::*;

#[test]
fn connections_leave_a_corner_the_files_that_it_needs() {
    for (files, connections) in [
        (1_048_576, 4096),
        (65_536, 4096),
        (8_448, 4096),
        (4_096, 1_920),
        (1_024, 384),
        (256, 32),
        (128, 16),
        (8, 1),
        (0, 1),
    ] {
        assert_eq!(within(files), connections, "{files}");
    }
}

#[test]
fn the_limit_is_raised_as_far_as_this_process_may() {
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(ENOUGH).min(ENOUGH);
    assert!(raised() >= limit);
    assert!(getrlimit(Resource::Nofile).current.is_none_or(|current| current >= limit));
}

#[test]
fn where_no_file_is_left_that_is_said() {
    for errno in [Errno::MFILE, Errno::NFILE] {
        assert!(advice(&io::Error::from(errno)).contains("raise LimitNOFILE"));
    }
    assert!(!advice(&io::Error::from(Errno::CONNABORTED)).contains("raise"));
}

#[test]
fn that_all_are_taken_is_said_at_once_and_once_a_minute() {
    let (mut full, now) = (Full::default(), Instant::now());
    let said = [0, 1, 59, 60, 61, 200].map(|s| full.is_news(now + Duration::from_secs(s)));
    assert_eq!(said, [true, false, false, true, false, true]);
}
