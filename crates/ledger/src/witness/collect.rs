//! The ledger's side of witnessing: for each head every configured witness is asked, all at once; what comes back is kept
//! with the head. It holds up no append: a head is shown as D3 from the moment it is signed, and rises.
//!
//! Witnesses have to cosign the same head to make a quorum, so they are asked in rounds: one head until its quorum is there,
//! every witness has answered, or the deadline is over. Meanwhile no new head is sealed, for a second at most. Who answers
//! after the round still raises the head that it was asked about.

use super::ahead::{self, Seen};
use super::request::{AddCheckpoint, size};
use crate::heads::HeadSigner;
use crate::ledger::Inner;
use crate::state::{Published, Shared, read};
use bytes::Bytes;
use eleven_api::answer::read_json;
use eleven_api::client::Client;
use eleven_api::edge::Clock;
use eleven_api::pieces;
use eleven_api::problem::Problem;
use eleven_api::routes;
use eleven_api::serve::stopped;
use eleven_core::encoding::Value;
use eleven_core::head::checkpoint::{Checkpoint, Line, Note};
use eleven_core::limits::MAX_ADD_CHECKPOINT;
use eleven_core::root::Witness;
use eleven_core::signature::VerifyingKey;
use eleven_core::tree;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

#[cfg(test)]
mod tests;

/// How long one answer may take; later than a round's deadline, since a late cosignature counts, too.
const ANSWER: Duration = Duration::from_secs(10);
/// A head that a witness did not cosign is put to it again after this long, unless there is a newer one.
const RETRY: Duration = Duration::from_secs(1);
/// Bytes of what a witness shows of all that it remembers.
const MAX_SHOWN: usize = 1 << 20;

/// A head that is to be cosigned.
type Target = Option<Arc<Published>>;

/// The size of the head that each witness said something about last, in the order of the configuration. One that is asked again and
/// again has said it once.
type Answered = Vec<u64>;

/// Collects cosignatures until told to end.
pub(crate) async fn collect(inner: Arc<Inner>, mut end: watch::Receiver<bool>) {
    if inner.settings.witnesses.is_empty() {
        return stopped(&mut end).await;
    }
    let (target, targets) = watch::channel(None);
    let answered: Answered = vec![0; inner.settings.witnesses.len()];
    let (report, answered) = watch::channel(answered);
    let client = Client::new();
    let mut asking = JoinSet::new();
    for (place, url) in inner.settings.witnesses.iter().enumerate() {
        let one = Asking {
            shared: Arc::clone(&inner.shared),
            signing: Arc::clone(&inner.signing),
            clock: Arc::clone(&inner.clock),
            client: client.clone(),
            url: url.trim_end_matches('/').to_owned(),
            place,
            known: 0,
            told: Told::default(),
        };
        asking.spawn(one.run(targets.clone(), report.clone()));
    }
    tokio::select! {
        () = rounds(&inner, &target, answered) => {}
        () = stopped(&mut end) => {}
        // None of them ends before the targets do.
        _ = asking.join_next() => {}
    }
    inner.shared.collecting.store(false, Ordering::Release);
    // Who asks ends with the targets; what was answered is kept before the logs are closed.
    drop(target);
    while asking.join_next().await.is_some() {}
}

/// One head after the other.
async fn rounds(inner: &Inner, target: &watch::Sender<Target>, mut answered: watch::Receiver<Answered>) {
    let shared = &inner.shared;
    let mut heads = shared.head.subscribe();
    loop {
        let head = heads.borrow_and_update().clone();
        let asked = target.borrow().as_ref().map_or(0, |asked| asked.size());
        if let Some(head) = head.filter(|head| head.size() > asked) {
            let size = head.size();
            target.send_replace(Some(head));
            shared.collecting.store(true, Ordering::Release);
            let over = round(&mut heads, &mut answered, size);
            let _ = tokio::time::timeout(inner.settings.witness_deadline, over).await;
            shared.collecting.store(false, Ordering::Release);
            continue;
        }
        if heads.changed().await.is_err() {
            return;
        }
    }
}

/// Until the head of `size` is witnessed as the root asks, or every witness has said something about it.
async fn round(heads: &mut watch::Receiver<Target>, answered: &mut watch::Receiver<Answered>, size: u64) {
    loop {
        let done = heads.borrow_and_update().as_ref().is_none_or(|head| head.size() != size || head.satisfied);
        if done || answered.borrow_and_update().iter().all(|about| *about == size) {
            return;
        }
        let changed = tokio::select! {
            changed = answered.changed() => changed,
            changed = heads.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

/// Who asks one witness.
struct Asking {
    shared: Arc<Shared>,
    signing: Arc<Mutex<HeadSigner>>,
    clock: Arc<dyn Clock>,
    client: Client,
    url: String,
    /// Its place in the configuration.
    place: usize,
    /// The size that the witness cosigned last, as far as is known.
    known: u64,
    told: Told,
}

/// What was said last of a witness that does not cosign.
#[derive(Default)]
pub(super) struct Told(Option<String>);

/// What stands between a reason in our words and the witness's own, which may be any and other each time.
const IN_ITS_WORDS: &str = ", in its words: ";
/// So many characters of them are told.
const WORDS: usize = 200;

impl Told {
    /// Whether a reason is another than was said last. Its numbers are no part of it: they go on from head to head; nor is what the
    /// witness itself says.
    pub(super) fn is_new(&mut self, why: &str) -> bool {
        let ours = why.split(IN_ITS_WORDS).next().unwrap_or_default();
        let words: String = ours.chars().filter(|c| !c.is_ascii_digit()).collect();
        let new = self.0.as_ref() != Some(&words);
        self.0 = Some(words);
        new
    }

    /// It cosigns: whether anything was said against it.
    pub(super) fn is_over(&mut self) -> bool {
        self.0.take().is_some()
    }
}

/// Until there are no targets any more.
async fn gone(mut targets: watch::Receiver<Target>) {
    while targets.changed().await.is_ok() {}
}

/// What a witness said.
enum Said {
    Cosigned(Vec<Line>),
    /// It knows another size.
    Size(u64),
    /// What it was shown does not go on from what it cosigned, in its words.
    Refused(String),
}

impl Asking {
    async fn run(mut self, mut targets: watch::Receiver<Target>, report: watch::Sender<Answered>) {
        loop {
            let target = targets.borrow_and_update().clone();
            let lacking = match &target {
                Some(head) => {
                    let cosigned = self.put(head, gone(targets.clone())).await;
                    report.send_if_modified(|answered| says(answered, self.place, head.size()));
                    !cosigned
                }
                None => false,
            };
            tokio::select! {
                changed = targets.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(RETRY), if lacking => {}
            }
        }
    }

    /// Puts a head to the witness, unless nobody wants it any more; true where it cosigned.
    async fn put(&mut self, head: &Arc<Published>, gone: impl Future<Output = ()>) -> bool {
        let asked = tokio::select! {
            asked = self.cosignature(&head.note.checkpoint) => asked,
            () = gone => return false,
        };
        match asked {
            Ok(None) => false,
            Ok(Some(lines)) => {
                if self.told.is_over() {
                    tracing::info!(witness = self.url, "the witness cosigns again");
                }
                let (signing, checkpoint) = (Arc::clone(&self.signing), head.note.checkpoint.clone());
                let kept = tokio::task::spawn_blocking(move || {
                    signing.lock().unwrap_or_else(PoisonError::into_inner).cosigned(&checkpoint, lines)
                });
                match kept.await {
                    Ok(Ok(())) => true,
                    Ok(Err(error)) => {
                        tracing::error!(%error, "a cosignature was not kept");
                        false
                    }
                    Err(error) => {
                        tracing::error!(%error, "a cosignature was not kept");
                        false
                    }
                }
            }
            Err(why) => {
                if self.told.is_new(&why) {
                    tracing::warn!(witness = self.url, why, "the witness does not cosign");
                }
                false
            }
        }
    }

    /// Asks, and once more where the witness knows another size than was believed; `None` where a newer head is there by then.
    async fn cosignature(&mut self, checkpoint: &Checkpoint) -> Result<Option<Vec<Line>>, String> {
        for _ in 0..2 {
            let old = self.known;
            let Some(said) = self.ask(checkpoint, old).await? else { return Ok(None) };
            match said {
                Said::Cosigned(lines) => {
                    self.shared.ahead.cosigned(&self.url);
                    self.known = checkpoint.size;
                    return Ok(Some(lines));
                }
                Said::Size(size) if size > self.shared.size() => return Err(self.is_ahead(size).await),
                Said::Size(size) => {
                    self.shared.ahead.claims_nothing(&self.url);
                    self.known = size;
                }
                Said::Refused(why) => return Err(self.refuses(why).await),
            }
            if self.known > checkpoint.size {
                return Err("it has cosigned a later head".to_owned());
            }
            if self.known == old {
                let why = format!("it refuses a head of size {} over {old} that it cosigned", checkpoint.size);
                return Err(self.refuses(why).await);
            }
        }
        Err("it names one size after the other".to_owned())
    }

    /// The witness answered with more entries than the ledger holds: what that comes to, by what it shows.
    async fn is_ahead(&self, claimed: u64) -> String {
        if let Some(seen) = self.shows().await.filter(|seen| seen.head.size > self.shared.size()) {
            return self.lacks(seen);
        }
        self.shared.ahead.claims(&self.url, claimed);
        format!(
            "it says that it cosigned {claimed} entries, which the ledger does not have, and shows no head of the ledger \
             for them: ask whoever runs it"
        )
    }

    /// The witness knows no more entries than the ledger holds, and refuses to go on from there. Where it shows a head that
    /// is not in the ledger's tree, that is why: the ledger has grown since it was put back.
    async fn refuses(&self, why: String) -> String {
        self.shows().await.map_or(why, |seen| self.lacks(seen))
    }

    /// The witness shows a head of this ledger that is not in its tree: why it does not cosign, and what to do.
    fn lacks(&self, seen: Seen) -> String {
        let (size, why) = (seen.head.size, self.shared.ahead.advice(&seen.head, self.shared.size()));
        if self.shared.ahead.shows(&self.shared, &self.url, seen) {
            tracing::error!(
                witness = self.url,
                size,
                "a witness shows a head of this ledger that the ledger does not have"
            );
        }
        why
    }

    /// The checkpoint of the largest tree, of this ledger and signed by its own key, that the witness shows and the ledger does
    /// not have.
    async fn shows(&self) -> Option<Seen> {
        let request = Request::get(format!("{}{}", self.url, routes::WITNESS_LOGS)).body(Full::default()).ok()?;
        let (status, body) = answer(&self.client, request, MAX_SHOWN).await.ok()?;
        let said = read_json(&body).ok().filter(|_| status == StatusCode::OK)?;
        let note = |seen: &Value| Note::parse(seen.get("checkpoint")?.as_str()?).ok();
        let notes = said.get("seen")?.as_array()?.iter().filter_map(note);
        let now = self.clock.now();
        let own: Vec<Seen> = notes.filter_map(|note| Seen::of(&self.shared, &note, now)).collect();
        let tree = read(&self.shared.tree);
        own.into_iter().filter(|seen| ahead::is_lacking(&tree, &seen.head)).max_by_key(|seen| seen.head.size)
    }

    async fn ask(&self, checkpoint: &Checkpoint, old: u64) -> Result<Option<Said>, String> {
        let Some(request) = self.request(checkpoint, old)? else { return Ok(None) };
        let (status, body) = put(&self.client, &self.url, &request).await?;
        let text = std::str::from_utf8(&body).unwrap_or_default();
        // With the status, in words: of two that say no more it is another reason.
        let why = || {
            let said = Problem::read(status.as_u16(), &body).to_string();
            format!("{status}{IN_ITS_WORDS}{}", said.chars().take(WORDS).collect::<String>())
        };
        let said = match status {
            StatusCode::OK => self.lines(checkpoint, text).map(Said::Cosigned),
            StatusCode::CONFLICT => {
                let known = text.strip_suffix('\n').and_then(size);
                known.map(Said::Size).ok_or_else(|| "it answers 409 without a size".to_owned())
            }
            StatusCode::UNPROCESSABLE_ENTITY => Ok(Said::Refused(why())),
            _ => Err(why()),
        };
        said.map(Some)
    }

    fn request(&self, checkpoint: &Checkpoint, old: u64) -> Result<Option<AddCheckpoint>, String> {
        let proof = tree::consistency_proof(&*read(&self.shared.tree), old, checkpoint.size);
        let proof = proof.ok_or("the tree does not reach back to what the witness cosigned")?;
        let published = self.shared.published().filter(|published| published.note.checkpoint == *checkpoint);
        let Some(published) = published else { return Ok(None) };
        let own = published.note.lines.iter().filter(|line| line.name == checkpoint.origin).cloned().collect();
        Ok(Some(AddCheckpoint { old, proof, note: Note { checkpoint: checkpoint.clone(), lines: own } }))
    }

    /// The lines of an answer that a witness of the root signed; the others say nothing.
    fn lines(&self, checkpoint: &Checkpoint, text: &str) -> Result<Vec<Line>, String> {
        let lines: Option<Vec<Line>> = text.lines().map(Line::parse).collect();
        let note = Note { checkpoint: checkpoint.clone(), lines: lines.ok_or("a line of its answer is malformed")? };
        let witnesses = self.shared.witnesses();
        let is_known = |line: &&Line| witnesses.keys.iter().any(|witness| is_by(witness, &note, line));
        let known: Vec<Line> = note.lines.iter().filter(is_known).cloned().collect();
        if known.is_empty() { Err("no witness of the root signed its answer".to_owned()) } else { Ok(known) }
    }
}

/// Notes that the witness at `place` said something about the head of `size`; whether that is new.
fn says(answered: &mut [u64], place: usize, size: u64) -> bool {
    answered.get_mut(place).is_some_and(|about| std::mem::replace(about, size) != size)
}

/// Sends a request to the witness at `url`: its status and body.
///
/// # Errors
/// Where there is no answer within ten seconds.
pub async fn put(client: &Client, url: &str, asked: &AddCheckpoint) -> Result<(StatusCode, Bytes), String> {
    let mut request = Request::new(Full::new(Bytes::from(asked.to_string())));
    *request.method_mut() = Method::POST;
    let uri = format!("{}{}", url.trim_end_matches('/'), routes::ADD_CHECKPOINT).parse();
    *request.uri_mut() = uri.map_err(|error| format!("it has no address: {error}"))?;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer(client, request, MAX_ADD_CHECKPOINT).await
}

/// Status and body of the answer to a request, where it comes within ten seconds and has no more bytes than `most`.
async fn answer(client: &Client, request: Request<Full<Bytes>>, most: usize) -> Result<(StatusCode, Bytes), String> {
    let answered = async {
        let response = client.send(request).await.map_err(|error| error.to_string())?;
        let status = response.status();
        let body = pieces::whole(response.into_body(), most).await;
        Ok((status, body.map_err(|error| error.to_string())?))
    };
    let answered = tokio::time::timeout(ANSWER, answered).await;
    answered.map_err(|_| format!("no answer within {} s", ANSWER.as_secs()))?
}

/// Whether a line of a note is this witness's cosignature.
pub(crate) fn is_by(witness: &Witness, note: &Note, line: &Line) -> bool {
    let alone = || Note { checkpoint: note.checkpoint.clone(), lines: vec![line.clone()] };
    let key = || VerifyingKey::new(&witness.public);
    line.name == witness.name && key().is_some_and(|key| alone().cosigned_by(&witness.name, &key).is_some())
}
