use super::*;

#[test]
fn an_act_at_which_the_authority_broke_off_is_its_own_fault_and_no_other_is() {
    let broken = ActError::from(NotCompiled::Broken).problem();
    assert_eq!((broken.status, broken.reason), (500, None));
    assert!(broken.detail.contains("a fault of the authority's"), "{broken}");
    let others = [
        (ActError::from(NotCompiled::Late), 400),
        (ActError::Form(FormError("args: no member".into())), 400),
        (ActError::Impossible("whatever the registry holds"), 400),
        (ActError::Unknown("nothing of that name".into()), 404),
        (ActError::Refused("by its rules".into()), 409),
        (ActError::Unavailable("nobody is there".into()), 503),
        (ActError::NotBegun("another was before it"), 503),
        (ActError::Pending, 503),
    ];
    for (error, status) in others {
        assert_eq!(error.problem().status, status, "{error}");
    }
}

#[test]
fn a_version_that_is_not_the_next_is_refused_with_the_reference_of_that() {
    let problem = ActError::Registry(FoldError::PolicyVersion("policy://a/v4".into())).problem();
    assert_eq!((problem.status, problem.next.as_deref()), (409, Some("policy://a/v4")));
    assert_eq!(ActError::Registry(FoldError::SubjectRevoked).problem().next, None);
    let unknown = ActError::Registry(FoldError::Unknown("policy")).problem();
    assert_eq!(unknown.detail, "there is no such policy: `eleven registry show` lists what there is");
}
