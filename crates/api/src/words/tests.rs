use super::*;

#[test]
fn every_reason_has_words_of_its_own() {
    for reason in Reason::ALL {
        let (means, passes) = (meaning(*reason), would_pass(*reason));
        assert!(means.len() > 20 && means.ends_with('.'), "{reason}");
        assert!(passes.len() > 10 && !passes.ends_with('.'), "{reason}");
        let same = Reason::ALL.iter().filter(|other| meaning(**other) == means).count();
        assert_eq!(same, 1, "{reason}");
    }
}

#[test]
fn who_finds_no_containment_is_told_of_a_ledger_that_went_back() {
    let passes = would_pass(Reason::RuntimeContained);
    for part in ["`eleven subject lift KIND SUBJECT`", "the ledger went back", "until the epoch is reached"] {
        assert!(passes.contains(part), "{part}: {passes}");
    }
}

#[test]
fn a_reason_is_told_with_each_cause_for_which_it_is_given() {
    for (reason, told, helps) in [
        (Reason::RuntimeClock, "ten seconds away from the authority's clock", "same source"),
        (Reason::IssuerUnavailable, "no issuer key that counts", "renew the key"),
        (Reason::RuntimeUnregistered, "the runtime that was asked for has no point", "`eleven runtime register`"),
        (Reason::RuntimeUnregistered, "not with the key that it signs with", "`unapproved`"),
        (Reason::RuntimeIntegrity, "the policy asks for hardware evidence", "`attestation` is `software`"),
        (Reason::RuntimeIntegrity, "another event key than its registration names", "`unapproved`"),
        (Reason::OperationMismatch, "without the request that the policy binds", "with `request`"),
        (Reason::EnvironmentMismatch, "stand in several places", "through the point that is to run it"),
        (Reason::AuditDiscontinuity, "no head of the durability", "its witnesses"),
        (Reason::ArtifactReplayed, "the journal of a point that lost one", "a new artifact"),
        (Reason::ArtifactReplayed, "a point whose place another took", "a new artifact"),
        (Reason::AuditUnavailable, "the point was about to end", "where it was told to stop"),
        (Reason::PolicyError, "none by its schema", "what its schema asks for"),
        (Reason::PolicyError, "holds a null", "leave out what is null"),
        (Reason::LimitsExceeded, "there is more of it", "spec/limits.md lists every limit"),
    ] {
        assert!(meaning(reason).contains(told), "{reason}: {}", meaning(reason));
        assert!(would_pass(reason).contains(helps), "{reason}: {}", would_pass(reason));
    }
}
