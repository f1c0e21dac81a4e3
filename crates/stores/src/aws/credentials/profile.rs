//! Profiles: the files `~/.aws/credentials` and `~/.aws/config`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_http::files;

use super::{Role, Source};
use crate::aws::sign::Keys;
use crate::aws::variables;
use crate::variables::Variables;

/// The most bytes of a file of profiles.
const MOST: usize = 256 * 1024;

/// What both files say about one profile.
#[derive(Default)]
struct Profile {
    keys: BTreeMap<String, Secret>,
}

impl Profile {
    fn text(&self, key: &str) -> Option<&str> {
        self.keys.get(key)?.expose_str()
    }
}

/// Returns the source of the profile that is named, or of `default` if that has one.
pub(super) fn source(variables: &Variables) -> Result<Option<Source>, Failure> {
    let Some((name, profile)) = chosen(variables)? else { return Ok(None) };
    of(variables, name, &profile)
}

/// Returns the role of that profile, if the profile's own credentials assume it.
pub(super) fn role(variables: &Variables) -> Result<Option<Source>, Failure> {
    let Some((name, profile)) = chosen(variables)? else { return Ok(None) };
    if profile.text("role_arn").is_none() || profile.text("web_identity_token_file").is_some() {
        return Ok(None);
    }
    of(variables, name, &profile)
}

/// Returns the profile that is named, or `default` if that is there.
fn chosen(variables: &Variables) -> Result<Option<(&str, Profile)>, Failure> {
    let name = variables::profile(variables).unwrap_or("default");
    match (profile(variables, name)?, variables::profile(variables)) {
        (Some(profile), _) => Ok(Some((name, profile))),
        (None, None) => Ok(None),
        (None, Some(name)) => Err(unusable(format!("no file has the profile {name} of AWS_PROFILE"))),
    }
}

/// Returns the region of the profile that is named.
pub(in crate::aws) fn region(variables: &Variables) -> Option<String> {
    let name = variables::profile(variables).unwrap_or("default");
    Some(profile(variables, name).ok()??.text("region")?.to_owned())
}

/// Returns the file of a web identity that the profile names.
pub(in crate::aws) fn token_file(variables: &Variables) -> Option<PathBuf> {
    let name = variables::profile(variables).unwrap_or("default");
    profile(variables, name).ok()??.text("web_identity_token_file").map(PathBuf::from)
}

fn of(variables: &Variables, name: &str, profile: &Profile) -> Result<Option<Source>, Failure> {
    let session = profile.text("role_session_name").unwrap_or(super::SESSION).to_owned();
    if let Some(role_arn) = profile.text("role_arn") {
        let role_arn = role_arn.to_owned();
        if let Some(file) = profile.text("web_identity_token_file") {
            return Ok(Some(Source::WebIdentity { token_file: PathBuf::from(file), role_arn, session }));
        }
        let (role, base) = (
            assumed(name, profile, Role { session, ..Role::of(role_arn) })?,
            base(variables, name, profile)?,
        );
        return Ok(Some(Source::Assumed { base: Box::new(base), role }));
    }
    if profile.text("web_identity_token_file").is_some() {
        return Err(unusable(format!("the profile {name} has web_identity_token_file, and no role_arn")));
    }
    if let Some(keys) = keys(profile, name) {
        return Ok(Some(Source::Given(keys)));
    }
    for other in ["credential_process", "sso_session", "sso_start_url", "login_session"] {
        if profile.text(other).is_some() {
            return Err(unusable(format!(
                "the profile {name} has {other}, which Leasehold does not follow; give it keys or a role"
            )));
        }
    }
    match variables::profile(variables) {
        Some(name) => Err(unusable(format!("the profile {name} has neither keys nor a role"))),
        None => Ok(None),
    }
}

/// Adds what the profile says about its role.
fn assumed(name: &str, profile: &Profile, role: Role) -> Result<Role, Failure> {
    if profile.text("mfa_serial").is_some() {
        return Err(unusable(format!(
            "the profile {name} has mfa_serial, and a program cannot enter a code; name a role that needs none"
        )));
    }
    let seconds = profile.text("duration_seconds").map(str::parse).transpose();
    let duration = seconds.map_err(|_| {
        unusable(format!("the profile {name} has a duration_seconds that is no number; write it like 3600"))
    })?;
    Ok(Role { external_id: profile.text("external_id").map(str::to_owned), duration, ..role })
}

/// Returns the source of the credentials that a profile's role is assumed with.
fn base(variables: &Variables, name: &str, profile: &Profile) -> Result<Source, Failure> {
    let wrong = |why: String| unusable(format!("the profile {name} has role_arn, {why}"));
    match (profile.text("source_profile"), profile.text("credential_source")) {
        (Some(source), _) => {
            let found = self::profile(variables, source)?.and_then(|profile| keys(&profile, source));
            let none = || wrong(format!("and its source_profile {source} has no keys"));
            found.map(Source::Given).ok_or_else(none)
        }
        (None, Some("Environment")) => super::environment(variables)?
            .ok_or_else(|| wrong("and the environment has no AWS_ACCESS_KEY_ID".to_owned())),
        (None, Some("EcsContainer")) => super::container::source(variables)?
            .ok_or_else(|| wrong("and no AWS_CONTAINER_CREDENTIALS_… variable is set".to_owned())),
        (None, Some("Ec2InstanceMetadata")) => Ok(Source::Instance),
        _ => Err(wrong("and neither source_profile nor web_identity_token_file".to_owned())),
    }
}

fn keys(profile: &Profile, name: &str) -> Option<Keys> {
    Some(Keys {
        id: profile.text("aws_access_key_id")?.to_owned(),
        secret: profile.keys.get("aws_secret_access_key")?.clone(),
        token: profile.keys.get("aws_session_token").cloned(),
        from: format!("the profile {name}"),
    })
}

fn profile(variables: &Variables, name: &str) -> Result<Option<Profile>, Failure> {
    let mut all = Profile::default();
    let mut found = false;
    // The second file does not change what the first one says.
    for (path, is_config) in variables::profile_files(variables).into_iter().zip([false, true]) {
        let Some(path) = path.filter(|path| path.exists()) else { continue };
        let bytes = files::read("AWS profiles", &path, MOST)?;
        found |= match (is_config, name) {
            (false, _) => read(&bytes, name, &mut all),
            // AWS' own programs take either, and the longer one counts.
            (true, "default") => {
                ["profile default", "default"].iter().any(|name| read(&bytes, name, &mut all))
            }
            (true, _) => read(&bytes, &format!("profile {name}"), &mut all),
        };
    }
    Ok(found.then_some(all))
}

/// Adds what the section says, and returns whether the section is there. An indented line belongs to the key above
/// it, and we use none of these.
fn read(bytes: &[u8], section: &str, into: &mut Profile) -> bool {
    let (mut inside, mut found) = (false, false);
    for line in bytes.split(|byte| *byte == b'\n') {
        let text = line.trim_ascii();
        if text.is_empty() || text[0] == b'#' || text[0] == b';' {
            continue;
        }
        if text[0] == b'[' {
            let name = text[1..].split(|byte| *byte == b']').next().unwrap_or_default();
            let words = name.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            inside = words.eq(section.as_bytes().split(|byte| *byte == b' '));
            found |= inside;
        } else if inside && !line[0].is_ascii_whitespace() {
            let mut halves = text.splitn(2, |byte| *byte == b'=');
            let (Some(key), Some(value)) = (halves.next(), halves.next()) else { continue };
            let key = String::from_utf8_lossy(key.trim_ascii()).to_ascii_lowercase();
            let value = value.trim_ascii();
            // A comment begins after white space, and a key of AWS contains neither.
            let end = value.windows(2).position(|two| two[0].is_ascii_whitespace() && two[1] == b'#');
            let value = Secret::new(value[..end.unwrap_or(value.len())].trim_ascii().to_vec());
            if !value.is_empty() {
                into.keys.entry(key).or_insert(value);
            }
        }
    }
    found
}

fn unusable(why: String) -> Failure {
    Failure::new(FailureKind::Unusable, why)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests write their own files")]
mod tests {
    use super::*;
    use crate::aws::variables::NAMES;

    const TEXT: &[u8] = b"# ours\n[default]\naws_access_key_id = AKIA1 # here\naws_secret_access_key=a#b=c\n\
s3 =\n  region = not-this\n\n[profile  other]\nregion=eu-west-1\n[ other ]\nrole_arn = arn:aws:iam::1:role/x\n";

    fn of_section(section: &str) -> Option<Profile> {
        let mut profile = Profile::default();
        read(TEXT, section, &mut profile).then_some(profile)
    }

    #[test]
    fn a_section_is_found_by_its_name_and_comments_are_no_values() {
        let default = of_section("default").expect("it is there");
        assert_eq!(default.text("aws_access_key_id"), Some("AKIA1"));
        assert_eq!(default.text("aws_secret_access_key"), Some("a#b=c"));
        assert_eq!(default.text("region"), None, "it is nested");
        assert_eq!(of_section("profile other").expect("there").text("region"), Some("eu-west-1"));
        assert_eq!(of_section("other").expect("there").text("role_arn"), Some("arn:aws:iam::1:role/x"));
        assert!(of_section("absent").is_none());
    }

    /// The source under this file of configuration.
    fn of_config(text: &str, named: Option<&str>) -> Result<Option<Source>, Failure> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("config");
        std::fs::write(&path, text).expect("a file");
        let value = |name: &str| match name {
            "AWS_CONFIG_FILE" => path.to_str().map(Secret::from),
            "AWS_PROFILE" => named.map(Secret::from),
            _ => None,
        };
        source(&Variables::of(NAMES, &value))
    }

    const ROLE: &str = "[default]\naws_access_key_id=A\naws_secret_access_key=s\n\
[profile x]\nrole_arn=arn:x\nsource_profile=default\n";

    #[test]
    fn a_role_is_assumed_with_all_that_the_profile_says_and_never_with_a_code() {
        let role = |more: &str| -> Result<Role, Failure> {
            match of_config(&format!("{ROLE}{more}"), Some("x"))? {
                Some(Source::Assumed { role, .. }) => Ok(role),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(role(""), Ok(Role::of("arn:x".to_owned())));
        let said =
            role("external_id = ours\nduration_seconds = 900\nrole_session_name = web\n").expect("good");
        let of_ours = (Some("ours".to_owned()), Some(900), "web".to_owned());
        assert_eq!((said.external_id, said.duration, said.session), of_ours);
        for (more, words) in [
            ("mfa_serial = arn:mfa", "the profile x has mfa_serial, and a program cannot enter a code"),
            ("duration_seconds = 1h", "has a duration_seconds that is no number"),
        ] {
            let failure = role(more).expect_err("refused");
            assert!(failure.why.contains(words), "{failure}");
        }
    }

    #[test]
    fn the_default_profile_has_either_of_two_names_in_the_configuration() {
        let id = |text: &str| match of_config(text, None).expect("good") {
            Some(Source::Given(keys)) => keys.id,
            other => panic!("{other:?}"),
        };
        let long = "[profile default]\naws_access_key_id=LONG\naws_secret_access_key=s\n";
        let short = "[default]\naws_access_key_id=SHORT\naws_secret_access_key=s\n";
        assert_eq!(id(long), "LONG");
        assert_eq!(id(short), "SHORT");
        assert_eq!(id(&format!("{short}{long}")), "LONG");
        assert_eq!(id(&format!("{long}{short}")), "LONG");
    }
}
