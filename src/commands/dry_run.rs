//! `leasehold init --dry-run`: everything is rendered into a folder in memory, which is removed again, and compared with
//! what is there. Nothing of the configuration's places is touched, and what was leased is revoked.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::io::{self, IsTerminal as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::output::{count, write_out};
use super::run;
use crate::commands::args::InitArgs;
use crate::config::plan::{AuthMethod, FileSource, Plan, Sandbox, Target};
use crate::config::problem::io_words;
use crate::core::policy::Mode;
use crate::exit::{Cause, Ending};
use crate::observe::paint::{Paint, Palette};
use crate::observe::table::{self, Cell};

/// Runs it.
///
/// # Errors
/// Those of `init`; 78 for a configuration of which a rehearsal would do more than render.
pub(super) fn run(args: &InitArgs) -> Result<ExitCode, Ending> {
    let mut stage = None;
    let code = run::rehearse(&args.config, |plan| {
        stage = Some(Stage::set(plan)?);
        Ok((Mode::Init { timeout: args.timeout.unwrap_or(plan.init_timeout) }, None))
    })?;
    // If the log took the last line, the code says how it ended.
    let Some(stage) = stage.filter(|_| code == ExitCode::SUCCESS) else { return Ok(code) };
    let palette = Palette::of(io::stdout().is_terminal());
    write_out(&mut io::stdout().lock(), stage.report(palette).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The folder of the rehearsal, and what was there before.
struct Stage {
    folder: PathBuf,
    scenes: Vec<Scene>,
    /// Members of the set that the configuration no longer names.
    leaving: Vec<String>,
}

/// A file of the rehearsal.
struct Scene {
    name: String,
    before: Found,
    /// The path that the rehearsal writes it to.
    after: PathBuf,
}

/// What there is at a path: the hash of its bytes, its mode and its owner.
#[derive(PartialEq, Eq)]
enum Found {
    Nothing,
    Unreadable(String),
    File { hash: [u8; 32], mode: u32, owner: (u32, u32) },
}

impl Found {
    fn at(path: &Path) -> Self {
        let read = || Ok::<_, io::Error>((Zeroizing::new(fs::read(path)?), fs::metadata(path)?));
        match read() {
            Ok((bytes, meta)) => Self::File {
                hash: Sha256::digest(bytes.as_slice()).into(),
                mode: meta.mode() & 0o7777,
                owner: (meta.uid(), meta.gid()),
            },
            Err(why) if why.kind() == io::ErrorKind::NotFound => Self::Nothing,
            Err(why) => Self::Unreadable(io_words(&why)),
        }
    }

    /// Returns what happens to this when it is replaced by `after`.
    fn change(&self, after: &Self) -> Cell {
        let (Self::File { hash, mode, owner }, Self::File { hash: hash2, mode: mode2, owner: owner2 }) =
            (self, after)
        else {
            return match self {
                Self::Unreadable(why) => Cell(format!("not known: {why}"), Paint::Doubtful),
                _ => Cell("new".to_owned(), Paint::Good),
            };
        };
        let mut changes = Vec::new();
        if hash != hash2 {
            changes.push("content".to_owned());
        }
        if mode != mode2 {
            changes.push(format!("mode {mode:04o} to {mode2:04o}"));
        }
        if owner != owner2 {
            changes.push(format!("owner {}:{} to {}:{}", owner.0, owner.1, owner2.0, owner2.1));
        }
        if changes.is_empty() {
            return "unchanged".to_owned().into();
        }
        Cell(format!("changed: {}", changes.join(", ")), Paint::Doubtful)
    }
}

impl Stage {
    /// Looks at what is there, and turns the plan away from it.
    fn set(plan: &mut Plan) -> Result<Self, Ending> {
        only_renders(plan)?;
        let folder = PathBuf::from(format!("/dev/shm/leasehold-dry-run-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&folder).map_err(|why| {
            let what = format!("cannot make {}: {}", folder.display(), io_words(&why));
            Ending::new(Cause::Destination, what, "a dry run renders into a folder there, and removes it")
        })?;
        let mut stage = Self { folder, scenes: Vec::new(), leaving: Vec::new() };
        stage.turn(plan);
        Ok(stage)
    }

    fn turn(&mut self, plan: &mut Plan) {
        let set = plan.secrets_dir.replace(self.folder.join("set"));
        plan.files.retain(|file| matches!(file.source, FileSource::Made(_)));
        let mut members = BTreeSet::new();
        for (index, file) in plan.files.iter_mut().enumerate() {
            file.notify.clear();
            let (before, after) = match &file.target {
                Target::Member(path) => {
                    members.insert(path.clone());
                    let place = |folder: &Path| folder.join(path);
                    (set.as_deref().map(place), self.folder.join("set").join(path))
                }
                target @ Target::Alone(_) if target.is_nowhere() => continue,
                Target::Alone(path) => {
                    let before = path.clone();
                    let after = self.folder.join("alone").join(index.to_string());
                    file.target = Target::Alone(after.clone());
                    (Some(before), after)
                }
            };
            let before = before.map_or(Found::Nothing, |path| Found::at(&path));
            self.scenes.push(Scene { name: file.name.clone(), before, after });
        }
        self.leaving = set.map(|set| leaving(&set.join("..data"), &members)).unwrap_or_default();
        // What init does besides rendering. The folder could not be removed from inside the sandbox.
        plan.notifiers.clear();
        plan.handoff = None;
        plan.shutdown.revoke = true;
        plan.sandbox = Sandbox::Off;
    }

    fn report(&self, palette: Palette) -> String {
        let mut changes = self.leaving.len();
        let mut rows = Vec::new();
        for scene in &self.scenes {
            let change = scene.before.change(&Found::at(&scene.after));
            changes += usize::from(change.0 != "unchanged");
            rows.push([scene.name.clone().into(), change]);
        }
        let gone = |name: &String| [name.clone().into(), Cell("removed".to_owned(), Paint::Bad)];
        rows.extend(self.leaving.iter().map(gone));
        let all = count(rows.len(), "file");
        let mut lines = table::columns(["FILE", "INIT WOULD MAKE IT"], rows, palette);
        lines.push(format!("\n{changes} of {all} would change; nothing was changed"));
        lines.into_iter().map(|line| line + "\n").collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Err(why) = fs::remove_dir_all(&self.folder) {
            tracing::error!("{} has secrets and cannot be removed: {why}", self.folder.display());
        }
    }
}

/// Refuses a plan that does more than render, because that cannot be rehearsed.
fn only_renders(plan: &Plan) -> Result<(), Ending> {
    let why = match &plan.auth.method {
        AuthMethod::AppRole { wrapped_by: Some(_), .. } => "the wrapped secret id can be opened once",
        _ if plan.auth.wrap_ttl.is_some() => "the login is wrapped for the reader of the sink",
        _ if !plan.writes.folders.is_empty() => "templates may write other files with writeToFile",
        _ => return Ok(()),
    };
    let hint = "`leasehold plan` asks the server what works, without a rendering";
    Err(Ending::new(Cause::Config, format!("--dry-run is not possible here: {why}"), hint))
}

/// Returns the files in the folder of the set, and below it, that are no `members`.
fn leaving(set: &Path, members: &BTreeSet<PathBuf>) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(set.join(&below)).into_iter().flatten().flatten() {
            let path = below.join(entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                _ if !members.contains(&path) => found.push(path.display().to_string()),
                _ => {}
            }
        }
    }
    found.sort_unstable();
    found
}
