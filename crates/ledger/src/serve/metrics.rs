//! `/metrics`: the corner's counters as Prometheus text.

use crate::archive::Archive;
use crate::heads::clock_behind;
use crate::ledger::Inner;
use crate::state::{Counts, read};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use eleven_api::serve::MetricsText;
use eleven_store::Histogram;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// `GET /metrics`.
pub(super) async fn text(State(inner): State<Arc<Inner>>) -> Response {
    render(&inner).into_response()
}

/// The text.
fn render(inner: &Inner) -> MetricsText {
    let mut out = MetricsText::default();
    let Counts { appended, repeated, refused, equivocations, gaps, untimely, unfolded, .. } = &inner.shared.counts;
    let Counts { heads, cosignatures, archived, failed_archivings, .. } = &inner.shared.counts;
    let counter = |out: &mut MetricsText, name: &str, help: &str, value: &AtomicU64| {
        out.counter(name, help, value.load(Ordering::Relaxed));
    };
    counter(&mut out, "eleven_ledger_appended_total", "Entries appended since the start.", appended);
    counter(&mut out, "eleven_ledger_repeated_total", "Records that were there already, or refused before.", repeated);
    counter(&mut out, "eleven_ledger_refused_total", "Records refused.", refused);
    counter(&mut out, "eleven_ledger_equivocations_total", "Other records under a number taken.", equivocations);
    counter(&mut out, "eleven_ledger_gaps_total", "Records whose predecessors were missing.", gaps);
    let late = "Consumptions that came too long before or after their own time for any proof of them to hold.";
    counter(&mut out, "eleven_ledger_untimely_total", late, untimely);
    let other = "Consumptions that name another registry than the one that the entries come to.";
    counter(&mut out, "eleven_ledger_other_registry_total", other, unfolded);
    counter(&mut out, "eleven_ledger_heads_total", "Heads signed.", heads);
    counter(&mut out, "eleven_ledger_cosignatures_total", "Answers of witnesses that were kept.", cosignatures);
    counter(&mut out, "eleven_ledger_archived_total", "Pieces of content moved to the archive.", archived);
    let failed = "Times that content could not be moved to the archive.";
    counter(&mut out, "eleven_ledger_failed_archivings_total", failed, failed_archivings);
    let failed = "Times that the log's next segment could not be written ahead, as on a disk without room.";
    counter(&mut out, "eleven_ledger_failed_spares_total", failed, &inner.metrics.failed_spares);
    let failed = "Times that a full segment of the log could not be packed.";
    counter(&mut out, "eleven_ledger_failed_packs_total", failed, &inner.metrics.failed_packs);
    let (lineages, running, epoch) = {
        let book = read(&inner.shared.book);
        (book.lineages(), book.running(), book.registry().map_or(0, eleven_core::registry::Fold::epoch))
    };
    let head = inner.shared.published().map_or(0, |published| published.head.commitment.size);
    let raised = inner.shared.raised.borrow().clone();
    let cosigned = raised.cosigned.map_or(0, |head| head.size());
    let mirrored = raised.mirrored.map_or(0, |head| head.size());
    let ahead = inner.shared.ahead.shown(&read(&inner.shared.tree)).unwrap_or(0);
    let claimed = inner.shared.ahead.claimed(inner.shared.size()).unwrap_or(0);
    let disagrees = u64::from(inner.shared.disagreement.load(Ordering::Acquire));
    let mut gauge = |name: &str, help: &str, value: u64| out.gauge(name, help, value);
    gauge("eleven_ledger_size", "Durable entries.", inner.shared.size());
    gauge("eleven_ledger_head_size", "Entries under the last signed head.", head);
    gauge("eleven_ledger_cosigned_size", "Entries under the last head at D4.", cosigned);
    gauge("eleven_ledger_mirrored_size", "Entries under the last head at D5.", mirrored);
    let lacks = "The size of a head of this ledger that a witness shows and its tree does not have; 0 is right.";
    gauge("eleven_ledger_witness_ahead", lacks, ahead);
    let claims = "The size that a witness says to have cosigned, shows nothing for, and this ledger lacks; 0 is right.";
    gauge("eleven_ledger_witness_claims", claims, claimed);
    gauge("eleven_ledger_lineages", "Lineages, those of one event among them.", lineages as u64);
    gauge("eleven_ledger_running", "Operations admitted and not ended.", running as u64);
    gauge("eleven_ledger_registry_epoch", "The registry's epoch.", epoch);
    gauge("eleven_ledger_registry_disagrees", "1 where the authority signed another registry.", disagrees);
    let behind = "Milliseconds that the clock is behind the last entry or head, where more than 2 s; 0 is right.";
    gauge("eleven_ledger_clock_behind_ms", behind, clock_behind(&inner.shared, inner.clock.now()).unwrap_or(0));
    let lacks = "1 where the archive that is named was not to be read at the start.";
    gauge("eleven_ledger_lacks_archive", lacks, u64::from(inner.lacks_archive()));
    let lacks = inner.shared.archive.as_ref().map_or(0, Archive::lacks);
    gauge("eleven_ledger_archive_lacks", "Moved pieces of content that were not in the archive at the start.", lacks);
    gauge("eleven_ledger_waiting", "Requests that wait for the writer.", inner.waiting() as u64);
    let metrics = &inner.metrics;
    summary(&mut out, "eleven_ledger_fdatasync_microseconds", "Each fdatasync of the log.", &metrics.sync);
    summary(&mut out, "eleven_ledger_commit_wait_microseconds", "From submission to the answer.", &metrics.waited);
    summary(&mut out, "eleven_ledger_commit_records", "Records per commit.", &metrics.records);
    out
}

fn summary(out: &mut MetricsText, name: &str, help: &str, histogram: &Histogram) {
    let summary = histogram.summary();
    out.summary(name, help, [summary.p50, summary.p90, summary.p99, summary.max], summary.count);
}
