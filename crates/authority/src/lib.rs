//! The corner that decides (DESIGN: the governance triangle): identity, gateway, policy, authorization, registry, admin.
//!
//! The way of a request, in the order of the modules: [`gateway`] takes it in and asks [`identity`] who calls;
//! [`authorization`] decides by the registry's last epoch, purely; [`sequencer`] makes the event and waits for the ledger;
//! only then does the artifact leave. [`registry`] follows the ledger, folds, signs and serves what everybody decides by;
//! [`admin`] is how operators change it, and `containment` what changes it by nobody's act. [`denials`] counts callers
//! without identity; `event_key` notices that the key which signs events has ended.
//!
//! **Invariant**: this corner keeps no state of record. Its registry is a fold over the ledger's entries, its event
//! counter is the ledger's cursor; a restarted authority knows all that this one knew, and a replica needs no more than
//! keys of its own.

pub mod admin;
pub mod authorization;
mod containment;
pub mod denials;
mod event_key;
#[cfg(test)]
mod fixtures;
pub mod gateway;
pub mod identity;
pub mod ledger;
mod metrics;
pub mod registry;
pub mod sequencer;

use admin::{Left, Replays};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use denials::Denials;
use eleven_api::client::Client;
use eleven_api::edge::Clock;
use eleven_api::keyring::{InUse, Keyring};
use eleven_api::problem::Problem;
use eleven_api::routes;
use eleven_api::serve::{self, Budget, Listener, MetricsText, stopped};
use eleven_api::tasks::{Ended, Tasks};
use eleven_core::encoding::{Object, Value};
use eleven_core::name;
use eleven_core::root::{KeyUse, RootError, TrustRoot};
use eleven_core::signature::{Signer, base64_value};
use eleven_core::time::Time;
use ledger::Ledger;
use metrics::Metrics;
use registry::{Current, Registry};
use sequencer::Sequencer;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::watch;

/// How long running requests may take to finish when the corner is told to stop.
const GRACE: Duration = Duration::from_secs(5);
/// How long it waits after that for an act whose operator hung up, and for the last counts.
const LAST: Duration = Duration::from_secs(1);
/// What who asks for a path hears that is none of this corner's.
const NOTHING: &str = "an authority serves nothing there: see spec/http.md for its paths";

/// What an authority is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name, `governance://<domain>/authority/<env>`.
    pub name: String,
    /// Where the ledger is, for instance `http://127.0.0.1:1111`.
    pub ledger: String,
}

/// The keys of this corner, more than one of a use while they are renewed. What signs takes a signer, never a private key.
#[derive(Clone)]
pub struct Signers {
    /// Artifacts: the newest that is registered signs, once every enforcement point knows of it.
    pub issuer: Keyring,
    /// Events. One process signs with them, by one at a time: the newest that counts when it starts, and another when that one
    /// counts no more.
    pub event: Keyring,
    /// Registry headers, stamps, grants: each epoch is signed by the key that its header names.
    pub registry: Keyring,
    /// Policies: the first that the trust root lists and that is held.
    pub policy: Keyring,
    /// Identity tokens: the newest that is registered signs, once every enforcement point knows of it.
    pub identity: Keyring,
}

impl Signers {
    /// What signs artifacts at `now`, under this registry: the newest key that has counted there for as long as a view of it may be
    /// old, so that every enforcement point knows it; where there is none, the newest that counts at all.
    fn issuer(&self, current: &Current, now: Time) -> Option<&dyn Signer> {
        let known = now.plus_millis(-current.view.fresh_ms());
        let counting = |kid: &str| current.counting(kid, now);
        let settled = self.issuer.newest_of(|kid| counting(kid).filter(|key| current.issues_since(key) <= known));
        settled.or_else(|| self.issuer.newest_of(counting)).map(Arc::as_ref)
    }

    /// The keys by which identity tokens of `issuer` count under this registry, the newest first.
    pub(crate) fn token_keys<'a>(
        &'a self,
        issuer: &'a str,
        current: &'a Current,
    ) -> impl Iterator<Item = &'a Arc<dyn Signer>> {
        self.identity.newest_first().filter(move |signer| current.sources.counts(issuer, signer.as_ref()))
    }

    /// What signs identity tokens of `issuer` at `now`, under this registry: as for artifacts.
    pub(crate) fn identity<'a>(&'a self, issuer: &'a str, current: &'a Current, now: Time) -> Option<&'a dyn Signer> {
        let known = now.plus_millis(-current.view.fresh_ms());
        let settled = self.token_keys(issuer, current).find(|signer| current.tokens_since(signer.kid()) <= known);
        settled.or_else(|| self.token_keys(issuer, current).next()).map(Arc::as_ref)
    }

    /// What signs for the authority's part in the trust root, the use `policy` or `registry`, at `now`.
    fn role(&self, usage: KeyUse, root: &TrustRoot, now: Time) -> Option<&dyn Signer> {
        let held = if usage == KeyUse::Policy { &self.policy } else { &self.registry };
        held.first_of(root.roles_at(usage, now)).map(Arc::as_ref)
    }
}

/// Why an authority can't be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The name is no authority's of the root's domain.
    Name {
        /// The name.
        name: String,
        /// The root's domain.
        domain: String,
    },
    /// The root is not signed by its own threshold.
    Root(RootError),
    /// The key of a role that stands in the root is not the one that this process holds.
    Role(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name, domain } => {
                write!(f, "{name} is no authority of {domain}: name it governance://{domain}/authority/<env>")
            }
            Self::Root(error) => error.fmt(f),
            Self::Role(kid) => write!(
                f,
                "the trust root has another public key for {kid}: use the keystore that the root was made with"
            ),
        }
    }
}

impl std::error::Error for OpenError {}

/// A running authority.
pub struct Authority {
    pub(crate) name: String,
    pub(crate) signers: Signers,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ledger: Ledger,
    pub(crate) registry: Arc<Registry>,
    pub(crate) sequencer: Sequencer,
    pub(crate) denials: Arc<Denials>,
    pub(crate) replays: Replays,
    /// What the bodies of acts take while they are held.
    pub(crate) acts: Budget,
    /// Acts are carried out one after the other: what one may do depends on what the one before it did. What the
    /// last one left, where that was not in force yet when its time was over.
    pub(crate) acting: tokio::sync::Mutex<Option<Left>>,
    pub(crate) metrics: Metrics,
    tasks: Tasks,
    stop: watch::Receiver<bool>,
    /// True once nobody is served any more: until then what runs needs the tasks.
    end: watch::Sender<bool>,
}

/// The address of the listener that a request came in by, as it stands in counted denials.
#[derive(Clone, Debug)]
pub struct Listening(pub Arc<str>);

impl Authority {
    /// Opens an authority: it begins to follow the ledger at once, and denies until it has. `root` is the pinned trust
    /// root. Who watches its registry is let go when `stop` becomes true; its tasks end with [`Authority::serve`], or with
    /// the process where nobody is served.
    ///
    /// # Errors
    /// Where name, root and keys don't fit each other.
    pub fn open(
        settings: Settings,
        signers: Signers,
        root: TrustRoot,
        clock: Arc<dyn Clock>,
        stop: watch::Receiver<bool>,
    ) -> Result<Arc<Self>, OpenError> {
        check(&settings, &signers, &root)?;
        let ledger = Ledger::new(Client::new(), settings.ledger);
        let event = InUse::of(signers.event.clone());
        let ledger = ledger.signing(Arc::clone(&event) as Arc<dyn Signer>, Arc::clone(&clock));
        let (tasks, keys) = (Tasks::default(), signers.registry.clone());
        let (end, ending) = watch::channel(false);
        let registry = Registry::new(ledger.clone(), root, keys, Arc::clone(&clock), stop.clone());
        let registry = registry.start(ending.clone(), &tasks);
        let sequencer = Sequencer::start(ledger.clone(), event, settings.name.clone(), &tasks);
        let denials = Arc::new(Denials::default());
        let (replays, acting) = (Replays::new(clock.now()), tokio::sync::Mutex::default());
        let (name, metrics) = (settings.name, Metrics::default());
        let authority = Arc::new(Self {
            name,
            signers,
            clock,
            ledger,
            registry,
            sequencer,
            denials,
            replays,
            acts: admin::bodies(),
            acting,
            metrics,
            tasks,
            stop,
            end,
        });
        authority.tasks.spawn("containment", containment::contain(Arc::clone(&authority), ending.clone()));
        authority.tasks.spawn("event key", event_key::watch(Arc::clone(&authority), ending));
        Ok(authority)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The registry that it decides by.
    #[must_use]
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// A key of this authority without which no call passes, and which does not count in the registry at `now`: the one that signs
    /// its events, or the newest of its issuer or identity keys where none of that use counts.
    fn uncounted(&self, current: &Current, now: Time) -> Option<&str> {
        if !self.event_counts(current, now) {
            return Some(self.sequencer.key().kid());
        }
        if self.signers.issuer(current, now).is_none() {
            return Some(self.signers.issuer.newest().kid());
        }
        let authenticates = self.signers.identity(&self.name, current, now).is_some();
        (!authenticates).then(|| self.signers.identity.newest().kid())
    }

    /// Whether the key that signs its events counts in the registry at `now`.
    pub(crate) fn event_counts(&self, current: &Current, now: Time) -> bool {
        let event = self.sequencer.key();
        current.counting(event.kid(), now).is_some_and(|record| record.public == event.public())
    }

    /// Waits until it can decide: the registry folded and the event counter known. `false` where that takes longer than
    /// `deadline`.
    pub async fn ready(&self, deadline: Duration) -> bool {
        let began = std::time::Instant::now();
        if !self.registry.ready(deadline).await {
            return false;
        }
        while self.sequencer.progress().stalled.load(Relaxed) {
            if began.elapsed() > deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        true
    }

    /// All routes of this corner.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route(routes::HEALTH, get(health))
            .route(routes::METRICS, get(metrics_text))
            .with_state(Arc::clone(self))
            .merge(gateway::router(Arc::clone(self)))
            .merge(admin::router(Arc::clone(self)))
            .merge(registry::routes::router(Arc::clone(&self.registry)))
            .fallback(|| async { Problem::with_status(404, NOTHING) })
            .method_not_allowed_fallback(serve::not_taken)
    }

    /// Serves on all listeners until told to stop, then lets running requests finish. What they wait for goes on until then: the
    /// registry is followed, so that an act comes to be in force, and callers without identity are counted.
    ///
    /// # Errors
    /// [`Ended`] where a task ended before that: the process must end, with a status that is not 0.
    pub async fn serve(self: Arc<Self>, listeners: Vec<Listener>) -> Result<(), Ended> {
        let (sequencer, clock) = (self.sequencer.clone(), Arc::clone(&self.clock));
        let counted = denials::record(Arc::clone(&self.denials), sequencer, clock, self.end.subscribe());
        let counting = self.tasks.spawn("denials", counted);
        let mut serving = Vec::new();
        for listener in listeners {
            let address = listener.local_addr().map_or_else(|_| "unknown".to_owned(), |address| address.to_string());
            let router = self.router().layer(Extension(Listening(address.into())));
            serving.push(self.tasks.spawn("listener", listener.serve(router, self.stop.clone(), GRACE)));
        }
        let mut stop = self.stop.clone();
        let fell = tokio::select! {
            () = stopped(&mut stop) => None,
            ended = self.tasks.ended() => Some(ended),
        };
        // They may have been told to stop between the two looks.
        if let Some(ended) = fell.filter(|_| !*stop.borrow() && stop.has_changed().is_ok()) {
            return Err(ended);
        }
        for listener in serving {
            let _ = listener.await;
        }
        // Whoever hung up left an act to its end; no other begins while this is held.
        let _acts = tokio::time::timeout(LAST, self.acting.lock()).await;
        self.end.send_replace(true);
        // A ledger that is there and does not answer makes no end longer.
        let _ = tokio::time::timeout(LAST, counting).await;
        Ok(())
    }
}

/// Whether name, root and keys fit each other.
fn check(settings: &Settings, signers: &Signers, root: &TrustRoot) -> Result<(), OpenError> {
    if !name::is_authority(&settings.name) || name::authority_domain(&settings.name) != Some(&root.domain) {
        return Err(OpenError::Name { name: settings.name.clone(), domain: root.domain.clone() });
    }
    root.verify_own().map_err(OpenError::Root)?;
    for signer in signers.registry.newest_first().chain(signers.policy.newest_first()) {
        let known = root.roles.iter().find(|key| key.kid == signer.kid());
        if known.is_some_and(|key| key.public != signer.public()) {
            return Err(OpenError::Role(signer.kid().to_owned()));
        }
    }
    Ok(())
}

/// Whether this corner can decide now.
async fn health(State(authority): State<Arc<Authority>>) -> Response {
    let now = authority.clock.now();
    let current = authority.registry.current();
    let fresh = authority.registry.fresh(now).is_some();
    let stalled = authority.sequencer.progress().stalled.load(Relaxed);
    let uncounted = current.as_ref().and_then(|current| authority.uncounted(current, now));
    let ready = fresh && !stalled && uncounted.is_none();
    let undecided = current.as_ref().map_or(0, |current| current.undecided());
    let body = Object::new()
        .with("corner", "authority")
        .with_some("domain", name::authority_domain(&authority.name))
        .with("status", if ready { "ok" } else { "unavailable" })
        .with("epoch", current.as_ref().map_or(0, |current| current.view.epoch()))
        .with("ledger", if fresh { "heard" } else { "silent" })
        .with("events", if stalled { "stalled" } else { "flowing" })
        .with("kid", authority.sequencer.key().kid())
        .with("event_keys", held(&authority.signers.event))
        .with("issuer_keys", held(&authority.signers.issuer))
        .with_some("uncounted", uncounted)
        .with_some("undecided", (undecided > 0).then_some(undecided as u64));
    let mut response = serve::json(&Value::Object(body));
    if !ready {
        *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

/// The keys of one use as they are shown, the newest first.
fn held(keys: &Keyring) -> Vec<Value> {
    let row = |key: &Arc<dyn Signer>| {
        Value::Object(Object::new().with("kid", key.kid()).with("public", base64_value(&key.public())))
    };
    keys.newest_first().map(row).collect()
}

async fn metrics_text(State(authority): State<Arc<Authority>>) -> Response {
    let progress = authority.sequencer.progress();
    let current = authority.registry.current();
    let epoch = current.as_ref().map_or(0, |current| current.view.epoch());
    let silence = authority.registry.silence_ms(authority.clock.now());
    let stalled = u8::from(progress.stalled.load(Relaxed));
    let (records, appends) = (progress.records.load(Relaxed), progress.appends.load(Relaxed));
    let mut text = MetricsText::default();
    authority.metrics.write(&mut text);
    text.gauge("eleven_authority_epoch", "The registry's last epoch here.", epoch);
    text.gauge("eleven_authority_ledger_silence_ms", "Since the ledger was heard from.", silence);
    text.gauge("eleven_authority_stalled", "1 while no event can be made.", stalled);
    text.counter("eleven_authority_events_total", "Events that the ledger has.", records);
    text.counter("eleven_authority_appends_total", "Appends that carried them.", appends);
    let refused = "Events that the ledger refused, or that something before it kept out.";
    text.counter("eleven_authority_refused_total", refused, progress.refused.load(Relaxed));
    text.into_response()
}
