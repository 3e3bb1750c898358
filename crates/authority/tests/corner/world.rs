//! A domain on loopback: a ledger in a temporary folder, a relay before it, an authority before that.

use crate::fixtures::{self, AUTHORITY, CALLER, POINT, RUNTIME, signer};
use crate::relay::Relay;
use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse as _;
use axum::routing::get;
use bytes::Bytes;
use eleven_api::client::{CallError, Client};
use eleven_api::edge::{Clock, SystemClock};
use eleven_api::govern::{Allowed, Execute};
use eleven_api::problem::Problem;
use eleven_api::serve::Listener;
use eleven_api::{reader, routes};
use eleven_authority::admin::{Act, Done, SignedAct};
use eleven_authority::identity::{Operator, jwt_source, operator_source};
use eleven_authority::{Authority, Settings, Signers};
use eleven_core::encoding::{Object, Value, parse};
use eleven_core::event::Record;
use eleven_core::hash::Sha3;
use eleven_core::policy::PolicyBundle;
use eleven_core::signature::{SeedSigner, Signer as _};
use eleven_core::time::Time;
use eleven_ledger::{Ledger, Settings as LedgerSettings, Signers as LedgerSigners};
use http::header::{HeaderName, HeaderValue};
use http::{Method, StatusCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long something may take that takes a blink on an idle machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) client: Client,
    /// The authority's address.
    pub(crate) base: String,
    /// The ledger's own address, past the relay.
    pub(crate) ledger: String,
    /// The ledger's clock.
    pub(crate) clock: Arc<OffClock>,
    pub(crate) relay: Relay,
    pub(crate) authority: Arc<Authority>,
    /// The secret of the client `demo`, who is [`CALLER`].
    pub(crate) secret: String,
    stop: watch::Sender<bool>,
    serving: Vec<JoinHandle<()>>,
    folder: tempfile::TempDir,
}

/// The machine's clock, off by some milliseconds.
#[derive(Default)]
pub(crate) struct OffClock(AtomicI64);

impl OffClock {
    /// From now on it shows so many milliseconds more than the machine's.
    pub(crate) fn set_off_by(&self, millis: i64) {
        self.0.store(millis, SeqCst);
    }
}

impl Clock for OffClock {
    fn now(&self) -> Time {
        SystemClock.now().plus_millis(self.0.load(SeqCst))
    }
}

pub(crate) fn operator() -> SeedSigner {
    signer("operator")
}

pub(crate) fn signers() -> Signers {
    Signers {
        issuer: signer("issuer").into(),
        event: signer("event").into(),
        registry: signer("registry").into(),
        policy: signer("policy").into(),
        identity: signer("identity").into(),
    }
}

impl World {
    /// A founded domain: one point, one policy, one client, one operator.
    pub(crate) async fn founded() -> Self {
        Self::founded_over(None).await
    }

    /// The same, where the ledger holds what it folds against the registry of the authority that is named.
    pub(crate) async fn founded_over(registry: Option<&str>) -> Self {
        let mut world = Self::begun(registry).await;
        let bundle = bundle(1);
        world
            .found(Act::SourceRegister {
                record: jwt_source("authority", AUTHORITY, signer("identity").kid(), &signer("identity").public()),
            })
            .await;
        world.found(Act::RuntimeRegister { record: fixtures::runtime() }).await;
        world.found(Act::PolicyPublish { bundle }).await;
        let added = world.found(Act::ClientAdd { client: "demo".into(), identity: CALLER.into(), hash: None }).await;
        world.secret = added.answer.get("secret").and_then(Value::as_str).expect("a secret").to_owned();
        let record = operator_source("root", "human:operator:dev", operator().kid(), &operator().public());
        world.found(Act::SourceRegister { record }).await;
        world
    }

    /// A domain with its genesis and nothing else.
    async fn begun(registry: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger");
        let now = SystemClock.now();
        Ledger::genesis(&path, &fixtures::root(), 2, &fixtures::keys(), &signer("ledger"), now).expect("a genesis");
        let (stop, stopping) = watch::channel(false);
        let clock = Arc::new(OffClock::default());
        let settings = LedgerSettings { authority: registry.map(str::to_owned), ..LedgerSettings::new(&path) };
        let (ledger, ledger_serving) = serve_ledger(settings, Arc::clone(&clock), stopping.clone()).await;
        let relay = Relay::start(&ledger).await;
        let (authority, base, serving) = serve_authority(&relay.base(), signers(), stopping).await;
        let client = Client::new();
        let secret = String::new();
        let serving = vec![ledger_serving, serving];
        Self { client, base, ledger, clock, relay, authority, secret, stop, serving, folder }
    }

    /// The same ledger with another process of the same authority.
    pub(crate) async fn restart_authority(&mut self) {
        self.restart_authority_by(signers()).await;
    }

    /// The same, which signs by these.
    pub(crate) async fn restart_authority_by(&mut self, signers: Signers) {
        self.restart_authority_before(&self.relay.base(), signers).await;
    }

    /// The same before a ledger that says this of its health, and is the one there is in all else.
    pub(crate) async fn restart_authority_where(&mut self, health: &str) {
        self.restart_authority_told(routes::HEALTH, health).await;
    }

    /// The same before a ledger that says this at a path, and is the one there is in all else.
    pub(crate) async fn restart_authority_told(&mut self, path: &str, said: &str) {
        let (listener, base) = listener().await;
        let ledger = saying(self.client.clone(), self.ledger.clone(), path, said.to_owned());
        self.serving.push(tokio::spawn(listener.serve(ledger, self.stop.subscribe(), Duration::ZERO)));
        self.restart_authority_before(&base, signers()).await;
    }

    async fn restart_authority_before(&mut self, ledger: &str, signers: Signers) {
        let (authority, base, serving) = serve_authority(ledger, signers, self.stop.subscribe()).await;
        (self.authority, self.base) = (authority, base);
        self.serving.push(serving);
    }

    /// The same with a process that ends before the ledger: what tells it to, and what ends then.
    pub(crate) async fn ending_authority(&mut self) -> (watch::Sender<bool>, JoinHandle<()>) {
        let (stop, stopping) = watch::channel(false);
        let (authority, base, serving) = serve_authority(&self.relay.base(), signers(), stopping).await;
        (self.authority, self.base) = (authority, base);
        (stop, serving)
    }

    async fn found(&self, act: Act) -> Done {
        self.authority.operate(act, None).await.expect("a founding act")
    }

    /// The operator, as the registry lists it.
    pub(crate) fn listed_operator(&self) -> Operator {
        let current = self.authority.registry().current().expect("an epoch");
        current.sources.operator(operator().kid()).expect("the operator").clone()
    }

    /// Sends a signed act.
    pub(crate) async fn act(&self, act: &str, args: Object) -> Result<Value, Problem> {
        let signed = SignedAct::sign(act, args, SystemClock.now(), &operator());
        self.send_act(signed.to_bytes()).await
    }

    pub(crate) async fn send_act(&self, body: Vec<u8>) -> Result<Value, Problem> {
        let answer = self.client.post(&self.base, routes::ADMIN_ACT, &[], body, DEADLINE).await;
        answer.map(|body| parse(&body).expect("I-JSON")).map_err(problem)
    }

    /// Asks for an artifact with a bearer credential and further headers.
    pub(crate) async fn execute(
        &self,
        bearer: &str,
        more: &[(HeaderName, HeaderValue)],
        asked: &Execute,
    ) -> Result<Allowed, Problem> {
        let mut headers = more.to_vec();
        if !bearer.is_empty() {
            let value = HeaderValue::from_str(&format!("Bearer {bearer}")).expect("a header");
            headers.push((http::header::AUTHORIZATION, value));
        }
        let body = asked.to_value().canonical();
        let answer = self.client.post(&self.base, routes::GOVERN_EXECUTE, &headers, body, DEADLINE).await;
        answer.map(|body| Allowed::read(&body).expect("an answer")).map_err(problem)
    }

    /// The doctrine's request by the client `demo`.
    pub(crate) async fn ask(&self) -> Result<Allowed, Problem> {
        self.execute(&self.secret, &[], &asked()).await
    }

    /// Asks again until it is allowed.
    pub(crate) async fn ask_until_allowed(&self) -> Allowed {
        let began = std::time::Instant::now();
        loop {
            match self.ask().await {
                Ok(allowed) => return allowed,
                Err(problem) if began.elapsed() > DEADLINE => panic!("{problem}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, Problem> {
        self.client.get_json(&self.base, path, DEADLINE).await.map_err(problem)
    }

    pub(crate) async fn get_bytes(&self, path: &str) -> Result<Bytes, Problem> {
        self.client.get(&self.base, path, DEADLINE).await.map_err(problem)
    }

    /// Every record that the ledger holds, in its order.
    pub(crate) async fn records(&self) -> Vec<Record> {
        let (mut records, mut from) = (Vec::new(), 0);
        loop {
            let path = format!("{}?from={from}&wait=0", routes::AUDIT_ENTRIES);
            // As the authority reads what it folds: strangers are not shown every entry.
            let headers = reader::signed(&path, &signer("event"), SystemClock.now());
            let page = self.client.call(Method::GET, &self.ledger, &path, &headers, Bytes::new(), DEADLINE).await;
            let page = parse(&page.expect("a page")).expect("I-JSON");
            let entries = page.get("entries").and_then(Value::as_array).expect("entries");
            if entries.is_empty() {
                return records;
            }
            let record =
                |entry: &Value| Record::read(entry.get("record").cloned().expect("a record")).expect("its form");
            records.extend(entries.iter().map(record));
            from = page.get("next").and_then(Value::as_int).expect("next");
        }
    }

    /// The lineage that a problem or an artifact names.
    pub(crate) async fn lineage(&self, lineage: &str) -> Vec<Record> {
        let op = lineage.strip_prefix("lineage://op/").expect("a lineage");
        self.records().await.into_iter().filter(|record| record.op == op).collect()
    }

    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        for serving in self.serving {
            serving.await.expect("it ends");
        }
        drop(self.folder);
    }
}

async fn serve_ledger(
    settings: LedgerSettings,
    clock: Arc<OffClock>,
    stop: watch::Receiver<bool>,
) -> (String, JoinHandle<()>) {
    let signers = LedgerSigners { event: signer("ledger").into(), head: signer("head").into() };
    let ledger = Ledger::open(settings, signers, clock).expect("a ledger");
    let (listener, base) = listener().await;
    // One thread stays with the ledger, as its own process would.
    let runtime = tokio::runtime::Handle::current();
    let serving = move || runtime.block_on(ledger.serve(listener, stop)).expect("the ledger runs");
    (base, tokio::task::spawn_blocking(serving))
}

async fn serve_authority(
    ledger: &str,
    signers: Signers,
    stop: watch::Receiver<bool>,
) -> (Arc<Authority>, String, JoinHandle<()>) {
    let settings = Settings { name: AUTHORITY.into(), ledger: ledger.to_owned() };
    let authority = Authority::open(settings, signers, fixtures::root(), Arc::new(SystemClock), stop);
    let authority = authority.expect("an authority");
    let (listener, base) = listener().await;
    let serves = Arc::clone(&authority);
    let serving = tokio::spawn(async move { serves.serve(vec![listener]).await.expect("the authority serves") });
    assert!(authority.ready(DEADLINE).await, "the authority becomes ready");
    (authority, base, serving)
}

/// Passes everything on to a ledger, save what is asked at this path.
fn saying(client: Client, ledger: String, path: &str, said: String) -> Router {
    let pass = move |request: Request| {
        let (client, ledger) = (client.clone(), ledger.clone());
        async move {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.expect("whole");
            let path = head.uri.path_and_query().expect("a path").as_str();
            let mut headers: Vec<_> = head.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
            headers.retain(|(name, _)| name.as_str().starts_with("eleven-"));
            match client.call(head.method.clone(), &ledger, path, &headers, body, DEADLINE).await {
                Ok(body) => body.into_response(),
                Err(CallError::Refused(problem)) => problem.into_response(),
                Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
            }
        }
    };
    let say = move || {
        let said = said.clone();
        async move { said }
    };
    Router::new().route(path, get(say)).fallback(pass)
}

pub(crate) async fn listener() -> (Listener, String) {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), None).await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, base)
}

fn problem(error: CallError) -> Problem {
    match error {
        CallError::Refused(problem) => problem,
        other => panic!("{other}"),
    }
}

/// Version `n` of the starter policy: from 2 on it permits another model.
pub(crate) fn bundle(n: u64) -> Value {
    let model = if n == 1 { "clinical-summary-v4" } else { "clinical-summary-v5" };
    let cedar = format!(
        r#"@id("summaries") permit(principal == Identity::"{CALLER}", action == Action::"model.invoke", resource)
when {{ context.op.model == "{model}" }};"#
    );
    let terms = Object::new()
        .with("ttl", 60u64)
        .with("use", vec![Value::from("single")])
        .with("bind_params", false)
        .with("digests", "salted")
        .with("release", "whole")
        .with("attestation", "software")
        .with("sensitive", Vec::<Value>::new());
    let bundle = Object::new()
        .with("v", "1")
        .with("ref", format!("policy://medical/inference/v{n}"))
        .with("operations", vec![Value::from("model.invoke")])
        .with("runtimes", vec![Value::from("k8s://*/ns/inference")])
        .with("cedar", cedar)
        .with("schema", Value::Null)
        .with("terms", terms);
    PolicyBundle::read(Value::Object(bundle.clone())).expect("a bundle");
    Value::Object(bundle)
}

/// The request of the doctrine.
pub(crate) fn asked() -> Execute {
    asked_for("clinical-summary-v4")
}

pub(crate) fn asked_for(model: &str) -> Execute {
    let scope = vec![Value::from("phi.read"), Value::from("phi.no_export")];
    let op = Object::new().with("name", "model.invoke").with("model", model).with("scope", scope);
    Execute { identity: CALLER.into(), op, runtime: RUNTIME.into(), request: None }
}

/// The headers of a point that acts for the holder of `bearer`.
pub(crate) fn acting(bearer: &str, asked: &Execute, time: Time) -> Vec<(HeaderName, HeaderValue)> {
    let statement = Object::new()
        .with("body", Sha3::of(&[&asked.to_value().canonical()]))
        .with("caller", Sha3::of(&[bearer.as_bytes()]))
        .with("point", POINT)
        .with("time", time.millis());
    let signature = eleven_core::hash::base64(&signer("point").sign(&statement.canonical()));
    let header = |name: &'static str, value: &str| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header"))
    };
    vec![
        header("eleven-point", POINT),
        header("eleven-point-time", &time.millis()),
        header("eleven-point-signature", &signature),
    ]
}
