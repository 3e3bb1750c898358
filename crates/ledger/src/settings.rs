//! What a ledger is told, and the keys that it holds.

use eleven_api::keyring::Keyring;
use eleven_core::limits::DEFAULT_REQUEST_BODY;
use std::path::PathBuf;
use std::time::Duration;

/// How the corner runs. What it keeps does not depend on any of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The corner's folder.
    pub folder: PathBuf,
    /// Where the authority serves its registry, for instance `http://127.0.0.1:1112`; without one there are heads and no
    /// bundles.
    pub authority: Option<String>,
    /// Where content went that is past its retention; without one such content is not served.
    pub archive: Option<PathBuf>,
    /// How often content past its retention is moved there; without it the archive is only read.
    pub archive_every: Option<Duration>,
    /// How often what came is sealed: at most a second (PROTOCOL 7).
    pub seal_every: Duration,
    /// How often under load.
    pub seal_busy: Duration,
    /// From how many entries a second on there is load.
    pub busy_rate: u64,
    /// Where the witnesses of the trust root are asked for cosignatures.
    pub witnesses: Vec<String>,
    /// How long a head waits for them before the next is sealed; a cosignature that comes later still counts.
    pub witness_deadline: Duration,
    /// How often the same head is signed again while nothing comes: 10 s by default (PROTOCOL 7).
    pub resign_every: Duration,
    /// Bytes that a POST of events may have.
    pub body_limit: usize,
    /// How long a request for a proof waits for a head that covers what it asks for.
    pub proof_wait: Duration,
}

impl Settings {
    /// The settings that a ledger in `folder` has where nothing else is said.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            authority: None,
            archive: None,
            archive_every: None,
            seal_every: Duration::from_millis(500),
            seal_busy: Duration::from_millis(250),
            busy_rate: 100,
            witnesses: Vec::new(),
            witness_deadline: Duration::from_millis(500),
            resign_every: Duration::from_secs(10),
            body_limit: DEFAULT_REQUEST_BODY,
            proof_wait: Duration::from_secs(2),
        }
    }
}

/// The keys that the corner holds. More than one of a use while they are renewed.
#[derive(Clone)]
pub struct Signers {
    /// The ledger's event keys, of use `event` and owned by `ledger://<domain>`: the newest that counts when the ledger opens signs,
    /// and another when that one counts no more.
    pub event: Keyring,
    /// Head keys: of those that it holds, each head is signed by the first of the trust root's that counts.
    pub head: Keyring,
}
