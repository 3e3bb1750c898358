//! The enforcing corner. At each kind of boundary it does the same three things: decode the request into an operation,
//! enforce ([`eleven_enforce`]), encode the answer. It never issues an artifact and never decides what a policy says.
//!
//! The path of one governed call through [`gateway`]:
//!
//! 1. **Request** ([`caller`], [`openai`]): who calls, and which operation the bytes are.
//! 2. **Verify, Allow/Deny** ([`issuer`]): inline, the authority decides and issues on the caller's behalf; presented, the
//!    caller brings the artifact in `Eleven-Authorization`.
//! 3. **Execute** ([`opening`], [`journal`], [`execution`]): admission, one durable commit of consumption, admission and start; only
//!    then, with a permit, the upstream is reached.
//! 4. **Attest** and **Audit**: attestation, outcome and evidence, one commit, before the response ends.
//! 5. **Persist proof** ([`forward`]): the journal goes to the ledger in order, and is kept until acknowledged.
//!
//! What policy calls sensitive is committed between the first and the second; [`disclosures`] keeps what opens it.
//!
//! [`passing`] is what passes to and from the upstream beside the body.
//!
//! Around it: [`standing`] knows how far the evidence stands under witnessed heads, [`view`] keeps the registry fresh,
//! [`roots`] knows the trust root in force, [`running`] interrupts what a new view no longer allows, and [`seen`] remembers what the
//! clock showed. [`workload`] is the other boundary: what is admitted here and runs elsewhere. [`serve`] puts it all together, after
//! [`recover`] has read the journal back, and [`health`] says how the point is.
//!
//! **Invariant**: what reaches an upstream takes a `Permit` by value ([`execution`] is the only place that does).
//! **Invariant**: a listener decides from what this process holds; only an inline call asks the authority, for an artifact, and whoever
//! calls by a secret that the view does not know.

mod caller;
mod disclosures;
mod error;
mod execution;
mod forward;
mod gateway;
mod health;
mod issuer;
mod journal;
mod openai;
mod opening;
mod passing;
pub mod recover;
mod refusal;
mod release;
mod roots;
mod running;
mod seen;
mod serve;
mod settings;
mod standing;
mod token_issuers;
mod view;
mod whole;
mod workload;

pub use error::RuntimeError;
pub use execution::UPSTREAM_FAILED;
pub use forward::{Acknowledged, Backlog, Outbox, OutboxError, Step, cursor};
pub use serve::Runtime;
pub use settings::{Gateway, Settings};
pub use standing::Required;
