//! The common part of init, sidecar and exec: configuration, log, runtime, and the driver in the middle.

use leasehold_base::gather::Gather as _;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::commands::args::ConfigArgs;
use crate::config::plan::{AuthMethod, LogPlan, Plan};
use crate::config::{self, Problem, Rejected, Severity, Sources};
use crate::core::policy::Mode;
use crate::driver::{self, Parent, Surroundings};
use crate::exit::{Cause, Ending};
use crate::handoff;
use crate::observe::log::LogHandle;
use crate::observe::paint::Palette;
use crate::observe::systemd::ServiceManager;
use crate::observe::{log, panic, stderr};
use crate::pages::Pages;
use crate::process::{child, kernel};
use crate::publish::{self, Claims, PublishError};
use crate::sandbox::{self, Fence};

/// The role of a run: its mode, and the process that it is the parent of.
pub(super) type Role = (Mode, Option<Parent>);

/// Runs the engine in the role that `cast` finds for the configuration, which it may add to.
///
/// # Errors
/// By the table of exit codes.
pub(super) fn run(
    args: &ConfigArgs,
    cast: impl FnOnce(&mut Plan) -> Result<Role, Ending>,
) -> Result<ExitCode, Ending> {
    start(args, false, cast)
}

/// Does the same as a rehearsal: only warnings and errors are logged, and what was leased is revoked.
///
/// # Errors
/// As above.
pub(super) fn rehearse(
    args: &ConfigArgs,
    cast: impl FnOnce(&mut Plan) -> Result<Role, Ending>,
) -> Result<ExitCode, Ending> {
    start(args, true, cast)
}

fn start(
    args: &ConfigArgs,
    rehearsal: bool,
    cast: impl FnOnce(&mut Plan) -> Result<Role, Ending>,
) -> Result<ExitCode, Ending> {
    panic::install(child::stop_for_good);
    let read = Sources::new(&args.config).and_then(|sources| {
        let read = sources.load(&[])?;
        Ok((sources, read))
    });
    // What cannot be read says nothing of its log.
    let log_plan = read.as_ref().map_or_else(|_| LogPlan::default(), |(_, (plan, _))| plan.log);
    let log = log::start(log_plan).map_err(|_| twice())?;
    let result = match read {
        Ok((sources, (plan, notices))) => {
            warn(&notices);
            if rehearsal {
                log.set_level(tracing::Level::WARN);
            }
            run_plan(plan, sources, (rehearsal, cast), log.clone())
        }
        Err(rejected) => Err(refused(&rejected, &log)),
    };
    result.or_else(|ending| if log.takes_the_end(&ending) { Ok(ending.exit_code()) } else { Err(ending) })
}

/// Logs what a good configuration should make known.
pub(super) fn warn(notices: &[Problem]) {
    for notice in notices {
        tracing::warn!("{}", notice.words());
    }
}

/// Runs a good configuration.
fn run_plan(
    mut plan: Plan,
    sources: Sources,
    (rehearsal, cast): (bool, impl FnOnce(&mut Plan) -> Result<Role, Ending>),
    log: LogHandle,
) -> Result<ExitCode, Ending> {
    let log_plan = plan.log;
    kernel::check()?;
    has_credentials(&plan)?;
    let (mode, parent) = cast(&mut plan)?;
    // With `resolve_env` it is the environment that asks, and it may ask for nothing.
    let asks = parent.is_some() && (!plan.exec.env.is_empty() || plan.exec.resolve_env.is_some());
    if plan.files.is_empty() && !asks {
        let what = "there are no `files`: nothing to render";
        return Err(Ending::new(Cause::Config, what, "add an entry with `path` and `template`"));
    }
    sandbox::close_memory();
    // Init is over before it is idle. Where `/proc` is missing nothing is given back.
    let pages = if matches!(mode, Mode::Init { .. }) { None } else { Pages::open().ok() };
    let mut claims = Claims::default();
    let pod = owner(&plan);
    let fence = fence(&plan, &sources, &pod, parent.is_some(), &mut claims)?;
    let sandbox = fence.state();
    let configuration = sources.names();
    let surroundings = Surroundings {
        environment: super::environment::of_this_process(),
        pod,
        manager: ServiceManager::from_env(variable).map_err(|why| kernel::refused("socket", &why))?,
        reread: Arc::new(move || reread(&sources, &fence)),
        parent,
        claims,
        rehearsal,
        progress: if rehearsal { None } else { progress(mode, log_plan, &log) },
        log,
        sandbox,
        configuration,
        pages,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(no_runtime)?;
    let result = tokio::task::LocalSet::new().block_on(&runtime, driver::run(plan, mode, surroundings));
    // A name look-up that hangs in the resolver must not hold up the end.
    runtime.shutdown_background();
    result.map(ExitCode::from)
}

/// Shows the steps of init to a person who waits for it, in place of the log's account of what goes well.
fn progress(mode: Mode, plan: LogPlan, log: &LogHandle) -> Option<Palette> {
    let told = matches!(mode, Mode::Init { .. }) && log::is_for_a_person(plan);
    told.then(|| {
        log.set_level(tracing::Level::WARN);
        Palette::of(true)
    })
}

/// Reads a configuration for a command that runs once, at which a person looks.
pub(super) fn load(args: &ConfigArgs) -> Result<(Plan, Vec<Problem>), Ending> {
    config::load(&args.config, &[]).map_err(|rejected| {
        let palette = Palette::of(std::io::stderr().is_terminal());
        rejected.show(&mut std::io::stderr().lock(), &|problem| super::output::painted(problem, palette))
    })
}

/// Checks that what `auth` takes from the environment is there.
pub(super) fn has_credentials(plan: &Plan) -> Result<(), Ending> {
    let Some(variable) = plan.auth.method.unset_variable() else { return Ok(()) };
    let what = format!("the variable {variable}, which `auth` names, is not set");
    Err(Ending::new(Cause::Config, what, "set it, or choose another `auth.method`"))
}

/// Raises the sandbox for all that follows. It has to be done before any thread is started, because that thread
/// would stay outside.
fn fence(
    plan: &Plan,
    sources: &Sources,
    pod: &str,
    parent: bool,
    claims: &mut Claims,
) -> Result<Fence, Ending> {
    // Its rules are about folders that are there. Outside it can still be seen which process is in one.
    destinations(plan, claims)?;
    let cleared = driver::folders_to_clear(plan, pod);
    sandbox::raise(plan, &sources.files().collect::<Vec<_>>(), &cleared, parent, variable)
}

/// Creates the missing folders that are published in, and claims what is published.
fn destinations(plan: &Plan, claims: &mut Claims) -> Result<(), PublishError> {
    let prepare = |folder: Option<&Path>, mode| {
        folder.map_or(Ok(()), |folder| publish::prepare(folder, mode, plan.require_tmpfs))
    };
    if let Some(folder) = plan.set_folder() {
        prepare(Some(folder), plan.dir_mode)?;
    }
    prepare(plan.handoff.as_deref().and_then(Path::parent), handoff::FOLDER_MODE)?;
    plan.writes.folders.iter().try_for_each(|folder| prepare(Some(folder), plan.dir_mode))?;
    // Thousands of files may be in one folder.
    let folders: BTreeSet<&Path> = plan.files.iter().filter_map(|file| file.target.folder()).gather();
    folders.into_iter().try_for_each(|folder| prepare(Some(folder), plan.dir_mode))?;
    claims.wait(&driver::wanted(plan))
}

/// Reads the configuration again. It has to do with what the sandbox of this run lets through.
fn reread(sources: &Sources, fence: &Fence) -> Result<Plan, Ending> {
    let (plan, notices) = sources.load(&[]).map_err(|rejected| {
        // Only an unreadable file can be due to the sandbox. A mistake in the text has nothing to do with it.
        if fence.is_up() && rejected.problems.iter().any(|problem| problem.is_unreadable()) {
            tracing::warn!(
                "files that an earlier configuration did not name are outside the sandbox of this run"
            );
        }
        logged(&rejected)
    })?;
    warn(&notices);
    fence.admit(&plan, &sources.files().collect::<Vec<_>>(), variable)?;
    Ok(plan)
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Reports everything that is wrong: for a person with the lines that it stands on, otherwise in the log. Returns
/// the last line.
fn refused(rejected: &Rejected, log: &LogHandle) -> Ending {
    if !log.is_text() {
        return logged(rejected);
    }
    let (mut text, palette) = (Vec::new(), Palette::of(std::io::stderr().is_terminal()));
    let ending = rejected.show(&mut text, &|problem| super::output::painted(problem, palette));
    if let Some(lines) = String::from_utf8_lossy(&text).strip_suffix('\n') {
        stderr::say(lines);
    }
    ending
}

/// Logs everything that is wrong but what it returns.
fn logged(rejected: &Rejected) -> Ending {
    for problem in rejected.others() {
        match problem.severity {
            Severity::Error => tracing::error!("{}", problem.words()),
            Severity::Warning => tracing::warn!("{}", problem.words()),
        }
    }
    rejected.ending()
}

/// Returns the owner of the secrets: the pod that the JWT names, or this machine.
fn owner(plan: &Plan) -> String {
    let jwt = match &plan.auth.method {
        AuthMethod::Kubernetes { jwt_file, .. } => std::fs::read(jwt_file).ok().map(Zeroizing::new),
        _ => None,
    };
    let machine = std::fs::read_to_string("/etc/machine-id").ok();
    handoff::owner(jwt.as_deref().map(Vec::as_slice), machine.as_deref())
}

pub(super) fn no_runtime(why: std::io::Error) -> Ending {
    kernel::refused("epoll_create1 or eventfd2", &why)
}

/// Returns the ending of a second engine: there is one engine in a process, and it starts the one log.
fn twice() -> Ending {
    Ending::new(Cause::Bug, "a log was started before", "please report this")
}
