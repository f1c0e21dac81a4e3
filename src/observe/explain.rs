//! Explains why a file is as it is: server, login, store, policy, secret, template, file and notifier, in the order in
//! which one is the cause of the next. Each link is shown with its state, and the first broken link is named.

use super::advice;
use super::paint::{Paint, Palette};
use super::status::{Backend, File, Secret, Status};
use super::table::{Cell, columns, span};

/// The state of a link of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Good,
    /// A link before it is broken, or has not got so far.
    Unknown,
    Broken,
}

/// A link of the chain.
struct Step {
    name: &'static str,
    link: Link,
    what: String,
}

/// Returns the chain of each of these files as a table, with a blank line between two.
#[must_use]
pub fn text(status: &Status, files: &[&File], palette: Palette) -> String {
    let of = |file: &&File| chain(status, file, palette);
    files.iter().map(of).collect::<Vec<_>>().join("\n")
}

fn chain(status: &Status, file: &File, palette: Palette) -> String {
    let steps = steps(status, file);
    let state = if file.state.is_empty() { "?" } else { &file.state };
    let rows = steps.iter().map(|step| {
        let (word, paint) = match step.link {
            Link::Good => ("ok", Paint::Good),
            Link::Unknown => ("-", Paint::Faint),
            Link::Broken => ("BROKEN", Paint::Bad),
        };
        [Cell::from(step.name.to_owned()), Cell(word.to_owned(), paint), Cell::from(step.what.clone())]
    });
    let mut lines = vec![format!("{} is {state}", plain(&file.name))];
    lines.extend(columns(["LINK", "IS", "WHY"], rows.collect(), palette));
    let broken = steps.iter().find(|step| step.link == Link::Broken);
    lines.push(match broken {
        Some(step) => format!("first broken link: {}: {}", step.name, plain(&step.what)),
        None => "no link is broken".to_owned(),
    });
    if let Some(next) = broken.and_then(|step| advice::of_link(status, file, step.name)) {
        lines.push(format!("next: {}", plain(&next)));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn steps(status: &Status, file: &File) -> Vec<Step> {
    let secrets: Vec<&Secret> =
        status.secrets.iter().filter(|one| file.sources.contains(&one.source)).collect();
    let class = file.error_class.as_deref();
    let mut steps = Vec::new();
    if status.has_vault() && needs_vault(status, file) {
        steps.extend([server(status), login(status)]);
    }
    let of_file = |store: &&Backend| file.sources.iter().any(|source| status.backend(source) == Some(*store));
    steps.extend(status.backends.iter().filter(of_file).map(backend));
    steps.push(policy(file, &secrets));
    steps.extend(secrets.iter().map(|one| secret(one)));
    if secrets.is_empty() && !file.is_ok() {
        let link = if class == Some("missing") { Link::Broken } else { Link::Unknown };
        let what = if link == Link::Broken { error(file) } else { "none was read yet".to_owned() };
        steps.push(Step { name: "secret", link, what });
    }
    let of = |name, is: &[&str]| match (class, file.error.as_ref()) {
        (Some(class), Some(error)) if is.contains(&class) => {
            Step { name, link: Link::Broken, what: error.clone() }
        }
        _ => Step { name, link: Link::Good, what: String::new() },
    };
    steps.push(of("template", &["template", "bug", "config"]));
    steps.push(on_disk(file, of("file", &["destination"])));
    steps.push(notifiers(status));
    steps
}

fn error(file: &File) -> String {
    file.error.clone().unwrap_or_default()
}

fn server(status: &Status) -> Step {
    let address = status.server.address.clone().unwrap_or_default();
    match (&status.server.error, status.server.down_seconds) {
        _ if status.server.up && status.server.silent_seconds.is_some() => {
            let seconds = status.server.silent_seconds.unwrap_or_default();
            let what = format!("{address} has not answered for {}", span(seconds));
            Step { name: "server", link: Link::Unknown, what }
        }
        _ if status.server.up => Step { name: "server", link: Link::Good, what: address },
        (why, seconds) => {
            let why = why.clone().unwrap_or_default();
            let what = format!("{address} does not answer for {}: {why}", span(seconds.unwrap_or_default()));
            Step { name: "server", link: Link::Broken, what }
        }
    }
}

/// Returns whether a secret of this file is from the Vault. What a file is made of is known once it was rendered: if it is
/// as it should be and has no secret, it needs none.
fn needs_vault(status: &Status, file: &File) -> bool {
    match file.sources.is_empty() {
        true => !file.is_ok(),
        false => file.sources.iter().any(|source| status.backend(source).is_none()),
    }
}

fn backend(backend: &Backend) -> Step {
    let name = &backend.name;
    if backend.up {
        return Step { name: "backend", link: Link::Good, what: name.clone() };
    }
    let why = backend.error.clone().unwrap_or_default();
    let what =
        format!("{name} does not answer for {}: {why}", span(backend.down_seconds.unwrap_or_default()));
    Step { name: "backend", link: Link::Broken, what }
}

fn login(status: &Status) -> Step {
    let how = status
        .auth
        .as_ref()
        .map(|auth| format!("{} at auth/{}", auth.method, auth.mount))
        .unwrap_or_default();
    match &status.login {
        None if status.logged_in => Step { name: "login", link: Link::Good, what: how },
        None => Step { name: "login", link: Link::Unknown, what: format!("{how}: the first is under way") },
        Some(login) => Step { name: "login", link: Link::Broken, what: format!("{how}: {}", login.error) },
    }
}

/// Returns the link of the policy. It is broken if the login is granted and the path is not.
fn policy(file: &File, secrets: &[&Secret]) -> Step {
    let denied = |one: &&&Secret| one.error_class.as_deref() == Some("denied");
    let why = secrets.iter().find(denied).and_then(|one| one.error.clone());
    let why = why.or_else(|| file.error.clone().filter(|_| file.error_class.as_deref() == Some("denied")));
    match why {
        Some(what) => Step { name: "policy", link: Link::Broken, what },
        None => Step { name: "policy", link: Link::Good, what: String::new() },
    }
}

fn secret(secret: &Secret) -> Step {
    let source = &secret.source;
    let (link, what) = match (secret.state.as_str(), &secret.error) {
        _ if secret.error_class.as_deref() == Some("denied") => (Link::Unknown, source.clone()),
        ("stale", _) => (Link::Unknown, format!("{source}: should have been asked for by now")),
        ("expired", _) => (Link::Broken, format!("{source}: it is past its end")),
        (_, Some(error)) => (Link::Broken, error.clone()),
        ("missing", None) => (Link::Unknown, format!("{source}: not read yet")),
        _ => (Link::Good, source.clone()),
    };
    Step { name: "secret", link, what }
}

fn on_disk(file: &File, step: Step) -> Step {
    match (file.generation, step.link) {
        (_, Link::Broken) => step,
        (None, _) => Step { link: Link::Unknown, what: "not published yet".to_owned(), ..step },
        (Some(generation), _) => Step { what: format!("generation {generation} is on disk"), ..step },
    }
}

fn notifiers(status: &Status) -> Step {
    let failing = status.notifiers.iter().find_map(|one| Some((one.name.clone(), one.error.clone()?)));
    match failing {
        Some((name, why)) => Step { name: "notifier", link: Link::Broken, what: format!("{name}: {why}") },
        None => Step { name: "notifier", link: Link::Good, what: String::new() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::view::{Fault, Health, LoginTrouble, Outage, View};
    use crate::observe::metrics::Besides;
    use crate::observe::sample;

    fn explained(view: &View) -> String {
        let status = Status::of(view, &Besides { certificates: vec![], ..sample::besides() });
        text(&status, &[&status.files[0]], Palette::PLAIN)
    }

    #[test]
    fn each_link_is_shown_and_none_is_broken_where_all_is_well() {
        assert_eq!(
            explained(&sample::view_of_the_well()),
            "\
db.env is ok
LINK      IS  WHY
server    ok  https://vault.example:8200
login     ok  kubernetes at auth/kubernetes
policy    ok
secret    ok  database/creds/web
template  ok
file      ok  generation 4 is on disk
notifier  ok
no link is broken
"
        );
    }

    #[test]
    fn the_first_broken_link_is_named_whatever_is_broken_behind_it() {
        let mut view = sample::view_of_the_well();
        let now = view.now;
        view.files[0].health = Health::Expired(now);
        view.secrets[0].health = Health::Expired(now);
        let text = explained(&view);
        assert!(
            text.contains("first broken link: secret: database/creds/web: it is past its end\n"),
            "{text}"
        );
        view.login = Some(LoginTrouble { since: now, why: "refused".into(), next: None });
        let text = explained(&view);
        assert!(
            text.contains("first broken link: login: kubernetes at auth/kubernetes: refused\nnext: "),
            "{text}"
        );
    }

    #[test]
    fn a_file_of_a_store_depends_on_that_store_and_on_no_server() {
        let mut view = sample::view_of_the_well();
        view.outage = Some(Outage { since: view.now, why: "refused".into() });
        view.secrets[0].source = "disk/db".into();
        assert!(explained(&view).contains("\nbackend   ok  disk\n"), "{}", explained(&view));
        assert!(!explained(&view).contains("server"), "{}", explained(&view));
        view.stores[0].outage = Some(Outage { since: view.now, why: "it hangs".into() });
        view.files[0].health = Health::Stale(view.now);
        let text = explained(&view);
        assert!(
            text.contains(
                "first broken link: backend: disk does not answer for 0s: it hangs\nnext: see that disk "
            ),
            "{text}"
        );
        // A file without secrets needs nobody.
        view.stores[0].outage = None;
        view.files[0].health = Health::Good;
        view.files[0].secrets = vec![];
        assert!(explained(&view).contains("no link is broken"), "{}", explained(&view));
    }

    #[test]
    fn a_denial_is_the_policy_and_a_destination_the_file() {
        for (class, link) in
            [("denied", "policy"), ("missing", "secret"), ("template", "template"), ("destination", "file")]
        {
            let mut view = sample::view_of_the_well();
            view.files[0].health = Health::Failing;
            let fault = Fault { class, text: "why".into() };
            if link == "policy" || link == "secret" {
                view.secrets[0].error = Some(fault.clone());
            }
            view.files[0].error = Some(fault);
            let text = explained(&view);
            assert!(text.contains(&format!("first broken link: {link}: why\n")), "{class}: {text}");
        }
    }
}
