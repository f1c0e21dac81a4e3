//! Months of one sidecar. `make simulate-long` lives through 400 days.

use leasehold_testkit::sim::long;

#[test]
fn six_weeks_of_restarts_and_outages_leave_no_request_deadline_or_lease_behind() {
    let weeks = long::live(6 * 7).expect("every promise holds");
    assert_eq!(long::grown(&weeks), [""; 0], "{weeks:#?}");
}
