//! The configuration of the agent: a plan, written as Leasehold's own YAML, in the same order every time.

mod check;
mod sections;

use serde_yaml::{Mapping, Value};

use crate::plan::{Base, Plan, Shape};
use crate::refusal::Refusal;

/// Where the handoff's volume is mounted, in our containers only.
pub(crate) const HANDOFF: &str = "/leasehold/handoff";
/// Where the operator's authority is mounted.
pub(crate) const AUTHORITY: &str = "/leasehold/ca";
/// The file in it.
pub(crate) const AUTHORITY_FILE: &str = "ca.pem";
/// The kernel refuses an environment variable that is larger.
const LARGEST: usize = 120 * 1024;

/// Writes the configuration of a plan; in exec mode for the container `container`.
///
/// # Errors
/// What the agent would refuse, with the annotation that it comes from.
pub(crate) fn text(plan: &Plan, container: Option<&str>) -> Result<String, Refusal> {
    let mut map = ours(plan, container);
    if let Base::Text(own) = &plan.base {
        lay_upon(&mut map, own);
    }
    let whole = serde_yaml::to_string(&map)
        .map_err(|error| Refusal::new("leasehold", format!("cannot write a configuration: {error}"), ""))?;
    if whole.len() > LARGEST {
        let what =
            format!("the configuration has {} KiB, and {} is the most", whole.len() / 1024, LARGEST / 1024);
        return Err(Refusal::new("annotations", what, "put it into a ConfigMap"));
    }
    check::check(plan, &whole)?;
    Ok(whole)
}

/// Makes the configuration that the plan asks for, without the YAML of the pod's own.
fn ours(plan: &Plan, container: Option<&str>) -> Mapping {
    let mut map = Mapping::new();
    put(&mut map, "vault", sections::vault(plan));
    put(&mut map, "auth", sections::auth(plan));
    let from_config_map = matches!(plan.base, Base::ConfigMap { .. });
    let has_files = !matches!(plan.shape, Shape::Exec | Shape::EnvFile);
    let own_set = has_files && (!from_config_map || plan.names.folder == crate::plan::OWN_NAMES.folder);
    put(&mut map, "secrets_dir", own_set.then(|| plan.folder.as_str().into()));
    // In exec mode several containers share the volume.
    let own = container.map_or_else(String::new, |name| format!("-{name}"));
    if plan.stays() {
        put(&mut map, "handoff", Some(sections::pairs([("file", format!("{HANDOFF}/state{own}"))])));
    }
    put(&mut map, "defaults", sections::defaults(plan));
    put(&mut map, "files", sections::files(plan));
    put(&mut map, "sinks", sections::sinks(plan));
    put(&mut map, "notify", sections::notify(plan));
    put(&mut map, "exec", sections::exec(plan));
    put(&mut map, "shutdown", sections::shutdown(plan));
    let listen = if plan.on_loopback {
        "127.0.0.1:9110".to_owned()
    } else {
        format!("unix:{HANDOFF}/status{own}.sock")
    };
    put(&mut map, "listen", plan.stays().then(|| listen.into()));
    put(&mut map, "log", sections::log(plan));
    map
}

fn put(map: &mut Mapping, key: &str, value: Option<Value>) {
    map.extend(value.map(|value| (Value::from(key), value)));
}

/// Lays a map upon another: maps are merged, of anything else the upper one counts.
fn lay_upon(lower: &mut Mapping, upper: &Mapping) {
    for (key, value) in upper {
        match (lower.get_mut(key), value) {
            (Some(Value::Mapping(below)), Value::Mapping(above)) => lay_upon(below, above),
            (Some(below), _) => *below = value.clone(),
            (None, _) => {
                lower.insert(key.clone(), value.clone());
            }
        }
    }
}
