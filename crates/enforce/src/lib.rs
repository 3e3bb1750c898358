//! Enforcement without IO: what an enforcement point decides, from what it holds, on its own machine.
//!
//! One governed operation passes through here in one direction, and each step consumes the one before it:
//!
//! 1. [`admission::admit`]: the numbered steps 1 to 16 of PROTOCOL 4.1, from the token to the audit bound. Gives
//!    [`admission::Admitted`] or [`denial::Denial`].
//! 2. [`journal::Journal::open`]: step 17, the use, taken at once and never given back; makes the records of consumption,
//!    admission and start. Gives [`permit::Opened`].
//! 3. The driver commits those records, as the [lines](permit::Opened::lines) of a log. Only a receipt for them turns `Opened` into
//!    a [`permit::Permit`] (step 18): what a receipt is worth, [`permit::DurableReceipt`] says. What runs a workload takes a
//!    `Permit` by value.
//! 4. [`journal::Journal::close`]: attestation, outcome and evidence, one commit, before the response ends.
//!
//! **Invariant**: there is no other way to a `Permit`, and a `Permit` is consumed by running. **Invariant**: nothing here
//! reads a clock, draws a random number or does IO; the same inputs give the same decision and the same bytes.
//!
//! What is taken at its word: of the caller, that somebody authenticated it; of a [`Held`](admission::Held) and an
//! [`Asked`](admission::Asked), all they say; of the journal, that it is this point's own, whole and the only one. So a point
//! that starts again reads its journal back ([`journal::Reading`]): a new one knows of no use. And a point that could not commit, or
//! does not know whether it did, asks its journal nothing more, and starts again: the numbers of what was made are taken, and what
//! is made after them the ledger refuses for good where they are not in the log. Times are milliseconds since 1970
//! ([`Time`](eleven_core::time::Time)), ages and bounds milliseconds.
//!
//! A point that admits what somebody presents, here as the vectors have it:
//!
//! ```
//! use eleven_core::artifact::{Environment, Operation, RequestBinding, result_digest};
//! use eleven_core::attestation::{Outcome, StatementResult};
//! use eleven_core::hash::Sha3;
//! use eleven_core::reason::Reason;
//! use eleven_core::registry::{KeyTables, Snapshot, Stamp, View};
//! use eleven_core::root::TrustRoot;
//! use eleven_core::time::Time;
//! use eleven_enforce::admission::{Asked, Held, admit};
//! use eleven_enforce::denial::Denial;
//! use eleven_enforce::journal::{Journal, Line, Point, Reading};
//! use eleven_enforce::permit::{DurableReceipt, Ending, Opened, Permit};
//! # use eleven_core::encoding::{Value, parse};
//! # use eleven_core::signature::{SeedSigner, bytes32};
//! # use std::sync::Arc;
//! # fn file(name: &str) -> Value {
//! #     let path = format!("{}/../../spec/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
//! #     parse(&std::fs::read(path).expect("a vector")).expect("I-JSON")
//! # }
//! # fn member(value: &Value, name: &str) -> Value {
//! #     value.get(name).expect("a member").clone()
//! # }
//! # fn text(value: &Value, name: &str) -> String {
//! #     value.get(name).and_then(Value::as_str).expect("a text").to_owned()
//! # }
//!
//! /// Steps 1 to 17: what is left is to make the records durable.
//! fn open(journal: &mut Journal, view: &View, asked: &Asked<'_>, token: &str, workload: Sha3) -> Result<Opened, Denial> {
//!     let point = journal.point().clone();
//!     let held = Held {
//!         view: Some(view),
//!         stamped: Some(view.stamp().issued),
//!         held_ms: 0,              // by a clock that nobody sets
//!         point: &point.name,
//!         binary: &point.binary,
//!         config: &point.config,
//!         signs: &point.signs(),
//!         last_now: journal.last_now(),
//!         // between which times the ledger would date an entry, by its cursor: too far from them nothing is admitted
//!         dated: None,
//!         unknown: false,          // whether the ledger does not know this point by its signature
//!         seen_epoch: journal.seen_epoch(),
//!         uses_since: None,        // this journal was never lost
//!         bundles: None,           // what is enforced here needs no policy's text
//!         backlog_ms: 0,           // since the ledger had acknowledged everything
//!         backlog_bound_ms: 5_000,
//!         unproven_ms: None,       // no durability above D1 is required
//!     };
//!     let admitted = admit(&held, asked, Some(token))?;
//!     journal.open(admitted, workload, asked.now)
//! }
//!
//! /// A store's proof that it synced so many records.
//! struct Synced(u64);
//!
//! impl DurableReceipt for Synced {
//!     fn count(&self) -> u64 {
//!         self.0
//!     }
//! }
//!
//! /// Stands for a log that appends the lines as one commit, and syncs it; where that fails there is no receipt, and the point stops.
//! fn commit(log: &mut Vec<Vec<u8>>, lines: Vec<Vec<u8>>) -> Synced {
//!     let synced = Synced(lines.len() as u64);
//!     log.extend(lines);
//!     synced
//! }
//!
//! /// Runs what was admitted. There is no other way to call it than with a permit.
//! fn run(permit: Permit, journal: &mut Journal) -> Result<Vec<Vec<u8>>, String> {
//!     let execution = permit.run();
//!     let (answer, status) = (b"what it came to", 200);
//!     let digest = result_digest(&execution.salt, Sha3::of(&[&answer[..]]), status);
//!     let result = StatementResult { digest, bytes: answer.len() as u64, status: u64::from(status) };
//!     let finished = execution.started.plus_millis(20);
//!     let ending = Ending { outcome: Outcome::Completed, cause: None, result, finished };
//!     // Before the answer leaves, these are durable, too.
//!     let records = journal.close(execution, &ending)?.records;
//!     Ok(records.into_iter().map(|record| Line::event(record).encode()).collect())
//! }
//! # let (file, seeds) = (file("admission.json"), member(&file("ledger.json"), "seeds"));
//! # let base = member(&file, "base");
//! # let sha3 = |value: &Value, name: &str| Sha3::parse(&text(value, name)).expect("a hash");
//! # let signer = |kid: &str, role: &str| Arc::new(SeedSigner::new(kid, &bytes32(&text(&seeds, role)).expect("a seed")));
//! # let point = Point {
//! #     name: text(&base, "point"),
//! #     event: signer("key:11-11/gw-0/2026-q2", "gw-0"),
//! #     attestation: signer("key:11-11/attest-0/2026-q2", "attest-0"),
//! #     binary: sha3(&base, "binary"),
//! #     config: sha3(&base, "config"),
//! #     predicate_type: "https://11-11.example/attestation/execution/v1".to_owned(),
//! # };
//! # let (snapshot, stamp) = (member(&base, "registry"), member(&base, "stamp"));
//! # let (request, token, caller) = (member(&base, "request"), text(&base, "token"), text(&base, "caller"));
//! # let (body, method, path) = (sha3(&request, "body"), text(&request, "method"), text(&request, "path"));
//! # let now = Time::parse_millis(&text(&base, "now")).expect("a time");
//!
//! // The registry, verified against the trust root that was pinned.
//! let root = TrustRoot::read(member(&base, "root"))?;
//! let view = View::open(&root, Snapshot::read(snapshot)?, Stamp::read(stamp)?, &mut KeyTables::new())?;
//! // What is about to run, as this point framed it from the request.
//! let operation = Operation::read(member(&base, "operation"))?;
//! let environment = Environment::read(member(&base, "environment"))?;
//! let request = RequestBinding { body, method, path };
//! let asked = Asked {
//!     now,
//!     caller: &caller,
//!     holder: None,
//!     operation: &operation,
//!     request: Some(&request),
//!     environment: &environment,
//! };
//!
//! let (mut log, mut journal) = (Vec::new(), Journal::new(point.clone()));
//! let workload = Sha3::of(&[b"the image that runs"]);
//! let opened = open(&mut journal, &view, &asked, &token, workload).expect("admitted");
//! let receipt = commit(&mut log, opened.lines());
//! let permit = opened.permit(&receipt).expect("a receipt for these records");
//! let closing = run(permit, &mut journal)?;
//! commit(&mut log, closing);
//!
//! // The point starts again, from what its log holds.
//! let mut reading = Reading::new(point);
//! for line in &log {
//!     reading.line(line)?;
//! }
//! let mut journal = reading.end()?;
//! let later = Asked { now: now.plus_seconds(1), ..asked };
//! let again = open(&mut journal, &view, &later, &token, workload).expect_err("it was for a single use");
//! assert_eq!(again.reason, Reason::ArtifactReplayed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![no_std]

extern crate alloc;

pub mod admission;
pub mod conformance;
pub mod containment;
pub mod denial;
pub mod journal;
pub mod permit;
pub mod uses;
