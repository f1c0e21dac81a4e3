//! Answers that mounts of KV version 1 and 2 can both give, and what they mean for each. A mount that was upgraded or
//! replaced answers such a path with 200 as before.

use super::{Mount, is_below};
use leasehold_base::request::{Request, Verb};
use leasehold_base::response::Response;
use leasehold_base::tree::Tree;

/// Returns whether a mount of the other version could have given this answer as well, so that it may be another secret,
/// or none. `known` is what is known of the mount.
///
/// On a KV version 2, `config` is the engine's own configuration, `subkeys/` has the names of a secret's keys, and
/// `metadata/` its versions. A version 1 has secrets of these names.
pub(crate) fn is_doubtful(request: &Request, known: Option<&Mount>, response: &Response) -> bool {
    let has = |name: &str| response.data.get(name).is_some();
    let inside = known.and_then(|mount| mount.inside(&request.path));
    let below = |folder| inside.is_some_and(|inside| is_below(inside, folder));
    match (request.verb, known.is_some_and(|mount| mount.kv2)) {
        (Verb::List, _) => known.is_some() && is_empty_list(response),
        (Verb::Read, true) => below("data") && response.kv2_fields().is_none(),
        (Verb::Read, false) => {
            is_own_configuration(request, response)
                || below("subkeys") && has("subkeys") && has("metadata")
                || below("metadata") && has("versions") && has("current_version")
        }
        (Verb::Write, _) => false,
    }
}

/// Returns how a secret called `config` has to be written, if KV version 2 answered with its own configuration.
pub(crate) fn as_a_secret(request: &Request, response: &Response) -> Option<String> {
    let mount = request.path.strip_suffix("config").filter(|_| is_own_configuration(request, response))?;
    Some(format!("{mount}data/config"))
}

fn is_own_configuration(request: &Request, response: &Response) -> bool {
    let has = |name| response.data.get(name).is_some();
    request.verb == Verb::Read
        && request.path.ends_with("/config")
        && has("cas_required")
        && has("max_versions")
        && !Request::is_never_kv(&request.path)
}

fn is_empty_list(response: &Response) -> bool {
    response.data.get("keys").and_then(Tree::as_list).is_some_and(<[Tree]>::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(path: &str, kv2: bool) -> Mount {
        Mount { path: path.to_owned(), kind: "kv".to_owned(), kv2 }
    }

    fn answer(fields: &[&'static str]) -> Response {
        let data = fields.iter().map(|field| (*field, Tree::text("0")));
        Response { data: Tree::map(data), ..Response::default() }
    }

    #[test]
    fn what_the_other_version_would_answer_as_well_is_doubtful() {
        let own = &["cas_required", "delete_version_after", "max_versions"][..];
        for (path, fields, of_1, of_2, of_unknown) in [
            ("kv/config", own, true, false, true),
            ("kv/config", &["password"], false, false, false),
            ("kv/web", own, false, false, false),
            ("kv/subkeys/web", &["subkeys", "metadata"], true, false, false),
            ("kv/metadata/web", &["versions", "current_version"], true, false, false),
            ("kv/metadata/web", &["password"], false, false, false),
            ("kv/data/web", &["password"], false, true, false),
            ("kv/database", &["password"], false, false, false),
        ] {
            let request = Request::read(path).expect("a good path");
            let doubtful = |known: Option<Mount>| is_doubtful(&request, known.as_ref(), &answer(fields));
            let seen = [Some(mount("kv/", false)), Some(mount("kv/", true)), None].map(doubtful);
            assert_eq!(seen, [of_1, of_2, of_unknown], "{path} {fields:?}");
        }
        let own = answer(own);
        let write = |path| as_a_secret(&Request::read(path).expect("a good path"), &own);
        assert_eq!(write("team/kv/config").as_deref(), Some("team/kv/data/config"));
        assert_eq!(write("sys/config"), None);
        let database = Mount { kind: "database".to_owned(), ..mount("db/", false) };
        let request = Request::read("db/config").expect("a good path");
        assert!(is_doubtful(&request, Some(&database), &own), "asked about, and then believed");
    }
}
