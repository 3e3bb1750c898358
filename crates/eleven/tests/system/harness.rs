//! A domain in a temporary folder: ledger, authority, gateway and an upstream, each on a port of its own, each to be stopped
//! and started again. Keys are derived here; nothing of it is a secret.

use crate::port::Port;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use eleven_api::client::Client;
use eleven_api::edge::{Clock, SystemClock};
use eleven_api::keyring::Keyring;
use eleven_api::serve::Listener;
use eleven_authority::admin::Act;
use eleven_authority::identity::jwt_source;
use eleven_authority::{Authority, Signers};
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::hash::Sha3;
use eleven_core::policy::PolicyBundle;
use eleven_core::registry::{GrantedKey, RuntimeRecord};
use eleven_core::root::{KeyRecord, KeyStatus, KeyUse, TrustRoot, Witness, Witnesses};
use eleven_core::signature::{SeedSigner, Signer};
use eleven_core::time::Time;
use eleven_enforce::journal::Point;
use eleven_ledger::Ledger;
use eleven_runtime::{Gateway, Required, Runtime, Settings};
use eleven_store::Folder;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) const DOMAIN: &str = "11-11";
pub(crate) const AUTHORITY: &str = "governance://11-11/authority/test";
pub(crate) const RUNTIME: &str = "host://test/inference";
pub(crate) const POINT: &str = "host://test/inference#gw-0";
pub(crate) const IDENTITY: &str = "svc:app:test";
pub(crate) const SCOPE: &str = "text.summarize";

/// How long something may take that takes a blink on an idle machine, and how often it is looked for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(25);

/// What opens once nobody holds it any more. Where the tests share one process, a program that one of them starts holds for a
/// moment what another has just let go of: every file and socket that was open when it was forked, until it is that program.
async fn opened<T, E: fmt::Debug>(held: &str, mut open: impl AsyncFnMut() -> Result<T, E>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        match open().await {
            Ok(opened) => return opened,
            Err(error) => {
                let error = format!("{error:?}");
                assert!(error.contains(held) && Instant::now() < until, "{error}");
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A corner that runs.
struct Corner {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Corner {
    async fn stop(self) {
        self.stop.send_replace(true);
        let _ = self.task.await;
    }
}

/// What a test asks of the domain before it starts.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) release: &'static str,
    pub(crate) fresh: u64,
    pub(crate) audit_bound: Duration,
    pub(crate) digests: &'static str,
    pub(crate) cedar: &'static str,
    pub(crate) max_run: Option<u64>,
    /// How often the gateway asks for the registry.
    pub(crate) refresh: Duration,
    /// The policy's term `durability`.
    pub(crate) durability: Option<&'static str>,
    /// Whether the root names a witness, which runs.
    pub(crate) witnessed: bool,
    /// What the point requires of all that is acknowledged.
    pub(crate) required: Option<Required>,
    /// How long an answer is withheld at most.
    pub(crate) release_wait: Duration,
    /// A member of the request's body that enters the operation, and that the policy calls sensitive.
    pub(crate) sensitive: Option<&'static str>,
    /// How often an artifact may be used.
    pub(crate) uses: u32,
    /// Bytes of the largest body that the gateway takes, and of all of them at once, where there are to be less than usual.
    pub(crate) bodies: Option<(usize, usize)>,
    /// Bytes of the largest answer that the gateway holds, where it is to be less than usual.
    pub(crate) max_response: Option<usize>,
    /// Whether authority and ledger hold a newer key beside each of theirs, of a name that ends in `-2`.
    pub(crate) renewed: bool,
    /// What all corners read.
    pub(crate) clock: Arc<OffClock>,
}

/// The machine's clock, off by some milliseconds.
#[derive(Default)]
pub(crate) struct OffClock(AtomicI64);

impl OffClock {
    /// From now on it shows so many milliseconds more than the machine's.
    pub(crate) fn set_off_by(&self, millis: i64) {
        self.0.store(millis, Ordering::SeqCst);
    }
}

impl Clock for OffClock {
    fn now(&self) -> Time {
        SystemClock.now().plus_millis(self.0.load(Ordering::SeqCst))
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            release: "whole",
            fresh: 10,
            audit_bound: Duration::from_secs(5),
            digests: "salted",
            cedar: r#"@id("demo-model-only")
@advice("call the model demo with the scope text.summarize")
permit(principal == Identity::"svc:app:test", action, resource)
when { context.op.scope.contains("text.summarize") && (!(context.op has model) || context.op.model == "demo") };"#,
            max_run: None,
            refresh: Duration::from_millis(50),
            durability: None,
            witnessed: false,
            required: None,
            release_wait: Duration::from_secs(2),
            sensitive: None,
            uses: 1,
            bodies: None,
            max_response: None,
            renewed: false,
            clock: Arc::default(),
        }
    }
}

/// The domain.
pub(crate) struct Domain {
    pub(crate) plan: Plan,
    pub(crate) root: TrustRoot,
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) upstream: Upstream,
    pub(crate) secret: String,
    pub(crate) folder: tempfile::TempDir,
    /// What the ledger serves archived content from.
    pub(crate) archive: Option<std::path::PathBuf>,
    ledger: Option<Corner>,
    witness: Option<Corner>,
    witness_at: SocketAddr,
    authority: Option<Corner>,
    runtime: Option<Corner>,
    pub(crate) authority_handle: Option<Arc<Authority>>,
    pub(crate) ledger_at: SocketAddr,
    pub(crate) authority_at: SocketAddr,
    pub(crate) gateway_at: SocketAddr,
    /// Where all of these listen, whether they run or not.
    _ports: [Port; 4],
}

/// A test's own model server.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) at: SocketAddr,
    pub(crate) calls: Arc<AtomicU64>,
    /// Lets a slow answer go on.
    pub(crate) gate: watch::Sender<bool>,
}

pub(crate) fn signer(role: &str) -> Arc<dyn Signer> {
    let seed = Sha3::of(&[b"a test's key: ", role.as_bytes()]);
    let seed: [u8; 32] = seed.0[..32].try_into().expect("32 bytes");
    Arc::new(SeedSigner::new(format!("key:{DOMAIN}/{role}/test"), &seed))
}

/// A key that counts for thirty days.
pub(crate) fn key(role: &str, usage: KeyUse, owner: &str, now: Time) -> KeyRecord {
    let signer = signer(role);
    KeyRecord {
        kid: signer.kid().to_owned(),
        public: signer.public(),
        usage,
        owner: owner.to_owned(),
        nbf: now.plus_seconds(-3600).whole_seconds(),
        exp: now.plus_seconds(30 * 86_400).whole_seconds(),
        status: KeyStatus::Active,
    }
}

const WITNESS: &str = "witness.test/one";

fn witnesses() -> Witnesses {
    let key = Witness { name: WITNESS.into(), public: signer("witness").public(), audits: false };
    Witnesses { quorum: 1, auditors: 0, keys: vec![key] }
}

fn root(now: Time, witnesses: Witnesses) -> TrustRoot {
    let root = TrustRoot {
        domain: DOMAIN.into(),
        version: 1,
        threshold: 1,
        keys: vec![key("root", KeyUse::Root, "human:root:test", now)],
        roles: vec![
            key("head", KeyUse::Head, &format!("ledger://{DOMAIN}"), now),
            key("policy", KeyUse::Policy, AUTHORITY, now),
            key("registry", KeyUse::Registry, AUTHORITY, now),
        ],
        witnesses,
        nbf: now.plus_seconds(-3600).whole_seconds(),
        exp: now.plus_seconds(30 * 86_400).whole_seconds(),
        prev: None,
        sigs: Vec::new(),
    };
    root.signed(&[&*signer("root")]).expect("a root")
}

/// A policy bundle of the test's domain, version `v`.
pub(crate) fn policy(plan: &Plan, v: u32, cedar: &str) -> Value {
    let uses = if plan.uses > 1 { vec!["bounded".into()] } else { vec!["single".into(), "bounded".into()] };
    let terms = Object::new()
        .with("ttl", 300u32)
        .with("use", uses)
        .with_some("max", (plan.uses > 1).then_some(plan.uses))
        .with("bind_params", true)
        .with("digests", plan.digests)
        .with("release", plan.release)
        .with("attestation", "software")
        .with("sensitive", plan.sensitive.iter().map(|name| format!("/op/{name}").into()).collect::<Vec<Value>>())
        .with_some("max_run", plan.max_run)
        .with_some("durability", plan.durability);
    let bundle = Object::new()
        .with("v", "1")
        .with("ref", format!("policy://test/inference/v{v}"))
        .with("operations", vec!["model.invoke".into(), "model.list".into()])
        .with("runtimes", vec!["host://*/inference".into()])
        .with("cedar", cedar)
        .with("schema", Value::Null)
        .with("terms", terms);
    let value = Value::Object(bundle);
    PolicyBundle::read(value.clone()).expect("a bundle");
    value
}

/// A policy bundle beside it, over opening and erasing what was committed to.
pub(crate) fn disclosing(plan: &Plan) -> Value {
    let bundle = policy(plan, 1, "permit(principal, action, resource);").as_object().cloned().expect("an object");
    let operations: Vec<Value> = vec!["disclosure.erase".into(), "disclosure.open".into()];
    let value = Value::Object(bundle.with("ref", "policy://test/disclosure/v1").with("operations", operations));
    PolicyBundle::read(value.clone()).expect("a bundle");
    value
}

pub(crate) fn point() -> Point {
    Point {
        name: POINT.into(),
        event: signer("gw-0"),
        attestation: signer("attest-0"),
        binary: Sha3::of(&[b"the test's binary"]),
        config: Sha3::of(&[b"the test's configuration"]),
        predicate_type: eleven_core::attestation::PREDICATE_TYPE.into(),
    }
}

pub(crate) async fn listen(at: SocketAddr) -> Listener {
    opened("AddrInUse", async || Listener::bind(at, None).await).await
}

impl Domain {
    /// A domain with everything running and one client of [`IDENTITY`].
    pub(crate) async fn start(plan: Plan) -> Self {
        let _ = tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).try_init();
        let clock: Arc<dyn Clock> = Arc::clone(&plan.clock) as _;
        let now = clock.now();
        let folder = tempfile::tempdir().expect("a folder");
        let root = root(now, if plan.witnessed { witnesses() } else { Witnesses::default() });
        let genesis = [
            ("audit", KeyUse::Event, format!("ledger://{DOMAIN}")),
            ("authority", KeyUse::Event, AUTHORITY.to_owned()),
            ("issuer", KeyUse::Issuer, AUTHORITY.to_owned()),
        ];
        let keys: Vec<GrantedKey> = genesis
            .iter()
            .map(|(role, usage, owner)| GrantedKey::sign(key(role, *usage, owner, now), &*signer("registry")))
            .collect();
        Ledger::genesis(&folder.path().join("ledger"), &root, plan.fresh, &keys, &*signer("audit"), now)
            .expect("genesis");
        let ports = [(); 4].map(|()| Port::keep().expect("a port"));
        let [ledger_at, authority_at, gateway_at, witness_at] = ports.each_ref().map(Port::at);
        let mut domain = Self {
            upstream: Upstream::start().await,
            plan,
            root,
            client: Client::new(),
            clock,
            secret: String::new(),
            folder,
            archive: None,
            ledger: None,
            witness: None,
            witness_at,
            authority: None,
            runtime: None,
            authority_handle: None,
            ledger_at,
            authority_at,
            gateway_at,
            _ports: ports,
        };
        if domain.plan.witnessed {
            domain.start_witness().await;
        }
        domain.start_ledger().await;
        domain.start_authority().await;
        domain.found().await;
        domain.start_runtime().await;
        domain
    }

    pub(crate) async fn start_witness(&mut self) {
        let listener = listen(self.witness_at).await;
        let keys = self.root.roles.iter().filter(|key| key.usage == KeyUse::Head).map(|key| key.public);
        let log = eleven_ledger::witness::Log { origin: format!("{DOMAIN}/ledger"), keys: keys.collect() };
        let folder = self.folder.path().join("witness");
        let settings = eleven_ledger::witness::Settings { folder, name: WITNESS.into(), logs: vec![log] };
        let witness = opened("Locked", async || {
            let (gate, clock) = (Arc::new(eleven_ledger::witness::Open), Arc::clone(&self.clock));
            eleven_ledger::witness::WitnessServer::open(settings.clone(), signer("witness"), clock, gate)
        });
        let witness = witness.await;
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(async move { witness.serve(listener, stopping).await.expect("the witness serves") });
        self.witness = Some(Corner { stop, task });
    }

    pub(crate) async fn stop_witness(&mut self) {
        self.witness.take().expect("the witness runs").stop().await;
    }

    /// What a corner holds for a role.
    fn ring(&self, role: &str) -> Keyring {
        let newer = self.plan.renewed.then(|| signer(&format!("{role}-2")));
        Keyring::new([signer(role)].into_iter().chain(newer)).expect("a key")
    }

    pub(crate) async fn start_ledger(&mut self) {
        let listener = listen(self.ledger_at).await;
        let mut settings = eleven_ledger::Settings::new(self.folder.path().join("ledger"));
        settings.authority = Some(format!("http://{}", self.authority_at));
        settings.seal_every = Duration::from_millis(100);
        settings.archive.clone_from(&self.archive);
        if self.plan.witnessed {
            settings.witnesses = vec![format!("http://{}", self.witness_at)];
        }
        let signers = eleven_ledger::Signers { event: self.ring("audit"), head: self.ring("head") };
        let ledger =
            opened("Locked", async || Ledger::open(settings.clone(), signers.clone(), Arc::clone(&self.clock)));
        let ledger = ledger.await;
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(async move { ledger.serve(listener, stopping).await.expect("the ledger serves") });
        self.ledger = Some(Corner { stop, task });
    }

    pub(crate) async fn start_authority(&mut self) {
        let listener = listen(self.authority_at).await;
        let signers = Signers {
            issuer: self.ring("issuer"),
            event: self.ring("authority"),
            registry: self.ring("registry"),
            policy: self.ring("policy"),
            identity: self.ring("identity"),
        };
        let settings = eleven_authority::Settings { name: AUTHORITY.into(), ledger: self.ledger_url() };
        let (stop, stopping) = watch::channel(false);
        let clock = Arc::clone(&self.clock);
        let authority = Authority::open(settings, signers, self.root.clone(), clock, stopping).expect("opens");
        assert!(authority.ready(PATIENCE).await, "the authority becomes ready");
        self.authority_handle = Some(Arc::clone(&authority));
        let task = tokio::spawn(async move { authority.serve(vec![listener]).await.expect("the authority serves") });
        self.authority = Some(Corner { stop, task });
    }

    /// The founding acts: who authenticates, the point and its keys, the policy, one client.
    async fn found(&mut self) {
        let now = self.clock.now();
        let identity = signer("identity");
        let jwt = jwt_source("test-identity", AUTHORITY, identity.kid(), &identity.public());
        let point = point();
        let runtime = RuntimeRecord {
            point: POINT.into(),
            runtime: RUNTIME.into(),
            region: "local".into(),
            tenancy: "single".into(),
            mode: "gateway".into(),
            binary: point.binary,
            config: point.config,
            kid: point.event.kid().to_owned(),
        };
        // They outlive what a test does with the others'.
        let exp = now.plus_seconds(400 * 86_400).whole_seconds();
        let of_the_point = |role: &str, usage| KeyRecord { exp, ..key(role, usage, POINT, now) };
        let acts = [
            Act::SourceRegister { record: jwt },
            Act::KeyRegister { key: of_the_point("gw-0", KeyUse::Event) },
            Act::KeyRegister { key: of_the_point("attest-0", KeyUse::Attestation) },
            Act::RuntimeRegister { record: runtime },
            Act::PolicyPublish { bundle: policy(&self.plan, 1, self.plan.cedar) },
        ];
        for act in acts {
            self.act(act).await;
        }
        self.secret = self.client_of("app", IDENTITY).await;
    }

    /// Adds a client and returns its secret.
    pub(crate) async fn client_of(&self, client: &str, identity: &str) -> String {
        let done = self.act(Act::ClientAdd { client: client.into(), identity: identity.into(), hash: None }).await;
        done.get("secret").and_then(Value::as_str).expect("a secret").to_owned()
    }

    /// An act of the operator.
    pub(crate) async fn act(&self, act: Act) -> Object {
        let authority = self.authority_handle.as_ref().expect("the authority runs");
        authority.operate(act, None).await.unwrap_or_else(|error| panic!("the act is refused: {error}")).answer
    }

    /// An act, and the gateway's word that it decides by it.
    pub(crate) async fn act_in_force(&self, act: Act) {
        let authority = self.authority_handle.as_ref().expect("the authority runs");
        let done = authority.operate(act, None).await.unwrap_or_else(|error| panic!("the act is refused: {error}"));
        let epoch = i64::try_from(done.epoch).ok();
        self.until("the gateway follows the registry", |domain| async move {
            let health = parse(&domain.get(domain.gateway_at, "/health").await.1).expect("I-JSON");
            health.get("epoch").and_then(Value::as_int) >= epoch
        })
        .await;
    }

    pub(crate) async fn start_runtime(&mut self) {
        let (listener, at) = (listen(self.gateway_at).await, self.gateway_at);
        let usual = Gateway::default();
        let (max_body, bodies) = self.plan.bodies.unwrap_or((usual.max_body, usual.bodies));
        let settings = Settings {
            authority: format!("http://{}", self.authority_at),
            ledger: self.ledger_url(),
            audit_bound: self.plan.audit_bound,
            refresh: self.plan.refresh,
            required: self.plan.required,
            release_wait: self.plan.release_wait,
            decision_deadline: Duration::from_secs(5),
            gateway: Gateway {
                upstream: format!("http://{}", self.upstream.at),
                scope: vec![SCOPE.into()],
                parameters: self.plan.sensitive.iter().map(|name| (*name).to_owned()).collect(),
                max_body,
                bodies,
                max_response: self.plan.max_response.unwrap_or(usual.max_response),
                ..usual
            },
        };
        let path = self.folder.path().join("runtime");
        let folder = opened("Locked", async || Folder::open(&path, "runtime")).await;
        let clock = Arc::clone(&self.clock);
        let runtime = Runtime::open(settings, point(), self.root.clone(), &folder, clock, at.to_string()).await;
        let runtime = runtime.expect("the runtime opens");
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(async move { runtime.serve(listener, stopping).await.expect("the runtime serves") });
        self.runtime = Some(Corner { stop, task });
        self.until("the gateway is up", |domain| async move {
            let (status, body) = domain.get(domain.gateway_at, "/health").await;
            let health = parse(&body).unwrap_or(Value::Null);
            let is = |name: &str| health.get(name) == Some(&Value::Bool(true));
            // What has it deny every call is the test's matter.
            status == StatusCode::OK || (health.get("denies").is_some() && is("fresh") && is("approved"))
        })
        .await;
    }

    pub(crate) async fn stop_ledger(&mut self) {
        self.ledger.take().expect("the ledger runs").stop().await;
    }

    pub(crate) async fn stop_authority(&mut self) {
        self.authority_handle = None;
        self.authority.take().expect("the authority runs").stop().await;
    }

    pub(crate) async fn stop_runtime(&mut self) {
        self.runtime.take().expect("the runtime runs").stop().await;
    }

    pub(crate) fn ledger_url(&self) -> String {
        format!("http://{}", self.ledger_at)
    }

    pub(crate) fn calls(&self) -> u64 {
        self.upstream.calls.load(Ordering::SeqCst)
    }

    /// Puts another upstream behind the gateway: it gives each call these bytes, and closes the connection.
    pub(crate) async fn answer_by(&mut self, answer: String) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        self.upstream.at = listener.local_addr().expect("an address");
        // It ends with the test's process.
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer_once(stream, answer.clone()));
            }
        });
        self.stop_runtime().await;
        self.start_runtime().await;
    }

    /// What the gateway says of itself.
    pub(crate) async fn health(&self) -> Health {
        let health = parse(&self.get(self.gateway_at, "/health").await.1).expect("I-JSON");
        let backlog_ms = health.get("backlog_ms").and_then(Value::as_int).expect("a number");
        Health { fresh: health.get("fresh") == Some(&Value::Bool(true)), backlog_ms }
    }

    /// Records that the gateway's journal has.
    pub(crate) async fn journal_records(&self) -> u64 {
        let metrics = self.get(self.gateway_at, "/metrics").await.1;
        let metrics = String::from_utf8(metrics.to_vec()).expect("text");
        let records = metrics.lines().find_map(|line| line.strip_prefix("eleven_journal_records_total "));
        records.and_then(|records| records.parse().ok()).expect("a number")
    }

    /// Waits until `test` holds.
    pub(crate) async fn until<'a, F: Future<Output = bool>>(&'a self, what: &str, test: impl Fn(&'a Self) -> F) {
        let until = Instant::now() + PATIENCE;
        while !test(self).await {
            assert!(Instant::now() < until, "{what}: not within {PATIENCE:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    pub(crate) async fn get(&self, at: SocketAddr, path: &str) -> (StatusCode, Bytes) {
        let request = Request::get(format!("http://{at}{path}")).body(Full::default()).expect("a request");
        match self.client.send(request).await {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                (parts.status, body.collect().await.map(|body| body.to_bytes()).unwrap_or_default())
            }
            Err(error) => (StatusCode::BAD_GATEWAY, Bytes::from(error.to_string())),
        }
    }

    /// A call through the gateway as the test's client, with further headers.
    pub(crate) async fn chat_with(&self, body: &str, headers: &[(&str, &str)]) -> Answered {
        let mut request = Request::post(format!("http://{}/v1/chat/completions", self.gateway_at));
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.header("authorization", format!("Bearer {}", self.secret));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("a request");
        let (parts, body) = self.client.send(request).await.expect("the gateway answers").into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes);
        Answered { status: parts.status, headers: parts.headers, body: body.unwrap_or_default() }
    }

    pub(crate) async fn chat(&self, body: &str) -> Answered {
        self.chat_with(body, &[]).await
    }

    /// The artifact for a body, asked for at the authority by the caller itself.
    pub(crate) async fn artifact(&self, body: &str, op: Object, runtime: &str, secret: &str) -> (StatusCode, Value) {
        let env = Object::new().with("runtime", runtime);
        let request = Object::new()
            .with("body", Sha3::of(&[body.as_bytes()]))
            .with("method", "POST")
            .with("path", "/v1/chat/completions");
        let ask = Object::new().with("identity", IDENTITY).with("op", op).with("env", env).with("request", request);
        let request = Request::post(format!("http://{}/v1/govern/execute", self.authority_at))
            .header("authorization", format!("Bearer {secret}"))
            .body(Full::new(Bytes::from(ask.canonical())))
            .expect("a request");
        let (parts, body) = self.client.send(request).await.expect("the authority answers").into_parts();
        let body = body.collect().await.expect("whole").to_bytes();
        (parts.status, parse(&body).expect("I-JSON"))
    }

    /// The operation of the demo's call.
    pub(crate) fn operation() -> Object {
        Object::new().with("name", "model.invoke").with("model", "demo").with("scope", vec![SCOPE.into()])
    }

    /// A token to present for `body`.
    pub(crate) async fn token(&self, body: &str) -> String {
        let (status, allowed) = self.artifact(body, Self::operation(), RUNTIME, &self.secret).await;
        assert_eq!(status, StatusCode::OK, "{allowed}");
        token_of(&allowed)
    }

    /// The proof bundle of an operation, once a head covers it.
    pub(crate) async fn bundle(&self, op: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let (status, body) = self.get(self.ledger_at, &format!("/v1/proof/bundle/{op}")).await;
            if status == StatusCode::OK {
                return parse(&body).expect("I-JSON");
            }
            assert!(
                matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::NOT_FOUND),
                "{status}: {}",
                String::from_utf8_lossy(&body)
            );
            assert!(Instant::now() < until, "no bundle of {op} within {PATIENCE:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The bundle of an operation once its lineage holds `events` events.
    pub(crate) async fn bundle_of(&self, op: &str, events: usize) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let bundle = self.bundle(op).await;
            if bundle.get("events").and_then(Value::as_array).is_some_and(|held| held.len() == events) {
                return bundle;
            }
            assert!(Instant::now() < until, "the lineage of {op} did not come to {events} events within {PATIENCE:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Verifies a bundle with nothing but the root, and returns the verdict.
    pub(crate) fn verify(&self, bundle: &Value) -> eleven_verify::Report {
        let root = eleven_verify::Pinned::new(self.root.to_value());
        let caller = eleven_verify::Caller { root: Some(&root), replay: Some(&replay), ..Default::default() };
        eleven_verify::verify(bundle, &caller)
    }

    /// The ledger's records from an entry on, as an auditor reads them.
    pub(crate) async fn records(&self, auditor: &str, mut from: i64) -> Vec<Value> {
        let (mut records, until) = (Vec::new(), Instant::now() + PATIENCE);
        loop {
            let request = Request::get(format!("{}/v1/audit/entries?from={from}", self.ledger_url()))
                .header("authorization", format!("Bearer {auditor}"));
            let request = request.body(Full::<Bytes>::default()).expect("a request");
            let (parts, body) = self.client.send(request).await.expect("the ledger answers").into_parts();
            if parts.status == StatusCode::UNAUTHORIZED {
                assert!(Instant::now() < until, "no head knows the auditor within {PATIENCE:?}");
                tokio::time::sleep(LOOK).await;
                continue;
            }
            let page = parse(&body.collect().await.expect("whole").to_bytes()).expect("I-JSON");
            let entries = page.get("entries").and_then(Value::as_array).expect("entries");
            if entries.is_empty() {
                return records;
            }
            records.extend(entries.iter().map(|entry| entry.get("record").expect("a record").clone()));
            from = page.get("next").and_then(Value::as_int).expect("a number");
        }
    }

    /// How often the gateway has counted a denial for this reason, by the ledger. Of what is counted nothing is known but that.
    pub(crate) async fn counted(&self, auditor: &str, reason: &str) -> i64 {
        let text = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let of_it = |record: &Value| {
            let counted = record.pointer("/data/count").and_then(Value::as_int);
            let count = counted.filter(|_| text(record, "/reason").as_deref() == Some(reason))?;
            assert_eq!(text(record, "/event").as_deref(), Some("execution.denied"), "{record}");
            assert_eq!(text(record, "/data/listener"), Some(self.gateway_at.to_string()), "{record}");
            assert!(text(record, "/data/window").is_some_and(|window| window.ends_with("/PT1S")), "{record}");
            for member in ["identity", "operation", "artifact_id", "issuer", "policy", "policy_required"] {
                assert_eq!(record.get(member), None, "{record}");
            }
            Some(count)
        };
        self.records(auditor, 0).await.iter().filter_map(of_it).sum()
    }

    /// Waits until these denials are counted in the ledger, and asserts that nothing else of these reasons is.
    pub(crate) async fn until_counted(&self, auditor: &str, denials: &[(&str, i64)]) {
        for (reason, expected) in denials {
            let (reason, expected) = (*reason, *expected);
            self.until(reason, |domain| async move { domain.counted(auditor, reason).await >= expected }).await;
            assert_eq!(self.counted(auditor, reason).await, expected, "{reason}");
        }
    }

    /// The reasons of the denial events in an operation's bundle.
    pub(crate) async fn denial(&self, lineage: &str) -> Value {
        let op = lineage.strip_prefix("lineage://op/").expect("a lineage");
        let bundle = self.bundle(op).await;
        let verdict = self.verify(&bundle);
        assert_eq!(verdict.exit_code(), 0, "{}", verdict.to_value());
        bundle.get("events").and_then(Value::as_array).expect("events")[0].clone()
    }
}

fn replay(bundle: &PolicyBundle, input: &Value) -> eleven_verify::ReplayResult {
    match eleven_policy::replay(bundle, input) {
        eleven_policy::Replay::Permits => eleven_verify::ReplayResult::Permits,
        eleven_policy::Replay::Denies(reason) => eleven_verify::ReplayResult::Denies(reason),
        eleven_policy::Replay::Unreadable => eleven_verify::ReplayResult::Unreadable,
    }
}

/// The token of an answer that allows.
pub(crate) fn token_of(allowed: &Value) -> String {
    let member = |name: &str| allowed.get(name).expect("a member").clone();
    let token = Object::new().with("artifact", member("artifact")).with("issued", member("issued"));
    eleven_core::hash::base64url(&token.with("salt", member("salt")).canonical())
}

/// Of what a gateway says of itself.
pub(crate) struct Health {
    pub(crate) fresh: bool,
    pub(crate) backlog_ms: i64,
}

/// What a caller got.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answered {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn op(&self) -> &str {
        self.header("eleven-lineage").strip_prefix("lineage://op/").unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        parse(&self.body).unwrap_or_else(|_| panic!("not I-JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn reason(&self) -> String {
        self.json().get("reason").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

pub(crate) fn request(prompt: &str) -> String {
    format!(r#"{{"model":"demo","temperature":0.20,"messages":[{{"role":"user","content":"{prompt}"}}]}}"#)
}

impl Upstream {
    async fn start() -> Self {
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let at = listener.local_addr().expect("an address");
        let calls = Arc::new(AtomicU64::new(0));
        let gate = watch::Sender::new(true);
        let upstream = Self { at, calls: Arc::clone(&calls), gate: gate.clone() };
        let counted = Arc::clone(&calls);
        let router = Router::new()
            .route("/v1/chat/completions", post(move |body: Bytes| chat(counted, gate.subscribe(), body)))
            .route(
                "/v1/models",
                get(move || async move {
                    calls.fetch_add(1, Ordering::SeqCst);
                    serde_json::json!({"object":"list","data":[{"id":"demo","object":"model"}]}).to_string()
                }),
            );
        // It ends with the test's process.
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(async move {
            listener.serve(router, stopping, Duration::ZERO).await;
            drop(stop);
        });
        upstream
    }
}

/// Takes a request whole, for a connection that is closed with bytes unread is broken off by the system; answers it, and closes.
async fn answer_once(mut stream: TcpStream, answer: String) {
    let mut request = Vec::new();
    while !is_whole(&request) {
        if !stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
            return;
        }
    }
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().expect("a length"))
}

/// Answers by what the prompt asks for: `echo …`, `slow`, `break`, `error`, `keep alive`.
async fn chat(calls: Arc<AtomicU64>, mut gate: watch::Receiver<bool>, body: Bytes) -> Response {
    calls.fetch_add(1, Ordering::SeqCst);
    let asked: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    let prompt = asked["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
    if prompt == "error" {
        let mut response = Response::new(Body::from(r#"{"error":{"message":"the model failed"}}"#));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return response;
    }
    if asked["stream"].as_bool() != Some(true) {
        let _ = gate.wait_for(|open| *open).await;
        let message = serde_json::json!({"role":"assistant","content":prompt});
        let choice = serde_json::json!({"index":0,"message":message,"finish_reason":"stop"});
        let answer = serde_json::json!({"id":"c","object":"chat.completion","model":"demo","choices":[choice]});
        return Response::builder()
            .header("content-type", "application/json")
            .header("x-upstream", "test")
            .body(Body::from(answer.to_string()))
            .expect("a response");
    }
    let (send, receive) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    tokio::spawn(async move {
        for word in ["one ", "two ", "three "] {
            let chunk = serde_json::json!({"choices":[{"index":0,"delta":{"content":word},"finish_reason":null}]});
            if send.send(Ok(Bytes::from(format!("data: {chunk}\n\n")))).await.is_err() {
                return;
            }
        }
        if prompt == "keep alive" {
            for _ in 0..2 {
                let _ = send.send(Ok(Bytes::from_static(b": keep-alive\n\n"))).await;
            }
        }
        let _ = gate.wait_for(|open| *open).await;
        if prompt == "break" {
            let _ = send.send(Err(std::io::Error::other("the model broke off"))).await;
            return;
        }
        let last = serde_json::json!({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]});
        let _ = send.send(Ok(Bytes::from(format!("data: {last}\n\n")))).await;
        let _ = send.send(Ok(Bytes::from_static(b"data: [DONE]\n\n"))).await;
    });
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(Body::from_stream(Pieces(receive)))
        .expect("a response")
}

struct Pieces(tokio::sync::mpsc::Receiver<Result<Bytes, std::io::Error>>);

impl futures_core::Stream for Pieces {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}
