use super::*;

#[test]
fn a_program_whose_file_was_replaced_is_the_new_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("eleven");
    let running = |name: String| next_of(Some(folder.path().join(name)));
    let gone = running("eleven (deleted)".to_owned());
    assert_eq!(gone.file, Path::new(RUNNING), "nothing lies there");
    assert!(gone.note.is_some_and(|note| note.contains("is gone")));
    std::fs::write(&file, "the new one").expect("written");
    assert_eq!(running("eleven".to_owned()), Next { file: file.clone(), note: None });
    let replaced = running("eleven (deleted)".to_owned());
    assert_eq!(replaced.file, file);
    assert!(replaced.note.is_some_and(|note| note.contains("the new file starts")));
    // A file may be called so.
    let odd = folder.path().join("eleven (deleted)");
    std::fs::write(&odd, "it").expect("written");
    assert_eq!(running("eleven (deleted)".to_owned()), Next { file: odd, note: None });
    assert_eq!(next_of(None).file, Path::new(RUNNING));
}

#[test]
fn who_lost_a_keystore_is_told_to_put_it_back_and_not_to_make_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    let told = |which: Which| no_keystore(which, data);
    for which in Which::ALL {
        let make = format!("`eleven {} key new`", which.name());
        assert!(told(which).contains("holds no keystore") && told(which).contains(&make), "{}", told(which));
    }
    for (which, holds) in [(Which::Ledger, LOG), (Which::Runtime, JOURNAL)] {
        std::fs::create_dir(data.join(holds)).expect("made");
        let told = told(which);
        assert!(told.contains("holds no keystore") && told.contains("put it back"), "{told}");
        assert!(!told.contains("key new"), "{told}");
    }
    assert!(told(Which::Authority).contains("key new"), "what it has signed is not here");
    // A replacement of its keys that found no room for the new ones is finished, and no others are made.
    std::fs::remove_dir(data.join(JOURNAL)).expect("there");
    std::fs::write(data.join(format!("{}.before-2.1", keystore::FILE)), "{}").expect("written");
    let told = told(Which::Runtime);
    assert!(told.contains("`eleven runtime key replace`") && !told.contains("key new"), "{told}");
}

#[test]
fn an_upstreams_key_is_one_line_and_not_empty() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let read = |text: &str| {
        std::fs::write(file.path(), text).expect("written");
        upstream_key(file.path()).map_err(|failure| failure.to_string())
    };
    for text in ["", " \n", "sk-a\nsk-b\n", "sk-\0"] {
        let refused = read(text).expect_err("no key");
        assert!(refused.contains("check upstream_key_file") && !refused.contains("sk-"), "{refused}");
    }
    assert_eq!(read(" sk-abc\n").as_deref(), Ok("sk-abc"));
    let absent = upstream_key(Path::new("/nowhere/api.key")).expect_err("no file").to_string();
    assert!(absent.starts_with("/nowhere/api.key: ") && absent.ends_with("check upstream_key_file"), "{absent}");
}

#[test]
fn whom_a_corner_asks_is_known_before_it_is_confined() {
    let text = "[domain]\nname = \"11-11\"\n[authority]\nurl = \"https://a.example\"\n[ledger]\nurl = \"https://l.example\"\n\
                witnesses = [\"https://w.example\"]\n[runtime]\npoint = \"host://here/gateway#gw-0\"\n[runtime.gateway]\n\
                upstream = \"https://u.example/\"\n";
    let config = Config::read(Path::new("/etc/eleven/eleven.toml"), text).expect("a configuration");
    let (authority, ledger) = ("https://a.example", "https://l.example");
    assert_eq!(asked(Which::Authority, &config), [ledger]);
    assert_eq!(asked(Which::Ledger, &config), [authority, "https://w.example"]);
    assert_eq!(asked(Which::Runtime, &config), [authority, ledger, "https://u.example"]);
}
