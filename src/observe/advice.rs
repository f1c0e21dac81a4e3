//! The `next:` line: what a person can do about the first thing that is wrong, in the order in which one thing is the
//! cause of the next: server, login, store, secret, file, notifier.

use super::status::{Backend, File, Secret, Status};

/// Returns what to do, or `None` if nothing is wrong.
#[must_use]
pub fn of(status: &Status) -> Option<String> {
    server(status)
        .or_else(|| login(status))
        .or_else(|| store(status))
        .or_else(|| reload(status))
        .or_else(|| status.files.iter().filter(|file| !file.is_ok()).map(|one| file(status, one)).next())
        .or_else(|| notifier(status))
        .or_else(|| certificate(status))
}

fn server(status: &Status) -> Option<String> {
    let address = status.server.address.as_deref().unwrap_or("the server");
    if status.server.up {
        status.server.silent_seconds?;
        return Some(format!("see that {address} answers (`bao status -address={address}`)"));
    }
    let keeps = "files stay as they are, and it is asked again every few seconds by itself";
    Some(format!("see that {address} answers and is unsealed (`bao status -address={address}`); {keeps}"))
}

fn login(status: &Status) -> Option<String> {
    let login = status.login.as_ref()?;
    let what = match &status.auth {
        Some(auth) => {
            let role = auth.role.as_ref().map(|role| format!("role `{role}` ")).unwrap_or_default();
            format!("{role}at auth/{} ({})", auth.mount, auth.method)
        }
        None => "the login".to_owned(),
    };
    let when = match login.next_in_seconds {
        Some(seconds) if seconds > 0 => format!("the next try is in {}", super::table::span(seconds)),
        _ => "a try is under way".to_owned(),
    };
    Some(format!(
        "check {what} on the server and the credentials here; {when}, `leasehold refresh` tries at once"
    ))
}

fn store(status: &Status) -> Option<String> {
    status.backends.iter().find(|backend| !backend.up).map(reach)
}

fn reach(away: &Backend) -> String {
    let why = away.error.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    format!(
        "see that {} can be reached{why}; files stay as they are, and it is asked again by itself",
        away.name
    )
}

fn reload(status: &Status) -> Option<String> {
    let why = status.process.as_ref()?.reload_error.as_ref()?;
    Some(format!(
        "the configuration could not be read again: {why}; run `leasehold check`, then send SIGHUP again"
    ))
}

/// Returns what to do about one link of a file's chain, by the name that `--explain` gives it.
#[must_use]
pub fn of_link(status: &Status, file: &File, link: &str) -> Option<String> {
    match link {
        "server" => server(status),
        "login" => login(status),
        "backend" => {
            let mut backends = file.sources.iter().filter_map(|source| status.backend(source));
            backends.find(|backend| !backend.up).map(reach)
        }
        "notifier" => notifier(status),
        _ => Some(self::file(status, file)),
    }
}

fn file(status: &Status, file: &File) -> String {
    let name = &file.name;
    let secret = culprit(status, file);
    let source = secret.map_or("its secrets", |secret| secret.source.as_str());
    let again = format!("then `leasehold refresh {name}`");
    let backend = secret.and_then(|secret| status.backend(&secret.source));
    match file.error_class.as_deref() {
        Some("denied") => denied(name, source, backend),
        Some("missing") => format!("create {source} or its key, or correct the path of {name}; {again}"),
        Some("template") => format!("correct the template of {name} (`leasehold check`), then send SIGHUP"),
        Some("destination") => format!("make room for {name}, or let it be written: {}", error(file)),
        Some("fault") => match backend {
            Some(backend) => format!("{} fails on {source}: look at its own log", backend.name),
            None => {
                format!("the server fails on {source}: look at its log and at what is behind that engine")
            }
        },
        Some("expired") => {
            format!("find out why {name} could not be renewed: `leasehold status --explain {name}`")
        }
        _ => format!("`leasehold status --explain {name}` names the first broken link"),
    }
}

/// Returns the secret that the file fails for: one of the file's own class, or else any that fails.
fn culprit<'s>(status: &'s Status, file: &File) -> Option<&'s Secret> {
    let of_file = |secret: &&Secret| file.sources.contains(&secret.source) && secret.error.is_some();
    let mut failing = status.secrets.iter().filter(of_file);
    let alike = failing.clone().find(|secret| secret.error_class == file.error_class);
    alike.or_else(|| failing.next())
}

fn denied(name: &str, source: &str, backend: Option<&Backend>) -> String {
    let again = format!("then `leasehold refresh {name}`");
    match backend {
        None => format!("`leasehold plan` shows what the policy lacks for {name}; grant it, {again}"),
        Some(backend) if backend.is_cloud() => format!(
            "let this process read {source} for {name}: `leasehold policy --backend {}` prints what a cloud has to grant; {again}",
            backend.name
        ),
        Some(_) => format!("let this process read {source} for {name}; {again}"),
    }
}

fn error(file: &File) -> &str {
    file.error.as_deref().unwrap_or_default()
}

fn notifier(status: &Status) -> Option<String> {
    let failing = status.notifiers.iter().find(|one| one.error.is_some())?;
    Some(format!("see that {} runs and can be notified: its files are new already", failing.name))
}

fn certificate(status: &Status) -> Option<String> {
    status.certificates.iter().find_map(|one| one.error.as_ref().map(|_| format!("replace {}", one.file)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::view::{Fault, Health, LoginTrouble, Outage};
    use crate::observe::metrics::Besides;
    use crate::observe::sample;

    fn next(view: &crate::core::view::View) -> Option<String> {
        Status::of(view, &Besides { certificates: vec![], ..sample::besides() }).next
    }

    #[test]
    fn what_is_first_in_the_chain_is_what_to_do_first() {
        let mut view = sample::view_of_the_well();
        assert_eq!(next(&view), None);
        view.notifiers[0].error = Some("no answer".into());
        assert_eq!(
            next(&view).expect("it fails"),
            "see that app runs and can be notified: its files are new already"
        );
        view.files[1].health = Health::Failing;
        view.files[1].error = Some(Fault { class: "denied", text: "permission denied".into() });
        assert!(
            next(&view)
                .expect("it fails")
                .starts_with("`leasehold plan` shows what the policy lacks for api-key")
        );
        view.secrets[1].source = "disk/api-key".into();
        view.secrets[1].error = Some(Fault { class: "denied", text: "permission denied".into() });
        assert_eq!(
            next(&view).expect("it fails"),
            "let this process read disk/api-key for api-key; then `leasehold refresh api-key`"
        );
        let mut besides = Besides { certificates: vec![], ..sample::besides() };
        besides.about.backends = vec!["azure_key_vault"];
        assert_eq!(
            Status::of(&view, &besides).next.expect("it fails"),
            "let this process read disk/api-key for api-key: `leasehold policy --backend disk` prints what a cloud has to grant; then `leasehold refresh api-key`"
        );
        let next_try = Some(view.now.after(std::time::Duration::from_secs(16)));
        view.login = Some(LoginTrouble { since: view.now, why: "refused".into(), next: next_try });
        assert_eq!(
            next(&view).expect("it fails"),
            "check role `web` at auth/kubernetes (kubernetes) on the server and the credentials here; the next try is in 16s, `leasehold refresh` tries at once"
        );
        view.outage = Some(Outage { since: view.now, why: "refused".into() });
        assert!(next(&view).expect("it is away").starts_with("see that https://vault.example:8200 answers"));
    }
}
