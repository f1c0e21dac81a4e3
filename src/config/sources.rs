//! Gets the texts: from files, standard input and the environment.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use leasehold_config::plan::Plan;
use leasehold_config::problem::io_words;
use leasehold_config::read::{Inputs, Seen, Text, read};
use leasehold_config::{MAX_BYTES, Problem, Rejected, Setting, Severity, exposed, lasting};

use crate::exit::Cause;

/// The variable with a path, which is used if there is no `--config`.
const PATH_VARIABLE: &str = "LEASEHOLD_CONFIG";

/// The text itself, laid upon what the path names where both are set.
const TEXT_VARIABLE: &str = "LEASEHOLD_CONFIG_YAML";

/// The file that is read if nothing is named.
const USUAL: &str = "/etc/leasehold/leasehold.yaml";

/// The texts of a configuration, to be read now and again at each reload.
#[derive(Debug, Clone)]
pub struct Sources {
    origins: Vec<Origin>,
    /// Notices of what was named but is not used.
    notices: Vec<Problem>,
}

#[derive(Debug, Clone)]
enum Origin {
    File(PathBuf),
    /// A text that was read once, because standard input cannot be read twice and the environment does not change.
    Kept(Text),
}

impl Sources {
    /// Returns the texts that `configs` name (`-` is standard input, read here), or else the environment, or else
    /// the usual file.
    ///
    /// # Errors
    /// If nothing is named and the usual file is not there, or standard input cannot be read.
    pub fn new(configs: &[PathBuf]) -> Result<Self, Rejected> {
        let mut sources = Self { origins: Vec::new(), notices: Vec::new() };
        for config in configs {
            sources.origins.push(match config.as_os_str().as_encoded_bytes() {
                b"-" => Origin::Kept(kept("standard input", capped(io::stdin().lock()))?),
                _ => Origin::File(config.clone()),
            });
        }
        for (variable, is_path) in [(PATH_VARIABLE, true), (TEXT_VARIABLE, false)] {
            let Some(value) = std::env::var_os(variable).filter(|value| !value.is_empty()) else { continue };
            if !configs.is_empty() {
                let mut notice = Problem::whole(variable, "is ignored, since --config is given", "");
                notice.severity = Severity::Warning;
                sources.notices.push(notice);
            } else if is_path {
                sources.origins.push(Origin::File(PathBuf::from(value)));
            } else {
                let bytes = value.into_encoded_bytes();
                sources.origins.push(Origin::Kept(Text { name: variable.to_owned(), bytes }));
            }
        }
        // A file that is there and cannot be read is reported as a mistake.
        if sources.origins.is_empty() && Path::new(USUAL).try_exists().unwrap_or(true) {
            sources.origins.push(Origin::File(PathBuf::from(USUAL)));
        }
        if sources.origins.is_empty() {
            let hint = format!(
                "give -c FILE, set {PATH_VARIABLE} or {TEXT_VARIABLE}, or write {USUAL}; leasehold new makes one"
            );
            return Err(Rejected::one(
                Cause::Usage,
                Problem::whole("command line", "no configuration", hint),
            ));
        }
        Ok(sources)
    }

    /// Makes sources of a text that is at hand.
    #[must_use]
    pub fn of_text(name: &str, bytes: Vec<u8>) -> Self {
        Self { origins: vec![Origin::Kept(Text { name: name.to_owned(), bytes })], notices: Vec::new() }
    }

    /// Reads the texts for another machine: neither this one's files nor its environment count.
    ///
    /// # Errors
    /// As for [`Self::load`].
    pub fn elsewhere(&self) -> Result<(Plan, Vec<Problem>), Rejected> {
        let texts = self.texts()?;
        let nowhere = |_: &Path| Err(io::ErrorKind::NotFound.into());
        read(&Inputs {
            texts: &texts,
            flags: &[],
            env: &|_| None,
            read_file: &nowhere,
            functions: crate::functions::all(),
            look: None,
            elsewhere: true,
            folder: Path::new("/"),
        })
    }

    /// Returns the files, and folders of files, that [`Self::load`] reads the texts from.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.origins.iter().filter_map(|origin| match origin {
            Origin::File(file) => Some(file.as_path()),
            Origin::Kept(_) => None,
        })
    }

    /// Returns the names of the files, folders and variables that the configuration comes from, as they were given.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let name = |origin: &Origin| match origin {
            Origin::File(file) => file.display().to_string(),
            Origin::Kept(text) => text.name.clone(),
        };
        self.origins.iter().map(name).collect()
    }

    /// Returns the texts as they are now.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn texts(&self) -> Result<Vec<Text>, Rejected> {
        let mut texts = Vec::new();
        for origin in &self.origins {
            match origin {
                Origin::File(path) if path.is_dir() => {
                    for file in files_of(path)? {
                        texts.push(kept(&file.to_string_lossy(), read_file(&file))?);
                    }
                }
                Origin::File(file) => texts.push(kept(&file.to_string_lossy(), read_file(file))?),
                Origin::Kept(text) => texts.push(text.clone()),
            }
        }
        Ok(texts)
    }

    /// Reads the texts and what they name; `flags` win over them.
    ///
    /// # Errors
    /// [`Rejected`] with everything that is wrong.
    pub fn load(&self, flags: &[Setting]) -> Result<(Plan, Vec<Problem>), Rejected> {
        self.read(flags, None, false)
    }

    /// Does the same, and looks whether what the texts rely on is on this machine, unless Leasehold is to run
    /// `elsewhere`.
    ///
    /// # Errors
    /// As above.
    pub fn check(&self, elsewhere: bool) -> Result<(Plan, Vec<Problem>), Rejected> {
        self.read(&[], Some(&look), elsewhere)
    }

    fn read(
        &self,
        flags: &[Setting],
        look: Option<&dyn Fn(&Path) -> Seen>,
        elsewhere: bool,
    ) -> Result<(Plan, Vec<Problem>), Rejected> {
        let texts = self.texts()?;
        let env = |name: &str| std::env::var(name).ok();
        let functions = crate::functions::all();
        let folder = folder();
        let inputs = Inputs {
            texts: &texts,
            flags,
            env: &env,
            read_file: &read_file,
            functions,
            look,
            elsewhere,
            folder: &folder,
        };
        match read(&inputs) {
            Ok((plan, problems)) => {
                let exposed = exposed::warnings(&plan, self.files(), &env, &seen);
                let lasting = match look.is_some() && !elsewhere {
                    true => lasting::warnings(&plan, &is_in_memory),
                    false => Vec::new(),
                };
                Ok((plan, [self.notices.clone(), problems, exposed, lasting].concat()))
            }
            Err(mut rejected) => {
                rejected.problems.splice(0..0, self.notices.iter().cloned());
                Err(rejected)
            }
        }
    }
}

/// Reads a configuration once: [`Sources::new`] and [`Sources::load`].
///
/// # Errors
/// [`Rejected`] with everything that is wrong.
pub fn load(configs: &[PathBuf], flags: &[Setting]) -> Result<(Plan, Vec<Problem>), Rejected> {
    Sources::new(configs)?.load(flags)
}

/// Returns the folder where this process runs.
pub fn folder() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"))
}

/// The endings of the files that are taken of a folder, as Vault Agent takes them.
const TAKEN: [&str; 2] = ["hcl", "json"];

/// Returns the configuration files of a folder, in the order of their names. A folder within it is not entered: a
/// mounted ConfigMap holds its files twice, the second time below `..data`.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>, Rejected> {
    let rejected = |message: String, hint: &str| {
        Rejected::one(Cause::Config, Problem::whole(folder.to_string_lossy(), message, hint))
    };
    let unreadable = |error: io::Error| {
        rejected(
            format!("cannot be listed: {}", io_words(&error)),
            "let the user that Leasehold runs as read the folder",
        )
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let taken = path.extension().is_some_and(|ending| TAKEN.iter().any(|taken| ending == *taken));
        if taken && !path.is_dir() {
            files.push(path);
        }
    }
    if files.is_empty() {
        let hint = "put one there, or name each file with a --config of its own, as for YAML";
        return Err(rejected("a folder without a .hcl or .json file".to_owned(), hint));
    }
    files.sort_unstable();
    Ok(files)
}

fn kept(name: &str, bytes: io::Result<Vec<u8>>) -> Result<Text, Rejected> {
    match bytes {
        Ok(bytes) => Ok(Text { name: name.to_owned(), bytes }),
        Err(error) => {
            let message = format!("cannot be read: {}", io_words(&error));
            let problem = Problem::whole(name, message, "name a file that is there and readable");
            Err(Rejected::one(Cause::Config, problem))
        }
    }
}

/// Reads the whole of a file, or one byte more than anything may have.
pub(crate) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    capped(File::open(path)?)
}

/// Returns what is at a path. It follows links.
fn look(path: &Path) -> Seen {
    match path.metadata() {
        Ok(metadata) if metadata.is_file() && metadata.mode() & 0o111 != 0 => Seen::Program,
        Ok(_) => Seen::Other,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Seen::Nothing
        }
        Err(_) => Seen::Unknown,
    }
}

/// Returns whether what is at a path is lost with the machine's memory, or `None` if that cannot be found out.
fn is_in_memory(path: &Path) -> Option<bool> {
    const TMPFS: u32 = 0x0102_1994;
    const RAMFS: u32 = 0x8584_58f6;
    // The field's width differs between machines, and both numbers have 32 bits.
    Some([TMPFS, RAMFS].contains(&(rustix::fs::statfs(path).ok()?.f_type as u32)))
}

/// Returns what is behind a path.
fn seen(path: &Path) -> Option<exposed::Seen> {
    let real = path.canonicalize().ok()?;
    let metadata = real.metadata().ok()?;
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    Some(exposed::Seen {
        real,
        mode: metadata.mode() & 0o7777,
        stranger: Some(metadata.uid()).filter(|owner| ![0, uid].contains(owner)),
        others_group: ![0, gid].contains(&metadata.gid()),
    })
}

fn capped(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
