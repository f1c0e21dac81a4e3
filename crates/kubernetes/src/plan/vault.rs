//! From vault.hashicorp.com annotations to a plan.

use serde_json::Value;

use super::{Base, Extras, Plan, Planned, Server, Shape, Token, VAULT_NAMES, containers};
use super::{files, login, resources, security, server, token};
use crate::annotations::Annotations;
use crate::annotations::grammar::duration_text;
use crate::refusal::{Refusal, shown};
use crate::settings::{Settings, allows};

/// How long vault-k8s' hook sleeps before it revokes.
const GRACE: u64 = 5;

/// Reads the plan.
pub(super) fn plan(
    pod: &Value,
    annotations: &Annotations<'_>,
    settings: &Settings,
) -> Result<Planned, Refusal> {
    let mut warnings = annotations.check()?;
    no_proxy(annotations, &mut warnings)?;
    let shape = shape(pod, annotations, settings, &mut warnings)?;
    let mut server = server::server(annotations, settings, &mut warnings)?;
    let base = base(annotations);
    let (login, token) = login(pod, annotations, settings, &base, &mut server, &mut warnings)?;
    let folder = annotations.text("secret-volume-path").unwrap_or(VAULT_NAMES.folder);
    let folder = folder.trim_end_matches('/').to_owned();
    let files = files::files(pod, annotations, &folder, settings)?;
    warnings.extend(files.warnings);
    let (revoke, delay) = at_the_end(annotations, settings, shape);
    let plan = Plan {
        names: &VAULT_NAMES,
        shape,
        image: image(annotations, settings, &mut warnings),
        authority: authority(&server, settings),
        base,
        server,
        login,
        token,
        files: files.files,
        variables: std::collections::BTreeMap::new(),
        resolve_env: false,
        folder,
        own_folders: files.own_folders,
        token_file: annotations.flag("agent-inject-token") == Some(true),
        notify: None,
        containers: containers::chosen(pod, annotations, "agent-inject-containers")?,
        init_first: annotations.flag("agent-init-first") == Some(true),
        share_processes: annotations.flag("agent-share-process-namespace"),
        extras: extras(pod, annotations)?,
        security: security::security(pod, annotations, settings)?,
        resources: resources::resources(annotations, settings),
        revoke,
        delay,
        on_loopback: on_loopback(annotations, &mut warnings),
        refresh: refresh(annotations, settings),
        log_level: log_level(annotations),
        log_format: if annotations.text("log-format") == Some("json") { "json" } else { "text" },
        patches: ["agent-init-json-patch", "agent-json-patch"].map(|name| patch(annotations, name)),
    };
    Ok((plan, warnings))
}

/// Refuses what makes the agent a proxy for the application.
fn no_proxy(annotations: &Annotations<'_>, warnings: &mut Vec<String>) -> Result<(), Refusal> {
    const USE: &str = "agent-cache-use-auto-auth-token";
    if let Some(asked) =
        annotations.text(USE).filter(|asked| annotations.flag(USE) == Some(true) || *asked == "force")
    {
        let what = format!(
            "{} lets the application ask Vault through the agent, and Leasehold is no proxy",
            shown(asked)
        );
        return Err(annotations.refusal(
            USE,
            what,
            "read the secrets from files, or keep vault-k8s for this pod",
        ));
    }
    if annotations.flag("agent-cache-enable") == Some(true) {
        let full = annotations.full("agent-cache-enable");
        warnings.push(format!(
            "{full}: no cache is served; a path is read once, and init hands its login to the sidecar"
        ));
    }
    Ok(())
}

/// Decides which containers are added. A pod that ends by itself would never end beside a second container, so it gets
/// a native sidecar if the cluster knows native sidecars.
fn shape(
    pod: &Value,
    annotations: &Annotations<'_>,
    settings: &Settings,
    warnings: &mut Vec<String>,
) -> Result<Shape, Refusal> {
    let init = annotations.flag("agent-pre-populate").unwrap_or(true);
    let sidecar = !annotations.flag("agent-pre-populate-only").unwrap_or(false);
    if !init && !sidecar {
        let what = "together with agent-pre-populate: \"false\" nothing is left to inject";
        return Err(annotations.refusal("agent-pre-populate-only", what, "leave one of the two out"));
    }
    let ends = matches!(pod["spec"]["restartPolicy"].as_str(), Some("Never" | "OnFailure"));
    if ends && sidecar && settings.native_sidecars {
        return Ok(Shape::Native);
    }
    if ends && sidecar {
        warnings.push(
            "spec.restartPolicy: the pod does not end while the sidecar runs; add \
             vault.hashicorp.com/agent-pre-populate-only: \"true\", or let the application POST to 127.0.0.1:9110/quit"
                .to_owned(),
        );
    }
    Ok(Shape::Classic { init, sidecar })
}

fn base(annotations: &Annotations<'_>) -> Base {
    match annotations.text("agent-configmap") {
        Some(name) => Base::ConfigMap {
            name: name.to_owned(),
            folder: "/vault/configs",
            init: "config-init.hcl",
            sidecar: "config.hcl",
        },
        None => Base::Annotations,
    }
}

fn login(
    pod: &Value,
    annotations: &Annotations<'_>,
    settings: &Settings,
    base: &Base,
    server: &mut Server,
    warnings: &mut Vec<String>,
) -> Result<(Option<Login>, Token), Refusal> {
    if *base != Base::Annotations {
        // The ConfigMap says how to log in; a token is there if it wants one.
        return Ok((None, token::own(settings)));
    }
    let mut login = login::login(annotations, settings, server, warnings)?;
    let token = token::token(pod, annotations, settings, &mut login)?;
    Ok((Some(login), token))
}

use super::Login;

/// Returns the operator's authority, if the pod names none and the address is not plain HTTP.
fn authority(server: &Server, settings: &Settings) -> Option<String> {
    let own = server.ca_file.is_some() || server.ca_dir.is_some();
    let plain = server.address.as_deref().is_some_and(|address| address.starts_with("http://"));
    settings.authority.clone().filter(|_| !own && !plain)
}

fn image(annotations: &Annotations<'_>, settings: &Settings, warnings: &mut Vec<String>) -> String {
    let Some(asked) = annotations.text("agent-image") else { return settings.image.clone() };
    if allows(&settings.allowed_images, asked) {
        return asked.to_owned();
    }
    let full = annotations.full("agent-image");
    warnings.push(format!(
        "{full}: has no effect; {} is not an image that the operator allows (allowed_images), so {} is used",
        shown(asked),
        settings.image
    ));
    settings.image.clone()
}

fn extras(pod: &Value, annotations: &Annotations<'_>) -> Result<Extras, Refusal> {
    let text = |name| annotations.text(name).map(str::to_owned);
    let copy_from = containers::to_copy(pod, annotations)?;
    Ok(Extras { tls_secret: text("tls-secret"), extra_secret: text("agent-extra-secret"), copy_from })
}

/// Returns whether the sidecar revokes, and how many seconds after SIGTERM it does so. A native sidecar stops after the
/// application. Beside a classic sidecar, the application may still use its credentials, so a classic sidecar revokes
/// on request only, as in vault-k8s.
fn at_the_end(annotations: &Annotations<'_>, settings: &Settings, shape: Shape) -> (bool, u64) {
    let asked = annotations.flag("agent-revoke-on-shutdown").or(settings.revoke);
    match shape {
        Shape::Classic { sidecar: true, .. } => {
            let grace = annotations.number("agent-revoke-grace").unwrap_or(GRACE);
            let revoke = asked.unwrap_or(false);
            (revoke, if revoke { grace } else { 0 })
        }
        Shape::Classic { sidecar: false, .. } => (false, 0),
        Shape::Native | Shape::Exec | Shape::EnvFile => (asked.unwrap_or(true), 0),
    }
}

fn on_loopback(annotations: &Annotations<'_>, warnings: &mut Vec<String>) -> bool {
    let quits = annotations.flag("agent-enable-quit") == Some(true);
    if quits {
        let full = annotations.full("agent-enable-quit");
        warnings.push(format!(
            "{full}: the address is another: POST to http://127.0.0.1:9110/quit instead of \
             http://127.0.0.1:8200/agent/v1/quit"
        ));
    }
    quits || annotations.each("agent-telemetry").next().is_some()
}

fn refresh(annotations: &Annotations<'_>, settings: &Settings) -> Option<String> {
    let asked = annotations.duration("template-static-secret-render-interval").filter(|time| !time.is_zero());
    asked.map(duration_text).or_else(|| settings.refresh.clone())
}

fn log_level(annotations: &Annotations<'_>) -> Option<&'static str> {
    Some(match annotations.text("log-level")? {
        "trace" => "trace",
        "debug" => "debug",
        "warn" | "warning" => "warn",
        "err" | "error" => "error",
        _ => "info",
    })
}

/// Returns the patch in an annotation. The check of the annotations has read the patch already.
fn patch(annotations: &Annotations<'_>, name: &str) -> Option<json_patch::Patch> {
    serde_json::from_str(annotations.text(name)?).ok()
}
