//! Every limit of PROTOCOL 13, and the few that section 1 fixes. Nothing is cut to a limit: what is past one is refused.

/// The greatest absolute value of an integer: 2^53-1.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;
/// How many containers may stand inside each other.
pub const MAX_DEPTH: usize = 32;
/// Canonical bytes of an artifact's `op`.
pub const MAX_OP: usize = 4 * 1024;
/// Canonical bytes of an artifact.
pub const MAX_ARTIFACT: usize = 8 * 1024;
/// Characters of the token that travels, as a header's value.
pub const MAX_TOKEN: usize = 14 * 1024;
/// Canonical bytes of an event record.
pub const MAX_RECORD: usize = 16 * 1024;
/// Records of one append.
pub const MAX_RECORDS: usize = 4096;
/// Canonical bytes of a piece of evidence in a statement; more stands by digest.
pub const MAX_INLINE_EVIDENCE: usize = 4 * 1024;
/// Keys of each list of a trust root, and signatures on it.
pub const MAX_ROOT_KEYS: usize = 256;
/// Witnesses of a trust root that is signed or published anew. Each adds a line to the checkpoints, behind the ledger's own, and of
/// the readers that others wrote the one of Go's `note` takes no checkpoint of more than a hundred lines.
pub const MAX_WITNESSES: usize = 99;
/// Entries of a scope.
pub const MAX_SCOPE: usize = 64;
/// Length of a delegation, in artifacts.
pub const MAX_DELEGATION: usize = 16;
/// The longest life of an artifact, in seconds.
pub const MAX_LIFE: i64 = 3600;
/// The life of an artifact where the policy names none, in seconds.
pub const DEFAULT_LIFE: i64 = 300;
/// Bytes of a policy bundle and of a proof bundle.
pub const MAX_BUNDLE: usize = 4 * 1024 * 1024;
/// Bytes of a policy bundle that is published: what proves a use of it stands beside it in a proof bundle.
pub const MAX_PUBLISHED: usize = 3 * 1024 * 1024;
/// Bytes of a policy's Cedar text.
pub const MAX_CEDAR: usize = 256 * 1024;
/// Operators and opening brackets of one rule of a policy.
pub const MAX_RULE: usize = 512;
/// Bytes of a policy's Cedar schema.
pub const MAX_SCHEMA: usize = 64 * 1024;
/// What a policy's Cedar schema comes to with its common types put in place, about in bytes.
pub const MAX_SCHEMA_SIZE: usize = 1 << 20;
/// The rules of a policy times what they are checked against of its schema, in bytes by bytes.
pub const MAX_VALIDATION: usize = 1 << 31;
/// The operations of a policy, times the requests of its schema: each is checked for what stands in its requests.
pub const MAX_BINDING_CHECKS: usize = 1 << 19;
/// Ancestors of a policy's entities, all together.
pub const MAX_ANCESTORS: usize = 1 << 20;
/// Values of a policy's entities, times the largest entity type of its schema in bytes: each is held against its type.
pub const MAX_ENTITY_CHECKS: usize = 1 << 28;
/// The rules of a policy times the largest of its entities, in bytes by bytes: each rule may go over all that an entity has.
pub const MAX_ENTITY_READS: u64 = 1 << 33;
/// Canonical bytes of a decision's input.
pub const MAX_DECISION: usize = 16 * 1024;
/// Bytes of a proof file, which may be written otherwise than canonically.
pub const MAX_PROOF_FILE: usize = 64 * 1024 * 1024;
/// Bytes of a runtime's name in a request, and of one that a point is registered for: it stands in the event that records a refusal,
/// and in each attestation, and a name may have any number of segments.
pub const MAX_RUNTIME: usize = 512;
/// Bytes of a policy's reference that is published: it stands twice in each attestation under the policy, beside the whole `op`, and a
/// record that can't be made closes no execution.
pub const MAX_POLICY: usize = 512;
/// Bytes of a predicate type that a point is given: it stands in each attestation.
pub const MAX_PREDICATE_TYPE: usize = 512;
/// Bytes of a request's head, as any corner reads it.
pub const MAX_REQUEST_HEAD: usize = 64 * 1024;
/// Characters of an identity token.
pub const MAX_IDENTITY_TOKEN: usize = 4096;
/// The longest life of an identity token, in seconds.
pub const MAX_IDENTITY_LIFE: i64 = 900;
/// Bytes of a request to the authority for a decision or for a token: an operation of 4 KiB and what stands around it, written as
/// anyone may write JSON.
pub const MAX_DECISION_BODY: usize = 32 * 1024;
/// Bytes of a request to a point that is no call: an artifact's token of 14 KiB or the paths of disclosures, and what stands around.
pub const MAX_POINT_BODY: usize = 64 * 1024;
/// Bytes of an operator's act: a policy bundle and what stands around it.
pub const MAX_ACT: usize = MAX_BUNDLE + 64 * 1024;
/// Bytes of a request body, where a listener sets nothing else.
pub const DEFAULT_REQUEST_BODY: usize = 32 * 1024 * 1024;
/// Bytes of calls' bodies that a point holds at once, but for 64 KiB of each; four of the largest where that is more.
pub const MAX_CALLS_HELD: usize = 512 * 1024 * 1024;
/// Bytes of one event of an answer that a point passes on as it comes.
pub const MAX_STREAM_EVENT: usize = 4 * 1024 * 1024;
/// Bytes of appends that a ledger holds at once of strangers, and as many of producers, but for 64 KiB of each; four of the largest
/// where that is more.
pub const MAX_APPENDS_HELD: usize = 128 * 1024 * 1024;
/// Bytes of answers to strangers that a ledger holds at once until they are taken, but for 64 KiB of each.
pub const MAX_ANSWERS_HELD: usize = 256 * 1024 * 1024;
/// Bytes of operators' acts that an authority holds at once, but for 64 KiB of each; four of the largest where that is more.
pub const MAX_ACTS_HELD: usize = 32 * 1024 * 1024;
/// Top-level members of a request's body that a gateway reads.
pub const MAX_MEMBERS: usize = 1024;
/// Workloads that one point has admitted at once and that are not completed.
pub const MAX_WORKLOADS: usize = 4096;
/// The longest run that a policy or a point's configuration may set, in seconds.
pub const MAX_RUN: u64 = 3600;
/// The least age in seconds that a registry view may be given.
pub const MIN_FRESH: i64 = 1;
/// The greatest age in seconds that a registry view may be given.
pub const MAX_FRESH: i64 = 60;
/// The age where nothing else is set, in seconds.
pub const DEFAULT_FRESH: i64 = 10;
/// The least audit bound, in milliseconds.
pub const MIN_AUDIT_BOUND_MS: i64 = 1_000;
/// The greatest audit bound, in milliseconds.
pub const MAX_AUDIT_BOUND_MS: i64 = 60_000;
/// The audit bound where nothing else is set, in milliseconds.
pub const DEFAULT_AUDIT_BOUND_MS: i64 = 5_000;
/// How far a stamp may lie ahead of the point's clock, in milliseconds.
pub const MAX_STAMP_AHEAD_MS: i64 = 2_000;
/// How far back an issuer may set `nbf`, in seconds: clock skew is the issuer's to absorb.
pub const MAX_NBF_BACK: i64 = 5;
/// How long after its own time an issuance is still appended, in milliseconds.
pub const MAX_ISSUED_LATE_MS: i64 = 30_000;
/// How much before its own time the ledger may have seen a consumption, the two clocks being two, in milliseconds.
pub const MAX_SEEN_EARLY_MS: i64 = 2_000;
/// How long after its own time the ledger may have seen a consumption, in milliseconds.
pub const MAX_SEEN_LATE_MS: i64 = 60_000;
/// How long after its expiry a revoked artifact stays in the registry's `revoked`, in seconds.
pub const REVOKED_KEPT: i64 = 24 * 3600;
/// Days for which logs of a high-risk system are kept, six months at the least (regime `eu-ai-act`).
pub const RETENTION_EU_AI_ACT_DAYS: u64 = 183;
/// Days for which documentation is kept, six years with the leap days in them (regime `hipaa`).
pub const RETENTION_HIPAA_DAYS: u64 = 2192;
/// Days for which a broker's records are kept, six years with the leap days in them (regime `sec-17a-4`).
pub const RETENTION_SEC_17A_4_DAYS: u64 = 2192;
/// The longest retention that can be set, in days.
pub const MAX_RETENTION_DAYS: u64 = 36_525;
/// The greatest number of a use: an operation id has fifteen digits for it.
pub const MAX_USE: u64 = 999_999_999_999_999;
/// Signature lines of a checkpoint: each line of a known key costs a verification.
pub const MAX_NOTE_LINES: usize = 128;
/// Siblings of an operation index proof.
pub const MAX_SIBLINGS: usize = 256;
/// Bytes of a salt.
pub const SALT: usize = 16;
/// Bytes of a request for a cosignature.
pub const MAX_ADD_CHECKPOINT: usize = 64 * 1024;
/// Hashes of the consistency proof in such a request.
pub const MAX_CONSISTENCY: usize = 63;
/// Pairs of checkpoints that a witness keeps for each log: so many that are forks, and as many that only may be.
pub const MAX_EVIDENCE: usize = 64;
/// How long an answer may be withheld until its evidence is as durable as its policy asks, in milliseconds.
pub const MAX_RELEASE_WAIT_MS: u64 = 10_000;
/// The least window in which acknowledged records have to come under a head of the required durability, in seconds.
pub const MIN_DURABILITY_WINDOW: i64 = 2;
/// The greatest such window, in seconds.
pub const MAX_DURABILITY_WINDOW: i64 = 300;
/// The window where nothing else is set, in seconds.
pub const DEFAULT_DURABILITY_WINDOW: i64 = 10;
