use super::*;
use std::os::unix::fs::symlink;

#[test]
fn nothing_that_a_corner_reads_leads_into_the_folder_of_another_on_its_machine() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = std::fs::canonicalize(folder.path()).expect("a path");
    let text = "[domain]\nname = \"11-11\"\nroot = \"ledger/root.json\"\n[runtime]\npoint = \"host://here/gateway#gw-0\"\n\
                [runtime.gateway]\nupstream = \"https://u.example\"\n";
    let config = Config::read(&dir.join("eleven.toml"), text).expect("a configuration");
    let refused = |which: Which, path: &Path| {
        opens_no_other(which, &config, &[path.to_owned()]).err().map(|failure| failure.to_string())
    };
    // A ledger alone on its machine may hold the root that it reads.
    for corner in ["ledger", "certificates"] {
        std::fs::create_dir(dir.join(corner)).expect("made");
    }
    std::fs::write(&config.root, "the root").expect("written");
    assert_eq!(refused(Which::Ledger, &config.root), None);
    // Beside other corners it could put another in its place, which they would start by.
    std::fs::create_dir(dir.join("authority")).expect("made");
    let why = refused(Which::Authority, &config.root).expect("refused");
    assert!(why.contains("ledger/root.json: it leads to the folder of ledger, and authority would be let in"), "{why}");
    // By a link, and by a folder around it, such as the environment may name.
    let link = dir.join("certificates/link");
    symlink(dir.join("ledger"), &link).expect("a link");
    for path in [&link, &dir] {
        assert!(refused(Which::Authority, path).is_some() && refused(Which::Runtime, path).is_some());
    }
    assert!(refused(Which::Ledger, &link).is_none() && refused(Which::Ledger, &dir).is_some());
    for path in ["certificates", "ledger-of-another", "nowhere"] {
        assert_eq!(refused(Which::Authority, &dir.join(path)), None, "{path}");
    }
}
