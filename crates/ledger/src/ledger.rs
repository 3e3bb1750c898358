//! The corner as a whole: opened on its folder, served on a listener.

use crate::archive::{self, Archive, Mover};
use crate::audit::{Answer, Audit, CROWD, Outcome, Request};
use crate::backup;
use crate::error::LedgerError;
use crate::heads::{self, HeadError, HeadSigner, Heads};
use crate::home::{CORNER, HEADS, LOG, LOG_OPTIONS};
use crate::keys;
use crate::receive::Received;
use crate::recover::Replayed;
use crate::rules::{Book, Candidate, Judgement};
use crate::saved::{self, Checker, Saved};
use crate::seal::{Pace, SealedEntry};
use crate::search::Search;
use crate::serve::Room;
use crate::settings::{Settings, Signers};
use crate::state::{Counts, Shared};
use crate::stored::Stored;
use crate::thread_guard::ThreadGuard;
use eleven_api::audit::{Appended, Durability};
use eleven_api::edge::{self, Clock};
use eleven_api::keyring::InUse;
use eleven_api::reader::ReadAs;
use eleven_api::serve::Listener;
use eleven_api::tasks::Tasks;
use eleven_core::chain;
use eleven_core::event::{About, Draft, Place};
use eleven_core::form::FormError;
use eleven_core::registry::{self, GrantedKey};
use eleven_core::root::{TrustRoot, Witnesses};
use eleven_core::signature::{Signer, VerifyingKey};
use eleven_core::time::Time;
use eleven_store::{
    CommitError, Committed, Folder, GroupCommit, GroupOptions, Log as _, Metrics, SegmentLog, SegmentOptions, Stop,
};
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, Mutex, RwLock, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// The running corner. Dropping it closes it: what was submitted is still answered.
pub struct Ledger {
    pub(crate) inner: Arc<Inner>,
    pub(crate) failed: watch::Receiver<Option<String>>,
}

/// What requests are served from.
pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) settings: Settings,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Arc<dyn Clock>,
    /// This ledger, which reads the authority's registry by its event key.
    pub(crate) reader: ReadAs,
    /// The event keys that it holds.
    pub(crate) event: Arc<InUse>,
    /// The head keys that it holds, by name and public key, the newest first.
    pub(crate) head_keys: Vec<(String, [u8; 32])>,
    pub(crate) room: Room,
    /// Where it can't be opened the ledger goes on without, and tries again.
    pub(crate) search: Arc<Search>,
    /// True once the corner ends: whoever waits for something to come is answered now.
    pub(crate) closing: watch::Sender<bool>,
    // In this order: the mover may wait for the writer, the head signer ends when the writer is gone, and only then are the
    // folder's logs free.
    pub(crate) checker: Option<Checker>,
    pub(crate) mover: Option<Mover>,
    pub(crate) group: GroupCommit<Audit>,
    _heads: Joined,
    /// Signs heads and keeps their cosignatures.
    pub(crate) signing: Arc<Mutex<HeadSigner>>,
}

/// A thread that is waited for when this is dropped.
struct Joined(Option<JoinHandle<()>>);

impl Drop for Joined {
    fn drop(&mut self) {
        // A panic there was reported by the panic itself; nothing of it is needed here.
        let _ = self.0.take().map(JoinHandle::join);
    }
}

/// The corner without its threads: what commits, what signs heads, and what goes from the one to the other.
pub(crate) struct Parts {
    pub(crate) shared: Arc<Shared>,
    pub(crate) audit: Audit,
    pub(crate) signer: HeadSigner,
    pub(crate) seals: mpsc::Receiver<SealedEntry>,
    /// Whether the folds were loaded, and the log is still to be read.
    pub(crate) loaded: bool,
}

impl Parts {
    /// Every fold rebuilt from the log, or loaded as it was saved; the last seal waits to be signed for again.
    ///
    /// # Errors
    /// Where the log is none of a ledger, or the last head is not this ledger's.
    pub(crate) fn new(
        log: &SegmentLog,
        heads: Heads,
        folder: &Path,
        saved: Option<Saved>,
        archive: impl FnOnce(&Replayed) -> Result<Option<Archive>, LedgerError>,
        pace: Pace,
        signers: Signers,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LedgerError> {
        let reader = log.reader();
        let last = heads.last(&Witnesses::default()).map_err(LedgerError::Head)?;
        let (replayed, loaded) = saved::load_or_replay(saved, reader.as_ref(), last, &signers.head)?;
        if replayed.book.registry().is_none() {
            return Err(LedgerError::Empty(folder.to_owned()));
        }
        let archive = archive(&replayed)?;
        let Replayed { mut book, places, tree, sealed, resumed, .. } = replayed;
        book.close_moved();
        let (sealed_size, last_seal) = (sealed.size, last_seal(&sealed));
        let shared = Arc::new(Shared {
            durable: watch::Sender::new(tree.size()),
            notable: watch::Sender::new(tree.size()),
            head: watch::Sender::new(None),
            shown: crate::history::Shown::default(),
            keys: crate::keys::Keys::default(),
            book: RwLock::new(book),
            places: RwLock::new(places),
            tree: RwLock::new(tree),
            sealed: RwLock::new(sealed),
            log: reader,
            raised: watch::Sender::default(),
            collecting: AtomicBool::new(false),
            ahead: crate::witness::Ahead::new(resumed.recovered.clone()),
            disagreement: AtomicBool::new(resumed.contained),
            carried: AtomicBool::new(resumed.contained),
            headless: AtomicBool::new(false),
            counts: Counts::default(),
            judging: std::sync::Mutex::default(),
            dated: AtomicI64::new(0),
            archive,
        });
        if let Some(registry) = crate::state::read(&shared.book).registry() {
            shared.keys.learn(registry);
        }
        let (to_sign, seals) = mpsc::channel();
        let mut signer = HeadSigner {
            shared: Arc::clone(&shared),
            clock: Arc::clone(&clock),
            keys: signers.head,
            ledger: resumed.name.clone(),
            heads,
            behind: false,
        };
        signer.resume(sealed_size).map_err(LedgerError::Head)?;
        // What stands behind the last seal is under the next: a head of now would leave it out.
        let is_last = |seal: &SealedEntry| seal.size == crate::state::read(&shared.tree).size();
        if let Some(seal) = last_seal.filter(is_last) {
            // The receiver is here.
            let _ = to_sign.send(seal);
        }
        let event = InUse::of(signers.event);
        keys::choose(&event, crate::state::read(&shared.book).registry(), clock.now());
        let audit = Audit::new(Arc::clone(&shared), clock, event, resumed, pace, to_sign);
        Ok(Self { shared, audit, signer, seals, loaded })
    }
}

impl Ledger {
    /// Makes the first entry of a ledger: `ledger.genesis` with the root, the age that a registry view may have and the
    /// first keys, the ledger's own event key among them. `now` is its `at`.
    ///
    /// # Errors
    /// Where the folder can't be used or holds a ledger already, or the genesis does not pass the rules.
    pub fn genesis(
        folder: &Path,
        root: &TrustRoot,
        fresh: u64,
        keys: &[GrantedKey],
        signer: &dyn Signer,
        now: Time,
    ) -> Result<(), LedgerError> {
        let home = Folder::open(folder, CORNER)?;
        backup::finish(folder)?;
        let mut log = SegmentLog::open(home.place(LOG)?, LOG_OPTIONS)?;
        if log.next() != 0 {
            return Err(LedgerError::NotEmpty(folder.to_owned()));
        }
        Self::found(&mut log, root, fresh, keys, signer, now)
    }

    /// Makes the first entry in a log that is empty.
    ///
    /// # Errors
    /// As [`Ledger::genesis`].
    pub(crate) fn found(
        log: &mut SegmentLog,
        root: &TrustRoot,
        fresh: u64,
        keys: &[GrantedKey],
        signer: &dyn Signer,
        now: Time,
    ) -> Result<(), LedgerError> {
        let failed = |why: &dyn fmt::Display| LedgerError::Genesis(why.to_string());
        let draft = Draft {
            event: "ledger.genesis",
            place: Place::Alone,
            ts: now,
            by: format!("ledger://{}", root.domain),
            src_seq: 0,
            data: registry::genesis(root, fresh, keys),
            about: About::default(),
        };
        let record = draft.sign(signer).map_err(|error| failed(&error))?;
        let candidate = Candidate::read(record.canonical()).map_err(|why| failed(&why))?;
        let key = VerifyingKey::new(&signer.public()).ok_or_else(|| failed(&"the signer's key is no key"))?;
        let verified = candidate.verify(&key).map_err(|why| failed(&why))?;
        if let Judgement::Refused { why, .. } = Book::new().judge(&verified, now, None) {
            return Err(failed(&why));
        }
        let entry = chain::entry_bytes(0, now, None, verified.canonical());
        let record = Stored::Entry(entry).encode();
        let durable = log.append(0, &[&record]).map_err(|error| LedgerError::Commit(error.to_string()))?;
        debug_assert_eq!(durable.next(), 1, "a genesis is one entry");
        Ok(())
    }

    /// Opens the ledger in its folder: every fold is rebuilt from the log, and the writer and the head signer start.
    ///
    /// # Errors
    /// [`LedgerError`]: nothing runs then.
    pub fn open(settings: Settings, signers: Signers, clock: Arc<dyn Clock>) -> Result<Self, LedgerError> {
        let (every, busy) = (settings.seal_every, settings.seal_busy);
        if every.is_zero() || busy.is_zero() || every > Duration::from_secs(1) {
            return Err(LedgerError::Setting(
                "the ledger seals at least once a second: set the intervals to 1 ms to 1 s",
            ));
        }
        let home = Folder::open(&settings.folder, CORNER)?;
        backup::finish(&settings.folder)?;
        let saved = saved::take(&settings.folder).map_err(LedgerError::Io)?;
        let log = SegmentLog::open(home.place(LOG)?, LOG_OPTIONS)?;
        if let Some(torn) = &log.recovery().torn {
            tracing::warn!(
                segment = torn.segment,
                bytes = torn.bytes,
                "a commit that nobody was told of was cut short"
            );
        }
        let heads = Heads::new(SegmentLog::open(home.place(HEADS)?, SegmentOptions::default())?);
        let ledger = Self::start(log, heads, saved, settings, signers, clock)?;
        if ledger.inner.is_checking() {
            tracing::info!(
                entries = ledger.inner.shared.size(),
                "goes on from the saved state, and reads the log behind it"
            );
        }
        ledger.record_recovery()?;
        Ok(ledger)
    }

    /// Puts the root's word for a restored ledger into an entry, once, before anything is served.
    fn record_recovery(&self) -> Result<(), LedgerError> {
        let folder = &self.inner.settings.folder;
        let Some(recovery) = backup::pending(folder)? else { return Ok(()) };
        let shared = &self.inner.shared;
        if shared.root_at(recovery.lost.size) == Some(recovery.lost.root) {
            // A crash came before the copy was in place: nothing was given up.
            return backup::settled(folder);
        }
        let stands = |seq: u64| shared.entry_bytes(seq).is_ok_and(|entry| backup::is_entry_of(&entry, &recovery));
        if !(recovery.restored.size..shared.size()).any(stands) {
            let (send, receive) = mpsc::channel();
            self.inner.group.submit(Request::Recovered(Box::new(recovery)), move |outcome| {
                // Whoever asked waits below.
                let _ = send.send(outcome);
            });
            let committed = receive.recv().unwrap_or(Err(CommitError::Stopped));
            let answer = committed.map_err(|error| LedgerError::Commit(error.to_string()))?.answer;
            if answer.outcomes != [Outcome::Taken] {
                return Err(LedgerError::Restore("the recovery does not pass the rules: see the log".to_owned()));
            }
        }
        backup::settled(folder)
    }

    /// Starts on logs that are open.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub(crate) fn start(
        log: SegmentLog,
        heads: Heads,
        saved: Option<Saved>,
        settings: Settings,
        signers: Signers,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LedgerError> {
        let (fail, failed) = watch::channel(None);
        let pace = Pace::new(settings.seal_every, settings.seal_busy, settings.busy_rate);
        let options = GroupOptions { tick: Some(pace.tick()), overlap: Some(CROWD), ..GroupOptions::default() };
        let archive = |replayed: &Replayed| {
            let moving = settings.archive_every.is_some();
            Archive::named(settings.archive.as_deref(), moving, replayed.met.moved, &replayed.places)
        };
        let rewriter = log.rewriter();
        let Parts { shared, audit, signer, seals, loaded } =
            Parts::new(&log, heads, &settings.folder, saved, archive, pace, signers, Arc::clone(&clock))?;
        let event = Arc::clone(&audit.signer);
        let reader = ReadAs { signer: Arc::clone(&event) as Arc<dyn Signer>, clock: Arc::clone(&clock) };
        // Before this process signs one.
        let signed = archive::signed_at(&shared);
        let head_keys = signer.keys.newest_first().map(|key| (key.kid().to_owned(), key.public())).collect();
        let signing = Arc::new(Mutex::new(signer));
        let head_failed = ThreadGuard::of("heads", &fail);
        let on_failure = move |error: HeadError| head_failed.because(error.to_string());
        let heads =
            heads::start(Arc::clone(&signing), settings.resign_every, seals, on_failure).map_err(LedgerError::Io)?;
        let search = Arc::new(Search::of(&settings.folder));
        if let Err(error) = search.begin(&shared.source()) {
            tracing::error!(%error, "there is no search; it is tried again");
        }
        let (unsound, unmoved) = (ThreadGuard::of("check", &fail), ThreadGuard::of("archive", &fail));
        let on_unsound = move |why| unsound.because(why);
        let checker = loaded.then(|| Checker::start(&shared, on_unsound)).transpose().map_err(LedgerError::Io)?;
        let group = GroupCommit::start(log, audit, options, on_stop(fail)).map_err(LedgerError::Io)?;
        let mover = settings.archive_every.map(|every| Mover::start(&shared, rewriter, &clock, signed, every, unmoved));
        let mover = mover.transpose().map_err(LedgerError::Io)?;
        let metrics = group.metrics();
        let (closing, heads) = (watch::Sender::new(false), Joined(Some(heads)));
        let room = Room::new(settings.body_limit);
        let inner = Inner {
            shared,
            settings,
            metrics,
            clock,
            reader,
            event,
            head_keys,
            room,
            search,
            closing,
            checker,
            mover,
            group,
            _heads: heads,
            signing,
        };
        Ok(Self { inner: Arc::new(inner), failed })
    }

    /// Appends a body as `POST /v1/audit/events` does, without HTTP: it is read and verified on this thread, and
    /// `answered` is called on the writer's once it is durable, where it must be quick. An answer that is not that of
    /// every record taken is an error that names the first that was not.
    ///
    /// # Errors
    /// Where the body is not that of an append; `answered` is not called then.
    pub fn submit(
        &self,
        body: &[u8],
        answered: impl FnOnce(Result<Appended, String>) + Send + 'static,
    ) -> Result<(), FormError> {
        let received = Received::read(body, &self.inner.shared.keys)?;
        self.inner.group.submit(Request::Append(received), move |outcome| {
            answered(outcome.map_err(|error| error.to_string()).and_then(|committed| {
                let told = crate::serve::told(&committed.answer, Durability::D1);
                told.map_err(|(problem, _)| problem.detail)
            }));
        });
        Ok(())
    }

    /// How many entries the last signed head covers; 0 before the first.
    #[must_use]
    pub fn head_size(&self) -> u64 {
        self.inner.shared.published().map_or(0, |published| published.head.commitment.size)
    }

    /// What was measured on the log's commits.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.inner.metrics)
    }

    /// Serves until `stop` is true.
    ///
    /// # Errors
    /// [`LedgerError::Commit`] where a commit failed or no head may be signed any more, [`LedgerError::Task`] where a task
    /// ended: the process must end, with a status that is not 0.
    pub async fn serve(self, listener: Listener, stop: watch::Receiver<bool>) -> Result<(), LedgerError> {
        let (end, ended) = watch::channel(false);
        let tasks = Tasks::default();
        let follower = tasks.spawn("registry", crate::registry::follow(Arc::clone(&self.inner), ended.clone()));
        let collector = tasks.spawn("witnesses", crate::witness::collect(Arc::clone(&self.inner), ended.clone()));
        let searching = tasks.spawn("search", crate::serve::follow_search(Arc::clone(&self.inner), ended.clone()));
        let router = crate::serve::router(&self.inner);
        let serving = tasks.spawn("listener", listener.serve(router, ended, Duration::from_secs(5)));
        let (mut stop, mut failed) = (stop, self.failed.clone());
        let outcome = tokio::select! {
            () = eleven_api::serve::stopped(&mut stop) => Ok(()),
            why = failure(&mut failed) => Err(LedgerError::Commit(why)),
            ended = tasks.ended() => Err(LedgerError::Task(ended)),
        };
        self.inner.closing.send_replace(true);
        let _ = end.send(true);
        for task in [serving, follower, collector, searching] {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the ledger did not end well");
            }
        }
        // After a failure what is in memory may be ahead of the log.
        let settled = outcome.is_ok() && self.inner.settle().await;
        self.end(settled).await;
        // It may have failed while it ended, too.
        let failed = failed.borrow().clone();
        outcome.and_then(|()| failed.map_or(Ok(()), |why| Err(LedgerError::Commit(why))))
    }
}

/// What a writer does as its last: where it failed it says how, for [`failure`].
pub(crate) fn on_stop(fail: watch::Sender<Option<String>>) -> impl FnOnce(Stop) + Send {
    move |stop| match stop {
        Stop::Closed => {}
        Stop::Failed(error) => drop(fail.send_replace(Some(error.to_string()))),
        Stop::Panicked => drop(fail.send_replace(Some("its writer panicked".to_owned()))),
    }
}

/// Waits until a writer has failed, and says how.
pub(crate) async fn failure(failed: &mut watch::Receiver<Option<String>>) -> String {
    let why = failed.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
    match why {
        Some(why) => why,
        // The writer is gone without a word: closed by whoever holds it.
        None => std::future::pending().await,
    }
}

fn last_seal(sealed: &crate::state::Sealed) -> Option<SealedEntry> {
    let registry = sealed.registry.as_ref()?;
    let registry = eleven_core::head::RegistryRef { epoch: registry.epoch(), hash: registry.hash() };
    let index = sealed.index.root();
    Some(SealedEntry { size: sealed.size, chain: sealed.chain?, index, registry, at: sealed.at? })
}

impl Inner {
    /// Hands a request to the writer and waits for its commit.
    pub(crate) async fn submit(&self, request: Request) -> Result<Committed<Answer>, CommitError> {
        let (send, receive) = oneshot::channel();
        let reply = move |outcome| {
            // Whoever has hung up does not want the answer any more.
            let _ = send.send(outcome);
        };
        if self.group.is_idle() {
            edge::in_place(|| self.group.submit_here(request, reply));
        } else {
            self.group.submit(request, reply);
        }
        receive.await.unwrap_or(Err(CommitError::Stopped))
    }

    /// How many requests wait for the writer.
    pub(crate) fn waiting(&self) -> usize {
        self.group.waiting()
    }

    /// Whether this started from a saved state: then the log behind it is read now.
    pub(crate) fn is_checking(&self) -> bool {
        self.checker.is_some()
    }

    /// Whether the archive that is named was not to be read at the start: what was moved to it is not served.
    pub(crate) fn lacks_archive(&self) -> bool {
        self.settings.archive.is_some() && self.shared.archive.is_none()
    }

    /// Whether the writer takes requests.
    pub(crate) fn is_stopped(&self) -> bool {
        self.group.is_stopped()
    }
}
