//! The promises that must hold after every step, whatever goes wrong. Each check names the promise that it guards.
//!
//! Some promises need a good server. They are checked only after the world has been calm for long enough. The longest
//! pause between tries is a minute. After refused logins it is a quarter of an hour, if the server locks accounts.

mod generations;
mod losses;
mod proxies;
mod readiness;
mod remains;
mod requests;
mod starts;
mod stores;
mod told;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use leasehold_core::action::{Action, Question};
use leasehold_core::ids::{FileId, LeaseId};
use leasehold_core::policy::Mode;

use generations::{one_generation, set_wait};
use readiness::never_ready_when_expired;
use remains::nothing_left;
use requests::{given_back, lockout_not_tripped, most_a_minute, no_login_storm, quiet_during_outage};
use starts::no_vain_end;
use told::all_are_told;

use super::application;
use super::driver::SINK;
use super::server::Lease;
use super::setup::Kind;
use super::world::World;

/// The longest pause between tries, and the time to act on one.
const PATIENCE: Duration = Duration::from_secs(75);
/// The same after refused logins.
const LOCKED: Duration = Duration::from_secs(16 * 60);
const MINUTE: Duration = Duration::from_secs(60);
const QUARTER: Duration = Duration::from_secs(15 * 60);
/// How long a denied token that may not look itself up counts as alive after its last success. After that, the engine
/// has to log in again.
const BLIND: Duration = Duration::from_secs(15 * 60);
/// For this long after a login, denials are put down to a standby that lags. The engine tries three times, one to three
/// seconds apart.
const LAG: Duration = Duration::from_secs(10);

type Held = Result<(), String>;

/// What the checks remember.
#[derive(Debug, Default)]
pub struct Checks {
    /// When requests were sent in the last minute.
    sent: VecDeque<Duration>,
    /// When logins were sent.
    logins: VecDeque<Duration>,
    /// When runs were started, except for the first, and when other credentials came.
    starts: VecDeque<Duration>,
    /// Since when each path has had more than one live lease that we know of.
    double: BTreeMap<String, Duration>,
    /// When a file's template was last seen failing.
    failed: BTreeMap<FileId, Duration>,
    /// A run was killed, and what it knew was not in the handoff.
    lost: bool,
    runs: u64,
    /// The files that were lost and are not back yet, with the time of each loss.
    losses: BTreeMap<FileId, Duration>,
    /// When a file was last lost.
    lost_last: Option<Duration>,
    /// When something was last in the way of a lease's renewal.
    hindered: Duration,
    /// The newest version of each store's value that each file has had.
    newest: BTreeMap<(FileId, String), u64>,
    /// The values that a run without its handoff may publish once in an older version.
    may_go_back: BTreeSet<(FileId, String)>,
    /// The last login was asked for while there was an earlier login, which it is to succeed.
    succeeds: bool,
}

impl Checks {
    pub fn started(&mut self, run: u64, now: Duration) {
        if self.runs > 0 {
            self.starts.push_back(now);
        }
        self.runs = run;
    }

    /// Records that other credentials are there.
    pub fn delivered(&mut self, now: Duration) {
        self.starts.push_back(now);
    }

    /// Forgets all logins so far, because the pauses between logins begin anew.
    pub fn forget_logins(&mut self) {
        self.logins.clear();
    }

    /// Records that another process removed or changed this file.
    pub fn note_loss(&mut self, file: FileId, now: Duration) {
        self.losses.insert(file, now);
        self.lost_last = Some(now);
    }

    /// Records that a run was killed. `lost` is true if the run could not leave what it knew to the next run.
    pub fn note_kill(&mut self, lost: bool) {
        self.lost |= lost;
        if lost {
            self.may_go_back = self.newest.keys().cloned().collect();
        }
    }

    /// Checks one action before it is performed.
    pub fn action(world: &mut World, action: &Action) -> Held {
        let now = world.now;
        let is_request =
            matches!(action, Action::Ask(question) if !matches!(question, Question::Fetch { .. }));
        if is_request {
            Self::request(world, action)?;
            proxies::replaces_nothing_good(world, action)?;
        }
        if let Action::Ask(Question::LogIn(_)) = action {
            world.checks.logins.push_back(now);
            let snapshot = world.process.as_ref().map(|process| process.engine.snapshot());
            world.checks.succeeds =
                snapshot.is_some_and(|snapshot| snapshot.tokens.iter().any(|token| !token.leaving));
        }
        if let Action::Ask(Question::RevokeLease { lease, .. }) = action {
            nothing_uses(world, |id, _| id == lease)?;
        }
        if let Action::Ask(Question::RevokeToken(id)) = action {
            let own = world.process.as_ref().and_then(|process| process.tokens.get(id)).copied();
            nothing_uses(world, |_, lease| Some(lease.token) == own)?;
            no_sink_shows(world, own)?;
        }
        if let Action::Publish { files, .. } = action {
            one_generation(world, files)?;
        }
        if let Action::Exit(_) = action
            && world.applications.running.is_some()
        {
            return Err("the end, while the process runs".to_owned());
        }
        if let Action::Exit(Err(ending)) = action {
            no_vain_end(world, ending)?;
        }
        // A daemon that is stopped without ever having been ready ends with the reason, and leaves nothing either.
        let daemon = world.process.as_ref().is_some_and(|process| process.mode == Mode::Daemon);
        if let Action::Exit(result) = action
            && (result.is_ok() || daemon)
        {
            nothing_left(world)?;
        }
        Ok(())
    }

    /// Checks a request before it is sent. The request rate is bounded, no dropped token is used, and no more requests
    /// than the limit are under way.
    fn request(world: &mut World, action: &Action) -> Held {
        let now = world.now;
        let process = world.process.as_ref().ok_or("an action without a process")?;
        let token = match action {
            Action::Ask(Question::LookUp(id))
            | Action::Ask(Question::RenewToken(id))
            | Action::Ask(Question::RevokeToken(id)) => Some(id),
            Action::Ask(Question::Resolve { token, .. })
            | Action::Ask(Question::Read { token, .. })
            | Action::Ask(Question::Wrap { token, .. })
            | Action::Ask(Question::Renew { token, .. })
            | Action::Ask(Question::RevokeLease { token, .. }) => Some(token),
            _ => None,
        };
        if let Some(id) = token.filter(|id| process.dropped.contains(id) || !process.tokens.contains_key(id))
        {
            return Err(format!("a request with {id:?}, which is dropped or was never there"));
        }
        let one_at_a_time = match action {
            Action::Ask(Question::LogIn(_)) => process.logging_in,
            Action::Ask(Question::LookUp(id)) => process.looking_up.contains(id),
            Action::Ask(Question::Probe) => process.probing,
            _ => false,
        };
        if one_at_a_time {
            return Err(format!("{action:?} while another is under way"));
        }
        if process.under_way >= 8 && *action != Action::Ask(Question::Probe) {
            return Err("more requests under way than allowed".to_owned());
        }
        let checks = &mut world.checks;
        // The client knows what a mount is for ten seconds, and asks once for all secrets of it.
        if !matches!(action, Action::Ask(Question::Resolve { again: true, .. })) {
            checks.sent.push_back(now);
        }
        while checks.sent.front().is_some_and(|at| *at + MINUTE < now) {
            checks.sent.pop_front();
        }
        let most = most_a_minute(world);
        let sent = world.checks.sent.len();
        if sent > most && sent > most + given_back(world) {
            return Err(format!("{sent} requests in a minute, where {most} are plenty"));
        }
        Ok(())
    }

    /// Checks the world after a step.
    pub fn look(world: &mut World) -> Held {
        world.note_partial();
        no_login_storm(world)?;
        proxies::no_page_is_published(world)?;
        proxies::what_can_be_renewed_is(world)?;
        lockout_not_tripped(world)?;
        never_served_past_expiry(world)?;
        recovers(world)?;
        fresh(world)?;
        overlap_is_bounded(world)?;
        all_are_told(world)?;
        never_ready_when_expired(world)?;
        application::is_kept_up(world)?;
        losses::what_is_lost_comes_back(world)?;
        stores::nothing_goes_back(world)?;
        stores::the_others_follow(world)?;
        stores::readiness_says_which(world)?;
        stores::what_is_away_is_left_alone(world)?;
        quiet_during_outage(world)
    }
}

/// Checks that nothing uses the leases that `which` selects, because they are about to be revoked. While a run serves,
/// it revokes only leases that no file on disk uses, and that every application was notified to use no longer.
fn nothing_uses(world: &World, which: impl Fn(&LeaseId, &super::server::Lease) -> bool) -> Held {
    for (file, id) in application::in_use(world) {
        let alive = world.server.is_lease_known(id, world.now);
        if alive && world.server.leases.get(id).is_some_and(|lease| which(id, lease)) {
            return Err(format!("{id:?} is revoked while the process has {file:?}, made of it"));
        }
    }
    if !is_serving(world) {
        return Ok(());
    }
    for (file, id) in on_disk(world) {
        let alive = world.server.is_lease_alive(id, world.now);
        if alive && world.server.leases.get(id).is_some_and(|lease| which(id, lease)) {
            return Err(format!("{id:?} is revoked while {file:?} is made of it"));
        }
    }
    for (id, files) in &world.disk.left {
        let alive = world.server.is_lease_known(id, world.now);
        if !alive || !world.server.leases.get(id).is_some_and(|lease| which(id, lease)) {
            continue;
        }
        for (file, left) in files {
            let notifier = world.setup.notifier_of(*file);
            let told = notifier.is_none_or(|id| world.told.get(&id).is_some_and(|told| told >= left));
            if !told && *left > world.started {
                return Err(format!("{id:?} is revoked before {file:?}'s change was told"));
            }
        }
    }
    Ok(())
}

/// Returns each sink on disk with the token that it holds.
fn shown(world: &World) -> impl Iterator<Item = (FileId, u64)> {
    world.disk.files.iter().filter_map(|(file, content)| Some((*file, content.get(SINK)?.version)))
}

/// Checks that the login `own` may be revoked. While a run serves, it keeps a login whose token a sink holds. If a sink
/// has stopped holding the token, the run keeps the login until the notifier of that sink has been notified.
fn no_sink_shows(world: &World, own: Option<u64>) -> Held {
    let alive = own.is_some_and(|own| world.server.is_token_alive(own, world.now));
    if !is_serving(world) || !alive {
        return Ok(());
    }
    if let Some((file, _)) = shown(world).find(|(_, token)| Some(*token) == own) {
        return Err(format!("the token that {file:?} shows is revoked"));
    }
    for (file, left) in world.disk.hidden.iter().filter(|((_, token), _)| Some(*token) == own) {
        let notifier = world.setup.notifier_of(file.0);
        let told = notifier.is_none_or(|id| world.told.get(&id).is_some_and(|told| told >= left));
        if !told && *left > world.started {
            return Err(format!("a token is revoked before the change of {:?} was told", file.0));
        }
    }
    Ok(())
}

/// Returns how long the world must have been calm for the core to be up to date.
fn patience(world: &World) -> Duration {
    // What a suspended machine is told it hears when it wakes up.
    let heard = world.server.turned_away.map(|at| at.max(world.asleep));
    let refused = heard.is_some_and(|at| at + LOCKED + PATIENCE > world.now);
    let blind = if world.setup.role.default_policy { Duration::ZERO } else { BLIND };
    let locked = if world.setup.locks_out { LOCKED } else { Duration::ZERO };
    let soon = if world.is_tame { MINUTE } else { PATIENCE };
    blind + if refused { locked + PATIENCE } else { soon }
}

/// Returns the leases of the files on disk, each with its file.
fn on_disk(world: &World) -> impl Iterator<Item = (FileId, &LeaseId)> {
    let files = world.disk.files.iter();
    files
        .flat_map(|(file, content)| content.values().filter_map(|value| Some((*file, value.lease.as_ref()?))))
}

fn is_serving(world: &World) -> bool {
    world.process.as_ref().is_some_and(|process| process.is_daemon() && !process.stopping)
        && !world.applications.over
}

/// Checks that a secret is renewed or replaced before it ends, wherever that was possible.
fn never_served_past_expiry(world: &mut World) -> Held {
    if !is_serving(world) {
        return Ok(());
    }
    let failing = world.process.iter().flat_map(|process| &process.failing);
    world.checks.failed.extend(failing.map(|file| (*file, world.now)));
    if !world.is_calm() || world.calm_for() <= patience(world) {
        return Ok(());
    }
    for (file, id) in on_disk(world) {
        let Some(lease) = world.server.leases.get(id) else { continue };
        let (Some(end), None) = (world.server.lease_end(id), lease.revoked) else { continue };
        let revoked = world.server.tokens.get(&lease.token).is_none_or(|token| token.revoked);
        let calm_at_end = end.checked_sub(world.calm).unwrap_or_default();
        let mended = until_mended(world, file);
        // Calm for so long that each step of its life happened in calm.
        let steady = calm_at_end > patience(world) + lease.ttl + mended;
        if end <= world.now && !revoked && steady {
            return Err(format!("{file:?} serves {id:?}, which ended at {end:?} in calm"));
        }
    }
    Ok(())
}

/// Returns how much longer a file may fail. If its template failed on a value, the engine notices a corrected value
/// only at its next poll. After that, the file waits for other changes, is rendered and published.
fn until_mended(world: &World, file: FileId) -> Duration {
    let failed = world.checks.failed.get(&file).is_some_and(|at| *at + Duration::from_secs(3) > world.now);
    if failed { longest_refresh(world) } else { Duration::ZERO }
}

fn longest_refresh(world: &World) -> Duration {
    world.setup.files.iter().map(|file| file.refresh).max().unwrap_or_default()
}

/// Checks that everything is good again soon after all faults have ended, whatever happened.
fn recovers(world: &World) -> Held {
    if !is_serving(world) {
        return Ok(());
    }
    let calm = world.calm_for();
    if calm <= patience(world) {
        return Ok(());
    }
    for (file, id) in on_disk(world) {
        let Some(lease) = world.server.leases.get(id) else { continue };
        // That a lease has ended by itself needs nobody's telling. A Secret, or a file of a store besides, may wait for others.
        let alone = world.setup.cluster.is_none() && world.stores.is_empty();
        let over = world.server.end_of(lease) + MINUTE <= world.now;
        let by_itself = alone && over && lease.revoked.is_none();
        if by_itself && !is_counted(world) && calm > patience(world) + until_mended(world, file) {
            return Err(format!("{file:?} still serves {id:?}, which has ended, after {calm:?} of calm"));
        }
        // A lease that somebody revoked shows only when it is renewed.
        let noticed = lease.ttl.max(world.setup.role.ttl.unwrap_or_default()).max(longest_refresh(world));
        if calm <= patience(world) + noticed {
            continue;
        }
        if !world.server.is_lease_alive(id, world.now) && !is_counted(world) {
            return Err(format!("{file:?} still serves {id:?}, which is dead, after {calm:?} of calm"));
        }
    }
    for (file, token) in shown(world) {
        let dead = !world.server.is_token_alive(token, world.now) && !is_counted(world);
        // A token that somebody revoked shows only when it is used.
        let noticed = world.setup.role.ttl.unwrap_or(Duration::MAX);
        if dead && calm > (patience(world) + longest_refresh(world)).saturating_add(noticed) {
            return Err(format!("{file:?} still shows a dead token after {calm:?} of calm"));
        }
    }
    let missing = (0..world.setup.files.len()).map(FileId).find(|file| !world.disk.files.contains_key(file));
    if let Some(file) = missing
        && calm > patience(world) + PATIENCE + until_mended(world, file)
    {
        return Err(format!("{file:?} is not published after {calm:?} of calm"));
    }
    Ok(())
}

/// Returns a test of whether the run knows of a lease that may outlive its token. The run does if it made the lease, or
/// if it has the handoff of the run that did.
fn known_elsewhere(world: &World) -> impl Fn(&Lease) -> bool + use<> {
    let (told, started) = (world.setup.handoff, world.started);
    move |lease| lease.elsewhere && (told || lease.minted >= started)
}

/// Returns whether the role limits the uses of its tokens. Such a token ends with its last use, and its leases end with
/// it, again and again. The log says so, and no client can prevent it.
fn is_counted(world: &World) -> bool {
    world.setup.role.uses.is_some()
}

/// Checks that a change on the server reaches the file within `refresh` + 1 s, apart from the quiet time.
fn fresh(world: &World) -> Held {
    // A server that answers slower than it is asked promises nothing.
    if !is_serving(world) || world.calm_for() < patience(world) || !world.backlog.is_zero() {
        return Ok(());
    }
    for (file, content) in world.disk.files.iter().filter(|(file, _)| !world.waits_for_others(**file)) {
        let setup = &world.setup.files[file.0];
        for (path, value) in content {
            let Some(entry) = world.server.entry(path) else { continue };
            let quiet = set_wait(world, *file);
            let (version, changed, _) = entry.at(world.now);
            // A run that was just started goes on polling at the beat of the one before.
            let polled = changed.max(world.started).max(world.asleep) + setup.refresh;
            let due = polled.max(world.calm + patience(world)) + quiet + until_mended(world, *file);
            // What a file has only just begun to use is looked at then; what an earlier run had read within
            // `refresh` of it.
            let read = world.process.as_ref().and_then(|process| process.read.get(path));
            let first =
                |at: Duration| if read.is_some_and(|read| *read <= at) { at } else { at + setup.refresh };
            let joined = setup.choice.as_ref().and(world.disk.changed.get(file)).map(|at| first(*at));
            let lag = if world.setup.standby_lag.is_zero() { Duration::ZERO } else { LAG };
            // The token dies of its last use again and again, and logins that do not last are followed after a pause.
            let spent = if is_counted(world) { MINUTE } else { Duration::ZERO };
            let late = due.max(joined.map_or(due, |at| at + quiet)) + lag + spent + Duration::from_secs(1);
            let late = match entry.kind {
                Kind::Kv => late,
                // A second after its time at the latest, and a little more where the password comes after that.
                Kind::Static { .. } => late + entry.late + 3 * Duration::from_secs(1),
                Kind::Dynamic { .. } | Kind::Certificate { .. } => continue,
            };
            if value.version < version && late < world.now {
                return Err(format!(
                    "{file:?} has version {} of {path}, changed at {changed:?}",
                    value.version
                ));
            }
        }
    }
    Ok(())
}

/// Checks that a secret has one lease, or two while one takes over from the other.
fn overlap_is_bounded(world: &mut World) -> Held {
    // Where the restarts of workloads take longer than a short lease lives, several are on their way out at any time.
    let most = if world.rollout().is_zero() { 1 } else { 6 };
    let now = world.now;
    let mut count: BTreeMap<&String, usize> = BTreeMap::new();
    let tokens: BTreeSet<u64> =
        world.process.iter().flat_map(|process| process.tokens.values().copied()).collect();
    let knows = known_elsewhere(world);
    // A login whose renewal was granted and never heard of is taken to have ended.
    for lease in world
        .server
        .living(now)
        .filter(|lease| lease.known && (tokens.contains(&lease.token) || knows(lease)))
    {
        *count.entry(&lease.path).or_default() += 1;
    }
    let double: BTreeSet<String> =
        count.iter().filter(|(_, count)| **count > most).map(|(path, _)| (*path).clone()).collect();
    world.checks.double.retain(|path, _| double.contains(path));
    for path in double {
        let since = *world.checks.double.entry(path.clone()).or_insert(now);
        let calm = world.calm_for();
        let long = PATIENCE + Duration::from_secs(30);
        // A file that a bad value kept as it was shows so long after that the value is good again.
        let mended = longest_refresh(world);
        // What a lost run or a policy left can only end by itself.
        let excused = world.checks.lost
            || is_counted(world)
            // A Secret is written whole, or stays as it is.
            || (0..world.setup.files.len()).any(|file| world.waits_for_others(FileId(file)))
            || application::keeps_old_leases(&world.setup)
            || !world.setup.role.default_policy
            || world.setup.role.batch && world.setup.role.ttl.is_some()
            || (world.setup.init && !world.setup.handoff);
        if !excused && calm > patience(world) + long + mended && since + long < now {
            return Err(format!("{path} has had more than {most} leases since {since:?}"));
        }
    }
    Ok(())
}
