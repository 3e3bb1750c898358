//! A TCP relay that can be told to refuse, or to let requests through and lose or hold back the answers: what a network does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

#[derive(Default)]
struct Faults {
    refuse: AtomicBool,
    lose_answers: AtomicBool,
    hold_entries: AtomicBool,
}

/// What becomes of some bytes.
enum Fate {
    Pass,
    Hold,
    Break,
}

pub(crate) struct Relay {
    at: SocketAddr,
    faults: Arc<Faults>,
}

impl Relay {
    pub(crate) async fn start(to: &str) -> Self {
        let to: SocketAddr = to.strip_prefix("http://").expect("http").parse().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address");
        let faults = Arc::new(Faults::default());
        let shared = Arc::clone(&faults);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if !shared.refuse.load(SeqCst) {
                    tokio::spawn(connect(stream, to, Arc::clone(&shared)));
                }
            }
        });
        Self { at, faults }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.at)
    }

    /// Closes every connection and takes no new one.
    pub(crate) fn refuse(&self, refuse: bool) {
        self.faults.refuse.store(refuse, SeqCst);
    }

    /// Lets requests through and closes each connection instead of answering.
    pub(crate) fn lose_answers(&self, lose: bool) {
        self.faults.lose_answers.store(lose, SeqCst);
    }

    /// Holds back what is answered to who asks for entries, until it is told not to any more.
    pub(crate) fn hold_entries(&self, hold: bool) {
        self.faults.hold_entries.store(hold, SeqCst);
    }
}

async fn connect(stream: TcpStream, to: SocketAddr, faults: Arc<Faults>) {
    let Ok(upstream) = TcpStream::connect(to).await else { return };
    let (from_client, to_client) = stream.into_split();
    let (from_ledger, to_ledger) = upstream.into_split();
    // Whether the last request of the connection asked for entries.
    let entries = AtomicBool::new(false);
    let request = |bytes: &[u8]| {
        if bytes.starts_with(b"GET ") || bytes.starts_with(b"POST ") {
            entries.store(bytes.starts_with(b"GET /v1/audit/entries"), SeqCst);
        }
        if faults.refuse.load(SeqCst) { Fate::Break } else { Fate::Pass }
    };
    let answer = |_: &[u8]| {
        if faults.refuse.load(SeqCst) || faults.lose_answers.load(SeqCst) {
            Fate::Break
        } else if faults.hold_entries.load(SeqCst) && entries.load(SeqCst) {
            Fate::Hold
        } else {
            Fate::Pass
        }
    };
    let requests = copy(from_client, to_ledger, request);
    let answers = copy(from_ledger, to_client, answer);
    tokio::select! { () = requests => {}, () = answers => {} }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, fate: impl Fn(&[u8]) -> Fate) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 {
            return;
        }
        let passes = loop {
            match fate(&buffer[..read]) {
                Fate::Pass => break true,
                Fate::Break => break false,
                Fate::Hold => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        if !passes || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
