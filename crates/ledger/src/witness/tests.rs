//! The state machine by itself, a witness over HTTP, and a ledger with two of them.

mod ledger;
mod machine;
mod served;

use super::request::AddCheckpoint;
use super::state::Log;
use super::{Gate, Open, Settings, WitnessServer};
use crate::world::{DOMAIN, signer, start};
use eleven_api::client::Client;
use eleven_api::edge::ManualClock;
use eleven_api::serve::Listener;
use eleven_core::hash::Sha256;
use eleven_core::head::checkpoint::{Checkpoint, Line, Note};
use eleven_core::signature::{SeedSigner, Signer as _};
use eleven_core::tree::{self, MemoryTree};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const ORIGIN: &str = "11-11/ledger";

/// A log that grows as a test says: its leaves are numbers, from `fork` on other ones.
pub(super) struct Tree(MemoryTree);

impl Tree {
    pub(super) fn new(leaves: u64) -> Self {
        Self::forked(leaves, u64::MAX)
    }

    fn forked(leaves: u64, fork: u64) -> Self {
        let mut tree = MemoryTree::new();
        for leaf in 0..leaves {
            let other: &[u8] = if leaf >= fork { b"another" } else { b"a leaf" };
            tree.append(tree::leaf_hash(&[other, &leaf.to_be_bytes()].concat()));
        }
        Self(tree)
    }

    fn checkpoint(&self, size: u64) -> Checkpoint {
        Checkpoint { origin: ORIGIN.to_owned(), size, root: self.0.root_at(size).expect("a root") }
    }

    /// The request for a cosignature of `size` by somebody who believes that `old` is known.
    pub(super) fn request(&self, old: u64, size: u64) -> AddCheckpoint {
        let checkpoint = self.checkpoint(size);
        let proof =
            if old <= size { tree::consistency_proof(&self.0, old, size).expect("a proof") } else { Vec::new() };
        let lines = vec![checkpoint.sign(&signer("head"))];
        AddCheckpoint { old, proof, note: Note { checkpoint, lines } }
    }
}

pub(super) fn logs() -> Vec<Log> {
    vec![Log { origin: ORIGIN.to_owned(), keys: vec![signer("head").public()] }]
}

fn witness_signer(name: &str) -> SeedSigner {
    SeedSigner::new("key:witness/cosignature/1", &Sha256::of(&[b"seed of witness ", name.as_bytes()]).0)
}

fn opened(folder: &Path, name: &str, gate: Arc<dyn Gate>) -> WitnessServer {
    let settings = Settings { folder: folder.to_owned(), name: name.to_owned(), logs: logs() };
    let clock = Arc::new(ManualClock::new(start()));
    WitnessServer::open(settings, Arc::new(witness_signer(name)), clock, gate).expect("a witness")
}

/// A witness that is served.
struct Served {
    url: String,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), super::WitnessError>>,
}

impl Served {
    async fn start(folder: &Path, name: &str) -> Self {
        Self::at(folder, name, ([127, 0, 0, 1], 0).into(), Arc::new(Open)).await
    }

    async fn at(folder: &Path, name: &str, at: SocketAddr, gate: Arc<dyn Gate>) -> Self {
        let server = opened(folder, name, gate);
        let listener = Listener::bind(at, None).await.expect("a listener");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(server.serve(listener, stopping));
        Self { url, stop, task }
    }

    /// Status, content type and body of what a body is answered with.
    async fn post(&self, body: impl Into<bytes::Bytes>) -> (u16, String, String) {
        use http_body_util::BodyExt as _;
        let request = http::Request::post(format!("{}/add-checkpoint", self.url));
        let request = request.body(http_body_util::Full::new(body.into())).expect("a request");
        let response = Client::new().send(request).await.expect("an answer");
        let kind = response.headers().get("content-type").map(|kind| kind.to_str().expect("text").to_owned());
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        (status, kind.unwrap_or_default(), String::from_utf8(body.to_vec()).expect("text"))
    }

    async fn add(&self, request: &AddCheckpoint) -> (u16, String, String) {
        self.post(request.to_string()).await
    }

    async fn get(&self, path: &str) -> eleven_core::encoding::Value {
        Client::new().get_json(&self.url, path, Duration::from_secs(20)).await.expect("an answer")
    }

    async fn end(self) {
        self.stop.send(true).expect("it runs");
        self.task.await.expect("served").expect("ended well");
    }
}

/// When the witness of that name cosigned, by the lines that it answered with.
fn cosigned(checkpoint: &Checkpoint, name: &str, lines: &str) -> Option<u64> {
    let lines: Vec<Line> = lines.lines().map(|line| Line::parse(line).expect("a line")).collect();
    let key = eleven_core::signature::VerifyingKey::new(&witness_signer(name).public()).expect("a key");
    Note { checkpoint: checkpoint.clone(), lines }.cosigned_by(name, &key)
}
