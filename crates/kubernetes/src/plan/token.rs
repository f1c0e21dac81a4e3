//! Where the token of the service account comes from, which some methods log in with.

use serde_json::Value;

use super::{Login, Token};
use crate::annotations::Annotations;
use crate::refusal::{Refusal, shown};
use crate::settings::Settings;

const VOLUME: &str = "agent-service-account-token-volume-name";
/// Where our own token is.
pub(crate) const FOLDER: &str = "/var/run/secrets/vault";
/// Where a volume of the pod is that no container mounts.
const UNMOUNTED: &str = "/var/run/secrets/vault.hashicorp.com/serviceaccount";

/// Finds the token for `login`, and adds its place to the keys.
pub(super) fn token(
    pod: &Value,
    annotations: &Annotations<'_>,
    settings: &Settings,
    login: &mut Login,
) -> Result<Token, Refusal> {
    let named = annotations.text(VOLUME).map(|name| volume(pod, annotations, name)).transpose()?;
    let has_place = login.keys.iter().any(|(key, _)| *key == "jwt_file");
    if !matches!(login.method.as_str(), "kubernetes" | "jwt") {
        return Ok(named.map_or(Token::None, |(token, _)| token));
    }
    let (token, file) = named.unwrap_or_else(|| (own(settings), format!("{FOLDER}/token")));
    if !has_place {
        login.keys.push(("jwt_file", file));
        return Ok(token);
    }
    // The pod says where its token is. A volume that it names besides is mounted all the same.
    Ok(if annotations.text(VOLUME).is_some() { token } else { Token::None })
}

/// Returns a projected token of our own.
pub(super) fn own(settings: &Settings) -> Token {
    Token::Projected { audience: settings.token_audience.clone(), seconds: settings.token_seconds }
}

/// Returns a volume of the pod, and the path of the token's file in it.
fn volume(pod: &Value, annotations: &Annotations<'_>, name: &str) -> Result<(Token, String), Refusal> {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    let volume = volumes.clone().find(|volume| volume["name"] == name);
    let sources = volume.and_then(|volume| volume["projected"]["sources"].as_array()).into_iter().flatten();
    let path = sources.filter_map(|source| source["serviceAccountToken"]["path"].as_str()).next();
    let Some(path) = path else {
        let what = format!("the pod has no volume {} with a projected service account token", shown(name));
        let advice = "add the volume with a serviceAccountToken among its projected sources, or leave the annotation out";
        return Err(annotations.refusal(VOLUME, what, advice));
    };
    let mount = mounted_at(pod, name).unwrap_or(UNMOUNTED).to_owned();
    let file = format!("{mount}/{path}");
    Ok((Token::Volume { name: name.to_owned(), mount }, file))
}

/// Returns the path at which the first container that mounts a volume mounts it.
fn mounted_at<'p>(pod: &'p Value, volume: &str) -> Option<&'p str> {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let mut mounts =
        containers.flat_map(|container| container["volumeMounts"].as_array().into_iter().flatten());
    mounts.find(|mount| mount["name"] == volume)?["mountPath"].as_str()
}
