use super::*;
use crate::disk::tests::make_pipe;
use eleven_api::client::CallError;
use eleven_api::problem::Problem;
use eleven_api::serve::{Listener, Tls};
use eleven_core::encoding::parse;
use eleven_core::reason::Reason;
use eleven_core::root::Witnesses;
use eleven_core::signature::{SeedSigner, Signer as _, base64_value};
use tokio::sync::watch;

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
fn a_root_that_is_nearly_full_is_looked_at_while_a_version_can_still_renew_all_keys() {
    let of_one = root_room::RENEWAL;
    for (more, state, which) in [
        (2 * of_one, State::Good, ""),
        (2 * of_one - 1, State::Warn, "the next is the last that does"),
        (of_one - 1, State::Warn, "none does"),
    ] {
        let found = renewals(more);
        assert!(found.state == state && found.detail.contains(which), "{more}: {}", found.detail);
        assert!(found.detail.contains(&format!("room for {more} more keys")), "{}", found.detail);
    }
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

#[test]
fn whoever_looks_writes_to_no_file_that_the_ledger_links_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let (kept, file) = (folder.path().join("kept"), folder.path().join("doctor.tmp"));
    std::fs::write(&kept, "kept").expect("written");
    std::os::unix::fs::symlink(&kept, &file).expect("linked");
    measure_sync(&file).expect("measured");
    assert_eq!(std::fs::read_to_string(&kept).expect("read"), "kept");
    assert!(std::fs::symlink_metadata(&file).expect("it is there").is_file(), "a file of its own");
    // One that was cut short has left it.
    measure_sync(&file).expect("measured again");
    let absent = measure_sync(&folder.path().join("absent").join("doctor.tmp")).expect_err("there is no such folder");
    assert_eq!(absent.kind(), ErrorKind::NotFound);
}

/// A configuration in a folder, of which nothing is there yet.
fn configured(place: &Path) -> Config {
    let text = "[domain]\nname = \"d1\"\n[runtime]\npoint = \"host://here/gateway#gw-0\"\n\
                [runtime.gateway]\nupstream = \"http://127.0.0.1:8000\"\n";
    Config::read(&place.join("eleven.toml"), text).expect("a configuration")
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_bad_and_nobody_waits_for_it() {
    let place = tempfile::tempdir().expect("a folder");
    let config = configured(place.path());
    for which in Which::ALL {
        let corner = which.of(&config);
        std::fs::create_dir(&corner.data).expect("made");
        std::fs::set_permissions(&corner.data, std::fs::Permissions::from_mode(0o700)).expect("its owner's alone");
        make_pipe(&corner.data.join(keystore::FILE));
        make_pipe(&corner.passphrase_file);
    }
    make_pipe(&config.root);
    make_pipe(&config.operator_key);
    let (say, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let silent = Failure::new("nobody answers");
        let mut found = vec![root(&config), secrets::operator(&config, Err(&silent))];
        found.extend(Which::ALL.into_iter().flat_map(|which| [folder(which, &config), secrets::look(which, &config)]));
        let lifetimes = lifetimes(&config, None, None, &[]);
        drop(say.send((found, lifetimes.state)));
    });
    let (found, lifetimes) = heard.recv_timeout(Duration::from_secs(20)).expect("none of them is waited for");
    for found in found {
        assert!(
            found.state == State::Bad && found.detail.contains("it is no file"),
            "{}: {}",
            found.what,
            found.detail
        );
    }
    assert_eq!(lifetimes, State::Warn);
}

#[test]
fn a_point_whose_keystore_can_not_be_read_is_not_taken_for_one_with_another_key() {
    let place = tempfile::tempdir().expect("a folder");
    let snapshot = parse(br#"{"keys":[],"runtimes":[]}"#).expect("I-JSON");
    let found = running::registration(&configured(place.path()), Some(&snapshot), &Health::Nobody);
    assert!(found.state == State::Warn && found.detail.starts_with("can't be compared: "), "{}", found.detail);
    assert!(found.detail.contains(keystore::FILE), "{}", found.detail);
}

#[test]
fn a_root_key_that_is_left_is_told_of_whatever_it_is_called() {
    let place = tempfile::tempdir().expect("a folder");
    let at = |name: &str| place.path().join(name);
    let config = configured(place.path());
    std::fs::write(&config.root, include_bytes!("../../../../spec/vectors/root.json")).expect("written");
    std::fs::write(at("notes"), "x".repeat(5000)).expect("written");
    make_pipe(&at("pipe"));
    assert_eq!(root(&config).state, State::Good);
    for (name, told) in [("next.key", "next.key is still here"), ("root-key.json", "root-key.json are still here")] {
        root_key::create(&at(name), format!("key:11-11/root/{name}")).expect("made");
        let found = root(&config);
        assert!(found.state == State::Warn && found.detail.contains(told), "{}", found.detail);
    }
    assert!(root(&config).detail.contains("next.key, "), "each is named");
}

#[test]
fn a_root_that_names_none_of_the_keys_here_is_another_domains() {
    let root = parse(include_bytes!("../../../../spec/vectors/root.json")).expect("I-JSON");
    let root = TrustRoot::read(root).expect("a root");
    let row = root.roles.first().expect("a key");
    let own = PublicKey { kid: row.kid.clone(), usage: row.usage, owner: row.owner.clone(), public: row.public };
    let others = PublicKey { public: [7; 32], ..own.clone() };
    assert!(!is_anothers(&root, &[]), "nothing here tells");
    assert!(!is_anothers(&root, &[others.clone(), own]));
    assert!(is_anothers(&root, &[others]), "of the same name");
}

#[test]
fn an_operators_key_is_the_one_that_the_registry_has() {
    let (key, other) = (SeedSigner::new("key:x/operator/1", &[1; 32]), SeedSigner::new("key:x/operator/1", &[2; 32]));
    let of = |kind: &str| {
        let mapping = Object::new().with("kind", kind).with("identity", "human:operator:dev").with("kid", key.kid());
        let row = Object::new().with("mapping", mapping.with("public", base64_value(&key.public())));
        Value::Object(Object::new().with("sources", vec![Value::Object(row)]))
    };
    let unknown = |signer: &SeedSigner, snapshot: &Value| {
        secrets::unknown(signer, Ok(snapshot)).is_some_and(|why| why.contains("no operator by this key"))
    };
    assert!(!unknown(&key, &of("operator")) && unknown(&other, &of("operator")), "of the same name");
    assert!(unknown(&key, &of("jwt")) && unknown(&key, &Value::Object(Object::new())));
    let silent = Failure::new("http://127.0.0.1:1 is not reachable");
    assert_eq!(secrets::unknown(&key, Err(&silent)), None, "nobody says");
}

#[test]
fn a_signature_that_the_authority_does_not_take_may_be_of_a_wrong_clock() {
    let key = SeedSigner::new("key:x/operator/1", &[1; 32]);
    let refused = |reason| Failure::from(CallError::Refused(Problem::refused(reason, "refused")));
    let why = secrets::unknown(&key, Err(&refused(Reason::IdentityUnauthenticated))).expect("nothing goes by it");
    assert!(why.contains("another domain's, or this clock is more than ten seconds off"), "{why}");
    assert_eq!(secrets::unknown(&key, Err(&refused(Reason::RuntimeContained))), None, "it says nothing of the key");
}

#[test]
fn what_is_contained_is_to_be_looked_at_and_named_with_what_lifts_it() {
    let row = |subject: &str, state: &str| {
        let row = Object::new().with("kind", "identity").with("subject", subject).with("state", state);
        Value::Object(row.with("since", "2026-01-31T08:00:00.000Z").with("cause", "operator"))
    };
    let rows = vec![row("svc:a:dev", "contained"), row("svc:b:dev", "revoked")];
    let found = running::contained(&Value::Object(Object::new().with("containments", rows)));
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|found| found.state == State::Warn), "it is somebody's decision");
    assert!(found[0].detail.contains("`eleven subject lift identity svc:a:dev`"), "{}", found[0].detail);
    assert!(!found[1].detail.contains("lift"), "{}", found[1].detail);
    assert!(running::contained(&Value::Object(Object::new())).is_empty());
}

#[test]
fn an_archive_that_is_not_to_be_read_is_bad_and_one_that_lacks_pieces_is_to_be_looked_at() {
    let says = |archive: Option<&str>| {
        let value = Value::Object(Object::new().with("corner", "ledger").with_some("archive", archive));
        running::archive(Some(&Health::Ours(health::Said { ready: true, value })))
    };
    for (archive, state, told) in [
        ("unreadable", State::Bad, "`ledger.archive` is unreadable"),
        ("incomplete", State::Warn, "right where they were deleted"),
    ] {
        let found = says(Some(archive)).expect("a finding");
        assert!(found.state == state && found.detail.contains(told), "{archive}: {}", found.detail);
        assert!(!found.detail.contains("  "), "{archive}: it is one line: {}", found.detail);
    }
    assert!(says(None).is_none() && running::archive(Some(&Health::Nobody)).is_none());
}

#[test]
fn an_upstream_by_a_certificate_that_nobody_trusts_is_to_be_looked_at() {
    let file = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../api/src/client").join(name);
    let tls = Tls::load(&file("untrusted.pem"), &file("untrusted.key.pem")).expect("a certificate and its key");
    let serves = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let (_running, stop) = watch::channel(false);
    let at = serves.block_on(async {
        let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), Some(tls)).await.expect("it listens");
        let at = listener.local_addr().expect("an address");
        tokio::spawn(listener.serve(axum::Router::new(), stop, Duration::ZERO));
        at
    });
    let found = upstream::look(&format!("https://{at}")).expect("looked at");
    assert!(found.state == State::Warn && found.detail.contains("SSL_CERT_FILE"), "{}", found.detail);
}

#[test]
fn a_certificate_is_told_of_before_it_ends() {
    let found = |shaken| certificates::found(Which::Ledger, "https://ledger.example", certificates::MOST, shaken);
    let counts = found(Ok(())).expect("a finding");
    assert!(counts.state == State::Good && counts.what == "ledger certificate", "{}", counts.detail);
    let ends = found(Err(CallError::Untrusted("that one is not trusted".into()))).expect("a finding");
    assert!(
        ends.state == State::Warn && ends.detail == "before 14 days are over that one is not trusted",
        "{}",
        ends.detail
    );
    assert!(found(Err(CallError::Unreachable("gone".into()))).is_none(), "nothing is known of it");
}

#[test]
fn the_end_of_a_certificate_is_told_in_the_last_third_of_its_life() {
    const HOUR: u64 = 3600;
    let since = Time::parse_millis("2026-05-12T00:00:00.000Z").expect("a time");
    // When it was made for so many hours, and whether its end is told after so many.
    for (life, passed, told) in [
        (24, 0, false),
        (24, 15, false),
        (24, 17, true),
        (24, 24, true),
        (90 * 24, 75 * 24, false),
        (90 * 24, 77 * 24, true),
        (365 * 24, 350 * 24, false),
        (365 * 24, 352 * 24, true),
    ] {
        let now = since.plus_seconds(i64::try_from(passed * HOUR).expect("few"));
        let ahead = certificates::ahead(since, now);
        assert_eq!(ahead > Duration::from_secs((life - passed) * HOUR), told, "{life} {passed}: {ahead:?}");
    }
    assert_eq!(certificates::ahead(since, since.plus_seconds(-60)), Duration::ZERO, "a clock that is behind");
    let ends = |hours: u64| {
        let shaken = Err(CallError::Untrusted("it ends".into()));
        certificates::found(Which::Ledger, "https://x", Duration::from_secs(hours * HOUR), shaken).expect("told").detail
    };
    assert_eq!(
        [1, 8, 72].map(ends),
        ["before 60 minutes are over it ends", "before 8 hours are over it ends", "before 3 days are over it ends"]
    );
}

#[test]
fn a_certificate_that_has_ended_is_told_of_for_as_long_as_it_is_there() {
    let text = "[domain]\nname = \"d1\"\n[runtime]\npoint = \"host://here/gateway#gw-0\"\n\
                [runtime.gateway]\nupstream = \"http://127.0.0.1:8000\"\n";
    let config = Config::read(Path::new("eleven.toml"), text).expect("a configuration");
    let ending = |health| certificates::ending(Which::Runtime, &config, &health);
    let ended = ending(Health::Untrusted("that one has ended".into())).expect("a finding");
    assert!(ended.state == State::Bad && ended.what == "runtime certificate", "{}", ended.what);
    assert_eq!(ended.detail, "that one has ended");
    assert!(ending(Health::Nobody).is_none(), "nothing is known of it");
}

#[test]
fn heads_that_are_not_cosigned_as_the_root_asks_are_to_be_looked_at() {
    let asked = Witnesses { quorum: 2, auditors: 0, keys: Vec::new() };
    for (nobody, reached, state, told) in [
        (false, Some(30), State::Good, "by 2 of 0"),
        (false, Some(29), State::Warn, "the last that is covers 29: the ledger's log says which"),
        (false, None, State::Warn, "none is: the ledger's log"),
        (true, None, State::Warn, "`ledger.witnesses` names none"),
    ] {
        let found = witnesses::found(&asked, nobody, 30, reached);
        assert!(found.state == state && found.detail.contains(told), "{reached:?}: {}", found.detail);
    }
    let audited = witnesses::found(&Witnesses { auditors: 1, ..asked }, false, 30, Some(30));
    assert!(audited.detail.ends_with(", 1 of them auditors"), "{}", audited.detail);
}

#[test]
fn a_head_from_the_future_is_bad_also_where_the_authority_is_silent() {
    let late = MAX_STAMP_AHEAD_MS + 1;
    for (age, ahead, state, told) in [
        (Some(12), Some(-40), State::Good, "12 ms old"),
        (Some(-MAX_STAMP_AHEAD_MS), Some(MAX_STAMP_AHEAD_MS), State::Good, "ms old"),
        (Some(12), None, State::Good, "12 ms old"),
        (Some(3_000), Some(-40), State::Good, "3000 ms old"),
        (Some(3_001), Some(-40), State::Warn, "this clock is ahead of the authority's"),
        (Some(-late), Some(late), State::Bad, "the authority's stamp lies 2001 ms ahead"),
        (Some(12), Some(late), State::Bad, "the ledger's last head lies 2001 ms ahead"),
        (None, Some(late), State::Bad, "the ledger's last head lies 2001 ms ahead"),
        (None, Some(-40), State::Warn, "does not answer"),
        (None, None, State::Warn, "does not answer"),
    ] {
        let found = compared(age, ahead);
        assert!(found.state == state && found.detail.contains(told), "{age:?}, {ahead:?}: {}", found.detail);
    }
}
