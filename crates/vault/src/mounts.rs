//! Finds the mount of a path. The path of a KV v2 secret has `data/` in it, which authors of templates may leave out.
//! Only the mount shows whether `data/` belongs there.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;

use leasehold_base::clock;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::request::{Request, Verb};
use leasehold_base::response::Response;
use leasehold_base::time::Moment;
use leasehold_base::tree::Tree;

mod doubt;

pub(super) use doubt::{as_a_secret, is_doubtful};

/// The place and kind of a secrets engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The beginning of the paths that lead to it, with a slash at the end. It includes a namespace if the path has
    /// one.
    pub path: String,
    /// The engine, as the server calls it: `kv`, `database`, `pki`.
    pub kind: String,
    /// Whether it is a KV engine that keeps versions.
    pub kv2: bool,
}

impl Mount {
    /// Returns the mount that the server says `path` is on.
    pub(super) fn from_response(path: &str, response: &Response) -> Option<Self> {
        let told = response.data.get("path")?.as_str()?;
        let version = response.data.get("options").and_then(|options| match options.get("version")? {
            Tree::Text(text) | Tree::Number(text) => text.expose_str(),
            _ => None,
        });
        let kind = response.data.get("type").and_then(Tree::as_str).unwrap_or_default().to_owned();
        let mut mount = Self { path: beginning(path, told)?, kind, kv2: false };
        mount.kv2 = mount.is_kv() && version == Some("2");
        Some(mount)
    }

    /// Returns whether it keeps what is written to it, so that reading mints nothing.
    #[must_use]
    pub fn is_kv(&self) -> bool {
        matches!(self.kind.as_str(), "kv" | "generic")
    }

    /// Returns the part of `path` behind the mount: nothing if the path is the mount itself, `None` if it is
    /// elsewhere.
    fn inside<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(&self.path).or_else(|| (Some(path) == self.path.strip_suffix('/')).then_some(""))
    }
}

/// Returns the beginning of `path` up to the end of the mount `told`. The server leaves out a namespace that is part
/// of the path.
fn beginning(path: &str, told: &str) -> Option<String> {
    let whole = format!("/{path}/");
    let mount = format!("/{}/", told.trim_matches('/'));
    let end = whole.find(&mount)? + mount.len();
    Some(whole[1..end].to_owned())
}

/// Returns the one form of `request` on `mount`. On a KV v2, that is with `data/` (for a list `metadata/`), whether
/// it was written so or not. Other requests stay as they are.
#[must_use]
pub fn canonical(request: &Request, mount: &Mount) -> Request {
    let inside = mount.inside(&request.path).filter(|_| mount.kv2);
    let path = inside.and_then(|inside| match request.verb {
        Verb::List => Some(listed(inside)),
        // The mount itself holds no secret, and a path with `metadata/` means the metadata.
        Verb::Read | Verb::Write if inside.is_empty() || is_below(inside, "metadata") => None,
        Verb::Read | Verb::Write if is_below(inside, "data") => None,
        Verb::Read | Verb::Write => Some(format!("data/{inside}")),
    });
    match path {
        Some(path) => Request { path: format!("{}{path}", mount.path), ..request.clone() },
        None => request.clone(),
    }
}

fn listed(inside: &str) -> String {
    if inside == "metadata" || is_below(inside, "metadata") {
        return inside.to_owned();
    }
    let names = if inside == "data" { "" } else { inside.strip_prefix("data/").unwrap_or(inside) };
    format!("metadata/{names}").trim_end_matches('/').to_owned()
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Returns whether a write to `path` on `mount` takes its fields inside `data`.
pub(super) fn wraps_writes(path: &str, mount: &Mount) -> bool {
    mount.kv2 && mount.inside(path).is_some_and(|inside| is_below(inside, "data"))
}

/// The mounts found so far. A failed look is never kept, so that a server that was down at the first look does not
/// make every secret a KV v1 one for ever.
#[derive(Default)]
pub(super) struct Mounts {
    known: Mutex<Vec<Known>>,
    /// The looks under way, by the first segment of the path.
    flights: Mutex<HashMap<String, Flight>>,
}

/// A mount that was found.
struct Known {
    mount: Mount,
    /// When the server said so; the beginning of time if an earlier run found it.
    told: Moment,
}

/// What the server says about a mount is not doubted within this time, however many secrets of it are not found.
pub(super) const SURE: Duration = Duration::from_secs(10);

type Flight = Arc<OnceCell<Landed>>;

/// How a look ended, and the path that it looked at. That need not be the path of the task that began it, which may
/// have been dropped, so that another one that waited took over.
struct Landed {
    path: String,
    result: Result<Option<Mount>, Failure>,
}

impl Mounts {
    /// Returns the mount of `path`, if it was found.
    pub(super) fn known(&self, path: &str) -> Option<Mount> {
        self.known_since(path, Moment::default())
    }

    pub(super) fn known_since(&self, path: &str, since: Moment) -> Option<Mount> {
        let known = lock(&self.known);
        let mut of_path = known.iter().filter(|known| known.mount.inside(path).is_some());
        of_path.find(|known| known.told >= since).map(|known| known.mount.clone())
    }

    fn add(&self, mount: Mount, told: Moment) {
        lock(&self.known).push(Known { mount, told });
    }

    /// Returns all mounts.
    pub(super) fn all(&self) -> Vec<Mount> {
        lock(&self.known).iter().map(|known| known.mount.clone()).collect()
    }

    /// Takes over the mounts that an earlier run found.
    pub(super) fn adopt(&self, mounts: Vec<Mount>) {
        mounts.into_iter().for_each(|mount| self.add(mount, Moment::default()));
    }

    /// Learns from a KV version 2 that answered this request, if the request shows where it is mounted.
    pub(super) fn learn(&self, request: &Request) {
        let Some(path) = request.mount_as_kept() else { return };
        if self.known(&request.path).is_none() {
            let mount = Mount { path: path.to_owned(), kind: "kv".to_owned(), kv2: true };
            self.add(mount, clock::moment());
        }
    }

    pub(super) fn forget(&self) {
        lock(&self.known).clear();
    }

    /// Returns the mount of `path`, and asks `look` if it is not known. Requests for paths with the same first
    /// segment wait for one answer if they are made at the same time. Returns `None` if the server does not say: the
    /// token has no permission, or the server is too old to know the question.
    pub(super) async fn find<F>(&self, path: &str, look: impl Fn() -> F) -> Result<Option<Mount>, Failure>
    where
        F: Future<Output = Result<Response, Failure>>,
    {
        self.seek(path, Moment::default(), look).await
    }

    /// Finds a mount like [`Mounts::find`], but only what the server said since then counts as known.
    async fn seek<F>(&self, path: &str, since: Moment, look: impl Fn() -> F) -> Result<Option<Mount>, Failure>
    where
        F: Future<Output = Result<Response, Failure>>,
    {
        loop {
            if let Some(mount) = self.known_since(path, since) {
                return Ok(Some(mount));
            }
            let flight = Arc::clone(lock(&self.flights).entry(first_segment(path).to_owned()).or_default());
            let landed = flight.get_or_init(|| async { self.land(path, look().await) }).await;
            self.leave(path, &flight);
            match &landed.result {
                // The answer was for another mount with the same first segment, or is a refusal that may concern it
                // alone.
                Ok(Some(mount)) if mount.inside(path).is_none() => {}
                Ok(None) if landed.path != path => {}
                result => return result.clone(),
            }
        }
    }

    /// Finds a mount like [`Mounts::find`] that may have changed: what the server said before `since` is asked anew.
    /// If it does not say now, what is known stays.
    pub(super) async fn find_since<F>(
        &self,
        path: &str,
        since: Moment,
        look: impl Fn() -> F,
    ) -> Result<Option<Mount>, Failure>
    where
        F: Future<Output = Result<Response, Failure>>,
    {
        let found = self.seek(path, since, look).await?;
        Ok(found.or_else(|| self.known(path)))
    }

    /// Ends the look for later requests. The first request that waited for it does that.
    fn leave(&self, path: &str, flight: &Flight) {
        let mut flights = lock(&self.flights);
        if flights.get(first_segment(path)).is_some_and(|current| Arc::ptr_eq(current, flight)) {
            flights.remove(first_segment(path));
        }
    }

    fn land(&self, path: &str, answer: Result<Response, Failure>) -> Landed {
        let result = match answer {
            Ok(response) => {
                let mount = Mount::from_response(path, &response);
                if let Some(mount) = mount.clone() {
                    // Another mount may have been in its place.
                    lock(&self.known).retain(|known| known.mount.inside(path).is_none());
                    self.add(mount, clock::moment());
                }
                Ok(mount)
            }
            Err(failure) => match failure.kind {
                FailureKind::Denied | FailureKind::Missing | FailureKind::Rejected => Ok(None),
                _ => Err(failure),
            },
        };
        Landed { path: path.to_owned(), result }
    }
}

fn first_segment(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

/// Locks. Nothing here panics while it holds a lock, so a poisoned one holds what it should.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(path: &str, kv2: bool) -> Mount {
        Mount { path: path.to_owned(), kind: "kv".to_owned(), kv2 }
    }

    fn response(path: &str, version: &str) -> Response {
        let options = Tree::map([("version", Tree::text(version))]);
        let data = [("path", Tree::text(path)), ("type", Tree::text("kv")), ("options", options)];
        Response { data: Tree::map(data), ..Response::default() }
    }

    #[test]
    fn both_ways_of_writing_a_versioned_secret_are_one() {
        let secret = mount("secret/", true);
        for (written, kept) in [
            ("secret/web", "secret/data/web"),
            ("secret/data/web", "secret/data/web"),
            ("secret/a/b", "secret/data/a/b"),
            ("secret/config", "secret/data/config"),
            ("secret/data", "secret/data/data"),
            ("secret/database", "secret/data/database"),
            ("secret/metadata/web", "secret/metadata/web"),
            ("secret", "secret"),
            ("secrets/web", "secrets/web"),
        ] {
            let request = Request::read(&format!("{written}?version=3")).expect("a good path");
            let canonical = canonical(&request, &secret);
            assert_eq!(canonical.path, kept);
            assert_eq!(canonical.args, request.args);
        }
    }

    #[test]
    fn a_list_is_of_the_metadata() {
        for (written, kept) in [
            ("secret", "secret/metadata"),
            ("secret/data", "secret/metadata"),
            ("secret/metadata", "secret/metadata"),
            ("secret/team", "secret/metadata/team"),
            ("secret/data/team", "secret/metadata/team"),
            ("secret/metadata/team", "secret/metadata/team"),
        ] {
            let request = Request::list(written).expect("a good path");
            assert_eq!(canonical(&request, &mount("secret/", true)).path, kept);
        }
    }

    #[test]
    fn an_unversioned_mount_changes_nothing() {
        for request in [Request::read("kv/data/web"), Request::list("kv")] {
            let request = request.expect("a good path");
            assert_eq!(canonical(&request, &mount("kv/", false)), request);
        }
    }

    #[test]
    fn a_mount_is_versioned_by_its_options() {
        let kv2 = |version| Mount::from_response("secret/web", &response("secret/", version));
        assert_eq!(kv2("2"), Some(mount("secret/", true)));
        assert_eq!(kv2("1"), Some(mount("secret/", false)));
        let data = [("path", Tree::text("database/")), ("type", Tree::text("database"))];
        let database = Response { data: Tree::map(data), ..Response::default() };
        let found = Mount::from_response("database/creds/x", &database).expect("a mount");
        assert_eq!((found.path.as_str(), found.is_kv(), found.kv2), ("database/", false, false));
    }

    #[test]
    fn a_namespace_in_the_path_belongs_to_the_mount() {
        let found = Mount::from_response("team/secret/web", &response("secret/", "2"));
        assert_eq!(found, Some(mount("team/secret/", true)));
        assert_eq!(Mount::from_response("team/web", &response("secret/", "2")), None);
    }

    /// A server whose looks end when told to.
    struct Server {
        looks: Mutex<Vec<String>>,
        gate: tokio::sync::Semaphore,
    }

    impl Server {
        fn new() -> Self {
            Self { looks: Mutex::default(), gate: tokio::sync::Semaphore::new(0) }
        }

        async fn look(&self, path: &str, answer: Result<Response, Failure>) -> Result<Response, Failure> {
            lock(&self.looks).push(path.to_owned());
            self.gate.acquire().await.expect("open").forget();
            answer
        }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
    }

    fn failed(kind: FailureKind) -> Result<Response, Failure> {
        Err(Failure::new(kind, "no"))
    }

    #[test]
    fn requests_for_one_mount_share_one_look() {
        let (mounts, server) = (Mounts::default(), Server::new());
        let find = |path: &'static str| {
            let server = &server;
            mounts.find(path, move || server.look(path, Ok(response("secret/", "2"))))
        };
        let (a, b, c) = run(async {
            let open = async { server.gate.add_permits(1) };
            let (a, b, ()) = tokio::join!(find("secret/a"), find("secret/b"), open);
            (a, b, find("secret/c").await)
        });
        let secret = Ok(Some(mount("secret/", true)));
        assert_eq!([&a, &b, &c], [&secret, &secret, &secret]);
        assert_eq!(*lock(&server.looks), ["secret/a"]);
    }

    #[test]
    fn a_failed_look_is_shared_and_not_kept() {
        let (mounts, server) = (Mounts::default(), Server::new());
        server.gate.add_permits(9);
        let find = |path: &'static str, answer: fn() -> Result<Response, Failure>| {
            let server = &server;
            mounts.find(path, move || server.look(path, answer()))
        };
        run(async {
            let down = || failed(FailureKind::Unavailable);
            assert!(find("secret/a", down).await.is_err());
            assert_eq!(find("secret/a", || failed(FailureKind::Denied)).await, Ok(None));
            let found = find("secret/a", || Ok(response("secret/", "2"))).await;
            assert_eq!(found, Ok(Some(mount("secret/", true))));
        });
        assert_eq!(lock(&server.looks).len(), 3);
    }

    #[test]
    fn a_mount_that_may_be_another_is_asked_about_anew_unless_the_server_has_just_told() {
        let (mounts, server) = (Mounts::default(), Server::new());
        server.gate.add_permits(9);
        mounts.adopt(vec![mount("kv/", false)]);
        let again = |answer: fn() -> Result<Response, Failure>| {
            let server = &server;
            mounts.find_since("kv/web", clock::moment().before(SURE), move || server.look("kv/web", answer()))
        };
        run(async {
            let denied = || failed(FailureKind::Denied);
            assert_eq!(again(denied).await, Ok(Some(mount("kv/", false))), "not told: as it was");
            assert!(again(|| failed(FailureKind::Unavailable)).await.is_err());
            let upgraded = again(|| Ok(response("kv/", "2"))).await;
            assert_eq!(upgraded, Ok(Some(mount("kv/", true))));
            assert_eq!(again(denied).await, upgraded, "not asked");
        });
        assert_eq!(lock(&server.looks).len(), 3);
        assert_eq!(mounts.all(), [mount("kv/", true)]);
    }

    #[test]
    fn a_refusal_for_one_path_does_not_decide_for_another() {
        let (mounts, server) = (Mounts::default(), Server::new());
        server.gate.add_permits(2);
        let (a, b) = run(async {
            tokio::join!(
                mounts.find("team/a/x", || server.look("team/a/x", failed(FailureKind::Denied))),
                mounts.find("team/b/x", || server.look("team/b/x", Ok(response("team/b/", "2")))),
            )
        });
        assert_eq!(a, Ok(None));
        assert_eq!(b, Ok(Some(mount("team/b/", true))));
    }

    #[test]
    fn another_passenger_takes_over_from_one_that_is_dropped() {
        let (mounts, server) = (Mounts::default(), Server::new());
        let found = run(async {
            let mut first =
                Box::pin(mounts.find("secret/a", || server.look("secret/a", failed(FailureKind::Fault))));
            tokio::select! {
                biased;
                _ = &mut first => panic!("the gate is shut"),
                () = std::future::ready(()) => {}
            }
            let second = mounts.find("secret/b", || server.look("secret/b", Ok(response("secret/", "2"))));
            drop(first);
            server.gate.add_permits(1);
            second.await
        });
        assert_eq!(found, Ok(Some(mount("secret/", true))));
    }
}
