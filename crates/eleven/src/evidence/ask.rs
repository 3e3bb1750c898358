//! Asking a ledger for everything that an export needs. Nothing of it is believed: what comes back is checked by whoever
//! asked, here or in the folder.

use crate::call::{At, Base as _, Headers, PATIENCE};
use crate::output::Failure;
use bytes::Bytes;
use eleven_api::answer::read_json;
use eleven_api::audit::Durability;
use eleven_api::client::{CallError, Client};
use eleven_api::routes;
use eleven_core::chain::Entry;
use eleven_core::encoding::Value;
use eleven_core::form::{Form, FormError};
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::head::Head;
use eleven_core::head::checkpoint::Note;
use eleven_core::root::{TrustRoot, Witnesses};
use eleven_core::time::Time;
use eleven_core::tree::read_proof;
use http::Method;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How long to wait for a head: one is signed every ten seconds where nothing happens.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// How long between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Entries in one answer, at most; the ledger gives fewer where they are large.
const PAGE: u64 = 512;

/// A ledger that is asked.
#[derive(Clone)]
pub(crate) struct Source {
    client: Client,
    base: String,
    /// Who asks, where the ledger is not shown to everybody.
    headers: Headers,
    /// Since when proof files were shown under heads that are older than the one that was asked for.
    behind: Arc<OnceLock<Instant>>,
    /// Who cosigns its heads, as far as it tells; nobody where none was cosigned.
    witnesses: Arc<OnceLock<Witnesses>>,
    /// Set where they were waited for in vain, for as long as one head takes.
    unwitnessed: Arc<AtomicBool>,
}

/// A signed head and the checkpoint beside it.
pub(crate) struct Signed {
    /// The head.
    pub(crate) head: Head,
    /// The checkpoint's text.
    pub(crate) checkpoint: String,
}

/// Entries in order, and the number to ask on from.
pub(crate) struct Page {
    /// The entries.
    pub(crate) entries: Vec<Entry>,
    /// The number after the last one that was looked at.
    pub(crate) next: u64,
}

impl Source {
    /// The ledger there.
    pub(crate) fn new(at: &At) -> Self {
        let (base, headers) = at.parts("");
        let (behind, witnesses, unwitnessed) = (Arc::default(), Arc::default(), Arc::default());
        Self { client: Client::new(), base: base.to_owned(), headers, behind, witnesses, unwitnessed }
    }

    async fn get(&self, path: &str) -> Result<Value, CallError> {
        let bytes = self.bytes(path).await?;
        let wrong = |error| CallError::Malformed(format!("{}{path} answered what is not I-JSON: {error}", self.base));
        read_json(&bytes).map_err(wrong)
    }

    /// What stands there. A ledger that is between two heads says so, and is asked again.
    async fn bytes(&self, path: &str) -> Result<Bytes, CallError> {
        let begun = Instant::now();
        loop {
            match self.once(path).await {
                Err(CallError::Refused(problem)) if problem.status == 503 && begun.elapsed() < HEAD_WITHIN => {}
                answered => return answered,
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// What stands there now.
    async fn once(&self, path: &str) -> Result<Bytes, CallError> {
        self.client.call(Method::GET, &self.base, path, &self.headers, Bytes::new(), PATIENCE).await
    }

    /// The last head, once it is not before `reaching`, with the checkpoint of the same tree: the last that is cosigned as the
    /// domain's root asks; where there is none such in time, the last that there is.
    ///
    /// # Errors
    /// Where there is none in time, or the ledger does not answer.
    pub(crate) async fn head(&self, reaching: Option<Time>) -> Result<Signed, Failure> {
        let (begun, mut level) = (Instant::now(), self.level().await?);
        loop {
            let late = begun.elapsed() > HEAD_WITHIN;
            match self.shown(level).await {
                Ok(Some(signed)) if reaching.is_none_or(|moment| signed.head.at >= moment) => return Ok(signed),
                _ if late && level > Durability::D3 => {
                    level = Durability::D3;
                    self.unwitnessed.store(true, Ordering::Relaxed);
                }
                Ok(Some(Signed { head, .. })) if late => {
                    return Err(Failure::new(format!(
                        "the last signed head is of {}: nothing later is proven yet; ask for a range up to then, or leave --to out",
                        head.at
                    )));
                }
                Ok(None) if late => {
                    return Err(Failure::new("the ledger's head and its checkpoint are not of one tree: ask again"));
                }
                Ok(_) => {}
                Err(CallError::Refused(problem)) if problem.status == 503 && !late => {}
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The last head of a level, and its checkpoint; `None` where the ledger went on to another tree between the two.
    async fn shown(&self, level: Durability) -> Result<Option<Signed>, CallError> {
        let malformed = |error: &dyn std::fmt::Display| CallError::Malformed(format!("{}: {error}", self.base));
        let of_level = |path: &str| match level {
            Durability::D4 | Durability::D5 => format!("{path}?durability={}", level.name()),
            _ => path.to_owned(),
        };
        let head = read_json(&self.once(&of_level(routes::PROOF_HEAD)).await?).map_err(|error| malformed(&error))?;
        let head = Head::read(head).map_err(|error| malformed(&error))?;
        let note = self.once(&of_level(routes::CHECKPOINT)).await?;
        let checkpoint = String::from_utf8_lossy(&note).into_owned();
        let of_it = Note::parse(&checkpoint).map_err(|error| malformed(&error))?.checkpoint;
        let is_same = of_it.size == head.commitment.size && of_it.root == head.commitment.root;
        Ok(is_same.then_some(Signed { head, checkpoint }))
    }

    /// At which level a head counts under the domain's last root, as the ledger tells it, who is believed so far: whether it
    /// does, whoever verifies sees.
    async fn level(&self) -> Result<Durability, Failure> {
        if let Err(CallError::Refused(problem)) = self.shown(Durability::D4).await
            && problem.status == 503
        {
            // Nobody has cosigned one yet; most domains have no witnesses.
            return Ok(Durability::D3);
        }
        // Up to what there is now: a ledger that goes on taking entries shows more each time it is asked.
        let size = Head::read(self.get(routes::PROOF_HEAD).await?)?.commitment.size;
        let entries = self.registry(size).await?;
        let root = |entry: &Entry| {
            let event = entry.record.get("event").and_then(Value::as_str);
            let root = entry.record.pointer("/data/root").cloned();
            root.filter(|_| matches!(event, Some("ledger.genesis" | "root.published")))
        };
        let root = entries.iter().rev().find_map(root);
        let witnesses = root.map(TrustRoot::read).transpose()?.map(|root| root.witnesses).unwrap_or_default();
        let witnesses = self.witnesses.get_or_init(|| witnesses);
        Ok(match (witnesses.quorum, witnesses.auditors) {
            (0, _) => Durability::D3,
            (_, 0) => Durability::D4,
            _ => Durability::D5,
        })
    }

    /// The entries below `size` that made a registry epoch.
    ///
    /// # Errors
    /// Where the ledger does not answer, or not with entries.
    pub(crate) async fn registry(&self, size: u64) -> Result<Vec<Entry>, Failure> {
        let (mut entries, mut next): (Vec<Entry>, u64) = (Vec::new(), 0);
        while next < size {
            let page = self.page(next, true).await?;
            let ends = page.next <= next;
            entries.extend(page.entries.into_iter().filter(|entry| entry.header.seq < size));
            next = if ends { size } else { page.next };
        }
        Ok(entries)
    }

    /// Entries from `from` on, whole; of all of them, or of those that made a registry epoch.
    ///
    /// # Errors
    /// Where the ledger does not answer, or not with entries.
    pub(crate) async fn page(&self, from: u64, registry: bool) -> Result<Page, Failure> {
        let only = u8::from(registry);
        let path = format!("{}?from={from}&limit={PAGE}&whole=1&registry={only}", routes::AUDIT_ENTRIES);
        Ok(read_page(self.get(&path).await?)?)
    }

    /// One entry.
    ///
    /// # Errors
    /// As [`Source::page`], and where it is not there.
    pub(crate) async fn entry(&self, seq: u64) -> Result<Entry, Failure> {
        let path = format!("{}?from={seq}&limit=1&whole=1", routes::AUDIT_ENTRIES);
        let found = read_page(self.get(&path).await?)?.entries.into_iter().find(|entry| entry.header.seq == seq);
        found.ok_or_else(|| Failure::new(format!("the ledger does not show entry {seq}")))
    }

    /// The proof that entry `seq` is in the tree of `size` leaves.
    ///
    /// # Errors
    /// Where the ledger gives none.
    pub(crate) async fn inclusion(&self, seq: u64, size: u64) -> Result<Vec<Sha256>, Failure> {
        let answer = self.get(&format!("{}?seq={seq}&size={size}", routes::PROOF_INCLUSION)).await?;
        Ok(proof_of(&answer)?)
    }

    /// The proof that the tree of `second` leaves begins with that of `first`.
    ///
    /// # Errors
    /// Where the ledger gives none.
    pub(crate) async fn consistency(&self, first: u64, second: u64) -> Result<Vec<Sha256>, Failure> {
        let answer = self.get(&format!("{}?first={first}&second={second}", routes::PROOF_CONSISTENCY)).await?;
        Ok(proof_of(&answer)?)
    }

    /// The proof file of an operation, under a head of `least` entries or more: an older one does not show what came since.
    /// Or why there is none, as for an artifact whose uses are numbered, and for content that was moved to an archive. A
    /// ledger that is behind its own head, as a copy may be, is asked again, for as long as one head takes and not for each
    /// operation anew. So is one whose head was just signed, and is still to be cosigned.
    ///
    /// # Errors
    /// Where the ledger does not answer, or sends that of another operation: a file is named by its operation, and what the
    /// ledger says there may be anything.
    pub(crate) async fn bundle(&self, op: &str, least: u64) -> Result<Result<Value, String>, CallError> {
        let begun = Instant::now();
        loop {
            let bundle = match self.get(&format!("{}{op}", routes::PROOF_BUNDLE)).await {
                Ok(bundle) if bundle.get("op").and_then(Value::as_str) == Some(op) => bundle,
                Ok(_) => {
                    return Err(CallError::Malformed(format!(
                        "{} sent the proof file of another operation than {op}, which was asked for: export from a ledger that you trust",
                        self.base
                    )));
                }
                // A proxy whose ledger is gone says the same of every path.
                Err(CallError::Refused(problem)) if problem.status == 404 && !problem.foreign => {
                    return Ok(Err(problem.detail));
                }
                Err(error) => return Err(error),
            };
            // One that names no head is no proof file, and whoever reads it says so.
            let size = bundle.pointer("/head/size").and_then(Value::as_int);
            let older = size.filter(|size| u64::try_from(*size).is_ok_and(|size| size < least));
            match older {
                None if !self.waits_for_witnesses(&bundle, begun) => return Ok(Ok(bundle)),
                Some(size) if self.behind.get_or_init(Instant::now).elapsed() > HEAD_WITHIN => {
                    return Ok(Err(format!(
                        "it is shown under a head of {size} entries, which is older than that of {least}"
                    )));
                }
                _ => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Whether a proof file that was asked for since `begun` is to be asked for again: its head is not cosigned as the root
    /// asks, and nobody has waited for that in vain.
    fn waits_for_witnesses(&self, bundle: &Value, begun: Instant) -> bool {
        let note = bundle.get("checkpoint").and_then(Value::as_str).and_then(|note| Note::parse(note).ok());
        let lacks = self.witnesses.get().zip(note).is_some_and(|(witnesses, note)| {
            let (all, auditors) = witnesses.cosigned(&note);
            all < witnesses.quorum || auditors < witnesses.auditors
        });
        if lacks && begun.elapsed() > HEAD_WITHIN {
            self.unwitnessed.store(true, Ordering::Relaxed);
        }
        lacks && !self.unwitnessed.load(Ordering::Relaxed)
    }

    /// Content by its hash. The bytes hash to it, whoever sent them.
    ///
    /// # Errors
    /// Where the ledger does not have it.
    pub(crate) async fn blob(&self, hash: Sha3) -> Result<Vec<u8>, Failure> {
        let bytes = self.bytes(&format!("{}{hash}", routes::AUDIT_BLOB)).await?;
        if Sha3::of(&[&bytes]) != hash {
            return Err(Failure::new(format!("the ledger sent other bytes than those of {hash}")));
        }
        read_json(&bytes).map_err(|error| Failure::new(format!("{hash} is not I-JSON: {error}")))?;
        Ok(bytes.to_vec())
    }
}

fn read_page(value: Value) -> Result<Page, FormError> {
    let mut form = Form::of(value, "page of entries")?;
    let entries = form.array("entries")?.into_iter().map(Entry::read).collect::<Result<_, _>>()?;
    Ok(Page { entries, next: form.uint("next")? })
}

fn proof_of(answer: &Value) -> Result<Vec<Sha256>, FormError> {
    read_proof(answer.get("proof").ok_or_else(|| FormError("the ledger's answer lacks `proof`".into()))?)
}

#[cfg(test)]
pub(crate) mod tests;
