//! The election, from the side of a controller: it waits for the Lease, and ends before another replica may take it.

use std::time::Duration;

use leasehold_base::clock;
use leasehold_base::time::Moment;

use crate::cluster::{Cluster, Election};

/// The pause between two renewals of the Lease: a fifth of its life.
const LOOK: Duration = Duration::from_secs(3);

/// Waits until this replica leads. Returns the moment from which the life of its Lease counts.
pub(super) async fn wait(election: &mut Election, cluster: &Cluster) -> Moment {
    let mut said = String::new();
    loop {
        let now = clock::moment();
        let why = match look(election, cluster, Election::GRACE).await {
            Ok(true) => return now,
            Ok(false) => election.refusal().unwrap_or("another replica leads").to_owned(),
            Err(why) => why,
        };
        if why != said {
            tracing::info!("following: {why}");
            said = why;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Renews the Lease, and returns when it is lost. Another replica takes it when its life is over. So this one stops before that,
/// also if the API server takes a renewal and does not answer.
pub(super) async fn until_lost(election: &mut Election, cluster: &Cluster, mut renewed: Moment) {
    loop {
        tokio::time::sleep(LOOK.min(left(renewed))).await;
        let now = clock::moment();
        match look(election, cluster, left(renewed)).await {
            Ok(true) => renewed = now,
            Ok(false) => return,
            Err(why) if left(renewed).is_zero() => {
                tracing::warn!("the Lease could not be renewed: {why}");
                return;
            }
            Err(_) => {}
        }
    }
}

/// Returns how long this replica may go on without a renewal.
fn left(renewed: Moment) -> Duration {
    Election::GRACE.saturating_sub(renewed.until(clock::moment()))
}

/// Looks at the Lease once, for no longer than this.
async fn look(election: &mut Election, cluster: &Cluster, within: Duration) -> Result<bool, String> {
    let now = clock::now();
    match tokio::time::timeout(within, election.look(cluster, now.moment, now.wall)).await {
        Ok(result) => result.map_err(|away| away.to_string()),
        Err(_) => Err("the API server has not answered in time".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_leader_ends_in_time_where_the_api_server_takes_requests_and_answers_none() {
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = format!("http://{}", silent.local_addr().expect("it is bound"));
        let cluster = Cluster::at(&address);
        let mut election = Election::strict("lease", "me");
        let (now, before) = (clock::moment(), Duration::from_secs(5));
        until_lost(&mut election, &cluster, now.before(before)).await;
        let whole = before + now.until(clock::moment());
        assert!((Election::GRACE..Election::LIFE).contains(&whole), "{whole:?}");
    }
}
