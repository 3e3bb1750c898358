use super::policy::in_words;
use super::{Source, auditor, client, operator};
use crate::cli::{AuditorCommand, ClientCommand, OperatorCommand};
use crate::config::Config;
use crate::operator::OperatorKey;
use crate::output::{Failure, Output};
use eleven_api::client::CallError;
use eleven_api::problem::Problem;
use eleven_api::secret::Secret;
use eleven_core::encoding::{Value, parse};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use zeroize::Zeroizing;

#[test]
fn cedar_text_and_schema_are_read_from_beside_the_bundle_where_it_has_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("p.json");
    let text = |name: &str| Source::read(&file).expect("a bundle").into_object().get(name).cloned();
    std::fs::write(&file, r#"{"ref":"policy://p/v1"}"#).expect("written");
    let refused = Source::read(&file).err().expect("a refusal").to_string();
    assert!(refused.contains("p.cedar"), "{refused}");
    std::fs::write(file.with_extension("cedar"), "permit(principal, action, resource);").expect("written");
    assert_eq!(text("cedar"), Some(Value::from("permit(principal, action, resource);")));
    assert_eq!(text("schema"), Some(Value::Null));
    std::fs::write(file.with_extension("cedarschema"), "entity Identity;").expect("written");
    assert_eq!(text("schema"), Some(Value::from("entity Identity;")));
    std::fs::write(&file, r#"{"cedar":"forbid(principal, action, resource);","ref":"policy://p/v1"}"#)
        .expect("written");
    assert_eq!(text("cedar"), Some(Value::from("forbid(principal, action, resource);")), "its own text stays");
    for extension in ["cedar", "cedarschema"] {
        let refused = Source::read(&file.with_extension(extension)).err().expect("no bundle").to_string();
        assert!(refused.contains(&format!("name the `.json` beside it, {}", file.display())), "{refused}");
    }
    std::fs::write(&file, "{\n\n\"ttl\": 0.5}").expect("written");
    let refused = Source::read(&file).err().expect("no bundle").to_string();
    assert!(refused.contains("p.json:3: "), "{refused}");
}

#[test]
fn a_schema_beside_a_bundle_that_says_null_is_its_schema_and_what_is_not_read_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("p.json");
    let (rules, schema) = (file.with_extension("cedar"), file.with_extension("cedarschema"));
    let read = |text: &str| {
        std::fs::write(&file, text).expect("written");
        Source::read(&file).expect("a bundle")
    };
    std::fs::write(&rules, "permit(principal, action, resource);").expect("written");
    std::fs::write(&schema, "entity Identity;").expect("written");
    let source = read(r#"{"cedar":null,"ref":"policy://p/v1","schema":null}"#);
    assert_eq!(source.read_from(), format!("{}, {}, {}", file.display(), rules.display(), schema.display()));
    assert_eq!(source.unread(), Vec::<String>::new());
    let bundle = source.into_object();
    assert_eq!(bundle.get("schema"), Some(&Value::from("entity Identity;")));
    assert_eq!(bundle.get("cedar"), Some(&Value::from("permit(principal, action, resource);")));
    let source =
        read(r#"{"cedar":"forbid(principal, action, resource);","ref":"policy://p/v1","schema":"entity Runtime;"}"#);
    assert_eq!(source.read_from(), file.display().to_string(), "what is not read is not named as if it were");
    let told = source.unread();
    assert!(
        matches!(told.as_slice(), [cedar, of_schema]
        if cedar.contains("p.cedar:") && cedar.contains("`cedar`")
            && of_schema.contains("p.cedarschema:") && of_schema.contains("`schema`")),
        "{told:?}"
    );
    assert_eq!(source.into_object().get("schema"), Some(&Value::from("entity Runtime;")));
}

#[test]
fn a_policy_is_shown_with_all_that_decides() {
    let shown = |more: &str| {
        let bundle = format!(
            r#"{{"cedar":"permit(principal in Team::\"blue\", action, resource);\n","operations":["model.invoke","model.list"],
                "runtimes":["host://a/*"],"terms":{{"ttl":60}}{more}}}"#
        );
        in_words("policy://p/v1", "sha3-512:0", &parse(bundle.as_bytes()).expect("I-JSON"))
    };
    let own = "policy://p/v1\nsha3-512:0\noperations model.invoke model.list\nruntimes host://a/*\nterms {\"ttl\":60}\n\n\
               permit(principal in Team::\"blue\", action, resource);";
    assert_eq!(shown(r#","schema":null"#), own);
    let member = r#"{"parents":[{"id":"blue","type":"Team"}],"uid":{"id":"svc:app:dev","type":"Identity"}}"#;
    let more = format!(r#","entities":[{member}],"schema":"entity Team;""#);
    assert_eq!(shown(&more), format!("{own}\n\nentities\n{member}\n\nschema\nentity Team;"));
}

#[test]
fn the_next_version_is_the_one_that_a_refusal_names_as_that_and_of_the_same_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("p.json");
    std::fs::write(&file, r#"{"cedar":"","ref":"policy://p/v1"}"#).expect("written");
    let source = Source::read(&file).expect("a bundle");
    let sentence = Problem::with_status(409, "a policy is published so: the next is policy://p/v4");
    let next_by =
        |problem: Problem| source.next_by(&Failure::from(CallError::Refused(problem)).while_("policy.publish"));
    assert_eq!(next_by(sentence.clone()), None, "what is said to people may be said otherwise");
    assert_eq!(next_by(sentence.clone().naming_next("policy://p/v4")).as_deref(), Some("policy://p/v4"));
    for other in ["policy://q/v4", "policy://p", "v4", ""] {
        assert_eq!(next_by(sentence.clone().naming_next(other)), None, "{other}");
    }
}

const LEAST: &str = "[domain]\nname = \"11-11\"\n[runtime]\npoint = \"host://here/gateway#gw-0\"\n\
                     [runtime.gateway]\nupstream = \"http://127.0.0.1:8000\"\n";

/// An authority that reads one act, answers this and hangs up.
fn answering(answer: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let answer = answer.to_owned();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut asked = Vec::new();
        while !asked.ends_with(b"}") {
            let mut some = [0; 4096];
            let read = stream.read(&mut some).expect("a request");
            assert!(read > 0, "an act is a document");
            asked.extend_from_slice(&some[..read]);
        }
        stream.write_all(answer.as_bytes()).expect("taken");
    });
    url
}

#[test]
fn the_key_of_an_operator_who_may_be_there_is_kept_and_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let (own, file) = (folder.path().join("operator.key"), folder.path().join("second.key"));
    let made = OperatorKey::create(&own, "human:operator:dev", "key:11-11/operator/1", &Zeroizing::new([9; 32]));
    assert!(made.is_ok());
    let mut config = Config::read(&folder.path().join("eleven.toml"), LEAST).expect("a configuration");
    let mut failed = |url: String, out: Option<PathBuf>| {
        config.authority.url = url;
        let (name, identity) = ("second".to_owned(), "human:second:dev".to_owned());
        let added = operator(&config, OperatorCommand::Add { name, identity, out }, Output::new(true));
        added.expect_err("nobody says that it was done").to_string()
    };
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{",
        // Of whoever else listens there, or stands before the authority: it may have the act.
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
    ] {
        let said = failed(answering(answer), Some(file.clone()));
        assert!(said.contains(&format!("{} holds its key", file.display())), "{answer}: {said}");
        std::fs::remove_file(&file).expect("it is kept");
        let said = failed(answering(answer), None);
        assert!(said.contains("`eleven operator list`") && said.contains("`eleven operator remove second`"), "{said}");
    }
    let settled = |said: &str| assert!(!file.exists() && !said.contains("eleven operator"), "{said}");
    for status in ["400 Bad Request", "401 Unauthorized", "404 Not Found", "409 Conflict"] {
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        settled(&failed(answering(&answer), Some(file.clone())));
        settled(&failed(answering(&answer), None));
    }
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("an address");
    settled(&failed(format!("http://{free}"), Some(file.clone())));
    std::fs::remove_file(&own).expect("it is there");
    settled(&failed(format!("http://{free}"), Some(file.clone())));
}

#[test]
fn a_secret_that_may_count_is_kept_and_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let (own, file) = (folder.path().join("operator.key"), folder.path().join("secret"));
    let made = OperatorKey::create(&own, "human:operator:dev", "key:11-11/operator/1", &Zeroizing::new([9; 32]));
    assert!(made.is_ok());
    let mut config = Config::read(&folder.path().join("eleven.toml"), LEAST).expect("a configuration");
    for kind in ["client", "auditor"] {
        let mut failed = |url: String, name: &str, out: Option<PathBuf>| {
            config.authority.url = url;
            let (name, identity) = (name.to_owned(), "human:second:dev".to_owned());
            let added = if kind == "client" {
                client(&config, ClientCommand::Add { name, identity, out }, Output::new(true))
            } else {
                auditor(&config, AuditorCommand::Add { name, identity, out }, Output::new(true))
            };
            added.expect_err("nobody says that it was done").to_string()
        };
        for answer in [
            "",
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        ] {
            let said = failed(answering(answer), "second", Some(file.clone()));
            assert!(said.contains(&format!("{} holds its secret", file.display())), "{answer}: {said}");
            let kept = std::fs::read_to_string(&file).expect("it is kept");
            assert_eq!(Secret::parse(kept.trim_end()).expect("a secret").holder(), "second");
            std::fs::remove_file(&file).expect("it is kept");
            let said = failed(answering(answer), "second", None);
            assert!(said.contains(&format!("`eleven {kind} revoke second`: its secret is lost")), "{said}");
        }
        let refused = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        let said = failed(answering(refused), "second", Some(file.clone()));
        assert!(!file.exists() && !said.contains("its secret"), "{said}");
        let said = failed("http://127.0.0.1:1".to_owned(), "no/name", Some(file.clone()));
        assert!(!file.exists() && said.contains("nothing was done"), "{said}");
    }
}
