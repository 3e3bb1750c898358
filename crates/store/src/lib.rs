//! # store: one port, a log
//!
//! Whatever Eleven keeps, it keeps in a log: the ledger its entries, an enforcement point its journal. Everything else
//! (registry, index, lineages, search) is a fold over a log and can be thrown away. So this crate has one port, [`Log`],
//! and it promises four things:
//!
//! 1. **Nothing is acknowledged before it is durable** (invariant 3). [`Log::append`] returns a [`Durable`], which only
//!    this crate can make and which cannot be copied: a permit that demands one can't exist before its records are
//!    safe. Its level is the one of PROTOCOL 8; an embedded log gives D1, fdatasync returned.
//! 2. **A commit is there as a whole or not at all**, whatever crashes when.
//! 3. **One writer** (invariant 4). The log is a value with one owner, it is opened in a [`Place`] that a locked
//!    [`Folder`] gave out once, and each append names the position that it expects.
//! 4. **Every answer says what happened.** After a failed write or sync nobody knows what the disk holds, and asking it
//!    again can't tell. Such a log is poisoned: it takes nothing more, readers see what they saw before, and the process
//!    stops. Opening again runs the same recovery as after a crash.
//!
//! ## Finding your way
//!
//! - [`Log`], [`ReadLog`] and the errors: the port. A log on another engine is made in this crate, since nothing else makes a
//!   [`Durable`]; what is implemented elsewhere can only hand on those of a log that it stands before. [`conformance::check`] is
//!   what of the port can be seen from outside, as a test, and a log passes it before anything else is said about it.
//! - [`SegmentLog`]: the embedded log. Files of zeros are written and synced ahead of use (by a thread, from when the
//!   current one is half full), so a commit is one write and one fdatasync that touches no metadata. The bytes are
//!   described in `frame.rs`, recovery in `segment/recover.rs`, how full segments are packed in `segment/packed.rs`.
//!   [`inspect`] checks a log without changing it, [`read_only`] reads one, and [`read_whole`] what is whole of a damaged one.
//! - [`GroupCommit`]: one writer that owns a log and a [`Stage`], the state machine that turns requests into records.
//!   While one batch is being synced the next gathers, and is staged where that is asked for ([`GroupOptions::overlap`]);
//!   answers leave after their batch is durable. [`SteppedCommit`] is the same writer without a thread, for simulations.
//! - [`Folder`]: a corner's data folder, its lock, its format.
//! - [`Metrics`]: how long fdatasync takes here and how many records share one.
//! - [`Disk`] and [`faulty::FaultyDisk`]: what the embedded log needs of a disk, for whoever has another place than a folder for
//!   its files, and one in memory that fails by plan, for the tests of every crate that keeps a log. What a receipt of such a log
//!   is worth is what its disk keeps: of one in memory, nothing.
//!
//! ## What recovery can and can't tell
//!
//! A crash tears at most the last commit, which was never acknowledged; opening clears it and says so
//! ([`Recovery::torn`]). Anything else that does not read back as written is refused with the file, the byte and what
//! is wrong: a bad frame before a good one, a gap, a short file, a foreign header. What no log can see from inside is
//! the loss of its newest commits together with every trace of them (a restored old copy of the folder, a last frame
//! that rots while nothing runs): that is what heads, witnesses and the producers' own numbers are for (PROTOCOL 6, 7).
//!
//! ## The main path
//!
//! ```
//! use eleven_store::{Batch, Durable, Folder, GroupCommit, GroupOptions, SegmentLog, SegmentOptions, Stage};
//!
//! /// Keeps each request as one record and answers with its position.
//! struct Keep;
//!
//! impl Stage for Keep {
//!     type Request = Vec<u8>;
//!     type Answer = Option<u64>;
//!     type Pending = ();
//!     fn stage(&mut self, request: Vec<u8>, batch: &mut Batch) -> Option<u64> {
//!         batch.push(request).ok()
//!     }
//!     fn staged(&mut self) {}
//!     fn committed((): (), durable: &Durable) {
//!         assert!(durable.count() > 0);
//!     }
//! }
//!
//! let home = tempfile::tempdir()?;
//! let folder = Folder::open(home.path().join("ledger"), "ledger")?;
//! let log = SegmentLog::open(folder.place("log")?, SegmentOptions::default())?;
//! let group = GroupCommit::start(log, Keep, GroupOptions::default(), |stop| println!("stopped: {stop:?}"))?;
//!
//! let (send, receive) = std::sync::mpsc::channel();
//! group.submit(b"hello".to_vec(), move |outcome| {
//!     // Whoever has hung up does not want the answer any more.
//!     let _ = send.send(outcome);
//! });
//! let committed = receive.recv()??;
//! assert_eq!((committed.answer, committed.durable.first(), committed.durable.next()), (Some(0), 0, 1));
//! assert_eq!(group.reader().read_from(0, 10, 1 << 20)?, [(0, b"hello".to_vec())]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod background;
mod checksum;
pub mod conformance;
mod disk;
pub mod faulty;
mod folder;
mod frame;
mod group;
mod log;
mod metrics;
mod segment;

pub use background::background;
pub use disk::{Disk, DiskFile};
pub use folder::{DATA_FORMAT, Folder, FolderError, Place};
pub use group::{Batch, BatchFull, CommitError, Committed, GroupCommit, GroupOptions, Stage, SteppedCommit, Stop};
pub use log::{
    AppendError, Damage, DropError, Durable, Level, Log, MAX_COMMIT_BYTES, MAX_COMMIT_RECORDS, ReadError, ReadLog,
};
pub use metrics::{Histogram, Metrics, Summary};
pub use segment::{
    OpenError, Recovery, Rewriter, SegmentLog, SegmentOptions, TornTail, inspect, peek, read_only, read_whole,
};
