//! The library's own client, as tests ask with it.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use leasehold::config::plan::{AuthMethod, AuthPlan, VaultPlan};
use leasehold::secret::Secret;
use leasehold_base::request::Request;

/// Runs to its end what is asked, as the program does: on one thread.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// A server's place, with what a configuration has by default.
pub fn vault_plan(address: &str, ca_file: Option<PathBuf>) -> VaultPlan {
    VaultPlan {
        address: address.parse().expect("an address"),
        namespace: None,
        ca_file,
        ca_dir: None,
        client_cert: None,
        server_name: None,
        redirect_hosts: Vec::new(),
        proxy: None,
        timeout: Duration::from_secs(15),
        rate_limit: None,
        max_in_flight: 8,
    }
}

/// A login at `mount` below auth/.
pub fn auth_plan(mount: &str, method: AuthMethod) -> AuthPlan {
    AuthPlan { mount: mount.to_owned(), namespace: None, method, wrap_ttl: None }
}

/// A write of these fields.
pub fn write_request(path: &str, args: &[(&str, &str)]) -> Request {
    let args: BTreeMap<_, _> = args.iter().map(|(k, v)| ((*k).to_owned(), Secret::from(*v))).collect();
    Request::write(path, args).expect("a good path")
}
