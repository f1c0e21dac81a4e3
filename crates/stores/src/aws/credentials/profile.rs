//! The credentials of a profile, and the chain of roles that lead to them.

use std::path::PathBuf;
use std::sync::Arc;

use leasehold_base::failure::{Failure, FailureKind};

use super::files::{Files, Profile, Profiles};
use super::{Role, Source};
use crate::aws::sign::Keys;
use crate::aws::variables;
use crate::http::said;
use crate::variables::Variables;

/// The profile that is named, or `default`, among the others that it may name.
pub(super) struct Chosen<'a> {
    variables: &'a Variables,
    name: &'a str,
    all: Arc<Profiles>,
}

/// Returns the profile that is named, or `default` if that is there.
///
/// # Errors
/// If no file has the profile that is named. AWS' command line and boto3 then refuse to work, whatever other
/// credentials there are: those would be another identity's.
pub(super) fn chosen<'a>(variables: &'a Variables, files: &Files) -> Result<Option<Chosen<'a>>, Failure> {
    let named = variables::profile(variables);
    let chosen = Chosen { variables, name: named.unwrap_or("default"), all: files.profiles(variables)? };
    match (chosen.all.get(chosen.name), named) {
        (Some(_), _) => Ok(Some(chosen)),
        (None, None) => Ok(None),
        (None, Some(name)) => Err(Failure::advised(
            FailureKind::Unusable,
            format!(
                "no file has the profile {name} of AWS_PROFILE; add it to {}, or unset AWS_PROFILE",
                places(variables)
            ),
        )),
    }
}

/// Returns the names of the files of profiles.
fn places(variables: &Variables) -> String {
    let files = variables::profile_files(variables).into_iter().flatten();
    let shown: Vec<_> = files.map(|path| path.display().to_string()).collect();
    if shown.is_empty() { "the file of AWS_CONFIG_FILE".to_owned() } else { shown.join(" or ") }
}

impl Chosen<'_> {
    fn profile(&self) -> Option<&Profile> {
        self.all.get(self.name)
    }

    /// Returns the region of the profile.
    pub(super) fn region(&self) -> Option<String> {
        self.profile()?.text("region").map(str::to_owned)
    }

    /// Returns the role of the profile, if the profile's own credentials assume it.
    pub(super) fn role(&self) -> Result<Option<Source>, Failure> {
        let assumes = self.profile().is_some_and(assumes);
        assumes.then(|| self.assumed(self.name, &mut Vec::new())).transpose()
    }

    /// Returns what else the profile has.
    pub(super) fn source(&self) -> Result<Option<Source>, Failure> {
        self.profile().map_or(Ok(None), |profile| own(self.name, profile))
    }

    /// Returns the files of web identities that the profile, and those that it names, may need.
    pub(super) fn token_files(&self) -> Vec<PathBuf> {
        let (mut files, mut visited, mut next) = (Vec::new(), Vec::new(), Some(self.name));
        while let Some(name) = next.filter(|name| !visited.contains(name)) {
            visited.push(name);
            let profile = self.all.get(name);
            files.extend(profile.and_then(|profile| profile.path("web_identity_token_file")));
            next = profile.and_then(|profile| profile.text("source_profile"));
        }
        files
    }

    /// Returns the role of a profile. `visited` are the profiles whose roles need this one.
    fn assumed<'b>(&'b self, name: &'b str, visited: &mut Vec<&'b str>) -> Result<Source, Failure> {
        let profile =
            self.all.get(name).ok_or_else(|| unusable(format!("no file has the profile {name}")))?;
        visited.push(name);
        let role = role(name, profile)?;
        let base = match (profile.text("source_profile"), profile.text("credential_source")) {
            (Some(_), Some(_)) => Err(wrong(name, "has both source_profile and credential_source; keep one")),
            (Some(next), None) => self.of_source_profile(name, next, visited),
            (None, Some(source)) => self.of_credential_source(name, source),
            (None, None) => Err(wrong(
                name,
                "has role_arn, and neither source_profile, credential_source nor web_identity_token_file",
            )),
        };
        Ok(Source::Assumed { base: Box::new(base?), role })
    }

    /// Returns the credentials of the profile `next`, with which the role of the profile `name` is assumed.
    fn of_source_profile<'b>(
        &'b self,
        name: &'b str,
        next: &'b str,
        visited: &mut Vec<&'b str>,
    ) -> Result<Source, Failure> {
        let lacks = |why: &str| wrong(name, format!("has role_arn, and its source_profile {next} {why}"));
        let profile = self.all.get(next).ok_or_else(|| lacks("is in no file"))?;
        // A profile may assume its role with its own keys.
        let is_own = next == name && has_keys(profile);
        if visited.contains(&next) && !is_own {
            let way = [visited, &[next][..]].concat().join(", ");
            return Err(unusable(format!(
                "the profiles of AWS lead in a circle: {way}; let one of them have keys, or another source_profile"
            )));
        }
        // Keys come before a role here.
        if assumes(profile) && !has_keys(profile) {
            return self.assumed(next, visited);
        }
        own(next, profile)?.ok_or_else(|| lacks("has neither keys nor a role"))
    }

    /// Returns the credentials of the place that a profile names.
    fn of_credential_source(&self, name: &str, source: &str) -> Result<Source, Failure> {
        let lacks = |why: &str| wrong(name, format!("has credential_source = {source}, and {why}"));
        match source {
            "Environment" => super::environment(self.variables)?
                .map(Source::Given)
                .ok_or_else(|| lacks("the environment has no AWS_ACCESS_KEY_ID")),
            "EcsContainer" => super::container::source(self.variables)?
                .ok_or_else(|| lacks("no AWS_CONTAINER_CREDENTIALS_… variable is set")),
            "Ec2InstanceMetadata" if super::instance::is_disabled(self.variables) => {
                Err(lacks("AWS_EC2_METADATA_DISABLED is set"))
            }
            "Ec2InstanceMetadata" => Ok(Source::Instance),
            other => Err(wrong(
                name,
                format!(
                    "has the credential_source {}, which there is not; use Environment, EcsContainer or Ec2InstanceMetadata",
                    said(other)
                ),
            )),
        }
    }
}

/// Returns whether the profile has a role that other credentials assume.
fn assumes(profile: &Profile) -> bool {
    profile.text("role_arn").is_some() && profile.text("web_identity_token_file").is_none()
}

fn has_keys(profile: &Profile) -> bool {
    ["aws_access_key_id", "aws_secret_access_key"].iter().any(|key| profile.secret(key).is_some())
}

/// Returns the credentials that a profile has itself: a web identity, or keys.
fn own(name: &str, profile: &Profile) -> Result<Option<Source>, Failure> {
    if let Some(token_file) = profile.path("web_identity_token_file") {
        let role_arn = profile.text("role_arn");
        let role_arn = role_arn.ok_or_else(|| wrong(name, "has web_identity_token_file, and no role_arn"))?;
        return Ok(Some(Source::WebIdentity {
            token_file,
            role_arn: role_arn.to_owned(),
            session: session(profile),
        }));
    }
    if let Some(keys) = keys(name, profile)? {
        return Ok(Some(Source::Given(keys)));
    }
    for other in ["credential_process", "sso_session", "sso_start_url", "login_session"] {
        if profile.text(other).is_some() {
            let why = format!("has {other}, which Leasehold does not follow; give it keys or a role");
            return Err(wrong(name, why));
        }
    }
    Ok(None)
}

fn session(profile: &Profile) -> String {
    profile.text("role_session_name").unwrap_or(super::SESSION).to_owned()
}

/// Returns what the profile says about its role.
fn role(name: &str, profile: &Profile) -> Result<Role, Failure> {
    if profile.text("mfa_serial").is_some() {
        let why = "has mfa_serial, and a program cannot enter a code; name a role that needs none";
        return Err(wrong(name, why));
    }
    let seconds = profile.text("duration_seconds").map(str::parse).transpose();
    let duration =
        seconds.map_err(|_| wrong(name, "has a duration_seconds that is no number; write it like 3600"))?;
    let text = |key: &str| profile.text(key).map(str::to_owned);
    Ok(Role {
        arn: text("role_arn").unwrap_or_default(),
        session: session(profile),
        external_id: text("external_id"),
        duration,
    })
}

fn keys(name: &str, profile: &Profile) -> Result<Option<Keys>, Failure> {
    let half = |which: &str, other: &str| {
        wrong(name, format!("has only half a key: {which} is there, and {other} is not; add it"))
    };
    let (id, secret) = ("aws_access_key_id", "aws_secret_access_key");
    match (profile.text(id), profile.secret(secret)) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(half(id, secret)),
        (None, Some(_)) => Err(half(secret, id)),
        (Some(id), Some(secret)) => Ok(Some(Keys {
            id: id.to_owned(),
            secret: secret.clone(),
            token: profile.secret("aws_session_token").cloned(),
            from: format!("the profile {name}"),
        })),
    }
}

fn wrong(name: &str, why: impl AsRef<str>) -> Failure {
    unusable(format!("the profile {name} {}", why.as_ref()))
}

fn unusable(why: String) -> Failure {
    Failure::new(FailureKind::Unusable, why)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests write their own files")]
mod tests {
    use super::*;
    use crate::aws::variables::NAMES;
    use leasehold_base::secret::Secret;

    /// Returns the source of credentials under this configuration file, for the profile that `named` names.
    fn of_config(text: &str, named: Option<&str>) -> Result<Source, Failure> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("config");
        std::fs::write(&path, text).expect("a file");
        let value = |name: &str| match name {
            "AWS_CONFIG_FILE" => path.to_str().map(Secret::from),
            "AWS_PROFILE" => named.map(Secret::from),
            _ => None,
        };
        super::super::source(&Variables::of(NAMES, &value), &Files::default())
    }

    const ROLE: &str = "[default]\naws_access_key_id=A\naws_secret_access_key=s\n\
[profile x]\nrole_arn=arn:x\nsource_profile=default\n";

    #[test]
    fn a_role_is_assumed_with_all_that_the_profile_says_and_never_with_a_code() {
        let role = |more: &str| -> Result<Role, Failure> {
            match of_config(&format!("{ROLE}{more}"), Some("x"))? {
                Source::Assumed { role, .. } => Ok(role),
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
            Source::Given(keys) => keys.id,
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
