//! What a SyncedSecret asks for, after all checks.

use std::sync::Arc;
use std::time::Duration;

use leasehold::config::plan::{MissingKey, Source, TemplateSource};
use leasehold::template::Profile;
use leasehold_base::request::Request;
use serde_json::Value;

use super::definition::{
    Definition, Digest, Key, Rules, Target, entry_name, target_name, target_type, texts,
};
use super::identity::{self, Identity};
use super::restart::Restarts;
use super::secret;
use crate::refusal::{Refusal, shown};

/// How often a secret without a lease is polled, unless the object names a time.
const REFRESH: Duration = Duration::from_secs(60);
/// The shortest such time.
const LEAST: Duration = Duration::from_secs(1);
/// The most keys of one Secret, since each is a rendering.
const KEYS: usize = 200;

/// Reads a SyncedSecret.
///
/// # Errors
/// [`Refusal`] for the first thing that is not possible.
pub(crate) fn read(key: Key, metadata: &Value, spec: &Value, rules: &Rules) -> Result<Definition, Refusal> {
    let identity = login(&key, &spec["auth"])?;
    let target = target(&key, spec, rules)?;
    let entries = entries(spec)?;
    let refresh = refresh(&spec["refresh"])?;
    let restarts = Restarts::read(&key.namespace, spec)?;
    match spec["onDelete"].as_str().unwrap_or("delete") {
        "delete" | "retain" => {}
        other => {
            let what = format!("{} is neither", shown(other));
            return Err(Refusal::new("spec.onDelete", what, "write delete or retain"));
        }
    }
    Ok(Definition {
        key,
        uid: metadata["uid"].as_str().unwrap_or_default().to_owned(),
        generation: metadata["generation"].as_i64().unwrap_or_default(),
        identity: Arc::new(identity),
        refresh: Some(refresh),
        target,
        restarts,
        entries,
        digest: Digest::of(spec),
    })
}

/// Returns what each key is made of. Sources with keys of their own come last.
fn entries(spec: &Value) -> Result<Box<[(String, Source)]>, Refusal> {
    let data = spec["data"].as_object().into_iter().flatten();
    let mut entries = data.map(|(name, source)| entry(name, source)).collect::<Result<Vec<_>, _>>()?;
    let whole = spec["dataFrom"].as_array().into_iter().flatten().enumerate();
    entries.extend(whole.map(|(at, source)| all_of(at, source)).collect::<Result<Vec<_>, _>>()?);
    if entries.is_empty() {
        let advice = "add one, with `secret` or `template`, or take all of a secret with `dataFrom`";
        return Err(Refusal::new("spec.data", "there are no keys", advice));
    }
    if entries.len() > KEYS {
        let what = format!("there are {} keys, and {KEYS} at most are allowed", entries.len());
        return Err(Refusal::new("spec.data", what, "divide them between several objects"));
    }
    Ok(entries.into())
}

/// Reads a source of all fields of a secret, or of what a template makes of several secrets.
fn all_of(at: usize, source: &Value) -> Result<(String, Source), Refusal> {
    let place = format!("spec.dataFrom[{at}]");
    let source = match (source["secret"].as_str(), source["template"].as_str()) {
        (Some(path), None) => match one(path, false, &format!("{place}.secret"))? {
            Source::Json { request } => Source::Json { request },
            _ => {
                let what = "it names one value, and dataFrom takes all";
                return Err(Refusal::new(
                    format!("{place}.secret"),
                    what,
                    "take the # and what is behind it out",
                ));
            }
        },
        (None, Some(text)) => template(text, &format!("{place}.template"))?,
        _ => {
            let what = "it needs one of `secret` and `template`";
            return Err(Refusal::new(place, what, "write one of the two"));
        }
    };
    Ok((secret::of_all(at), source))
}

/// Returns whether the Secret stays when its object is deleted.
pub(crate) fn retains(spec: &Value) -> bool {
    spec["onDelete"] == "retain"
}

/// Reads the login, which is that of an account in the object's own namespace: there is no field for another.
fn login(key: &Key, auth: &Value) -> Result<Identity, Refusal> {
    let text = |field: &str, default: &str| auth[field].as_str().unwrap_or(default).to_owned();
    let (account, role) = (text("serviceAccount", ""), text("role", ""));
    if target_name(&account).is_none() {
        let what = format!("{} is no name of a service account", shown(&account));
        return Err(Refusal::new("spec.auth.serviceAccount", what, "name one of this namespace"));
    }
    if role.is_empty() {
        return Err(Refusal::new("spec.auth.role", "it is empty", "name the role of Vault to log in with"));
    }
    let mount = text("mount", identity::MOUNT);
    if Request::read(&format!("auth/{mount}/login")).is_err() {
        let what = format!("{} is no mount of a login", shown(&mount));
        return Err(Refusal::new("spec.auth.mount", what, "write it without auth/, such as kubernetes"));
    }
    let audience = text("audience", identity::AUDIENCE);
    Ok(Identity::Account { namespace: key.namespace.to_string(), account, role, mount, audience })
}

fn target(key: &Key, spec: &Value, rules: &Rules) -> Result<Target, Refusal> {
    let given = &spec["target"];
    let name = given["name"].as_str().unwrap_or(&key.name);
    let name = target_name(name).ok_or_else(|| {
        let what = format!("{} is no name of a Secret", shown(name));
        Refusal::new("spec.target.name", what, "use lower case letters, digits, - and ., 253 at most")
    })?;
    let kind = target_type(&given["type"], "spec.target.type", rules)?;
    let own = |name: &String| name.starts_with("leasehold.dev/");
    let (mut labels, mut annotations) = (texts(&given["labels"]), texts(&given["annotations"]));
    labels.retain(|name, _| !own(name));
    annotations.retain(|name, _| !own(name));
    let (immutable, adopts) = (given["immutable"] == true, spec["adopt"] == true);
    Ok(Target { name: name.into(), kind, labels, annotations, immutable, adopts })
}

fn refresh(given: &Value) -> Result<Duration, Refusal> {
    let Some(text) = given.as_str() else { return Ok(REFRESH) };
    humantime::parse_duration(text).ok().filter(|refresh| *refresh >= LEAST).ok_or_else(|| {
        let what = format!("{} is no duration of 1 s or more", shown(text));
        Refusal::new("spec.refresh", what, "write it like 30s or 5m")
    })
}

fn entry(name: &str, source: &Value) -> Result<(String, Source), Refusal> {
    let place = |field: &str| format!("spec.data.{}{field}", shown(name));
    entry_name(name, &place(""))?;
    let base64 = match source["encoding"].as_str().unwrap_or("text") {
        "text" | "" => false,
        "base64" => true,
        other => {
            let what = format!("{} is no encoding", shown(other));
            return Err(Refusal::new(place(".encoding"), what, "write base64 or text, or leave it out"));
        }
    };
    let source = match (source["secret"].as_str(), source["template"].as_str()) {
        (Some(path), None) => one(path, base64, &place(".secret"))?,
        (None, Some(_)) if base64 => {
            let advice = "use base64Decode in the template";
            return Err(Refusal::new(place(".encoding"), "it means nothing beside `template`", advice));
        }
        (None, Some(text)) => template(text, &place(".template"))?,
        _ => {
            return Err(Refusal::new(
                place(""),
                "it needs one of `secret` and `template`",
                "write one of the two",
            ));
        }
    };
    Ok((name.to_owned(), source))
}

fn one(text: &str, base64: bool, place: &str) -> Result<Source, Refusal> {
    let (path, key) = text.split_once('#').map_or((text, None), |(path, key)| (path, Some(key)));
    let advice = "write it like secret/web#password";
    let request = Request::read(path).map_err(|bad| Refusal::new(place, bad.to_string(), advice))?;
    match key {
        Some("") => Err(Refusal::new(place, "there is no key behind the #", advice)),
        Some(key) => Ok(Source::Field { request, key: key.to_owned(), base64 }),
        None if base64 => {
            Err(Refusal::new(place, "`encoding` decodes one value, and this names all", advice))
        }
        None => Ok(Source::Json { request }),
    }
}

/// Compiles a template of an author who is not trusted.
fn template(text: &str, place: &str) -> Result<Source, Refusal> {
    let template = Profile::pure().parse(place, text.as_bytes(), None).map_err(|error| {
        let (line, column) = error.position.in_characters(text.as_bytes());
        Refusal::new(format!("{place}:{line}:{column}"), error.message.clone(), error.advice())
    })?;
    Ok(Source::Template(TemplateSource {
        name: place.to_owned(),
        file: None,
        origin: None,
        template: Arc::new(template),
        missing_key: MissingKey::Error,
        delimiters: ("{{".to_owned(), "}}".to_owned()),
        denied: Vec::new(),
    }))
}

#[cfg(test)]
mod tests;
