//! The situations, in the order in which they are shown.

use super::caller::Caller;
use super::proofs::Proof;
use super::show::Show;
use super::system::Part;
use super::texts::note;
use super::upstream::MODEL;
use crate::admin::{self, Source};
use crate::config::Config;
use bytes::Bytes;
use eleven_core::artifact::Token;
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::hash::{Sha3, base64url, unbase64url};
use eleven_core::name;
use eleven_core::signature::{base64_value, bytes64};
use std::time::{Duration, Instant};

/// Seconds that a registry view is fresh in the demo's domain.
pub(crate) const FRESH: u64 = 3;
/// Seconds of the audit bound in the demo's domain.
pub(crate) const BOUND: u64 = 1;
/// How long the artifact lives that is to expire, in seconds.
const SHORT_LIFE: u64 = 2;
/// How long a part of the domain may take to follow.
const PATIENCE: Duration = Duration::from_secs(15);

type Scene<T = ()> = Result<T, String>;

/// What the scenes use again.
pub(crate) struct Stage {
    config: Config,
    other_app: Caller,
    /// The proof of an allowed call.
    pub(crate) lineage: Option<Proof>,
    /// The proof of a refusal.
    pub(crate) denial: Option<Proof>,
    requests: usize,
}

impl Stage {
    /// Adds what the scenes need to the domain: another client, whom no policy permits anything.
    pub(crate) fn set(show: &Show) -> Scene<Self> {
        let config = Config::load(show.system.config()).map_err(|error| error.to_string())?;
        let other_app = Caller::add(&show.system, "other-app", "svc:other-app:dev")?;
        Ok(Self { config, other_app, lineage: None, denial: None, requests: 0 })
    }

    /// A request whose bytes no other request has.
    fn request(&mut self) -> Bytes {
        self.requests += 1;
        Caller::request(&note(self.requests))
    }

    fn act(&self, name: &str, args: Object) -> Scene<Value> {
        admin::act(&self.config, name, args).map_err(|error| error.to_string())
    }

    /// Publishes the next version of the starter policy with other terms, for every runtime of this host.
    fn publish(&self, version: u64, ttl: u64) -> Scene<Value> {
        let file = self.config.file.with_file_name("policies").join("starter.json");
        let bundle = Source::read(&file).map_err(|error| error.to_string())?.into_object();
        let runtime = name::runtime_of_point(&self.config.point.name);
        let any = match runtime.rsplit_once('/') {
            Some((host, _)) => format!("{host}/*"),
            None => runtime.to_owned(),
        };
        let only = format!("resource == Runtime::\"{runtime}\"");
        let cedar = bundle.get("cedar").and_then(Value::as_str).unwrap_or_default().replace(&only, "resource");
        let terms = bundle.get("terms").and_then(Value::as_object).cloned().unwrap_or_default();
        let terms = terms.with("ttl", ttl).with("release", "stream");
        let bundle = bundle
            .with("ref", format!("policy://starter/v{version}"))
            .with("runtimes", vec![Value::from(any)])
            .with("cedar", cedar)
            .with("terms", terms);
        self.act("policy.publish", Object::new().with("bundle", bundle))
    }
}

/// Waits until the gateway decides by the epoch in which an act is in force.
fn in_force(show: &Show, done: &Value) -> Scene {
    let epoch = done.get("epoch").and_then(Value::as_int).unwrap_or(0);
    until("the gateway does not follow the registry", || {
        let health = show.app.get(show.system.url(Part::Runtime), "/health");
        health.is_ok_and(|health| health.get("epoch").and_then(Value::as_int) >= Some(epoch))
    })
}

fn until(what: &str, mut holds: impl FnMut() -> bool) -> Scene {
    let begun = Instant::now();
    while !holds() {
        if begun.elapsed() > PATIENCE {
            return Err(what.to_owned());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Calls that are allowed.
pub(crate) fn allowed(show: &mut Show, stage: &mut Stage) -> Scene {
    show.part("Allowed: authorized before, enforced during, proven after");
    let answer = show.app.models();
    show.reached("list of models", &answer, 0);
    let body = stage.request();
    let answer = show.app.chat(&body);
    stage.lineage = show.allowed("model call", &answer);
    if let Some(summary) = answer.content() {
        show.remark(&format!("“{}”", shortened(&summary, 110)));
    }
    let body = stage.request();
    let artifact = show.app.artifact(&body)?;
    let answer = show.app.present(&body, &artifact.text());
    show.allowed("model call, artifact presented", &answer);
    Ok(())
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The doctrine's failure surfaces that need no outage, and two more refusals.
pub(crate) fn refused(show: &mut Show, stage: &mut Stage) -> Scene {
    show.part("Refused: the doctrine's failure surfaces, each with its event");
    let body = stage.request();
    show.refused_and_counted("missing artifact", "artifact.missing", |app| app.present(&body, ""));
    let mismatched = policy_mismatch(show, stage)?;
    invalid_signature(show, stage)?;
    tampered(show, stage)?;
    environment(show, stage)?;
    identity(show, stage)?;
    replay(show, stage)?;
    revoked(show, stage)?;
    policy_denied(show);
    let body = stage.request();
    show.refused_and_counted("no identity", "identity.unauthenticated", |app| app.anonymous(&body));
    expired(show, mismatched)?;
    show.settle();
    Ok(())
}

/// An artifact that will expire, and the moment at which it has.
struct Expiring {
    body: Bytes,
    artifact: Token,
}

/// Policy v1 is replaced while an artifact under it is out. Under v2 artifacts live two seconds; one of them is kept until
/// it has expired. v3 is the policy from here on.
fn policy_mismatch(show: &mut Show, stage: &mut Stage) -> Scene<Expiring> {
    let body = stage.request();
    let artifact = show.app.artifact(&body)?;
    in_force(show, &stage.publish(2, SHORT_LIFE)?)?;
    let answer = show.app.present(&body, &artifact.text());
    show.refused("policy mismatch", "policy.mismatch", &answer);
    let body = stage.request();
    let expiring = Expiring { artifact: show.app.artifact(&body)?, body };
    in_force(show, &stage.publish(3, 300)?)?;
    let streamed = Caller::request_to(MODEL, &note(0), true);
    let answer = show.app.chat(&streamed);
    show.allowed("streamed call, under policy v3", &answer);
    Ok(expiring)
}

fn invalid_signature(show: &mut Show, stage: &mut Stage) -> Scene {
    let body = stage.request();
    let artifact = show.app.artifact(&body)?;
    let forged = forged(&artifact).ok_or("the artifact has no signature to forge")?;
    let answer = show.app.present(&body, &forged);
    stage.denial = show.refused("invalid signature", "artifact.signature.invalid", &answer);
    Ok(())
}

/// The token with one bit of the artifact's signature flipped; all else is genuine.
fn forged(token: &Token) -> Option<String> {
    let value = parse(&unbase64url(&token.text())?).ok()?;
    let mut sig = bytes64(value.pointer("/artifact/sig/val")?.as_str()?)?;
    sig[0] ^= 1;
    let signature = value.pointer("/artifact/sig")?.as_object()?.clone().with("val", base64_value(&sig));
    let artifact = value.get("artifact")?.as_object()?.clone().with("sig", signature);
    Some(base64url(&value.as_object()?.clone().with("artifact", artifact).canonical()))
}

fn tampered(show: &mut Show, stage: &mut Stage) -> Scene {
    let (authorized, sent) = (stage.request(), stage.request());
    let artifact = show.app.artifact(&authorized)?;
    let answer = show.app.present(&sent, &artifact.text());
    show.refused("tampered parameters", "operation.mismatch", &answer);
    Ok(())
}

/// A second runtime is registered; a genuine artifact for it is presented here.
fn environment(show: &mut Show, stage: &mut Stage) -> Scene {
    let here = name::runtime_of_point(show.system.point());
    let runtime = format!("{}/other", here.rsplit_once('/').map_or(here, |(host, _)| host));
    let measured = Sha3::of(&[b"a gateway that does not run"]);
    let record = Object::new()
        .with("point", format!("{runtime}#gw-0"))
        .with("runtime", &runtime)
        .with("region", &stage.config.point.region)
        .with("tenancy", &stage.config.point.tenancy)
        .with("mode", "gateway")
        .with("binary", measured)
        .with("config", measured)
        .with("kid", format!("key:{}/other/1", stage.config.domain));
    in_force(show, &stage.act("runtime.register", record)?)?;
    let body = stage.request();
    let artifact = show.app.artifact_for(&body, &runtime)?;
    let answer = show.app.present(&body, &artifact.text());
    show.refused("environment mismatch", "environment.mismatch", &answer);
    Ok(())
}

/// A genuine artifact in other hands.
fn identity(show: &mut Show, stage: &mut Stage) -> Scene {
    let body = stage.request();
    let artifact = show.app.artifact(&body)?;
    let answer = stage.other_app.present(&body, &artifact.text());
    show.refused("identity mismatch", "identity.mismatch", &answer);
    Ok(())
}

fn replay(show: &mut Show, stage: &mut Stage) -> Scene {
    let body = stage.request();
    let artifact = show.app.artifact(&body)?;
    let first = show.app.present(&body, &artifact.text());
    show.allowed("an artifact's only use", &first);
    let second = show.app.present(&body, &artifact.text());
    show.refused("replay", "artifact.replayed", &second);
    Ok(())
}

fn revoked(show: &mut Show, stage: &mut Stage) -> Scene {
    let body = stage.request();
    let artifact = show.app.artifact(&body)?;
    let args = Object::new().with("artifact", &artifact.artifact.id).with("why", "demo");
    in_force(show, &stage.act("artifact.revoke", args)?)?;
    let answer = show.app.present(&body, &artifact.text());
    show.refused("revoked artifact", "artifact.revoked", &answer);
    Ok(())
}

fn policy_denied(show: &mut Show) {
    let body = Caller::request_to("gpt-oracle", "What will the harbour's water level be?", false);
    let answer = show.app.chat(&body);
    show.refused("policy denial, another model", "policy.denied", &answer);
    if let Some(detail) = answer.text("detail") {
        show.remark(&shortened(&detail, 112));
    }
}

fn expired(show: &mut Show, expiring: Expiring) -> Scene {
    let Expiring { body, artifact } = expiring;
    let exp = artifact.artifact.exp;
    until("the clock does not go on", || eleven_api::edge::Clock::now(&eleven_api::edge::SystemClock) > exp)?;
    let answer = show.app.present(&body, &artifact.text());
    show.refused("expired artifact", "artifact.expired", &answer);
    Ok(())
}

/// The authority is killed: nothing new is authorized, and what was is good until the view of the registry is stale.
pub(crate) fn authority_killed(show: &mut Show, stage: &mut Stage) -> Scene {
    show.part("The authority is killed (SIGKILL)");
    let (inline, now, late) = (stage.request(), stage.request(), stage.request());
    let (for_now, for_late) = (show.app.artifact(&now)?, show.app.artifact(&late)?);
    show.system.kill(Part::Authority);
    let answer = show.app.chat(&inline);
    show.refused("a call needs a decision", "issuer.unavailable", &answer);
    let answer = show.app.present(&now, &for_now.text());
    show.allowed("presented, view still fresh", &answer);
    until("the gateway's view does not go stale", || {
        let health = show.app.get(show.system.url(Part::Runtime), "/health");
        health.is_err()
    })?;
    let answer = show.app.present(&late, &for_late.text());
    show.refused("issuer unavailability, stale", "issuer.unavailable", &answer);
    show.system.start(Part::Authority)?;
    show.system.wait_ready(Part::Authority)?;
    show.system.wait_ready(Part::Runtime)?;
    let body = stage.request();
    let answer = show.app.chat(&body);
    show.allowed("started again", &answer);
    Ok(())
}

/// The ledger is killed: nothing is decided without a record, and what was authorized runs until the audit bound.
pub(crate) fn ledger_killed(show: &mut Show, stage: &mut Stage) -> Scene {
    show.part("The ledger is killed (SIGKILL)");
    let (inline, now, late) = (stage.request(), stage.request(), stage.request());
    let (for_now, for_late) = (show.app.artifact(&now)?, show.app.artifact(&late)?);
    show.system.kill(Part::Ledger);
    let begun = Instant::now();
    let first = show.app.present(&now, &for_now.text());
    show.allowed_for_now("presented, within the bound", &first);
    let answer = show.app.chat(&inline);
    show.refused_for_now("a call needs a decision", "audit.unavailable", &answer);
    let past = Duration::from_millis(BOUND * 1000 + 300);
    std::thread::sleep(past.saturating_sub(begun.elapsed()));
    let answer = show.app.present(&late, &for_late.text());
    show.refused_for_now("presented, past the bound", "audit.discontinuity", &answer);
    show.system.start(Part::Ledger)?;
    for corner in Part::CORNERS {
        show.system.wait_ready(corner)?;
    }
    acknowledged(show)?;
    let body = stage.request();
    until("the authority does not find the ledger again", || show.app.artifact(&body).is_ok())?;
    let answer = show.app.chat(&body);
    show.allowed("started again", &answer);
    show.settle();
    proven_afterwards(show, &first.op().unwrap_or_default());
    Ok(())
}

/// What ran while the ledger was down is in it now, whole.
fn proven_afterwards(show: &mut Show, op: &str) {
    let proof = super::proofs::of(&show.system, &show.app, &show.root, op, eleven_verify::Kind::Execution);
    match proof {
        Ok(proof) => {
            show.remark(&format!("presented, within the bound: #{} in {}, its lineage whole", proof.seq, proof.size));
        }
        Err(why) => show.failed(&format!("the call that ran without the ledger: {why}")),
    }
}

/// Waits until the gateway's backlog is acknowledged.
fn acknowledged(show: &Show) -> Scene {
    until("the ledger does not acknowledge the gateway's journal", || {
        let health = show.app.get(show.system.url(Part::Runtime), "/health");
        let bound = i64::try_from(BOUND * 1000).unwrap_or(0);
        health.is_ok_and(|health| health.get("backlog_ms").and_then(Value::as_int).is_some_and(|ms| ms < bound))
    })
}

/// All three corners are killed and started again.
pub(crate) fn all_killed(show: &mut Show, stage: &mut Stage) -> Scene {
    show.part("All three corners are killed (SIGKILL) and started again");
    for corner in Part::CORNERS {
        show.system.kill(corner);
    }
    let body = stage.request();
    let answer = show.app.chat(&body);
    let nobody = answer.status == 0;
    show.system.start_corners()?;
    acknowledged(show)?;
    if nobody {
        show.remark("while they were gone nobody answered, and the model was not reached");
    } else {
        show.failed("a gateway that was killed answered");
    }
    let answer = show.app.chat(&body);
    show.allowed("working again", &answer);
    Ok(())
}
