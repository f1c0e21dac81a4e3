//! Finds the namespace of a token or a lease in its name.
//!
//! OpenBao and Vault end the names of what is in a child namespace with `.` and the namespace's id: the lease
//! `rabbitmq/creds/web/CKgtj….SLwc5r`, the accessor `mXc….SLwc5r`. Names in the root namespace have no such end. This
//! matters at the end of a run: a revoked token takes along the leases of its own namespace, and no others.

/// Returns the id of the namespace that `name` is in; empty for the root namespace.
pub(crate) fn of(name: &str) -> &str {
    let last = name.rsplit('/').next().unwrap_or_default();
    last.rsplit_once('.').map_or("", |(_, id)| id)
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn names_of_a_child_namespace_end_in_its_id_and_those_of_the_root_do_not() {
        assert_eq!(of("rabbitmq/creds/web/CKgtjWxYz.SLwc5r"), "SLwc5r");
        assert_eq!(of("mXcVbN0.SLwc5r"), "SLwc5r");
        for root in ["database/creds/web.v1/CKgtjWxYz", "mXcVbN0", ""] {
            assert_eq!(of(root), "", "{root:?}");
        }
    }
}
