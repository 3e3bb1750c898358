//! A lineage as its proof file shows it.

use super::facts::{Fact, Place};
use super::folder;
use super::history::History;
use eleven_core::artifact::RequestBinding;
use eleven_core::chain::EntryHeader;
use eleven_core::encoding::Value;
use eleven_core::event::Record;
use eleven_core::form::{Form, FormError};
use eleven_core::hash::{Sha3, Sha256};
use eleven_core::reason::Reason;
use eleven_core::time::Time;
use eleven_core::tree::leaf_hash;
use eleven_verify::{Check, REVOKED_UNUSED, Report};

/// The checks of a proof file that speak against it. That an artifact was revoked before anybody used it is no fault of the
/// proof, but what it proves, also where that was later than the manifest's head, while it was exported.
pub(crate) fn against(report: &Report) -> impl Iterator<Item = &Check> {
    let proves = |detail: Option<&str>| detail == Some(REVOKED_UNUSED);
    report.failed().filter(move |check| check.name != "artifact.unrevoked" || !proves(check.detail.as_deref()))
}

/// What a proof file shows of an operation.
#[derive(Debug)]
pub(crate) struct Lineage {
    /// The operation.
    pub(crate) op: String,
    /// `execution`, `open`, `unused` or `denial`.
    pub(crate) kind: String,
    /// The caller.
    pub(crate) identity: Option<String>,
    /// The operation's name.
    pub(crate) operation: Option<String>,
    /// The runtime.
    pub(crate) runtime: Option<String>,
    /// The policy's reference and hash.
    pub(crate) policy: Option<(String, Sha3)>,
    /// Why it was refused.
    pub(crate) reason: Option<Reason>,
    /// `completed`, `failed` or `interrupted`.
    pub(crate) outcome: Option<String>,
    /// When its execution was started, by the point's clock.
    pub(crate) started: Option<Time>,
    /// When its execution ended.
    pub(crate) ended: Option<Time>,
    /// The digest that binds the request, where anyone who knows the request can make it.
    pub(crate) request: Option<Sha3>,
    /// Its events, in order.
    pub(crate) events: Vec<Fact>,
    /// Size and root of the head that the file stands under.
    pub(crate) head: (u64, Sha256),
    /// The registration that its attestation is held against, where something was attested.
    pub(crate) bound: Option<Bound>,
}

/// The registration of a point as a proof file shows it.
#[derive(Debug)]
pub(crate) struct Bound {
    /// The point.
    point: String,
    /// The entry in which it consumed.
    consumed: u64,
    /// The registration; nothing where the file shows none.
    shown: Value,
    /// Whether it is one that the registry under the file's head does not hold any more.
    earlier: bool,
}

impl Bound {
    fn of(bundle: &Value, consumed: Option<&(Place, Record)>) -> Option<Self> {
        let (place, record) = consumed?;
        let point = record.by.clone();
        let earlier = bundle.pointer("/registered/record/data");
        let records = bundle.pointer("/registry/records").and_then(Value::as_array).unwrap_or_default().iter();
        let mut rows = records.filter(|row| row.get("kind").and_then(Value::as_str) == Some("runtime"));
        let row =
            || rows.find_map(|row| row.get("record").filter(|row| row.get("point") == Some(&point.as_str().into())));
        let shown = earlier.or_else(row).cloned().unwrap_or(Value::Null);
        Some(Self { earlier: bundle.get("registered").is_some(), consumed: place.seq, shown, point })
    }
}

impl Lineage {
    /// Reads what a bundle shows, and gives its entries' canonical bytes beside it. Nothing is verified here.
    ///
    /// # Errors
    /// Where it is not of a bundle's form.
    pub(crate) fn of(bundle: &Value) -> Result<(Self, Vec<Vec<u8>>), FormError> {
        let text = |pointer: &str| bundle.pointer(pointer).and_then(Value::as_str);
        let missing = |what: &str| FormError(format!("the proof file lacks `{what}`"));
        let op = text("/op").ok_or_else(|| missing("op"))?.to_owned();
        let list = |name: &str| bundle.get(name).and_then(Value::as_array).unwrap_or_default();
        let (records, headers) = (list("events"), list("entries"));
        if records.is_empty() || records.len() != headers.len() {
            return Err(missing("events"));
        }
        let size = bundle.pointer("/head/size").and_then(Value::as_uint);
        let head = size.zip(text("/head/root").and_then(Sha256::parse)).ok_or_else(|| missing("head"))?;
        let mut lineage = Self {
            op,
            kind: text("/kind").ok_or_else(|| missing("kind"))?.to_owned(),
            identity: None,
            operation: None,
            runtime: None,
            policy: None,
            reason: None,
            outcome: None,
            started: None,
            ended: None,
            request: text("/policy/terms/digests")
                .filter(|digests| *digests == "plain")
                .and_then(|_| text("/artifact/op/params").and_then(Sha3::parse)),
            events: Vec::new(),
            head,
            bound: None,
        };
        let (mut entries, mut consumed, mut attested) = (Vec::new(), None, false);
        for (record, header) in records.iter().zip(headers) {
            let mut form = Form::of(header.clone(), "entry")?;
            let header = EntryHeader::take(&mut form)?;
            let record = Record::read(record.clone())?;
            let bytes = header.bytes(record.canonical());
            let place = Place { seq: header.seq, at: header.at, leaf: leaf_hash(&bytes) };
            lineage.take(place, &record);
            entries.push(bytes);
            attested |= record.event == "attestation.signed";
            if record.event == "authorization.consumed" {
                consumed = Some((place, record));
            }
        }
        lineage.bound = Bound::of(bundle, consumed.as_ref().filter(|_| attested));
        Ok((lineage, entries))
    }

    fn take(&mut self, place: Place, record: &Record) {
        let about = &record.about;
        self.identity = self.identity.take().or_else(|| about.identity.clone());
        self.operation = self.operation.take().or_else(|| about.operation.clone());
        self.runtime = self.runtime.take().or_else(|| about.runtime.clone());
        let policy = about.policy.as_ref().map(|policy| (policy.reference.clone(), policy.hash));
        self.policy = self.policy.take().or(policy);
        self.reason = self.reason.or(about.reason);
        match record.event.as_str() {
            "execution.started" => self.started = Some(record.ts),
            "execution.completed" | "execution.failed" | "execution.interrupted" => {
                self.ended = Some(record.ts);
                self.outcome = record.event.strip_prefix("execution.").map(str::to_owned);
            }
            _ => {}
        }
        self.events.push(Fact::of(place, record));
    }

    /// What speaks against the registration that the attestation is held against: that the registry's history, which is
    /// whole under a head of `size` entries, has another one of the point in force at the consumption, or none. A proof file
    /// alone can't show that. Of a consumption that the ledger had later, while it was exported, that history tells nothing.
    pub(crate) fn misbound(&self, history: &History, size: u64) -> Option<String> {
        let Bound { point, consumed, shown, .. } = self.bound.as_ref().filter(|bound| bound.consumed < size)?;
        let what = match history.registration_at(point, *consumed) {
            Some((_, registration)) if registration == shown => return None,
            Some((seq, _)) => format!("was registered by entry {seq}, which says something else"),
            None => "was not registered".to_owned(),
        };
        let name = folder::proof(&self.op);
        Some(format!("{name}: attestation.binding was judged by a registration that was not in force: {point} {what}"))
    }

    /// Whether a registration is shown that the registry does not hold any more, of which the history under a head of `size` entries tells
    /// whether it was in force.
    pub(crate) fn is_told(&self, size: u64) -> bool {
        self.bound.as_ref().is_some_and(|bound| bound.earlier && bound.consumed < size)
    }

    /// Whether this request is the one that was authorised; `None` where only caller and point can tell.
    pub(crate) fn is_request(&self, request: &RequestBinding) -> Option<bool> {
        self.request.map(|bound| bound == request.digest(""))
    }

    /// In a word or two: how it ended.
    pub(crate) fn ended_as(&self) -> &str {
        match (&self.outcome, self.reason) {
            (_, Some(reason)) => reason.code(),
            (Some(outcome), None) => outcome,
            (None, None) if self.kind == "unused" => "not used",
            (None, None) => "not ended",
        }
    }
}

#[cfg(test)]
mod tests;
