//! A TCP relay that can be told to refuse, or to let requests through and lose the answers: what a network does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

#[derive(Default)]
struct Faults {
    refuse: AtomicBool,
    lose_answers: AtomicBool,
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
}

async fn connect(stream: TcpStream, to: SocketAddr, faults: Arc<Faults>) {
    let Ok(upstream) = TcpStream::connect(to).await else { return };
    let (from_client, to_client) = stream.into_split();
    let (from_ledger, to_ledger) = upstream.into_split();
    let requests = copy(from_client, to_ledger, |faults| faults.refuse.load(SeqCst), &faults);
    let answers =
        copy(from_ledger, to_client, |faults| faults.refuse.load(SeqCst) || faults.lose_answers.load(SeqCst), &faults);
    tokio::select! { () = requests => {}, () = answers => {} }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, broken: impl Fn(&Faults) -> bool, faults: &Faults) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 || broken(faults) || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
