//! The path of a governed call with nothing in it: as many processes, hops and commits, and no governance.
//!
//! What this takes is the machine's: threads that are woken, loopback, the disk. No gateway that asks an authority, which
//! asks a ledger, and that commits before and after the call can be faster; what a governed call takes beyond it is ours.

use crate::child::{Listening, listen};
use crate::corner;
use crate::output::Failure;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use eleven_api::client::Client;
use eleven_api::edge;
use eleven_api::serve::{body, json_bytes};
use eleven_store::{Batch, Durable, Folder, GroupCommit, GroupOptions, SegmentLog, SegmentOptions, Stage};
use http::StatusCode;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// Where every part of the path takes its calls: where the load tool sends them.
const PATH: &str = "/v1/chat/completions";
/// Bytes of a commit: about what the events of half a call and their artifact come to.
const COMMIT: usize = 4096;
/// The most that is passed on.
const MAX_BODY: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(30);

/// A part of the path.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Relay {
    /// Ask this one first, and wait for its answer.
    #[arg(long, value_name = "URL")]
    ask: Option<String>,
    /// Commit to a log in this folder, and again after what was passed on is answered.
    #[arg(long, value_name = "DIR")]
    log: Option<PathBuf>,
    /// Pass the call on to this one.
    #[arg(long, value_name = "URL")]
    forward: Option<String>,
    /// The process whose end is the end of this one.
    #[arg(long, value_name = "PID")]
    parent: Option<i32>,
}

/// The whole path, in processes of its own: what stands for the ledger, the authority and the gateway.
pub(crate) struct Bare {
    parts: [Listening; 3],
}

impl Bare {
    /// Starts it before an upstream, with its logs in `folder`.
    ///
    /// # Errors
    /// Where a part does not start.
    pub(crate) fn start(folder: &Path, upstream: &str) -> Result<Self, String> {
        let (journal, log) = (folder.join("bare-journal"), folder.join("bare-log"));
        let (journal, log) = (journal.to_string_lossy(), log.to_string_lossy());
        let ledger = Listening::start(&["bench", "relay", "--log", &log])?;
        let authority = Listening::start(&["bench", "relay", "--ask", &ledger.url])?;
        let gateway = ["bench", "relay", "--ask", &authority.url, "--log", &journal, "--forward", upstream];
        let gateway = Listening::start(&gateway)?;
        Ok(Self { parts: [gateway, authority, ledger] })
    }

    /// Where calls go in.
    pub(crate) fn url(&self) -> &str {
        let [gateway, ..] = &self.parts;
        &gateway.url
    }
}

/// Commits bytes as they are.
struct Plain;

impl Stage for Plain {
    type Request = Vec<u8>;
    type Answer = ();
    type Pending = ();

    fn stage(&mut self, record: Vec<u8>, batch: &mut Batch) {
        // One that has no room is not acknowledged as durable: its receipt covers nothing.
        let _ = batch.push(record);
    }

    fn staged(&mut self) {}

    fn committed((): (), _: &Durable) {}
}

struct Part {
    relay: Relay,
    log: Option<GroupCommit<Plain>>,
    client: Client,
}

/// Serves a part until told to stop. The first line on standard output is `listening http://ADDRESS`.
///
/// # Errors
/// Where the log can't be opened, or nothing can listen.
pub(crate) fn serve(relay: Relay) -> Result<(), Failure> {
    corner::follow_parent(relay.parent)?;
    let log = relay.log.as_deref().map(open).transpose().map_err(Failure::new)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::new)?;
    runtime.block_on(async {
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).await.map_err(Failure::new)?;
        let part = Arc::new(Part { relay, log, client: Client::new() });
        let router = Router::new().route(PATH, post(pass)).with_state(part);
        let (stop, stopping) = watch::channel(false);
        let serving = tokio::spawn(listener.serve(router, stopping, Duration::ZERO));
        corner::until_told().await;
        stop.send_replace(true);
        serving.await.map_err(Failure::new)
    })
}

fn open(folder: &Path) -> Result<GroupCommit<Plain>, String> {
    let place = Folder::open(folder, "bench").and_then(|folder| folder.place("log"));
    let log = SegmentLog::open(place.map_err(|error| error.to_string())?, SegmentOptions::default());
    let log = log.map_err(|error| error.to_string())?;
    GroupCommit::start(log, Plain, GroupOptions::default(), |_| {}).map_err(|error| error.to_string())
}

async fn pass(State(part): State<Arc<Part>>, sent: Body) -> Response {
    match part.pass(sent).await {
        Ok(answer) => json_bytes(answer.into()),
        Err(error) => (StatusCode::BAD_GATEWAY, error).into_response(),
    }
}

impl Part {
    async fn pass(&self, sent: Body) -> Result<Bytes, String> {
        let sent = body(sent, MAX_BODY).await.map_err(|problem| problem.detail)?;
        if let Some(first) = &self.relay.ask {
            self.call(first, sent.clone()).await?;
        }
        self.commit().await?;
        let Some(next) = &self.relay.forward else { return Ok(Bytes::from_static(b"{}")) };
        let answer = self.call(next, sent).await?;
        self.commit().await?;
        Ok(answer)
    }

    async fn call(&self, url: &str, body: Bytes) -> Result<Bytes, String> {
        self.client.post(url, PATH, &[], body, PATIENCE).await.map_err(|error| error.to_string())
    }

    /// As the corners commit: here where the writer is idle, else by its thread.
    async fn commit(&self) -> Result<(), String> {
        let Some(log) = &self.log else { return Ok(()) };
        let (send, receive) = oneshot::channel();
        let reply = move |outcome| drop(send.send(outcome));
        if log.is_idle() {
            edge::in_place(|| log.submit_here(vec![0x5a; COMMIT], reply));
        } else {
            log.submit(vec![0x5a; COMMIT], reply);
        }
        let committed = receive.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        if committed.durable.count() == 1 { Ok(()) } else { Err("the commit has no room".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_whose_next_one_is_gone_answers_that_the_call_failed() {
        let gone = SocketAddr::from(([127, 0, 0, 1], 0));
        let gone = std::net::TcpListener::bind(gone).and_then(|listener| listener.local_addr()).expect("an address");
        for asks in [true, false] {
            let url = Some(format!("http://{gone}"));
            let (ask, forward) = if asks { (url, None) } else { (None, url) };
            let part =
                Part { relay: Relay { ask, log: None, forward, parent: None }, log: None, client: Client::new() };
            assert_eq!(pass(State(Arc::new(part)), Body::empty()).await.status(), StatusCode::BAD_GATEWAY);
        }
    }
}
