//! The corner as a whole: start, recovery, its tasks, its router.

use crate::caller::Callers;
use crate::disclosures::{self, Store};
use crate::error::{RuntimeError, failure, unopened};
use crate::execution::Failing;
use crate::forward::{self, Forwarder, OutboxError, Progress};
use crate::gateway::{self, Gate};
use crate::health;
use crate::issuer::{Issuer, Trouble};
use crate::journal::Desks;
use crate::passing;
use crate::recover;
use crate::refusal;
use crate::roots::Roots;
use crate::running::{Halt, Running};
use crate::seen::Seen;
use crate::settings::Settings;
use crate::standing::{Asking, Standing};
use crate::view::Registry;
use crate::workload::{self, Workloads};
use axum::Router;
use axum::body::Body;
use axum::routing::{any, get, post};
use eleven_api::audit::{Cursor, LeftOpen};
use eleven_api::client::{CallError, Client};
use eleven_api::disclosure;
use eleven_api::edge::{Clock, Moment};
use eleven_api::problem::Problem;
use eleven_api::reader::ReadAs;
use eleven_api::routes;
use eleven_api::serve::{Budget, Listener, stopped};
use eleven_api::tasks::Tasks;
use eleven_core::encoding::Object;
use eleven_core::limits::MAX_WORKLOADS;
use eleven_core::root::TrustRoot;
use eleven_enforce::journal::{Journal, Point};
use eleven_store::{Folder, SegmentLog, SegmentOptions, Stop};
use http::{HeaderValue, Method, Request};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::watch;

/// The calls that are governed here: of a model, and for the list of them.
const CHAT: &str = "/v1/chat/completions";
const MODELS: &str = "/v1/models";
/// How long a starting point waits for its first view of the registry before it answers all the same.
const FIRST_VIEW: Duration = Duration::from_secs(2);
/// How long a point that is told to stop goes on with the calls that it has.
const GRACE: Duration = Duration::from_secs(5);
/// How long of that an answer may wait for the durability of its evidence.
const LAST_RELEASE: Duration = Duration::from_secs(4);
/// How long it waits after that for the evidence of what runs still, and is interrupted.
const LAST_EVIDENCE: Duration = Duration::from_secs(1);

/// An enforcement point, ready to serve.
pub struct Runtime {
    gate: Arc<Gate>,
    /// Who asks the ledger for heads.
    asking: Asking,
    failed: Arc<OnceLock<String>>,
    /// That the ledger has another stream of this point's key than its journal.
    foreign: Arc<OnceLock<OutboxError>>,
    stopping: watch::Receiver<bool>,
}

impl Runtime {
    /// Opens the point: reads its journal back, makes sure with the ledger that nothing of it is lost, closes truthfully
    /// what a crash left open, and starts the commit thread.
    ///
    /// Waits for the ledger where the journal is empty: nobody else knows whether it always was.
    ///
    /// # Errors
    /// Where the journal can't be opened, is damaged, or was lost; where it is empty and the ledger does not know this point by
    /// its signature; where the settings can't be used.
    pub async fn open(
        settings: Settings,
        point: Point,
        root: TrustRoot,
        folder: &Folder,
        clock: Arc<dyn Clock>,
        listener: String,
    ) -> Result<Self, RuntimeError> {
        let place = folder.place("journal").map_err(|error| RuntimeError::Journal(error.to_string()))?;
        let log = SegmentLog::open(place, SegmentOptions::default()).map_err(|error| unopened(&error))?;
        Self::over(log, settings, point, root, folder.path(), clock, listener).await
    }

    /// Opens the point over the log of its journal; what opens its disclosures is in the folder.
    async fn over(
        mut log: SegmentLog,
        settings: Settings,
        point: Point,
        root: TrustRoot,
        folder: &Path,
        clock: Arc<dyn Clock>,
        listener: String,
    ) -> Result<Self, RuntimeError> {
        let credential = credential(settings.gateway.upstream_key.as_deref())?;
        let seen = Arc::new(Seen::new(clock));
        let clock: Arc<dyn Clock> = Arc::clone(&seen) as _;
        let client = Client::new();
        let read = recover::read_back(&log, point.clone());
        let mut journal = read.map_err(|error| RuntimeError::Journal(error.to_string()))?;
        let reader = ReadAs { signer: Arc::clone(&point.event), clock: Arc::clone(&clock) };
        let cursor = agree(&client, &settings.ledger, &reader, &journal).await?;
        if let Some((cursor, _)) = &cursor {
            recover::agree(&log, cursor).map_err(RuntimeError::Stream)?;
        }
        let roots = Arc::new(Roots::open(folder, root).map_err(RuntimeError::Root)?);
        let standing = Standing::new(settings.required);
        let asking = Asking {
            client: client.clone(),
            reader: reader.clone(),
            ledger: settings.ledger.clone(),
            roots: Arc::clone(&roots),
            clock: Arc::clone(&clock),
        };
        match &cursor {
            Some((cursor, _)) => standing.resume(&asking, cursor).await,
            None => standing.resume_unasked(journal.next_seq() > 0),
        }
        let progress = close_left(&client, &settings.ledger, &reader, &mut log, &mut journal, cursor).await?;
        let progress = Arc::new(progress);
        let failed = Arc::new(OnceLock::new());
        let (stop, stopping) = watch::channel(false);
        let on_stop = stops(Arc::clone(&failed), stop);
        let desks = Desks::start(log, journal, Arc::clone(&clock), Arc::clone(&progress), listener, on_stop)
            .map_err(|error| RuntimeError::Journal(error.to_string()))?;
        let issuer = Issuer {
            client: client.clone(),
            authority: settings.authority.clone(),
            point: point.name.clone(),
            signer: Arc::clone(&point.event),
            clock: Arc::clone(&clock),
            deadline: settings.decision_deadline,
            trouble: Trouble::default(),
        };
        let stored = Store::open(folder).and_then(|store| store.begin_to_tidy().map(|()| store));
        let gate = Gate {
            registry: Registry::new(roots, settings.authority.clone(), client.clone(), point.name.clone(), reader),
            running: Arc::new(Running::new(point.name.clone())),
            bodies: Budget::shared(settings.gateway.bodies, settings.gateway.max_body),
            callers: Callers::new(settings.authority.clone(), client.clone(), Arc::clone(&clock)),
            workload: gateway::workload(&settings.gateway.upstream),
            credential,
            desks: Arc::new(desks),
            standing: Arc::new(standing),
            disclosures: stored.map_err(|error| RuntimeError::Disclosures(error.to_string()))?,
            settings,
            point,
            progress,
            issuer,
            client,
            clock,
            seen,
            failing: Failing::default(),
        };
        Ok(Self { gate: Arc::new(gate), asking, failed, foreign: Arc::default(), stopping })
    }

    /// Serves until told to stop, or until the journal fails or a task of its own ends.
    ///
    /// # Errors
    /// [`RuntimeError::Stopped`] where the journal failed, [`RuntimeError::Stream`] where it is not the one that the ledger knows,
    /// [`RuntimeError::Task`] where a task ended: the process must end.
    pub async fn serve(self, listener: Listener, stop: watch::Receiver<bool>) -> Result<(), RuntimeError> {
        let (all, stopping) = watch::channel(false);
        let (flush, flushing) = watch::channel(false);
        let (tasks, forwarder) = (Tasks::default(), self.forwarder());
        let running = [
            tasks.spawn("registry", follow(Arc::clone(&self.gate), flushing.clone())),
            tasks.spawn("backlog", watch_backlog(Arc::clone(&self.gate), flushing.clone())),
            tasks.spawn("heads", Arc::clone(&self.gate.standing).follow(self.asking, flushing.clone())),
            tasks.spawn("forwarding", forwarder.run(flushing)),
        ];
        let serving = tasks.spawn("listener", accept(Arc::clone(&self.gate), listener, stopping));
        let (mut stop, mut journal) = (stop, self.stopping.clone());
        let outcome = tokio::select! {
            () = stopped(&mut stop) => Ok(()),
            () = stopped(&mut journal) => Ok(()),
            ended = tasks.ended() => Err(RuntimeError::Task(ended)),
        };
        all.send_replace(true);
        self.gate.standing.end_within(LAST_RELEASE);
        let _ = serving.await;
        end_running(&self.gate.running).await;
        // Nobody is denied any more; the second that runs comes to no tick.
        if let Err(error) = self.gate.desks.counts().await {
            tracing::error!(%error, "the denials that were counted last could not be recorded");
        }
        // Until here the last requests heard of heads, revocations and halts; what they committed is forwarded now.
        flush.send_replace(true);
        for task in running {
            let _ = task.await;
        }
        if let Some(what) = self.failed.get() {
            return Err(RuntimeError::Stopped(what.clone()));
        }
        if let Some(error) = self.foreign.get() {
            return Err(RuntimeError::Stream(error.clone()));
        }
        outcome
    }

    fn forwarder(&self) -> Forwarder {
        Forwarder {
            desks: Arc::clone(&self.gate.desks),
            progress: Arc::clone(&self.gate.progress),
            standing: Arc::clone(&self.gate.standing),
            client: self.gate.client.clone(),
            ledger: self.gate.settings.ledger.clone(),
            audit_bound: self.gate.settings.audit_bound,
            reader: self.gate.registry.reader().clone(),
            clock: Arc::clone(&self.gate.clock),
            foreign: Arc::clone(&self.foreign),
        }
    }
}

/// A key that can't be sent is refused here and not at each call.
fn credential(key: Option<&str>) -> Result<Option<HeaderValue>, RuntimeError> {
    key.map(|key| passing::credential(key).ok_or(RuntimeError::UpstreamKey)).transpose()
}

/// Makes sure with the ledger that the journal holds all that the ledger has of this point's key. Gives how far that is, and when
/// it was asked; `None` where it does not say.
async fn agree(
    client: &Client,
    ledger: &str,
    reader: &ReadAs,
    journal: &Journal,
) -> Result<Option<(Cursor, Moment)>, RuntimeError> {
    let mut told = false;
    loop {
        let asked = Moment::now(&*reader.clock);
        match forward::cursor(client, ledger, reader).await {
            Ok(cursor) if cursor.next > journal.next_seq() => {
                return Err(RuntimeError::JournalLost { expected: cursor.next, held: journal.next_seq() });
            }
            Ok(cursor) => return Ok(Some((cursor, asked))),
            // A journal that holds records is this point's own, and its numbers go on without the ledger.
            Err(error) if journal.next_seq() > 0 => {
                let advice = forward::advice(&error);
                tracing::warn!(%error, "the ledger does not tell where this point's stream stands; its journal goes on{advice}");
                return Ok(None);
            }
            // A proxy whose ledger is gone says the same of every path, and knows of no key.
            Err(CallError::Refused(problem)) if problem.status == 404 && !problem.foreign => return Ok(None),
            Err(error) if forward::is_unknown(&error) => {
                return Err(RuntimeError::Unknown { refusal: error.to_string(), advice: forward::advice(&error) });
            }
            Err(error) => {
                if !told {
                    tracing::info!(%error, "waiting for the ledger: an empty journal may be a new one or a lost one");
                }
                told = true;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// What the journal's writer calls when it stops: keeps why, where nobody asked it to, and says so to whoever waits for `stop`.
fn stops(failed: Arc<OnceLock<String>>, stop: watch::Sender<bool>) -> impl FnOnce(Stop) + Send + 'static {
    move |why: Stop| {
        if let Some(what) = failure(&why) {
            tracing::error!(%what, "the journal's writer stopped");
            // It stops once.
            let _ = failed.set(what);
        }
        stop.send_replace(true);
    }
}

/// Closes truthfully what was left open, in this journal and in one that is lost. Gives how far the ledger has what stood in this one
/// before, by its `cursor` where it told one.
async fn close_left(
    client: &Client,
    ledger: &str,
    reader: &ReadAs,
    log: &mut SegmentLog,
    journal: &mut Journal,
    cursor: Option<(Cursor, Moment)>,
) -> Result<Progress, RuntimeError> {
    let now = Moment::now(&*reader.clock);
    let expected = cursor.map(|(cursor, _)| cursor.next);
    // What it is not known to have is behind from when it was made: a restart gives no new time to an old backlog.
    let behind = recover::oldest_from(&*log, expected.unwrap_or(0)).map_err(RuntimeError::Journal)?;
    // Before anything else is written: what was closed already would otherwise be closed twice.
    if expected == Some(journal.next_seq()) {
        close_lost(client, ledger, reader, log, journal).await?;
    }
    recover::close_open(log, journal, reader.clock.now()).map_err(RuntimeError::Journal)?;
    let progress = Progress::new(behind.map_or(now, |(_, behind)| now.back_to(behind.min(now.at))));
    if let Some((cursor, asked)) = cursor {
        progress.told(cursor.at, asked);
    }
    Ok(progress)
}

/// Closes what this point began under keys whose journal is lost: the ledger alone knows of it. Where it can't be asked, the
/// next start asks again.
async fn close_lost(
    client: &Client,
    ledger: &str,
    reader: &ReadAs,
    log: &mut SegmentLog,
    journal: &mut Journal,
) -> Result<(), RuntimeError> {
    let mut path = routes::AUDIT_OPEN.to_owned();
    loop {
        let left = client.get_json_as(reader, ledger, &path, FIRST_VIEW).await;
        let left = match left.and_then(|value| LeftOpen::read(value).map_err(forward::malformed)) {
            Ok(left) => left,
            Err(error) => {
                tracing::info!(%error, "the ledger does not say what was left open by a journal that is lost");
                return Ok(());
            }
        };
        recover::close_lost(log, journal, &left.lineages, reader.clock.now()).map_err(RuntimeError::Journal)?;
        let Some(after) = left.after else { return Ok(()) };
        path = format!("{}?after={after}", routes::AUDIT_OPEN);
    }
}

/// Serves once this point has a view of the registry, so that who connected meanwhile waits instead of being refused; at
/// the latest after [`FIRST_VIEW`].
async fn accept(gate: Arc<Gate>, listener: Listener, mut stop: watch::Receiver<bool>) {
    let until = tokio::time::Instant::now() + FIRST_VIEW;
    while gate.registry.held().is_none() && tokio::time::Instant::now() < until {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
            () = stopped(&mut stop) => break,
        }
    }
    listener.serve(router(gate), stop, GRACE).await;
}

/// Interrupts what runs longer than this point is there, and waits for the evidence of all that has begun: left to the next start it
/// would be closed as after a crash, to whatever effect, and where none comes not at all. From now on nothing begins.
async fn end_running(running: &Running) {
    running.end();
    let closed = async {
        while running.underway() > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    if tokio::time::timeout(LAST_EVIDENCE, closed).await.is_err() {
        tracing::warn!(running = running.underway(), "what runs could not be closed in time: the next start closes it");
    }
}

async fn follow(gate: Arc<Gate>, stop: watch::Receiver<bool>) {
    let every = gate.settings.refresh;
    gate.registry.follow(&gate.desks, &gate.running, gate.clock.as_ref(), every, stop).await;
}

/// Past the audit bound, and where heads over what is acknowledged stay out past their window, admissions stop by step 16;
/// here what runs is interrupted, and both ends become events.
async fn watch_backlog(gate: Arc<Gate>, mut stop: watch::Receiver<bool>) {
    let bound = i64::try_from(gate.settings.audit_bound.as_millis()).unwrap_or(0);
    let (mut halt, mut unapproved, mut clock) = (Halt::default(), None, None);
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
            () = stopped(&mut stop) => return,
        }
        let now = Moment::now(&*gate.clock);
        let held = gate.registry.held();
        let why = held.and_then(|held| health::unapproved(&held.view, &gate.point, now.at));
        note(&mut unapproved, why, "what runs here is approved again");
        note(&mut clock, health::wrong_clock(&gate), "the clock is right again");
        let unproven = gate.standing.unproven_ms(now).is_some_and(|(waits, most)| waits > most);
        let late = gate.progress.backlog_ms(now) > bound;
        let past = late || unproven;
        let Some((event, from)) = halt.look(past, gate.progress.acknowledged(), &gate.running) else { continue };
        let data = Object::new()
            .with("producer", &gate.point.name)
            .with("from", from)
            .with("to", gate.progress.acknowledged())
            .with("cause", "drift.audit");
        if let Err(error) = gate.desks.alone(event, data).await {
            tracing::error!(error, event, "an event of this point could not be recorded");
        }
        tracing::warn!(event, "{}", Halt::told(late, unproven));
    }
}

/// Says once why this point admits nothing, and once that it is well `again`: it may have been so before, and whoever supervises
/// a point looks at that when it starts.
fn note(known: &mut Option<String>, why: Option<String>, again: &str) {
    match &why {
        Some(why) if known.as_ref() != Some(why) => tracing::error!(why, "this point admits nothing"),
        None if known.is_some() => tracing::info!("{again}"),
        _ => {}
    }
    *known = why;
}

fn router(gate: Arc<Gate>) -> Router {
    let workloads = Arc::new(Workloads::new(MAX_WORKLOADS));
    let with = |gate: &Arc<Gate>| Arc::clone(gate);
    let (chat, models, admit, complete) = (with(&gate), with(&gate), with(&gate), with(&gate));
    let (opening, erasing) = (with(&gate), with(&gate));
    let (for_admit, for_complete) = (Arc::clone(&workloads), workloads);
    Router::new()
        .route(CHAT, post(move |request: Request<Body>| gateway::chat(chat, request)))
        .route(MODELS, get(move |request: Request<Body>| gateway::models(models, request)))
        .route(routes::RUNTIME_ADMIT, post(move |request: Request<Body>| workload::admit(admit, for_admit, request)))
        .route(
            routes::RUNTIME_COMPLETE,
            post(move |request: Request<Body>| workload::complete(complete, for_complete, request)),
        )
        .route(
            routes::RUNTIME_DISCLOSURES_OPEN,
            post(move |request: Request<Body>| disclosures::handle(opening, disclosure::Asking::Open, request)),
        )
        .route(
            routes::RUNTIME_DISCLOSURES_ERASE,
            post(move |request: Request<Body>| disclosures::handle(erasing, disclosure::Asking::Erase, request)),
        )
        .route(
            routes::HEALTH,
            get({
                let gate = with(&gate);
                move || health::health(gate)
            }),
        )
        .route(
            routes::METRICS,
            get({
                let gate = with(&gate);
                move || health::metrics(gate)
            }),
        )
        .fallback(any(|request: Request<Body>| async move {
            refusal::openai(&Problem::with_status(404, ungoverned(request.method(), request.uri().path())))
        }))
        .method_not_allowed_fallback(|request: Request<Body>| async move {
            let what = format!("{} is not taken by another method than its own", request.uri().path());
            refusal::openai(&Problem::with_status(405, what))
        })
}

/// What is said of a path that is none of this gateway's, and what its client is to be told: another base URL where it was on its way
/// to what is governed, or that it is to ask for chat completions, which newer clients do only where they are told to.
fn ungoverned(method: &Method, path: &str) -> String {
    let asked = path.trim_end_matches('/');
    let astray = [CHAT, MODELS].iter().any(|governed| asked.ends_with(governed.trim_start_matches("/v1")));
    let other = asked.split('/').any(|part| part == "responses") || asked.ends_with("/completions");
    let next = match (astray, other) {
        (true, _) => ": set the base URL to this gateway's address with /v1, and nothing behind it",
        (false, true) => ": have the client ask for chat completions",
        (false, false) => "",
    };
    format!(
        "{method} {path} is not governed here, so it does not pass; governed here are POST {CHAT} and GET {MODELS}{next}"
    )
}

#[cfg(test)]
pub(crate) mod tests;
