//! Why something was refused: the codes of PROTOCOL 4.1, in the order in which admission finds them. A reason is never
//! free text; details go beside it.

use core::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// A reason for a refusal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &'static [Reason] = &[$(Self::$name,)*];

            /// The code that stands in events and answers.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The reason of a code.
            #[must_use]
            pub fn parse(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

reasons! {
    /// Step 1: nothing was presented.
    ArtifactMissing = "artifact.missing",
    /// Step 2: not of the form, past a limit, not canonical, or another algorithm.
    ArtifactMalformed = "artifact.malformed",
    /// Step 3: this point's clock went back, or the stamp lies ahead of it.
    RuntimeClock = "runtime.clock",
    /// Step 4: the authority's keys or revocations can't be resolved within the freshness window.
    IssuerUnavailable = "issuer.unavailable",
    /// Steps 4 and 15: an older epoch than was seen, or a containment covers this.
    RuntimeContained = "runtime.contained",
    /// Step 5: this point is not registered.
    RuntimeUnregistered = "runtime.unregistered",
    /// Step 5: another binary or configuration than was approved, or a key of the point's that does not count.
    RuntimeIntegrity = "runtime.integrity",
    /// Step 6: the issuer's or the issuance record's key does not count.
    ArtifactIssuerUntrusted = "artifact.issuer.untrusted",
    /// Step 7: a signature does not verify.
    ArtifactSignatureInvalid = "artifact.signature.invalid",
    /// Step 8: a digest, or the issuance record, is not this artifact's.
    ArtifactDigestMismatch = "artifact.digest.mismatch",
    /// Step 9: before its time.
    ArtifactNotYetValid = "artifact.not_yet_valid",
    /// Step 9: after its time.
    ArtifactExpired = "artifact.expired",
    /// Step 10: the caller, or its key, is another.
    IdentityMismatch = "identity.mismatch",
    /// Step 11: another operation, parameters, request or scope.
    OperationMismatch = "operation.mismatch",
    /// Step 12: another runtime, region or tenancy.
    EnvironmentMismatch = "environment.mismatch",
    /// Step 13: not exactly one policy in force covers this, or it is another.
    PolicyMismatch = "policy.mismatch",
    /// Step 14: the artifact or an ancestor is revoked.
    ArtifactRevoked = "artifact.revoked",
    /// Step 16: the ledger has not acknowledged for longer than the audit bound.
    AuditDiscontinuity = "audit.discontinuity",
    /// Step 17: a single-use artifact was used.
    ArtifactReplayed = "artifact.replayed",
    /// Step 17: a bounded artifact was used as often as it may be.
    ArtifactUseExhausted = "artifact.use.exhausted",
    /// Step 17: a rate artifact was used as often as it may be in its window.
    ArtifactRateExceeded = "artifact.rate.exceeded",
    /// Step 18, and wherever the ledger or the journal can't be written; or the point is about to end.
    AuditUnavailable = "audit.unavailable",
    /// No policy covers the operation.
    PolicyNone = "policy.none",
    /// More than one policy covers the operation.
    PolicyAmbiguous = "policy.ambiguous",
    /// The policy does not permit it.
    PolicyDenied = "policy.denied",
    /// The policy could not be evaluated.
    PolicyError = "policy.error",
    /// The policy wants approvals that are not there.
    ApprovalRequired = "approval.required",
    /// Nobody is authenticated.
    IdentityUnauthenticated = "identity.unauthenticated",
    /// An interface that nobody approved.
    InterfaceUnapproved = "interface.unapproved",
    /// A child that would be more than its parent.
    DelegationExceedsParent = "delegation.exceeds_parent",
    /// Past a limit of PROTOCOL 13.
    LimitsExceeded = "limits.exceeded",
    /// No route to the origin's domain.
    FederationNoRoute = "federation.no_route",
    /// A route's constraint does not hold.
    FederationConstraint = "federation.constraint",
    /// The peer has drifted.
    FederationDrift = "federation.drift",
    /// The peer is revoked.
    FederationRevoked = "federation.revoked",
}

impl Reason {
    /// The HTTP status of PROTOCOL 12: 401 without identity, 503 for what is unavailable, 403 for every other refusal.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::IdentityUnauthenticated => 401,
            Self::IssuerUnavailable | Self::AuditUnavailable => 503,
            _ => 403,
        }
    }

    /// Whether a denial for this reason is counted per second instead of being one event each (PROTOCOL 5.3).
    #[must_use]
    pub const fn is_counted(self) -> bool {
        matches!(self, Self::ArtifactMissing | Self::ArtifactMalformed | Self::IdentityUnauthenticated)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests;
