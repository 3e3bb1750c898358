//! Where a ledger lies: its folder's mark, and the two logs in it.

use eleven_store::SegmentOptions;

/// The corner's name, as its folder is marked.
pub(crate) const CORNER: &str = "ledger";
/// The places of the two logs in the folder: that of the entries and their content, and that of the signed heads.
pub(crate) const LOG: &str = "log";
pub(crate) const HEADS: &str = "heads";
/// Entries are packed once their segment is closed: a ledger is read seldom and kept for years. Who asks for a lineage or
/// a proof asks for records that lie near each other.
pub(crate) const LOG_OPTIONS: SegmentOptions =
    SegmentOptions { smallest: 1 << 20, largest: 32 << 20, ahead: true, pack: true, recent: 4 << 20 };
