//! What proof files leave unproven, in the words that an export tells it by. Whoever verifies makes the same of the same bytes, so
//! that a gap can be neither left out nor made up.

use super::lineage::Lineage;
use eleven_verify::{Report, Status};

/// That the decision can't be made again: the file does not show what it was made of.
pub(crate) fn unreplayed(lineage: &Lineage, report: &Report) -> Option<String> {
    let open = lineage.kind != "denial" && report.status("policy.replay") == Some(Status::NotChecked);
    let op = &lineage.op;
    open.then(|| format!("the proof file of operation {op} shows no decision input: policy.replay was not checked"))
}
