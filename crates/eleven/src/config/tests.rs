use super::table::Preset;
use super::{Config, KEYS, Setting, assignment, document, markdown, sample};
use std::collections::BTreeMap;
use std::path::Path;

const LEAST: &str = "\
[domain]
name = \"11-11\"
[runtime]
point = \"host://here/gateway#gw-0\"
[runtime.gateway]
upstream = \"http://127.0.0.1:8000/\"
";

fn read(text: &str) -> Result<Config, String> {
    Config::read(Path::new("/etc/eleven/eleven.toml"), text).map_err(|error| error.to_string())
}

/// What is refused with `extra` behind the least configuration.
fn refusal(extra: &str) -> String {
    read(&format!("{LEAST}{extra}")).expect_err("a refusal")
}

#[test]
fn the_least_configuration_is_filled_with_presets_relative_to_the_file() {
    let config = read(LEAST).expect("a configuration");
    assert_eq!(config.authority_name(), "governance://11-11/authority/dev");
    assert_eq!(config.authority.listen.port(), 1112);
    assert_eq!(config.ledger.url, "http://127.0.0.1:1111");
    assert_eq!(config.runtime.data, Path::new("/etc/eleven/runtime"));
    assert_eq!(config.runtime.passphrase_file, Path::new("/etc/eleven/runtime/keystore.pass"));
    assert_eq!(config.point.audit_bound_ms, 5000);
    assert_eq!(config.point.predicate_type, eleven_core::attestation::PREDICATE_TYPE);
    assert_eq!(config.point.upstream, "http://127.0.0.1:8000");
    assert_eq!((config.fresh, config.point.max_body), (10, 32 * 1024 * 1024));
}

#[test]
fn unknown_keys_are_refused_with_their_line() {
    assert_eq!(
        refusal("[ledger]\nlistn = \"127.0.0.1:1\"\n"),
        "/etc/eleven/eleven.toml:8: unknown key `ledger.listn`: did you mean `ledger.listen`?"
    );
    assert!(refusal("[nonsense]\n").contains(":7: unknown key `nonsense`"));
    assert!(refusal("[runtime.gateway.more]\nx = 1\n").contains(":7: unknown key `runtime.gateway.more`"));
    assert!(refusal("[domain.name]\n").contains(":7:"), "a key twice");
    assert!(read("x = 1\n").expect_err("a refusal").contains(":1: unknown key `x`"));
}

#[test]
fn values_out_of_their_range_or_form_are_refused_with_their_line() {
    for (extra, expected) in [
        ("[ledger]\nhead_interval = 49", ":8: `head_interval` must be a whole number from 50 to 1000"),
        ("[ledger]\nhead_interval = \"fast\"", ":8: `head_interval` must be a whole number from 50 to 1000"),
        ("[ledger]\nlisten = \"localhost:1\"", ":8: `listen` must be an IP address and port"),
        ("[ledger]\nlisten = \"0.0.0.0:1111\"", ":8: 0.0.0.0:1111 is beyond loopback: set `tls_certificate`"),
        ("[ledger]\ntls_key = \"k.pem\"", ":8: set `ledger.tls_certificate`, too"),
        ("[ledger]\nurl = \"http://http://127.0.0.1:1\"", ":8: `url` must be an http:// or https:// address"),
        ("[ledger]\nurl = \"ftp://x\"", ":8: `url` must be an http:// or https:// address"),
        ("[ledger]\nlisten = \"127.0.0.1:1113\"", ":8: ledger and runtime are both reached at http://127.0.0.1:1113"),
        ("[ledger]\nurl = \"http://127.0.0.1:1112/\"", ":8: authority and ledger are both reached at"),
        ("[ledger]\ndata = \"runtime/inside\"", ":8: the folder of ledger lies in that of runtime"),
        ("[ledger]\narchive = \"runtime/inside\"", "runtime/inside and the folder of runtime lie in each other"),
        ("[ledger]\ndata = \"x/../runtime\"", "lies in that of"),
        ("[ledger]\narchive = \".\"", "and the folder of authority lie in each other"),
        ("[ledger]\narchive_every = 24", ":8: content is moved to an archive: set `ledger.archive`"),
        ("[ledger]\narchive_every = 0", ":8: `archive_every` must be a whole number from 1 to 8760"),
        (
            "[ledger]\npassphrase_file = \"authority/keystore.pass\"",
            ":8: /etc/eleven/authority/keystore.pass is not ledger's",
        ),
        ("[ledger]\npassphrase_file = \"x/../runtime\"", "is not ledger's own, for the folder of runtime"),
        ("[authority]\npassphrase_file = \".\"", ":8: /etc/eleven/. is not authority's own, for the folder of ledger"),
        (
            "[ledger]\ntls_certificate = \"c.pem\"\ntls_key = \"runtime/k.pem\"",
            ":9: /etc/eleven/runtime/k.pem is not ledger's own, for the folder of runtime",
        ),
        (
            "upstream_key_file = \"authority/keystore.pass\"",
            ":7: /etc/eleven/authority/keystore.pass is not runtime's own",
        ),
        ("[operator]\nkey = \"runtime/operator.key\"", ":8: runtime would hold the operator's key in its folder"),
        ("[authority]\nenv = 3", ":8: unknown key `authority.env`"),
        ("scope = [\"b\", \"a\"]", ":7: `scope` must be a list of at most 64 names, sorted by byte"),
        ("parameters = [\"scope\"]", ":7: `parameters` must be a list of names of members"),
        ("max_body = 10", ":7: `max_body` must be a whole number from 1024"),
    ] {
        let refused = refusal(extra);
        assert!(refused.contains(expected), "{extra}: {refused}");
    }
    for bound in ["0", "61", "-1", "5.0", "true"] {
        let text = LEAST.replace("[runtime]", &format!("[runtime]\naudit_bound = {bound}"));
        assert!(read(&text).expect_err("a refusal").contains(":4: `audit_bound` must be"), "{bound}");
        let text = LEAST.replace("[domain]", &format!("[domain]\nfresh = {bound}"));
        assert!(read(&text).expect_err("a refusal").contains(":2: `fresh` must be"), "{bound}");
    }
    assert!(read(&LEAST.replace("#gw-0", "")).expect_err("a refusal").contains(":4: `point` must be"));
    assert!(read("[domain]\nname = \"11-11\"\n").expect_err("a refusal").contains("`runtime.point` is not set"));
    let around = read(&LEAST.replace("[domain]", "[domain]\nroot = \".\"")).expect_err("a refusal");
    assert!(around.contains(":2: /etc/eleven/. holds the folder of authority and is no trust root"), "{around}");
    // What is a corner's own may lie in its folder, and what is nobody's beside them.
    for extra in [
        "upstream_key_file = \"runtime/upstream.key\"",
        "[ledger]\npassphrase_file = \"ledger/other.pass\"",
        "[ledger]\npassphrase_file = \"ledgers.pass\"",
        "[operator]\nkey = \"operators/first.key\"",
    ] {
        assert!(read(&format!("{LEAST}{extra}\n")).is_ok(), "{extra}");
    }
    assert!(read("[domain\n").expect_err("a refusal").contains("eleven.toml:1:"));
}

#[test]
fn a_corner_alone_on_its_machine_may_have_the_configurations_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("eleven.toml");
    let alone = "[ledger]\ndata = \".\"\n[authority]\ndata = \"/elsewhere/authority\"\n";
    let text = LEAST.replace("[runtime]", &format!("{alone}[runtime]\ndata = \"/elsewhere/runtime\""));
    let read = |text: &str| Config::read(&file, text).map_err(|error| error.to_string());
    let config = read(&text).expect("no operator acts there");
    let held = "ledger would hold the operator's key in its folder";
    assert!(config.check_operators_key().expect_err("nor is it made there").to_string().contains(held));
    assert!(read(&format!("{text}[operator]\nkey = \"operator.key\"\n")).expect_err("named there").contains(held));
    std::fs::write(&config.operator_key, "it").expect("written");
    assert!(read(&text).expect_err("it lies there").contains(held));
}

#[test]
fn an_upstream_is_named_without_what_the_gateway_adds() {
    let upstream = |url: &str| read(&LEAST.replace("http://127.0.0.1:8000/", url)).map(|config| config.point.upstream);
    for url in [
        "http://127.0.0.1:8000/v1",
        "http://127.0.0.1:8000/v1/",
        "https://api.example/openai/v1",
        "http://127.0.0.1:8000/v1/chat/completions",
        "https://api.example/openai/chat/completions/",
    ] {
        let refused = upstream(url).expect_err("a refusal");
        assert!(refused.contains(":6: `upstream` must be") && refused.contains("leave `/v1` out"), "{url}: {refused}");
        let refused = assignment(&format!("runtime.gateway.upstream={url}")).expect_err("a refusal");
        assert!(refused.contains("leave `/v1` out"), "{url}: {refused}");
    }
    for url in
        ["http://v1", "https://api.example/openai", "https://api.example/v1/models-of-mine", "https://api.example/chat"]
    {
        assert_eq!(upstream(url).as_deref(), Ok(url));
    }
}

#[test]
fn a_listener_beyond_loopback_with_tls_is_reached_by_https() {
    let tls = "[ledger]\nlisten = \"0.0.0.0:1111\"\ntls_certificate = \"c.pem\"\ntls_key = \"/k.pem\"\n";
    let config = read(&format!("{LEAST}{tls}")).expect("a configuration");
    assert_eq!(config.ledger.url, "https://0.0.0.0:1111");
    assert_eq!(config.ledger.tls, Some(("/etc/eleven/c.pem".into(), "/k.pem".into())));
}

#[test]
fn a_gateway_whose_certificate_is_for_a_name_is_reached_by_that_name() {
    let tls = "[runtime]\nlisten = \"0.0.0.0:443\"\ntls_certificate = \"c.pem\"\ntls_key = \"k.pem\"\n";
    let (plain, named) = (tls.to_owned(), format!("{tls}url = \"https://gateway.example/\"\n"));
    let of = |section: &str| read(&LEAST.replace("[runtime]\n", section)).expect("a configuration");
    let (plain, named) = (of(&plain), of(&named));
    assert_eq!(
        (plain.runtime.url.as_str(), named.runtime.url.as_str()),
        ("https://0.0.0.0:443", "https://gateway.example")
    );
    assert_eq!(plain.point_digest(), named.point_digest(), "how it is asked for changes nothing that it enforces");
    let taken = LEAST.replace("[runtime]\n", "[runtime]\nurl = \"http://127.0.0.1:1111\"\n");
    assert!(read(&taken).expect_err("a refusal").contains(":4: ledger and runtime are both reached at"));
}

#[test]
fn corners_on_one_machine_listen_on_addresses_of_their_own() {
    let tls = "tls_certificate = \"c.pem\"\ntls_key = \"k.pem\"\n";
    let corner =
        |name: &str, listen: &str| format!("[{name}]\nlisten = \"{listen}\"\nurl = \"https://{name}.example\"\n{tls}");
    let checked = |ledger: &str, authority: &str| {
        let text = format!("{LEAST}{}{}", corner("ledger", ledger), corner("authority", authority));
        let config = read(&text).expect("each may have a machine of its own");
        config.check_listeners().map_err(|error| error.to_string())
    };
    for (ledger, authority) in
        [("0.0.0.0:443", "0.0.0.0:443"), ("10.0.0.1:443", "10.0.0.1:443"), ("10.0.0.1:443", "[::]:443")]
    {
        let refused = checked(ledger, authority).expect_err("one address");
        assert!(refused.contains("authority and ledger listen on one address"), "{refused}");
    }
    for (ledger, authority) in
        [("10.0.0.1:443", "10.0.0.2:443"), ("0.0.0.0:443", "0.0.0.0:444"), ("10.0.0.1:0", "10.0.0.1:0")]
    {
        assert_eq!(checked(ledger, authority), Ok(()));
    }
    assert_eq!(read(LEAST).expect("a configuration").check_listeners(), Ok(()));
}

#[test]
fn the_sample_holds_every_key_and_reads_back() {
    let mut values = BTreeMap::new();
    for key in [
        "domain.name=eu.example",
        "runtime.point=host://a/b#c",
        "runtime.gateway.upstream=http://x:1",
        "runtime.audit_bound=2",
    ] {
        let (path, value) = assignment(key).expect("an assignment");
        values.insert(path, value);
    }
    let text = sample(&values);
    let config = read(&text).expect("a configuration");
    assert_eq!((config.domain.as_str(), config.point.audit_bound_ms), ("eu.example", 2000));
    for key in KEYS {
        let name = key.path.rsplit_once('.').expect("a section").1;
        assert!(text.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{name} = "))), "{name}");
        assert!(markdown().contains(&format!("| `{name}` |")), "{name}");
        if let Some(preset) = document::preset(&key.preset) {
            assert!(key.form.admits(&preset), "{}: its own preset", key.path);
        }
    }
}

#[test]
fn assignments_read_as_in_the_file() {
    let list = assignment("runtime.gateway.scope=[\"a\", \"b\"]").expect("a list");
    assert_eq!(list, ("runtime.gateway.scope", Setting::List(vec!["a".into(), "b".into()])));
    assert!(assignment("runtime.audit_bound=99").is_err());
    assert!(assignment("runtime.audit_bond=2").expect_err("a refusal").contains("did you mean `runtime.audit_bound`"));
    assert!(assignment("nothing").is_err());
}

#[test]
fn the_points_digest_follows_what_it_enforces_and_not_where_files_lie() {
    let digest = |text: &str| read(text).expect("a configuration").point_digest();
    let plain = digest(LEAST);
    assert_eq!(plain, digest(&format!("{LEAST}[ledger]\ndata = \"elsewhere\"\n")));
    assert_ne!(plain, digest(&format!("{LEAST}scope = [\"a\"]\n")));
    assert_ne!(plain, digest(&LEAST.replace(":8000", ":8001")));
    let own = LEAST.replace("[runtime]", "[runtime]\npredicate_type = \"https://eu.example/execution/v1\"");
    assert_eq!(read(&own).expect("a configuration").point.predicate_type, "https://eu.example/execution/v1");
    assert_ne!(plain, digest(&own), "it is what the point signs");
    let named = |bytes: usize| {
        let path = "x".repeat(bytes - "https://eu.example/".len());
        read(&LEAST.replace("[runtime]", &format!("[runtime]\npredicate_type = \"https://eu.example/{path}\"")))
    };
    assert!(named(eleven_core::limits::MAX_PREDICATE_TYPE).is_ok());
    let refused = named(eleven_core::limits::MAX_PREDICATE_TYPE + 1).expect_err("every attestation would hold it");
    assert!(refused.contains("of at most 512 bytes"), "{refused}");
}

#[test]
fn a_file_too_large_to_be_one_is_not_read_whole() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "#".repeat(64 * 1024 + 1)).expect("written");
    assert!(Config::load(file.path()).expect_err("a refusal").to_string().contains("larger than 64 KiB"));
    std::fs::write(file.path(), [0xff, 0xfe]).expect("written");
    assert!(Config::load(file.path()).is_err(), "not a text");
    let folder = tempfile::tempdir().expect("a folder");
    let there = Config::load(folder.path()).expect_err("it is no file").to_string();
    assert!(there.contains("name it with --config") && !there.contains("eleven init"), "it is there: {there}");
    let absent = Config::load(&folder.path().join("eleven.toml")).expect_err("it is not there").to_string();
    assert!(absent.contains("make one with `eleven init DIR`, or name it with --config"), "{absent}");
}

/// Whatever is written, it is read or refused: nothing in it makes the reader fall.
#[test]
fn a_damaged_configuration_is_refused_and_nothing_worse() {
    let all = KEYS.iter().filter_map(|key| match key.preset {
        Preset::Required(example) => Some((key.path, Setting::Text(example.to_owned()))),
        _ => Some((key.path, document::preset(&key.preset)?)),
    });
    let text = sample(&all.collect());
    read(&text).expect("a configuration before it is damaged");
    let text = text.into_bytes();
    let pieces: [&[u8]; 8] =
        [b"[", b"]", b"\"", b"= ", b"\n", b"[runtime]\n", b"9999999999999999999999", b"\xf0\x9f\x98\x80"];
    let mut state: u64 = 0x1111;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    let mut refused = 0;
    let damaged = 3000;
    for _ in 0..damaged {
        let mut changed = text.clone();
        for _ in 0..=random(3) {
            let at = random(changed.len());
            match random(3) {
                0 => changed.truncate(at),
                1 => drop(changed.splice(at..at, pieces[random(pieces.len())].iter().copied())),
                _ => changed[at] = u8::try_from(random(256)).expect("a byte"),
            }
            if changed.is_empty() {
                break;
            }
        }
        refused += usize::from(read(&String::from_utf8_lossy(&changed)).is_err());
    }
    assert!((500..damaged - 100).contains(&refused), "{refused}: comments may be damaged, values may not");
}
