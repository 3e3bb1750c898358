//! `/v1/audit/…`: what producers and the other corner's fold talk to.

use super::gate::{AskingPoint, Reader, is_producers, may_read_cursor, registered};
use super::proofs::{reading, reading_off};
use super::query::Query;
use crate::audit::{Answer, Outcome, Request};
use crate::ledger::Inner;
use crate::lineage;
use crate::rules::Last;
use crate::state::{LookError, Shared, read};
use crate::stored::Stored;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::Response;
use eleven_api::audit::{Appended, Cursor, DURABILITY_HEADER, Durability};
use eleven_api::header::only;
use eleven_api::problem::Problem;
use eleven_api::public;
use eleven_api::serve::{Named, json, stopped};
use eleven_core::encoding::{Object, Value, parse_canonical};
use eleven_core::hash::{Sha3, base64};
use eleven_core::reason::Reason;
use eleven_core::{id, name};
use eleven_store::{CommitError, Level};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most entries, and about the most bytes of them, in one answer.
const MAX_ENTRIES: usize = 1024;
const MAX_ENTRY_BYTES: usize = 4 << 20;
/// How long entries are read for one answer. Who asks waits for two seconds, and then asks for the same again, while what nobody waits
/// for any more is read to its end: where a disk is slow the two would never come together.
const MAX_READING: Duration = Duration::from_secs(1);
/// So many entries are read for an answer however long that takes: who follows asks from the last one on that is known, and goes on by
/// those behind it.
const LEAST_ENTRIES: usize = 16;
/// The most entries that one request for content looks at, whatever stands before them: a question that nobody waits for any
/// more is answered to its end all the same.
const MAX_SPAN: u64 = 4096;
/// Bytes that the hash of content takes which was moved.
const MOVED_BYTES: usize = 160;
/// The longest that a request for entries waits, in milliseconds.
const MAX_WAIT: u64 = 30_000;

/// `POST /v1/audit/events`. 200 where every record is in the ledger now, with how durable it is; who asks for D3 or more by
/// `Eleven-Durability` or `?durability=` is answered when that is reached, or with what was reached after `?wait=`
/// milliseconds or where the ledger stops; 409 with the expected number where records
/// before one are missing, or another record stands under its number; 422 where all were dealt with and some refused under
/// their numbers; 403 where some are nobody's, or of a key that does not count. `next` says no more of a record that was there
/// before than its own number does: such a one anybody can send. Who signs for it as for a reading shares no room with strangers.
pub(super) async fn append(
    State(inner): State<Arc<Inner>>,
    headers: HeaderMap,
    uri: Uri,
    query: Query,
    body: Body,
) -> Result<Response, Problem> {
    let (asked, wait) = (wanted(&headers, &query)?, query.number("wait")?);
    let received = inner.room.intake.read(body, is_producers(&inner, &headers, &uri), &inner.shared).await?;
    let committed = inner.submit(Request::Append(received)).await.map_err(|error| unavailable(&error))?;
    let durability = match committed.durable.level() {
        Level::D1 => Durability::D1,
        other => return Err(Problem::with_status(500, format!("the log answered a level that is not known: {other}"))),
    };
    let durability = match asked.filter(|asked| *asked > durability) {
        None => durability,
        Some(asked) => {
            let wait = wait.map_or(inner.settings.proof_wait, |wait| Duration::from_millis(wait.min(MAX_WAIT)));
            let (size, mut closing) = (committed.answer.size, inner.closing.subscribe());
            tokio::select! {
                reached = inner.shared.reached(size, asked, wait) => reached,
                // A ledger that stops says what is reached by now.
                () = stopped(&mut closing) => inner.shared.durability(size),
            }
        }
    };
    Ok(answer(&committed.answer, durability))
}

/// The level that an answer is asked to wait for, by header or by query.
pub(super) fn wanted(headers: &HeaderMap, query: &Query) -> Result<Option<Durability>, Problem> {
    let header = headers.contains_key(DURABILITY_HEADER).then(|| only(headers, DURABILITY_HEADER).unwrap_or_default());
    let Some(text) = query.get("durability").or(header) else { return Ok(None) };
    match Durability::parse(text) {
        // No quorum is configured, so that D2 is what D3 stands above and nobody else answers.
        Some(level) if level != Durability::D2 => Ok(Some(level)),
        _ => Err(Problem::malformed("durability is one of D0, D1, D3, D4 and D5 here")),
    }
}

/// Names, in an answer's head, how durable what it shows is.
pub(super) fn named(mut response: Response, durability: Durability) -> Response {
    response.headers_mut().insert(DURABILITY_HEADER, HeaderValue::from_static(durability.name()));
    response
}

/// The refusal where a commit gave no answer.
pub(crate) fn unavailable(error: &CommitError) -> Problem {
    Problem::refused(Reason::AuditUnavailable, error.to_string())
}

fn answer(answer: &Answer, durability: Durability) -> Response {
    let (problem, body) = match told(answer, durability) {
        Ok(taken) => return named(json(&taken.to_value()), durability),
        Err(refused) => refused,
    };
    let mut response = json(&body);
    *response.status_mut() = problem.status_code();
    problem.decorate(response.headers_mut());
    response
}

/// What the answer to an append says; where not all was taken, the problem and its document.
pub(crate) fn told(answer: &Answer, durability: Durability) -> Result<Appended, (Problem, Value)> {
    if answer.too_large {
        let detail = "the request is more than one commit takes: send it in parts";
        let problem = Problem { status: 413, ..Problem::refused(Reason::LimitsExceeded, detail) };
        let body = Value::Object(problem.to_object());
        return Err((problem, body));
    }
    let (next, size) = (answer.next.unwrap_or(0), answer.size);
    let Some((status, at, detail)) = worst(&answer.outcomes) else {
        return Ok(Appended { durability, next, size });
    };
    let problem = Problem { record: Some(at as u64), ..Problem::with_status(status, detail) };
    let refused: Vec<Value> = answer.outcomes.iter().enumerate().filter_map(refused).collect();
    let expected = answer.outcomes.iter().find_map(|outcome| match outcome {
        Outcome::Gap { expected } => Some(*expected),
        _ => None,
    });
    let object = problem
        .to_object()
        .with("durability", durability.name())
        .with("next", next)
        .with("size", size)
        .with("records", refused)
        .with_some("expected", expected.or_else(|| (status == 409).then_some(next)));
    Err((problem, Value::Object(object)))
}

/// The status, the place of the record that it is for, and what to say: what stops a stream first, then what is nobody's, then
/// what was refused and numbered.
fn worst(outcomes: &[Outcome]) -> Option<(u16, usize, String)> {
    let with = |rank: fn(&Outcome) -> Option<u16>| {
        let mut found = outcomes.iter().enumerate();
        found.find_map(|(at, outcome)| {
            rank(outcome).map(|status| (status, at, format!("record {at}: {}", say(outcome))))
        })
    };
    with(|outcome| matches!(outcome, Outcome::Gap { .. } | Outcome::Equivocation { .. }).then_some(409))
        .or_else(|| with(|outcome| matches!(outcome, Outcome::Refused { numbered: false, .. }).then_some(403)))
        .or_else(|| with(|outcome| matches!(outcome, Outcome::Refused { .. }).then_some(422)))
}

fn say(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Taken => "it is in the ledger".to_owned(),
        Outcome::Equivocation { .. } => "another record stands under its number: the producer is at fault".to_owned(),
        Outcome::Gap { expected } => format!("records before it are missing: send from number {expected} on"),
        Outcome::Refused { why, .. } => format!("{}: {why}", why.code()),
    }
}

fn refused((at, outcome): (usize, &Outcome)) -> Option<Value> {
    let (code, taken) = match outcome {
        Outcome::Taken => return None,
        Outcome::Equivocation { .. } => ("record.equivocation", false),
        Outcome::Gap { .. } => ("record.gap", false),
        Outcome::Refused { why, numbered } => (why.code(), *numbered),
    };
    let object = Object::new().with("record", at as u64).with("code", code).with("numbered", taken);
    Some(Value::Object(object.with("detail", say(outcome))))
}

/// `GET /v1/audit/cursor/{kid}?at=1`: where a key's stream durably stands, for whoever has that key, and where asked when an entry
/// would be dated. Who does not ask is of an earlier build, maybe, which takes no member that it does not know; and the ledger is
/// upgraded first.
pub(super) async fn cursor(
    State(inner): State<Arc<Inner>>,
    Named(kid): Named,
    query: Query,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    if !name::is_key(&kid) {
        return Err(Problem::malformed("this is no key's name"));
    }
    let dated = query.number("at")? == Some(1);
    may_read_cursor(&inner, &headers, &uri, &kid)?;
    let counts = registered(&inner, &kid).is_some_and(|key| key.counts_at(inner.clock.now()));
    let committed = inner.submit(Request::Cursor(kid)).await.map_err(|error| unavailable(&error))?;
    let Answer { next, last, size, at, .. } = committed.answer;
    let next = next.ok_or_else(|| Problem::with_status(404, "no key of that name is registered"))?;
    let hash = reading_off(inner, true, move |shared| Ok(hash_of(shared, last)?)).await?;
    let at = at.filter(|_| dated);
    Ok(json(&Cursor { next, hash, counts: Some(counts), at, size }.to_value()))
}

/// `GET /v1/audit/open?after=OP`: what the asking point left open under keys that are closed by now. A point that lost its
/// journal knows from here what it has to close.
pub(super) async fn open(
    State(inner): State<Arc<Inner>>,
    AskingPoint(point): AskingPoint,
    query: Query,
) -> Result<Response, Problem> {
    let after = query.named("after", "an operation's id", |op| id::split_operation(op).is_some())?;
    let now = inner.clock.now();
    let left = move |shared: &Shared| Ok(lineage::left_open(shared, &point, after.as_deref(), now)?.to_value());
    reading(inner, true, left).await
}

/// SHA3-512 of the last record under a key. It is durable: whoever asks was answered after the commit.
pub(crate) fn hash_of(shared: &Shared, last: Option<Last>) -> Result<Option<Sha3>, LookError> {
    Ok(match last {
        None => None,
        Some(Last::Refused(hash)) => Some(hash),
        Some(Last::Entry(seq)) => Some(Sha3::of(&[&shared.entry(seq)?.record])),
    })
}

/// `GET /v1/audit/entries?from=SEQ&registry=1&discontinuities=1&whole=1&limit=N&wait=MS`: entries in order, all or those
/// that make a registry epoch, and where asked those too that say that a stream is broken; whole, with the chain values
/// before them, or without. With nothing to show it waits until there is something, at most `wait` milliseconds; who may read
/// is asked again then. Those of the registry say more than its snapshot does, what was in it once: they are for auditors, too.
pub(super) async fn entries(
    State(inner): State<Arc<Inner>>,
    reader: Reader,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let number = |name: &str| query.number(name).map(Option::unwrap_or_default);
    let (from, wait) = (number("from")?, number("wait")?.min(MAX_WAIT));
    let which = match (number("registry")? == 1, number("discontinuities")? == 1) {
        (false, _) => Which::All,
        (true, false) => Which::Registry,
        (true, true) => Which::RegistryAndDiscontinuities,
    };
    let page = Page { which, from, whole: number("whole")? == 1, most: most(query.number("limit")?) };
    let may = |reader: &Reader| match which {
        Which::Registry => reader.may_read_registry(),
        Which::All | Which::RegistryAndDiscontinuities => reader.may_read_entries(),
    };
    may(&reader)?;
    let known = reader.is_known();
    let deadline = tokio::time::Instant::now() + Duration::from_millis(wait);
    let mut news = match which {
        Which::All => inner.shared.durable.subscribe(),
        Which::Registry | Which::RegistryAndDiscontinuities => inner.shared.notable.subscribe(),
    };
    let mut closing = inner.closing.subscribe();
    let (mut waited, mut over) = (false, wait == 0);
    loop {
        // Before the size is read: what is not below it yet is news then.
        news.mark_unchanged();
        let size = inner.shared.size();
        let numbers = numbers(&inner.shared, &page, size);
        if numbers.is_empty() && !over {
            let came = tokio::select! {
                changed = tokio::time::timeout_at(deadline, news.changed()) => changed.is_ok(),
                () = stopped(&mut closing) => false,
            };
            // Once more where nothing came, too: the ledger may have grown by what was not asked for.
            (waited, over) = (true, !came);
            continue;
        }
        let mut personal = false;
        if waited {
            // After the size was read: a setting that came before one of these entries is known here.
            let reader = reader.again(&inner, &headers);
            may(&reader)?;
            personal = reader.is_personal();
        }
        let read = move |shared: &Shared| {
            let begun = Instant::now();
            Ok(shown(shared, &numbers, &page, size, || begun.elapsed() < MAX_READING)?)
        };
        let answer = reading(inner, known, read).await?;
        // The gate goes by who might read when this was asked.
        return Ok(if personal { public::kept(answer, public::NEVER) } else { answer });
    }
}

/// Which entries are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    Registry,
    RegistryAndDiscontinuities,
}

/// What is asked for.
struct Page {
    which: Which,
    from: u64,
    whole: bool,
    most: usize,
}

fn most(limit: Option<u64>) -> usize {
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(MAX_ENTRIES).clamp(1, MAX_ENTRIES)
}

fn numbers(shared: &Shared, page: &Page, size: u64) -> Vec<u64> {
    if page.which == Which::All {
        return (page.from..size).take(page.most).collect();
    }
    let places = read(&shared.places);
    let mut numbers: Vec<u64> =
        places.registry_entries(page.from).take_while(|seq| *seq < size).take(page.most).collect();
    if page.which == Which::RegistryAndDiscontinuities {
        numbers.extend(places.discontinuities(page.from).take_while(|seq| *seq < size).take(page.most));
        numbers.sort_unstable();
        numbers.truncate(page.most);
    }
    numbers
}

/// The entries, and from which number to ask on: past the last one shown, or past all there is. `goes_on` says whether there is time for
/// another.
fn shown(
    shared: &Shared,
    numbers: &[u64],
    page: &Page,
    size: u64,
    mut goes_on: impl FnMut() -> bool,
) -> Result<Value, LookError> {
    let (mut entries, mut bytes, mut next) = (Vec::new(), 0, None);
    for seq in numbers {
        let entry = shared.entry(*seq)?;
        bytes += entry.record.len();
        let record = parse_canonical(&entry.record).map_err(|_| LookError::Other("record"))?;
        let header = match page.whole {
            true => entry.header.to_object(),
            false => Object::new().with("seq", *seq).with("at", entry.header.at.to_millis_value()),
        };
        entries.push(Value::Object(header.with("record", record)));
        next = Some(seq + 1);
        if bytes > MAX_ENTRY_BYTES || (entries.len() >= LEAST_ENTRIES && !goes_on()) {
            break;
        }
    }
    let all = entries.len() == numbers.len() && numbers.len() < page.most;
    let next = next.filter(|_| !all).unwrap_or(size.max(page.from));
    Ok(Value::Object(Object::new().with("entries", entries).with("next", next).with("size", size)))
}

/// `GET /v1/audit/blobs/{hash}`: content that an event names, its bytes as they are hashed.
pub(super) async fn blob(
    State(inner): State<Arc<Inner>>,
    reader: Reader,
    Named(hash): Named,
) -> Result<Response, Problem> {
    let hash = Sha3::parse(&hash).ok_or_else(|| Problem::malformed("this is no sha3-512 hash"))?;
    let bytes = reading_off(inner, reader.is_known(), move |shared| Ok(shared.blob(&hash)?)).await?;
    let mut response = Response::new(Body::from(bytes));
    let plain = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(axum::http::header::CONTENT_TYPE, plain);
    Ok(response)
}

/// `GET /v1/audit/content?from=SEQ&to=SEQ`: the content that stands before each of these entries, in its order: artifacts,
/// policies, decision inputs, evidence. What somebody who replays the ledger needs besides its entries. It ends where there is
/// much, at the latest after so many entries, and says where to go on.
pub(super) async fn content(
    State(inner): State<Arc<Inner>>,
    reader: Reader,
    query: Query,
) -> Result<Response, Problem> {
    reader.may_read_entries()?;
    let number = |name: &'static str| -> Result<u64, Problem> {
        query.number(name)?.ok_or_else(|| Problem::malformed(format!("`{name}` is missing")))
    };
    let (from, to) = (number("from")?, number("to")?.min(inner.shared.size()));
    if from > to {
        return Err(look(&LookError::Absent));
    }
    reading(inner, reader.is_known(), move |shared| Ok(content_of(shared, from, to)?)).await
}

/// The content before the entries, and from which entry to ask on.
fn content_of(shared: &Shared, from: u64, to: u64) -> Result<Value, LookError> {
    let (mut content, mut bytes, mut next) = (Vec::new(), 0, from);
    for seq in from..to.min(from.saturating_add(MAX_SPAN)) {
        let blobs = shared.content_before(seq)?;
        next = seq + 1;
        if !blobs.is_empty() {
            let blobs: Vec<Value> = blobs
                .into_iter()
                .map(|stored| match stored {
                    Stored::Moved(hash) => {
                        bytes += MOVED_BYTES;
                        Value::Object(Object::new().with("moved", hash))
                    }
                    Stored::Blob(blob) | Stored::Entry(blob) | Stored::Header(blob) => {
                        bytes += blob.len();
                        base64(&blob).into()
                    }
                })
                .collect();
            content.push(Value::Object(Object::new().with("seq", seq).with("blobs", blobs)));
        }
        if bytes > MAX_ENTRY_BYTES {
            break;
        }
    }
    Ok(Value::Object(Object::new().with("content", content).with("next", next)))
}

/// What could not be looked up, as a problem.
pub(super) fn look(error: &LookError) -> Problem {
    match error {
        LookError::Absent | LookError::Archived => Problem::with_status(404, error.to_string()),
        LookError::Read(_) | LookError::Other(_) => {
            tracing::error!(%error, "the log could not be read");
            Problem::with_status(500, error.to_string())
        }
    }
}

#[cfg(test)]
mod tests;
