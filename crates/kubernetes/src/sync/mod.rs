//! Keeps Secrets of Kubernetes as they are defined: a drop-in for secrets-manager.
//!
//! ```text
//! SecretDefinitions ─▶ watch (kube's Controller) ─▶ reconcile (finalizer, check) ─┐ Want, Drop, Refuse
//! Secrets, metadata ─▶ watch ─────────────────────────────────────────────────────┤ Seen
//!                                                                                 ▼
//!          board (metrics, events, readiness) ◀── run: core::Engine, VaultServer, render ─▶ publisher ─▶ Secrets
//! ```
//!
//! A definition is a unit of the engine, and each key of its Secret is a file of that unit. `definition`, `secret`,
//! `roster` and `desk` are pure.

mod board;
mod definition;
mod desk;
mod events;
mod flags;
mod handoff;
mod handovers;
mod hub;
mod identity;
mod kinds;
mod lead;
mod object;
mod options;
mod orphans;
mod publisher;
mod reconcile;
mod restart;
mod roster;
mod run;
mod scope;
mod secret;
mod serve;
mod statuses;
mod synced;
mod watch;
mod world;

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use leasehold_base::time::Moment;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

pub(crate) use flags::{Flags, are_meant};
pub(crate) use options::Options;

use crate::cluster::{Cluster, Election};
use board::Board;
use definition::{Key, Kind, Kv, Rules};
use desk::Message;
use handoff::Handoffs;
use hub::Hub;
use identity::Identity;
use publisher::Publisher;
use reconcile::Context;
use restart::rollout::Restarter;
use roster::Basis;
use run::Places;
use scope::Scope;

/// The CustomResourceDefinitions of both kinds.
pub(crate) const CRDS: &str = include_str!("../../crds.yaml");

/// The Lease of secrets-manager: controllers of both programs never lead together.
const LEASE: &str = "5ac9a181.secrets-manager.tuenti.io";
/// The pause between two checks whether the cluster was set back to an older state.
const GLANCE: Duration = Duration::from_secs(20);
/// When no definition has come and no Secret was written for this long, memory is given back.
const QUIET: Duration = Duration::from_secs(5);
/// The time for the revocation of what was minted: the engine takes ten seconds of it at most, and then writes its handoff.
const FAREWELL: Duration = Duration::from_secs(15);

/// Syncs until SIGTERM.
///
/// # Errors
/// Says what keeps it from starting, or that another replica leads by now.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    crate::log::start(options.json, &options.level);
    options.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, sync(options))
}

/// Reads a SyncedSecret as the controller does, with the types that are allowed without `-secret-types`.
///
/// # Errors
/// What the controller would report about it.
pub(crate) fn read(
    namespace: &str,
    name: &str,
    spec: &serde_json::Value,
) -> Result<(), crate::refusal::Refusal> {
    let key = Key { kind: Kind::SyncedSecret, namespace: namespace.into(), name: name.into() };
    let rules = Rules { kv: Kv::Two, logs_in: false, by_namespace: None, types: Default::default() };
    synced::read(key, &serde_json::Value::Null, spec, &rules).map(drop)
}

async fn sync(options: &Options) -> Result<(), String> {
    let cluster = find(options.kubeconfig.as_deref(), options.namespace.clone()).await?;
    let cluster = Arc::new(cluster);
    let (engine, inbox) = unbounded_channel();
    let (notes, to_tell) = unbounded_channel();
    let board = Rc::new(Board::new(notes, options));
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|error| format!("cannot wait for SIGTERM: {error}"))?;
    serve::start(options.listen, Rc::clone(&board)).await?;
    let mut election = None;
    if options.elects {
        let mut own = Election::strict(LEASE, &options.me);
        let renewed = tokio::select! {
            renewed = lead::wait(&mut own, &cluster) => renewed,
            _ = terminate.recv() => return Ok(()),
        };
        tracing::info!("leading");
        election = Some((own, renewed));
    }
    board.lead();
    let publisher = Publisher::new(Arc::clone(&cluster));
    let basis = Basis {
        vault: options.vault.clone(),
        auth: options.auth.clone(),
        store: options.store.clone(),
        login: Identity::Controller.to_string(),
        token: None,
        period: options.period,
        seed: seed(&options.me),
    };
    let handoffs = handoffs(options, &cluster)?;
    let restarter = Restarter::new(Arc::clone(&cluster));
    let places = (Places { publisher: publisher.clone(), restarter, handoff: None }, handoffs.clone());
    let scope = Scope { watched: options.watched.clone(), excluded: options.excluded.clone() };
    let bounds = (basis, scope, options.most_logins);
    let hub = Hub::new(Arc::clone(&cluster), places, engine.clone(), Rc::clone(&board), bounds);
    let running = tokio::task::spawn_local(hub.run(inbox));
    tokio::task::spawn_local(events::tell(Arc::clone(&cluster), to_tell));
    tokio::task::spawn_local(rest(Rc::clone(&board)));
    watch(options, &cluster, &publisher, &engine, &board);
    let watched = options.watched.iter().map(|name| format!("/namespaces/{name}")).collect();
    let lost = tokio::select! {
        _ = terminate.recv() => {
            tracing::info!("stopping: SIGTERM");
            None
        }
        () = until_lost(&mut election, &cluster) => Some("the Lease is another replica's; this one ends, and starts anew as a follower"),
        () = until_gone_back(&cluster, watched) => Some("the API server has an older state than before: its etcd was restored; this process ends, and starts anew with what is there"),
    };
    if lost.is_some() {
        // The Secrets' values are good until the next leader has something better, so nothing is revoked.
        running.abort();
    } else {
        let _sent = engine.send(Message::Stop);
        let _over = tokio::time::timeout(FAREWELL, running).await;
    }
    if let Some(handoffs) = handoffs {
        handoffs.leave().await;
    }
    if let Some((election, _)) = &mut election {
        election.leave(&cluster).await;
    }
    lost.map_or(Ok(()), |why| Err(why.to_owned()))
}

/// Gives back what a burst of work took of memory, for ever: the heap, and the pages of the program.
async fn rest(board: Rc<Board>) {
    let mut pages = leasehold::pages::Pages::open().ok();
    let (mut seen, mut owes) = (0, false);
    loop {
        tokio::time::sleep(QUIET).await;
        let work = board.work();
        if std::mem::replace(&mut seen, work) != work {
            owes = true;
        } else if std::mem::take(&mut owes) {
            leasehold::pages::give_back_heap();
            // Where the kernel does not take them, they stay.
            if pages.as_mut().is_some_and(|pages| pages.give_back().is_err()) {
                pages = None;
            }
        }
    }
}

/// Returns the handoffs to the next leader, if the options ask for them.
fn handoffs(options: &Options, cluster: &Arc<Cluster>) -> Result<Option<Rc<Handoffs>>, String> {
    let (Some(settings), Some(auth)) = (&options.handoff, &options.auth) else { return Ok(None) };
    let server = (&options.vault, auth);
    let handoffs = Handoffs::new(settings.clone(), Arc::clone(cluster), server, &options.me);
    let handoffs = handoffs.map_err(|failure| failure.why)?;
    Ok(Some(Rc::new(handoffs)))
}

async fn find(kubeconfig: Option<&Path>, namespace: Option<String>) -> Result<Cluster, String> {
    let found = match kubeconfig {
        Some(path) => Cluster::read(path, namespace).await,
        None => Cluster::find(namespace).await,
    };
    found.map_err(|away| away.to_string())
}

/// Watches definitions of both kinds and Secrets, in the namespaces of the options.
fn watch(
    options: &Options,
    cluster: &Arc<Cluster>,
    publisher: &Publisher,
    engine: &UnboundedSender<Message>,
    board: &Board,
) {
    let mut namespaces: Vec<Option<String>> = options.watched.iter().cloned().map(Some).collect();
    if namespaces.is_empty() {
        namespaces.push(None);
    }
    let lists = namespaces.iter().flat_map(|namespace| {
        let kinds = Kind::ALL.map(Some).into_iter().chain([None]);
        kinds.map(|kind| (kind, namespace.clone()))
    });
    board.await_lists(lists.collect());
    for namespace in &namespaces {
        tokio::spawn(watch::look(cluster.client(), namespace.clone(), engine.clone()));
    }
    let contexts = Kind::ALL.map(|kind| {
        Arc::new(Context {
            kind,
            cluster: Arc::clone(cluster),
            publisher: publisher.clone(),
            rules: options.rules.clone(),
            excluded: options.excluded.clone(),
            engine: engine.clone(),
        })
    });
    tokio::task::spawn_local(kinds::attend(namespaces, contexts));
}

/// Returns when the Lease is lost. Without an election it is never lost.
async fn until_lost(election: &mut Option<(Election, Moment)>, cluster: &Cluster) {
    match election {
        Some((election, renewed)) => lead::until_lost(election, cluster, *renewed).await,
        None => std::future::pending().await,
    }
}

/// Returns when the cluster has gone back to an older state. Each of the namespaces is asked in its turn, since the right may be
/// missing in one of them.
async fn until_gone_back(cluster: &Cluster, mut namespaces: VecDeque<String>) {
    loop {
        let within = namespaces.pop_front().unwrap_or_default();
        let label = secret::LABEL.replace('/', "%2F");
        let path = format!("/api/v1{within}/secrets?limit=1&labelSelector={label}%3Dtrue");
        namespaces.push_back(within);
        if cluster.has_gone_back(&path).await {
            return;
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// Returns a seed that spreads replicas apart, and stays the same for one replica.
fn seed(me: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    me.hash(&mut hasher);
    hasher.finish()
}
