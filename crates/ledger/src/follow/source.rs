//! What a follower asks of a ledger, and how the answers are read.

use super::FollowError;
use crate::stored::Stored;
use bytes::Bytes;
use eleven_api::answer::read_json;
use eleven_api::client::{CallError, Client};
use eleven_api::routes;
use eleven_core::encoding::{Value, parse_at_most};
use eleven_core::form::{Form, FormError};
use eleven_core::hash::unbase64;
use eleven_core::head::Head;
use eleven_core::head::checkpoint::{Checkpoint, Note};
use eleven_core::root::TrustRoot;
use eleven_core::tile::{Content, Tile, read_entries};
use http::Method;
use http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderValue};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// How long the ledger may take for an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often head and checkpoint are asked for, until both are of one tree, and the pause between: together longer than a cache
/// keeps either, which in tests is not for long.
const ATTEMPTS: usize = 6;
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 30 } else { 300 });
/// Bytes of a head, and of a checkpoint with all of its lines.
const MAX_HEAD: usize = 64 * 1024;
/// Values in a version of the root: its lists have 256 entries of ten values at most.
const ROOT_VALUES: usize = 1 << 15;

/// Where a ledger is read from.
pub trait Source: Send + Sync {
    /// The bytes at a path.
    fn get<'a>(&'a self, path: &'a str) -> Pin<Box<dyn Future<Output = Result<Bytes, CallError>> + Send + 'a>>;
}

/// A ledger over HTTP.
pub struct Remote {
    client: Client,
    base: String,
    /// What a registered auditor authenticates with.
    secret: Option<HeaderValue>,
}

impl Remote {
    /// The ledger at a base URL; `secret` is an auditor's where the domain shows its entries to registered ones only.
    ///
    /// # Errors
    /// Where the secret can't stand in a header.
    pub fn new(base: impl Into<String>, secret: Option<&str>) -> Result<Self, FollowError> {
        let secret = secret.map(|secret| HeaderValue::from_str(&format!("Bearer {secret}"))).transpose();
        let secret = secret.map_err(|_| FollowError::Malformed("the secret cannot stand in a header".to_owned()))?;
        Ok(Self { client: Client::new(), base: base.into(), secret })
    }
}

impl Source for Remote {
    fn get<'a>(&'a self, path: &'a str) -> Pin<Box<dyn Future<Output = Result<Bytes, CallError>> + Send + 'a>> {
        Box::pin(async move {
            let mut headers: Vec<_> = self.secret.iter().map(|secret| (AUTHORIZATION, secret.clone())).collect();
            // A cache keeps each for itself, and what it kept of the one is not of the other's tree.
            if [routes::PROOF_HEAD, routes::CHECKPOINT].contains(&path) {
                headers.push((CACHE_CONTROL, HeaderValue::from_static("no-cache")));
            }
            self.client.call(Method::GET, &self.base, path, &headers, Bytes::new(), PATIENCE).await
        })
    }
}

/// A head and its checkpoint, of one tree.
#[derive(Clone, Debug)]
pub struct Said {
    /// The head.
    pub head: Head,
    /// The checkpoint.
    pub note: Note,
    /// The checkpoint as text.
    pub text: String,
}

/// The bytes at a path, of which there are no more than `most`.
async fn fetch_at_most(source: &dyn Source, path: &str, most: usize) -> Result<Bytes, FollowError> {
    let bytes = source.get(path).await?;
    if bytes.len() > most {
        return Err(FollowError::Malformed(format!(
            "{path} has {} bytes, more than the {most} that it may",
            bytes.len()
        )));
    }
    Ok(bytes)
}

/// The ledger's head, and the checkpoint of it. They are two answers, so they are asked for until they are of one tree.
pub(super) async fn fetch_head(source: &dyn Source) -> Result<Said, FollowError> {
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let head = fetch_at_most(source, routes::PROOF_HEAD, MAX_HEAD).await?;
        let head = read_json(&head).map_err(Into::into).and_then(Head::read);
        let head = head.map_err(|error| FollowError::Malformed(error.to_string()))?;
        let note = fetch_at_most(source, routes::CHECKPOINT, MAX_HEAD).await?;
        let text = String::from_utf8(note.to_vec());
        let text = text.map_err(|_| FollowError::Malformed("the checkpoint is no text".to_owned()))?;
        let note = Note::parse(&text).map_err(|error| FollowError::Malformed(error.to_string()))?;
        if note.checkpoint == Checkpoint::of(&head.commitment) {
            return Ok(Said { head, note, text });
        }
    }
    Err(FollowError::Apart)
}

/// A version of the trust root, as it is; `None` where it is not shown.
pub(super) async fn fetch_root(source: &dyn Source, version: u64) -> Result<Option<TrustRoot>, FollowError> {
    let bytes = match source.get(&format!("{}/{version}", routes::REGISTRY_ROOT)).await {
        Err(CallError::Refused(problem)) if matches!(problem.status, 403 | 404) => return Ok(None),
        answer => answer?,
    };
    let root = parse_at_most(&bytes, ROOT_VALUES).map_err(FormError::from).and_then(TrustRoot::read);
    root.map(Some).map_err(|error| FollowError::Malformed(format!("version {version} of the root: {error}")))
}

/// The bytes of a tile, no more than one of its width has.
pub(super) async fn fetch_tile(source: &dyn Source, tile: Tile) -> Result<Bytes, FollowError> {
    let most = usize::try_from(tile.most_bytes()).unwrap_or(usize::MAX);
    fetch_at_most(source, &format!("{}{tile}", routes::TILE), most).await
}

/// The entries `from` up to, not including, `to`, under a head of `size`.
pub(super) async fn fetch_entries(
    source: &dyn Source,
    from: u64,
    to: u64,
    size: u64,
) -> Result<Vec<(u64, Vec<u8>)>, FollowError> {
    let mut entries = Vec::new();
    let mut at = from;
    while at < to {
        let missing = || FollowError::Malformed(format!("there is no tile for entry {at}"));
        let tile = Tile::of(Content::Entries, at / super::tiles::WIDTH, size).ok_or_else(missing)?;
        let bytes = fetch_tile(source, tile).await?;
        let read = read_entries(&bytes, tile.width).filter(|read| read.len() as u64 == tile.width);
        let read = read.ok_or_else(|| FollowError::Malformed(format!("tile {tile} is not {} entries", tile.width)))?;
        let wanted = (tile.first()..).zip(read).filter(|(seq, _)| (at..to).contains(seq));
        entries.extend(wanted.map(|(seq, bytes)| (seq, bytes.to_vec())));
        at = tile.first() + tile.width;
    }
    Ok(entries)
}

/// The records of content that stand before each entry, by the entry's number.
pub(super) type ContentBefore = BTreeMap<u64, Vec<Stored>>;

/// The content that stands before each of these entries, in its order, and the entry up to which it was fetched: no more is
/// asked for once the answers have `most` bytes.
pub(super) async fn fetch_content(
    source: &dyn Source,
    from: u64,
    to: u64,
    most: usize,
) -> Result<(ContentBefore, u64), FollowError> {
    let (mut content, mut at, mut bytes) = (BTreeMap::new(), from, 0);
    while at < to && (at == from || bytes < most) {
        let path = format!("{}?from={at}&to={to}", routes::AUDIT_CONTENT);
        let answer = source.get(&path).await?;
        let read = read_content(&answer).map_err(|error| FollowError::Malformed(error.to_string()));
        let (before, next) = read?;
        if next <= at || next > to {
            return Err(FollowError::Malformed(format!("{path} goes on at {next}")));
        }
        if let Some(seq) = before.keys().find(|seq| !(at..next).contains(seq)) {
            return Err(FollowError::Malformed(format!("{path} shows content of entry {seq} and goes on at {next}")));
        }
        content.extend(before);
        bytes += answer.len();
        at = next;
    }
    Ok((content, at))
}

fn read_content(answer: &[u8]) -> Result<(ContentBefore, u64), FormError> {
    let mut content = BTreeMap::new();
    let mut form = Form::of(read_json(answer)?, "content")?;
    for one in form.array("content")? {
        let mut form = Form::of(one, "an entry's content")?;
        let seq = form.uint("seq")?;
        let blobs = form.array("blobs")?.into_iter().map(read_blob).collect::<Result<_, _>>()?;
        form.finish()?;
        content.insert(seq, blobs);
    }
    let next = form.uint("next")?;
    form.finish()?;
    Ok((content, next))
}

/// A piece of content, or the hash of one that was moved to an archive.
fn read_blob(value: Value) -> Result<Stored, FormError> {
    if let Value::Str(text) = &value {
        let bytes = unbase64(text);
        return bytes.map(Stored::Blob).ok_or_else(|| FormError("content: a blob is not base64".to_owned()));
    }
    let mut form = Form::of(value, "content that was moved")?;
    let hash = form.sha3("moved")?;
    form.finish()?;
    Ok(Stored::Moved(hash))
}

/// Entries with their content before them, as the records of a log.
pub(super) fn as_records(entries: Vec<(u64, Vec<u8>)>, mut content: ContentBefore) -> Vec<Vec<u8>> {
    let mut records = Vec::with_capacity(2 * entries.len());
    for (seq, entry) in entries {
        records.extend(content.remove(&seq).unwrap_or_default().into_iter().map(Stored::encode));
        records.push(Stored::Entry(entry).encode());
    }
    records
}
