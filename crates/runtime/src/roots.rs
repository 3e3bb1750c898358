//! The trust root in force (PROTOCOL 3 and 11): the pinned one, and what was published after it. Each version is verified by the
//! one before, and kept in the point's folder before anything is judged by it: no restart goes back behind it.

use crate::forward::malformed;
use crate::view::DEADLINE;
use crate::whole;
use eleven_api::client::{CallError, Client};
use eleven_api::reader::ReadAs;
use eleven_api::routes;
use eleven_core::encoding::{Value, parse};
use eleven_core::root::TrustRoot;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The file of the versions that were published after the pinned one, in the point's folder.
const FILE: &str = "roots.json";

/// The versions that a point knows.
pub(crate) struct Roots {
    folder: PathBuf,
    pinned: Arc<TrustRoot>,
    /// Those that were published after it, as far as they are known.
    published: RwLock<Vec<Arc<TrustRoot>>>,
    /// The last version that the file has. Whoever writes it holds this.
    written: Arc<Mutex<u64>>,
}

impl Roots {
    /// The pinned root, and the versions after it that the folder keeps.
    ///
    /// # Errors
    /// Where they can't be read, or do not follow the pinned one.
    pub(crate) fn open(folder: &Path, pinned: TrustRoot) -> Result<Self, String> {
        let pinned = Arc::new(pinned);
        let mut published: Vec<Arc<TrustRoot>> = Vec::new();
        for root in read(folder).map_err(|error| format!("{FILE}: {error}"))? {
            let last = published.last().unwrap_or(&pinned);
            if root.version <= last.version {
                continue;
            }
            root.succeeds(last).map_err(|why| {
                format!(
                    "{FILE}: version {} of the trust root does not follow the pinned one: {why}; where another root is pinned on \
                     purpose, move the file away",
                    root.version
                )
            })?;
            published.push(Arc::new(root));
        }
        let written = Arc::new(Mutex::new(published.last().unwrap_or(&pinned).version));
        Ok(Self { folder: folder.to_owned(), pinned, published: RwLock::new(published), written })
    }

    /// The last version that is known.
    pub(crate) fn last(&self) -> Arc<TrustRoot> {
        let published = self.published.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(published.last().unwrap_or(&self.pinned))
    }

    /// Asks the authority for what was published after the last version that is known. What it sends is verified, and durable
    /// before it is the last.
    ///
    /// # Errors
    /// Where the authority does not answer, what it sends does not follow, or it can't be kept.
    pub(crate) async fn follow(
        &self,
        client: &Client,
        by: &ReadAs,
        authority: &str,
    ) -> Result<Arc<TrustRoot>, CallError> {
        let newest = TrustRoot::read(client.get_json_as(by, authority, routes::REGISTRY_ROOT, DEADLINE).await?);
        let newest = newest.map_err(malformed)?;
        let mut last = self.last();
        let mut learnt = Vec::new();
        while last.version < newest.version {
            let next = match last.version + 1 {
                version if version == newest.version => newest.clone(),
                version => {
                    let path = format!("{}/{version}", routes::REGISTRY_ROOT);
                    TrustRoot::read(client.get_json_as(by, authority, &path, DEADLINE).await?).map_err(malformed)?
                }
            };
            next.succeeds(&last).map_err(malformed)?;
            last = Arc::new(next);
            learnt.push(Arc::clone(&last));
        }
        if !learnt.is_empty() {
            let version = last.version;
            self.learn(learnt).await.map_err(|error| malformed(format!("{FILE} can't be written: {error}")))?;
            tracing::info!(version, "a new version of the trust root is in force here");
        }
        Ok(last)
    }

    /// Keeps versions that follow the last one.
    async fn learn(&self, learnt: Vec<Arc<TrustRoot>>) -> io::Result<()> {
        let mut known = self.published.read().unwrap_or_else(PoisonError::into_inner).clone();
        known.extend(learnt);
        let (folder, written, roots) = (self.folder.clone(), Arc::clone(&self.written), known.clone());
        let kept = tokio::task::spawn_blocking(move || keep(&folder, &written, &roots)).await;
        kept.map_err(io::Error::other)??;
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }
}

/// Writes the versions that follow the pinned one, where the file has not all of them. It goes on where the call leaves for
/// which they were asked: so one writes at a time, and none takes back what another wrote meanwhile.
fn keep(folder: &Path, written: &Mutex<u64>, known: &[Arc<TrustRoot>]) -> io::Result<()> {
    let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
    let last = known.last().map_or(0, |root| root.version);
    if last > *written {
        let published = Value::Array(known.iter().map(|root| root.to_value()).collect());
        whole::write(folder, FILE, &published.canonical())?;
        *written = last;
    }
    Ok(())
}

fn read(folder: &Path) -> io::Result<Vec<TrustRoot>> {
    let bytes = match std::fs::read(folder.join(FILE)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let value = parse(&bytes).map_err(io::Error::other)?;
    let roots = value.as_array().ok_or_else(|| io::Error::other("it is not an array"))?;
    roots.iter().cloned().map(|root| TrustRoot::read(root).map_err(io::Error::other)).collect()
}

#[cfg(test)]
mod tests;
