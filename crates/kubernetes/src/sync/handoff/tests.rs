use super::*;

#[test]
fn a_refusal_and_a_denial_leave_the_handoff_as_it_is_and_a_ciphertext_that_is_none_does_not() {
    let is_later = |kind| matches!(undecrypted(Failure::new(kind, "why")), Trouble::Later(_));
    for kind in [
        FailureKind::Refused,
        FailureKind::Denied,
        FailureKind::Local,
        FailureKind::Unavailable,
        FailureKind::Overloaded(None),
    ] {
        assert!(is_later(kind), "{kind:?}");
    }
    assert!(!is_later(FailureKind::Rejected) && !is_later(FailureKind::Nonsense));
}
