//! The files of profiles, `~/.aws/credentials` and `~/.aws/config`, which are read once for each login.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use leasehold_base::failure::Failure;
use leasehold_base::secret::Secret;
use leasehold_http::files;

use crate::aws::variables;
use crate::kept::{Mark, marks};
use crate::variables::Variables;

/// The most bytes of a file of profiles.
const MOST: usize = 256 * 1024;

/// One profile, with its settings from both files.
#[derive(Default)]
pub(super) struct Profile {
    keys: BTreeMap<String, Secret>,
}

impl Profile {
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.keys.get(key)?.expose_str()
    }

    pub(super) fn secret(&self, key: &str) -> Option<&Secret> {
        self.keys.get(key)
    }

    pub(super) fn path(&self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }
}

/// The parts of a credential.
const CREDENTIAL: [&str; 3] = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];

/// All profiles, by their names.
#[derive(Default)]
pub(super) struct Profiles(BTreeMap<String, Profile>);

impl Profiles {
    pub(super) fn get(&self, name: &str) -> Option<&Profile> {
        self.0.get(name)
    }

    fn read(variables: &Variables) -> Result<Self, Failure> {
        let mut all = Self::default();
        // The second file does not change what the first one says.
        for (path, is_config) in variables::profile_files(variables).into_iter().zip([false, true]) {
            let Some(path) = path.filter(|path| path.exists()) else { continue };
            all.add(&files::read("AWS profiles", &path, MOST)?, is_config);
        }
        Ok(all)
    }

    /// Adds what a file says.
    fn add(&mut self, bytes: &[u8], is_config: bool) {
        let mut sections = sections(bytes);
        if !is_config {
            for (name, keys) in sections {
                self.merge(&name, keys);
            }
            return;
        }
        // AWS' own programs take either, and the longer one counts.
        if let (Some(keys), false) = (sections.remove("default"), sections.contains_key("profile default")) {
            self.merge("default", keys);
        }
        for (section, keys) in sections {
            if let Some(name) = section.strip_prefix("profile ") {
                self.merge(name, keys);
            }
        }
    }

    fn merge(&mut self, name: &str, keys: BTreeMap<String, Secret>) {
        let profile = self.0.entry(name.to_owned()).or_default();
        // A key, its secret and its session token belong together: AWS' own programs take all of them from one file.
        let has_keys = CREDENTIAL[..2].iter().any(|half| profile.keys.contains_key(*half));
        for (key, value) in keys {
            if !(has_keys && CREDENTIAL.contains(&key.as_str())) {
                profile.keys.entry(key).or_insert(value);
            }
        }
    }
}

/// Returns the keys of each section by its name, in which one space stands for any white space. An indented line
/// belongs to the key above it, and we use none of these.
fn sections(bytes: &[u8]) -> BTreeMap<String, BTreeMap<String, Secret>> {
    let (mut all, mut inside) = (BTreeMap::<String, BTreeMap<String, Secret>>::new(), None);
    for line in bytes.split(|byte| *byte == b'\n') {
        let text = line.trim_ascii();
        if text.is_empty() || text[0] == b'#' || text[0] == b';' {
            continue;
        }
        if text[0] == b'[' {
            let name = text[1..].split(|byte| *byte == b']').next().unwrap_or_default();
            let name = String::from_utf8_lossy(name);
            let name = name.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
            all.entry(name.clone()).or_default();
            inside = Some(name);
        } else if let Some(keys) = inside.as_ref().and_then(|name| all.get_mut(name))
            && !line[0].is_ascii_whitespace()
            && let Some((key, value)) = setting(text)
        {
            keys.entry(key).or_insert(value);
        }
    }
    all
}

/// Reads `key = value`. A value that is empty is none.
fn setting(text: &[u8]) -> Option<(String, Secret)> {
    let mut halves = text.splitn(2, |byte| *byte == b'=');
    let (key, value) = (halves.next()?, halves.next()?.trim_ascii());
    // A comment begins after white space, and a key of AWS contains neither.
    let end = value.windows(2).position(|two| two[0].is_ascii_whitespace() && two[1] == b'#');
    let value = value[..end.unwrap_or(value.len())].trim_ascii();
    let key = String::from_utf8_lossy(key.trim_ascii()).to_ascii_lowercase();
    (!value.is_empty()).then(|| (key, Secret::new(value.to_vec())))
}

/// The profiles of the present login. They are read when one is first looked for, and once more only if a file has
/// changed since.
#[derive(Default)]
pub(super) struct Files {
    read: Mutex<Option<(Vec<Mark>, Arc<Profiles>)>>,
    #[cfg(test)]
    pub(super) reads: std::sync::atomic::AtomicUsize,
}

impl Files {
    /// Returns all profiles.
    pub(super) fn profiles(&self, variables: &Variables) -> Result<Arc<Profiles>, Failure> {
        // The marks are taken first: a file that is written between the two is read once more at the next look.
        let now = marks(variables::profile_files(variables).into_iter().flatten().collect());
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, profiles)) = read.as_ref().filter(|(then, _)| *then == now) {
            return Ok(Arc::clone(profiles));
        }
        #[cfg(test)]
        self.reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let profiles = Arc::new(Profiles::read(variables)?);
        *read = Some((now, Arc::clone(&profiles)));
        Ok(profiles)
    }

    /// Drops the profiles, which may hold the keys of others.
    pub(super) fn forget(&self) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"# ours\n[default]\naws_access_key_id = AKIA1 # here\naws_secret_access_key=a#b=c\n\
s3 =\n  region = not-this\n\n[profile  other]\nregion=eu-west-1\n[ other ]\nrole_arn = arn:aws:iam::1:role/x\n";

    fn of_file(is_config: bool) -> Profiles {
        let mut all = Profiles::default();
        all.add(TEXT, is_config);
        all
    }

    #[test]
    fn a_section_is_found_by_its_name_and_comments_are_no_values() {
        for all in [of_file(false), of_file(true)] {
            let default = all.get("default").expect("it is there");
            assert_eq!(default.text("aws_access_key_id"), Some("AKIA1"));
            assert_eq!(default.text("aws_secret_access_key"), Some("a#b=c"));
            assert_eq!(default.text("region"), None, "it is nested");
            assert!(all.get("absent").is_none());
        }
        let (credentials, config) = (of_file(false), of_file(true));
        assert_eq!(config.get("other").expect("there").text("region"), Some("eu-west-1"));
        assert_eq!(config.get("other").expect("there").text("role_arn"), None, "it is no profile there");
        assert_eq!(credentials.get("other").expect("there").text("role_arn"), Some("arn:aws:iam::1:role/x"));
    }

    #[test]
    fn a_credential_is_not_put_together_from_two_files() {
        let mut all = Profiles::default();
        all.add(b"[default]\naws_access_key_id=AKIA1\naws_secret_access_key=lasting\n", false);
        let config = b"[default]\naws_access_key_id=ASIA1\naws_session_token=old\nregion=eu-west-1\n";
        all.add(config, true);
        let default = all.get("default").expect("it is there");
        assert_eq!(default.text("aws_access_key_id"), Some("AKIA1"));
        assert_eq!(default.text("aws_session_token"), None, "it belongs to the key of the other file");
        assert_eq!(default.text("region"), Some("eu-west-1"));
    }
}
