use super::*;
use crate::encoding::parse;
use crate::policy::{PolicyBundle, commitment};
use crate::signature::{SeedSigner, Signer, VerifyingKey, bytes32};

fn vectors() -> Value {
    parse(include_bytes!("../../../../spec/vectors/artifacts.json")).expect("I-JSON")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).expect("a string")
}

#[test]
fn artifacts_are_made_and_read_as_the_vectors_say() {
    for case in vectors().get("artifacts").and_then(Value::as_array).expect("artifacts") {
        let artifact = Artifact::read(case.get("artifact").expect("artifact").clone()).expect("of its form");
        assert!(artifact.digests_follow());
        assert_eq!(artifact.payload(), text(case, "payload").as_bytes());
        let signer = SeedSigner::new(artifact.sig.kid.clone(), &bytes32(text(case, "seed")).expect("32 bytes"));
        let key = VerifyingKey::new(&signer.public()).expect("a key");
        assert!(key.verifies(artifact.payload(), &artifact.sig.val));
        let draft = Draft {
            iss: artifact.iss.clone(),
            sub: artifact.sub.clone(),
            op: artifact.op.clone(),
            pol: artifact.pol.clone(),
            env: artifact.env.clone(),
            nbf: artifact.nbf,
            exp: artifact.exp,
            usage: artifact.usage.clone(),
            parent: artifact.parent.clone(),
            holder: artifact.holder,
        };
        assert_eq!(draft.issue(&signer).expect("issues"), artifact);
    }
}

/// The artifact by the value of all its members, read as a point reads it: the same one, or the same error.
#[test]
fn what_is_issued_is_what_is_read_of_it() {
    type Change = fn(&mut Draft);
    let read = |draft: Draft, signer: &SeedSigner| {
        let body = Object::new()
            .with("v", "1")
            .with("iss", draft.iss)
            .with("sub", draft.sub)
            .with("op", draft.op.value().clone())
            .with("pol", draft.pol.to_value())
            .with("env", draft.env.to_value())
            .with("nbf", draft.nbf.seconds())
            .with("exp", draft.exp.seconds())
            .with("use", draft.usage.to_value())
            .with_some("parent", draft.parent.map(|parent| parent.to_value()))
            .with_some("holder", draft.holder.map(Value::from));
        let id = format!("auth_{}", id::of_canonical(&body.canonical()));
        let body = body.with("id", id);
        let payload = body.canonical();
        let (chash, sig) = (Sha3::of(&[&payload]), signer.signature(&payload).to_value());
        Artifact::read(Value::Object(body.with("chash", chash).with("sig", sig)))
    };
    let file = vectors();
    let case = &file.get("artifacts").and_then(Value::as_array).expect("artifacts")[0];
    let artifact = Artifact::read(case.get("artifact").expect("artifact").clone()).expect("of its form");
    let Artifact { iss, sub, op, pol, env, nbf, exp, usage, parent, holder, .. } = artifact;
    let good = Draft { iss, sub, op, pol, env, nbf, exp, usage, parent, holder };
    let held = |draft: Draft, kid: &str| {
        let signer = SeedSigner::new(kid, &[7; 32]);
        let issued = draft.clone().issue(&signer);
        let input = b"a decision input".repeat(40);
        let beside = draft.clone().issue_beside(&signer, &input);
        assert_eq!(beside, issued.clone().map(|artifact| (artifact, Sha3::of(&[&input]))));
        assert_eq!(issued, read(draft, &signer));
        issued.map(|_| ()).map_err(|error| error.0)
    };
    let kid = "key:11-11/issuer/1";
    let fine: [Change; 8] = [
        |_| {},
        |draft| draft.sub = "agent:a:dev@eu.example".into(),
        |draft| draft.nbf = draft.nbf.plus_millis(7),
        |draft| draft.exp = draft.nbf.plus_seconds(3600),
        |draft| draft.usage = Use::Bounded { nonce: nonce(&[1; 17]), max: limits::MAX_INTEGER },
        |draft| draft.usage = Use::Rate { nonce: nonce(&[1; 17]), max: 1, per: 1 },
        |draft| draft.parent = Some(parent_of(&["1", "2"])),
        |draft| draft.holder = Some(Sha256([9; 32])),
    ];
    for (n, change) in fine.into_iter().enumerate() {
        let mut draft = good.clone();
        change(&mut draft);
        assert_eq!(held(draft, kid), Ok(()), "{n}");
    }
    let wrong: [(&str, Change); 16] = [
        ("artifact: `iss` is not an authority's name", |draft| draft.iss = "11-11".into()),
        ("artifact: `sub` is not an identity", |draft| draft.sub = "alice".into()),
        ("policy: `ref` is not a policy's reference", |draft| draft.pol.reference = "policy://a".into()),
        ("env: `runtime` is not a runtime's name", |draft| draft.env.runtime = "cluster".into()),
        ("env: `region` is not a name", |draft| draft.env.region = "us east".into()),
        ("env: `tenancy` is not a name", |draft| draft.env.tenancy = String::new()),
        ("artifact: `nbf` is not a time to the second", |draft| draft.nbf = Time(253_402_300_800_000)),
        ("artifact: `exp` is not a time to the second", |draft| draft.exp = Time(253_402_300_800_000)),
        ("use: `nonce` is not a nonce", |draft| draft.usage = Use::Single { nonce: "n_1".into() }),
        ("use: `max` is not an integer >= 1", |draft| draft.usage = Use::Bounded { nonce: nonce(&[1; 17]), max: 0 }),
        ("use: `per` is not an integer >= 1", |draft| {
            draft.usage = Use::Rate { nonce: nonce(&[1; 17]), max: 1, per: 0 };
        }),
        ("parent: the last ancestor is not the parent", |draft| {
            draft.parent = Some(Parent { ancestors: Vec::new(), ..parent_of(&["1", "2"]) });
        }),
        ("parent: an ancestor stands twice", |draft| draft.parent = Some(parent_of(&["2", "1", "2"]))),
        ("the artifact's life is not between 1 s and 1 h", |draft| draft.exp = draft.nbf),
        ("the artifact's life is not between 1 s and 1 h", |draft| draft.exp = draft.nbf.plus_seconds(3601)),
        ("the artifact is larger than 8 KiB", |draft| draft.env.runtime = format!("k8s://{}", path(8192))),
    ];
    for (error, change) in wrong {
        let mut draft = good.clone();
        change(&mut draft);
        assert_eq!(held(draft, kid), Err(error.into()));
    }
    assert_eq!(held(good, "issuer"), Err("signature: `kid` is not a key's name".into()));
}

/// The last of these artifacts as a parent, each named by one digit.
fn parent_of(ancestors: &[&str]) -> Parent {
    let ids: Vec<String> = ancestors.iter().map(|digit| digit.repeat(32)).collect();
    let op = ids.last().cloned().unwrap_or_default();
    Parent { artifact: format!("auth_{op}"), op, ancestors: ids.iter().map(|id| format!("auth_{id}")).collect() }
}

#[test]
fn policies_requests_and_disclosures_hash_as_the_vectors_say() {
    let file = vectors();
    for case in file.get("policies").and_then(Value::as_array).expect("policies") {
        let bundle = PolicyBundle::read(case.get("bundle").expect("bundle").clone()).expect("of its form");
        assert_eq!(bundle.hash, Sha3::parse(text(case, "hash")).expect("a hash"));
    }
    let request = file.get("request").expect("request");
    let body =
        crate::hash::unbase64(text(request, "body_bytes").strip_prefix("base64:").expect("base64:")).expect("base64");
    let binding = RequestBinding {
        body: Sha3::of(&[&body]),
        method: text(request, "method").into(),
        path: text(request, "path").into(),
    };
    assert_eq!(binding.body, Sha3::parse(text(request, "body")).expect("a hash"));
    assert_eq!(binding.digest(text(request, "salt")), Sha3::parse(text(request, "params")).expect("a hash"));
    let disclosure = file.get("disclosure").expect("disclosure");
    let [salt, path, value] = disclosure.get("disclosure").and_then(Value::as_array).expect("three") else {
        panic!("a disclosure has three parts")
    };
    let made = commitment(salt.as_str().expect("salt"), path.as_str().expect("path"), value);
    assert_eq!(Some(&made), disclosure.get("committed"));
}

#[test]
fn a_term_that_is_not_understood_makes_a_policy_invalid() {
    let file = vectors();
    let case = &file.get("policies").and_then(Value::as_array).expect("policies")[0];
    let bundle = case.get("bundle").and_then(Value::as_object).expect("bundle");
    let terms = bundle.get("terms").and_then(Value::as_object).expect("terms");
    let with = |name: &str, value: Value| {
        let terms = terms.clone().with(name, value);
        PolicyBundle::read(Value::Object(bundle.clone().with("terms", terms)))
    };
    assert!(with("max", Value::Int(3)).is_ok());
    assert!(with("shadow", Value::Bool(true)).is_err());
    assert!(with("ttl", Value::Int(3601)).is_err());
    assert!(with("use", Value::Array(Vec::new())).is_err());
    assert!(with("delegates", Value::Array(alloc::vec!["tool.call".into()])).is_ok());
    assert!(with("delegates", Value::Array(alloc::vec!["tool call".into()])).is_err());
    assert!(with("sensitive", Value::Array(alloc::vec!["/env/region".into()])).is_err());
}

#[test]
fn a_term_that_an_artifact_does_not_keep_is_named() {
    let file = vectors();
    let first = |list: &str, name: &str| {
        let items = file.get(list).and_then(Value::as_array).expect("a list");
        items[0].get(name).and_then(Value::as_object).expect("an object").clone()
    };
    let policy = first("policies", "bundle");
    let kept = Artifact::read(Value::Object(first("artifacts", "artifact"))).expect("of its form");
    let broken = |artifact: &Artifact, term: &str, value: Value| {
        let terms = policy.get("terms").and_then(Value::as_object).expect("terms").clone().with(term, value);
        let policy = PolicyBundle::read(Value::Object(policy.clone().with("terms", terms)));
        policy.expect("of its form").broken_term(artifact)
    };
    let list = |items: &[&str]| Value::Array(items.iter().map(|item| Value::from(*item)).collect());

    assert_eq!(broken(&kept, "ttl", Value::Int(300)), None);
    assert_eq!(broken(&kept, "ttl", Value::Int(299)), Some("ttl"));
    assert_eq!(broken(&kept, "use", list(&["rate", "single"])), None);
    assert_eq!(broken(&kept, "use", list(&["rate", "bounded"])), Some("use"));

    let mut unbound = kept.clone();
    unbound.op.params = None;
    assert_eq!(broken(&kept, "bind_params", Value::Bool(true)), None);
    assert_eq!(broken(&unbound, "bind_params", Value::Bool(true)), Some("bind_params"));
    assert_eq!(broken(&unbound, "bind_params", Value::Bool(false)), None);

    let sensitive = |artifact: &Artifact, pointers: &[&str]| broken(artifact, "sensitive", list(pointers));
    assert_eq!(sensitive(&kept, &["/op/patient", "/op/nothing"]), None);
    assert_eq!(sensitive(&kept, &["/op/patient", "/op/model"]), Some("sensitive"));
    let mut told = kept.clone();
    let patient = kept.op.value.get("patient").and_then(Value::as_object).expect("a commitment").clone();
    let op = kept.op.value.as_object().expect("an op").clone().with("patient", patient.with("id", "p-4711"));
    told.op.value = Value::Object(op);
    assert_eq!(sensitive(&told, &["/op/patient"]), Some("sensitive"), "a commitment and what it is to");
    for pointer in ["/op/model/owner", "/op/model/owner/name"] {
        assert_eq!(sensitive(&kept, &[pointer]), Some("sensitive"), "{pointer}: what has no parts may hold it");
    }
    assert_eq!(sensitive(&kept, &["/op/patient/name", "/op/name/first", "/op/nothing/at/all"]), None);

    let nonce = || String::from(kept.usage.nonce());
    let bounded = Artifact { usage: Use::Bounded { nonce: nonce(), max: 3 }, ..kept.clone() };
    let rate = Artifact { usage: Use::Rate { nonce: nonce(), max: 3, per: 60 }, ..kept.clone() };
    for several in [&bounded, &rate] {
        assert_eq!(broken(several, "max", Value::Int(3)), None);
        assert_eq!(broken(several, "max", Value::Int(2)), Some("max"));
    }
    assert_eq!(broken(&kept, "max", Value::Int(1)), None, "once is no number of times");
    assert_eq!(broken(&rate, "per", Value::Int(60)), None);
    assert_eq!(broken(&rate, "per", Value::Int(61)), Some("per"));
    assert_eq!(broken(&bounded, "per", Value::Int(61)), None, "it has no window");

    let other = policy.with("operations", list(&["model.embed"]));
    let other = PolicyBundle::read(Value::Object(other)).expect("of its form");
    assert_eq!(other.broken_term(&kept), Some("operations"));
}

#[test]
fn a_policy_covers_something_and_says_so_in_order() {
    let file = vectors();
    let case = &file.get("policies").and_then(Value::as_array).expect("policies")[0];
    let bundle = case.get("bundle").and_then(Value::as_object).expect("bundle");
    let with = |name: &str, items: &[&str]| {
        let items: Vec<Value> = items.iter().map(|item| Value::from(*item)).collect();
        PolicyBundle::read(Value::Object(bundle.clone().with(name, items)))
    };
    assert!(with("operations", &["a", "b"]).is_ok());
    assert!(with("operations", &[]).is_err() && with("runtimes", &[]).is_err());
    assert!(with("operations", &["b", "a"]).is_err() && with("operations", &["a", "a"]).is_err());
    for pattern in ["*", "k8s://", "*://a", "ftp://a", "k8s://a//b"] {
        assert!(with("runtimes", &["k8s://fine/*", pattern]).is_err(), "{pattern}");
    }
}

#[test]
fn a_nonce_is_of_its_form_whatever_the_bytes() {
    assert!(is_nonce(&nonce(&[0; 17])));
    assert!(is_nonce(&nonce(&[255; 17])));
    assert_ne!(nonce(&[1; 17]), nonce(&[2; 17]));
}

/// As a structure whose members are taken out of a copy of it is read.
#[test]
fn an_operation_is_read_where_it_is_as_any_form_is() {
    let read = |value: Value| -> Result<Operation, FormError> {
        Operation::check_size(&value)?;
        let mut form = Form::of(value.clone(), "op")?;
        let name = form.named("name", "an operation's name", name::is_operation)?;
        let scope = form.strings("scope")?;
        require(scope.len() <= limits::MAX_SCOPE, "op: `scope` has more than 64 entries")?;
        require(scope.iter().all(|entry| name::is_operation(entry)), "op: a scope entry is not a name")?;
        require(scope.is_sorted_by(|a, b| a < b), "op: `scope` is not sorted and unique")?;
        let params = if form.has("params") { Some(form.sha3("params")?) } else { None };
        Ok(Operation { name, scope, params, value })
    };
    let params = format!("sha3-512:{}", "0".repeat(128));
    let scope = r#""name":"a","scope":["#;
    let texts: [(String, Option<&str>); 16] = [
        (r#"{"name":"a","scope":[]}"#.into(), None),
        (format!("{{{scope}\"b\",\"c\"],\"params\":\"{params}\",\"x\":{{\"y\":[1]}}}}"), None),
        ("[]".into(), Some("op is not an object")),
        (r#"{"scope":[]}"#.into(), Some("op lacks the member `name`")),
        (r#"{"name":"a"}"#.into(), Some("op lacks the member `scope`")),
        (r#"{"name":1,"scope":[]}"#.into(), Some("op: `name` is not a string")),
        (r#"{"name":"a b","scope":[]}"#.into(), Some("op: `name` is not an operation's name")),
        (r#"{"name":"a","scope":"b"}"#.into(), Some("op: `scope` is not an array")),
        (format!("{{{scope}1]}}"), Some("op: `scope` is not an array of strings")),
        (format!("{{{scope}\"b c\"]}}"), Some("op: a scope entry is not a name")),
        (format!("{{{scope}\"c\",\"b\"]}}"), Some("op: `scope` is not sorted and unique")),
        (format!("{{{scope}\"b\",\"b\"]}}"), Some("op: `scope` is not sorted and unique")),
        (format!("{{{scope}],\"params\":1}}"), Some("op: `params` is not a string")),
        (format!("{{{scope}],\"params\":null}}"), Some("op: `params` is not a string")),
        (format!("{{{scope}],\"params\":\"{params}0\"}}"), Some("op: `params` is not a sha3-512 hash")),
        (format!("{{{scope}],\"x\":\"{}\"}}", "x".repeat(4096)), Some("op is larger than 4 KiB")),
    ];
    for (text, error) in texts {
        let value = parse(text.as_bytes()).expect("I-JSON");
        let found = Operation::read(value.clone());
        assert_eq!(found, read(value), "{text}");
        assert_eq!(found.err().map(|error| error.0).as_deref(), error, "{text}");
    }
}

#[test]
fn an_operation_is_bound_as_if_it_had_come_so() {
    let op = |fill: usize| Object::new().with("name", "a").with("scope", Vec::new()).with("x", "x".repeat(fill));
    let params = Sha3([7; 64]);
    let room = 4096 - op(0).with("params", params).canonical().len();
    for fill in [0, room, room + 1] {
        let bound = Operation::read(Value::Object(op(fill))).expect("of its form").bound(params);
        assert_eq!(bound, Operation::read(Value::Object(op(fill).with("params", params))), "{fill}");
        assert_eq!(bound.is_ok(), fill <= room);
    }
}

/// An artifact that could not stand in a token could be issued and never presented.
#[test]
fn an_operation_is_refused_that_is_too_deep_for_a_token() {
    let deep = |inside: usize| {
        let parameter = (0..inside).fold(Value::Int(1), |inner, _| Value::Array(alloc::vec![inner]));
        let op = Object::new().with("name", "model.invoke").with("scope", Vec::new()).with("x", parameter);
        Value::Object(op)
    };
    let carried = |op: Value| Object::new().with("artifact", Object::new().with("op", op)).canonical();
    assert!(Operation::read(deep(29)).is_ok() && parse(&carried(deep(29))).is_ok());
    assert!(Operation::read(deep(30)).is_err() && parse(&carried(deep(30))).is_err());
}

/// Revocation and containment follow the ancestors: what is no chain of artifacts would lead past them.
#[test]
fn a_parent_is_one_artifact_and_its_ancestors_a_chain() {
    let file = vectors();
    let case = &file.get("artifacts").and_then(Value::as_array).expect("artifacts")[0];
    let artifact = case.get("artifact").and_then(Value::as_object).expect("an artifact");
    let id = |digit: &str| digit.repeat(32);
    let auth = |digit: &str| format!("auth_{}", id(digit));
    let read = |op: String, ancestors: &[&str]| {
        let ancestors: Vec<Value> = ancestors.iter().map(|digit| auth(digit).into()).collect();
        let parent = Object::new().with("op", op).with("artifact", auth("2")).with("ancestors", ancestors);
        Artifact::read(Value::Object(artifact.clone().with("parent", parent)))
    };
    assert!(read(id("2"), &["1", "2"]).is_ok() && read(id("2") + ".7", &["2"]).is_ok());
    assert!(read(id("1"), &["1", "2"]).is_err(), "another artifact's operation");
    assert!(read(id("2"), &["1", "1", "2"]).is_err() && read(id("2"), &["2", "1", "2"]).is_err(), "one twice");
    assert!(read(id("2"), &["2", "1"]).is_err() && read(id("2"), &[]).is_err(), "another one last, or none");
}

/// A path of so many characters.
fn path(length: usize) -> String {
    (0..length).map(|at| if at % 60 == 59 && at + 1 < length { '/' } else { 'a' }).collect()
}

/// Of each limit that an artifact and its token have (PROTOCOL 13) the last that is taken, and the first that is not.
#[test]
fn an_artifact_and_its_token_are_taken_up_to_each_limit_and_not_past_it() {
    let file = vectors();
    let case = &file.get("artifacts").and_then(Value::as_array).expect("artifacts")[0];
    let artifact = case.get("artifact").and_then(Value::as_object).expect("an artifact");
    let why = |read: Result<Artifact, FormError>| read.err().map(|error| error.0).unwrap_or_default();
    let with = |name: &str, value: Value| why(Artifact::read(Value::Object(artifact.clone().with(name, value))));
    // It begins at 17:00.
    let life = "the artifact's life is not between 1 s and 1 h";
    for (exp, says) in [("17:00:01", ""), ("18:00:00", ""), ("18:00:01", life), ("17:00:00", life), ("16:59:59", life)]
    {
        assert_eq!(with("exp", format!("2026-05-12T{exp}Z").into()), says, "until {exp}");
    }
    for (ancestors, says) in [(16, ""), (17, "parent: more than 16 ancestors")] {
        let ids: Vec<Value> = (1..=ancestors).map(|n| format!("auth_{n:032}").into()).collect();
        let parent = Object::new().with("op", format!("{ancestors:032}")).with("artifact", ids.last().cloned());
        assert_eq!(with("parent", Value::Object(parent.with("ancestors", ids))), says, "{ancestors}");
    }
    let op = || Object::new().with("name", "model.invoke").with("scope", Vec::new());
    for (entries, says) in [(64, ""), (65, "op: `scope` has more than 64 entries")] {
        let scope: Vec<Value> = (0..entries).map(|n| format!("s{n:02}").into()).collect();
        assert_eq!(with("op", Value::Object(op().with("scope", scope))), says, "{entries}");
    }
    for (bytes, says) in [(4096, ""), (4097, "op is larger than 4 KiB")] {
        let fill = bytes - op().with("x", "").canonical().len();
        assert_eq!(with("op", Value::Object(op().with("x", "x".repeat(fill)))), says, "{bytes}");
    }
    for (bytes, says) in [(8192, ""), (8193, "the artifact is larger than 8 KiB")] {
        let at = |path: &str| {
            let env = Object::new().with("runtime", format!("k8s://{path}")).with("region", "eu").with("tenancy", "a");
            artifact.clone().with("env", env)
        };
        let fill = bytes - at("").canonical().len();
        assert_eq!(why(Artifact::read(Value::Object(at(&path(fill))))), says, "{bytes}");
    }
    let admission = parse(include_bytes!("../../../../spec/vectors/admission.json")).expect("I-JSON");
    let token = admission.pointer("/base/token").and_then(Value::as_str).expect("a token");
    let Token { artifact, issued, salt } = Token::read(token).expect("of its form");
    // Three bytes are four characters.
    for (bytes, says) in [(10_752, ""), (10_753, "the token is larger than 14 KiB")] {
        let filled = |fill: usize| {
            let Value::Object(issued) = issued.to_value() else { panic!("an object") };
            let issued = issued.with("data", Object::new().with("x", "x".repeat(fill)));
            let token = Object::new().with("artifact", artifact.to_value()).with("issued", issued);
            token.with("salt", salt.as_str()).canonical()
        };
        let text = crate::hash::base64url(&filled(bytes - filled(0).len()));
        assert_eq!(text.len() <= limits::MAX_TOKEN, says.is_empty(), "{bytes}");
        assert_eq!(Token::read(&text).err().map(|error| error.0).unwrap_or_default(), says, "{bytes}");
    }
}
