//! Every reason in words: what it means, and what would pass. Whoever is refused reads the latter in the refusal itself, and
//! both by `eleven why`.

use eleven_core::reason::Reason;

/// What stands before what would pass, wherever a refusal says it.
pub const WOULD_PASS: &str = "what would pass: ";

/// What a reason means.
#[must_use]
pub const fn meaning(reason: Reason) -> &'static str {
    words(reason).0
}

/// What would pass, where the policy's author did not say.
#[must_use]
pub const fn would_pass(reason: Reason) -> &'static str {
    words(reason).1
}

const fn words(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::ArtifactMissing => (
            "The call brought no authorization artifact, and this listener does not get one on the caller's behalf.",
            "send the token in `Eleven-Authorization`, or call through an inline gateway",
        ),
        Reason::ArtifactMalformed => (
            "What was presented as an artifact is not of its form, past a limit, or not in canonical bytes.",
            "present the token exactly as the authority gave it, unpadded base64url, at most 14 KiB",
        ),
        Reason::RuntimeClock => (
            "The enforcement point's clock went back, or the registry's stamp lies more than two seconds ahead of it, or it lies more \
             than two seconds ahead of the ledger's or thirty behind it, so that what ran could not be proven, or the point signed \
             more than ten seconds away from the authority's clock, or what that had just given for a client's secret was outside its \
             time there.",
            "set the clocks of point, authority and ledger by the same source; the point's `/health` and `eleven doctor` show how far \
             they are apart",
        ),
        Reason::IssuerUnavailable => (
            "The authority can't be reached or has no issuer key that counts, or the point's view of the registry is older than it \
             may be. Nobody can tell what is revoked, so nothing passes.",
            "start the authority and the ledger again, or renew the key that the authority's `/health` names in `uncounted`; the \
             point recovers by itself",
        ),
        Reason::RuntimeContained => (
            "A containment covers this call, or the point was shown an older registry than it knows.",
            "find the containment with `eleven registry show`, end its cause, then `eleven subject lift KIND SUBJECT`; where there \
             is none, the ledger went back: do again what was done since, until the epoch is reached that the point's `/health` \
             names in `denies`",
        ),
        Reason::RuntimeUnregistered => (
            "The enforcement point stands in no registry, or not with the key that it signs with; or the runtime that was asked \
             for has no point.",
            "`eleven runtime register`, on the machine of the point; where it is registered with another key, what its `/health` says in \
             `unapproved`",
        ),
        Reason::RuntimeIntegrity => (
            "The point runs another binary or another configuration than the one that was approved for it, or signs with a key that \
             does not count, or with another event key than its registration names; or the authority refused, since the policy asks \
             for hardware evidence, which the point does not have.",
            "where the policy asks for hardware evidence, another whose term `attestation` is `software`; else what the point's \
             `/health` says in `unapproved`: if a change of binary or configuration was meant, approve it with `eleven runtime \
             register`, and replace a key that does not count with `eleven runtime key replace`; if none was, find out who made it",
        ),
        Reason::ArtifactIssuerUntrusted => (
            "The key behind the artifact, or behind its issuance record, is unknown, not active, out of its time, or not the \
             issuer's.",
            "get an artifact from this domain's authority; `eleven key list` shows the keys that count",
        ),
        Reason::ArtifactSignatureInvalid => (
            "A signature on the artifact or on its issuance record does not hold: something was changed after it was signed.",
            "present the artifact unchanged, or get a new one",
        ),
        Reason::ArtifactDigestMismatch => (
            "A digest is not the artifact's, or the issuance record belongs to another one.",
            "present artifact and issuance record together, as they were issued",
        ),
        Reason::ArtifactNotYetValid => ("The artifact's time has not come yet.", "wait until its `nbf`"),
        Reason::ArtifactExpired => ("The artifact's time is over.", "get a new artifact and use it before its `exp`"),
        Reason::IdentityMismatch => (
            "The caller is not the one that the artifact, or the request, names.",
            "call as the identity that the artifact was issued for, with that identity's own credential",
        ),
        Reason::OperationMismatch => (
            "The call is not the one that was authorized: operation, parameters, scope or the very bytes differ. Or the authority was \
             asked without the request that the policy binds, or with a value in clear that it calls sensitive; or a workload was \
             to be admitted that the point runs itself.",
            "send exactly what was authorized, or get an artifact for what is to be sent; ask the authority with `request`, and \
             with the commitment of what is sensitive",
        ),
        Reason::EnvironmentMismatch => (
            "The artifact, or what the authority was asked for, is for another runtime, region or tenancy than this point's; or the \
             points of the runtime stand in several places.",
            "use it where it was issued for, or ask for one that names this runtime, through the point that is to run it",
        ),
        Reason::PolicyMismatch => (
            "The policy that the artifact was issued under is no longer the one in force for this operation, or another \
             covers it too; or the point went by another than the authority.",
            "get a new artifact: it is decided by the policy in force now",
        ),
        Reason::ArtifactRevoked => (
            "The artifact, or one that it descends from, was revoked.",
            "get a new artifact, if the policy still grants one",
        ),
        Reason::AuditDiscontinuity => (
            "The ledger has not acknowledged this point's events for longer than the audit bound; or no head of the durability that \
             the point requires came over them within its window.",
            "start the ledger again, and its witnesses where the point requires D4 or D5; the point goes on as soon as its journal \
             is acknowledged and stands under such a head",
        ),
        Reason::ArtifactReplayed => (
            "The artifact was for one use, and was used; or it is older than the journal of a point that lost one, or than the end of a \
             point whose place another took, and may have been.",
            "get a new artifact for each call",
        ),
        Reason::ArtifactUseExhausted => ("The artifact was used as often as it may be.", "get a new artifact"),
        Reason::ArtifactRateExceeded => {
            ("The artifact was used as often as its window allows.", "wait until the oldest use leaves the window")
        }
        Reason::AuditUnavailable => (
            "What had to be durable first could not be written to the journal or the ledger, or the point was about to end.",
            "start the ledger again, or free disk space at the point, or start the point where it was told to stop; then repeat the \
             call with a new artifact",
        ),
        Reason::PolicyNone => (
            "No policy in force covers this operation on this runtime.",
            "publish a policy that names the operation and the runtime; `eleven policy list` shows what is covered",
        ),
        Reason::PolicyAmbiguous => {
            ("More than one policy in force covers this operation on this runtime.", "retire all but one of them")
        }
        Reason::PolicyDenied => (
            "The policy was asked and does not permit this.",
            "what one of its `permit` rules asks for and none of its `forbid` rules holds for; `eleven policy show REF` prints \
             them",
        ),
        Reason::PolicyError => (
            "A rule of the policy could not be evaluated over this request, or the request is none by its schema, or holds a null, which \
             no policy reads, or the policy as a whole could not be used. That denies, whatever the other rules say.",
            "guard the member that the rule reads (`context.op has …`) and publish the policy again; where no rule is named, send \
             what its schema asks for, and leave out what is null. `eleven lineage replay` says which member it was; where no policy \
             decided, the authority's log says what is wrong with it",
        ),
        Reason::ApprovalRequired => (
            "The policy wants approvals for this very request, and too few were given.",
            "have as many of the named approvers approve it as the policy says",
        ),
        Reason::IdentityUnauthenticated => (
            "Nobody was authenticated: no credential, an unknown one, or one out of its time.",
            "send an identity token (`eleven identity issue`) or a client secret (`eleven client add`) as the API key",
        ),
        Reason::InterfaceUnapproved => {
            ("The service offers an interface that nobody approved.", "have the interface's version approved")
        }
        Reason::DelegationExceedsParent => (
            "A delegated artifact would allow more, or longer, than the one it descends from.",
            "ask for a scope within the parent's, an expiry not after it, and an operation that its policy delegates",
        ),
        Reason::LimitsExceeded => (
            "Something is larger, or there is more of it, than the protocol or this listener allows. Nothing is ever cut to a limit.",
            "send less, or complete workloads that were admitted; spec/limits.md lists every limit",
        ),
        Reason::FederationNoRoute => {
            ("There is no route of statements to the origin's domain.", "have the domains state each other")
        }
        Reason::FederationConstraint => (
            "A constraint on the route to the origin's domain does not hold.",
            "stay within what every statement of the route allows",
        ),
        Reason::FederationDrift => ("The peer domain has drifted from what it stated.", "end the drift at the peer"),
        Reason::FederationRevoked => ("The peer domain was revoked.", "there is no way back under the same name"),
    }
}

#[cfg(test)]
mod tests;
