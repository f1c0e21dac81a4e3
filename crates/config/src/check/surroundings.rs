//! Checks that what a configuration relies on is there already: programs, certificates, credentials. It only warns,
//! and only if somebody asked for a check, which may be made on another machine.

use std::path::Path;

use crate::desk::Desk;
#[cfg(feature = "clouds")]
use crate::file::BackendEntry;
use crate::file::{Auth, Exec, Field, File};
use crate::keypath::KeyPath;
use crate::read::Seen;

/// The folders of programs if `PATH` is not set.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const ELSEWHERE: &str = "put it there, or check with --elsewhere if the configuration is for another machine";

/// A key that names a file, and its text if it is set.
type Named<'f> = (KeyPath, Option<&'f String>);

/// Checks everything that `file` names, if there is something to look with.
pub(super) fn check(file: &File, desk: &mut Desk<'_>) {
    let Some(look) = desk.look else { return };
    not_on_init(file, desk);
    if desk.elsewhere {
        return;
    }
    let mut files = of_server(file);
    files.extend(file.auth.iter().flat_map(of_login));
    #[cfg(feature = "clouds")]
    files.extend(file.backends.iter().flat_map(of_backend));
    for (at, text) in files {
        if text.is_some_and(|text| look(Path::new(text)) == Seen::Nothing) {
            desk.warn(&at, "there is no such file on this machine", ELSEWHERE);
        }
    }
    if let Some(folder) =
        file.listen.as_deref().and_then(|listen| Path::new(listen.strip_prefix("unix:")?).parent())
        && look(folder) == Seen::Nothing
    {
        desk.warn(&KeyPath::of(&["listen"]), "the socket's folder is not on this machine", ELSEWHERE);
    }
    for (name, notifier) in &file.notify {
        let at = KeyPath::of(&["notify", name, "command"]);
        program(notifier.command.as_deref(), &at, look, desk);
    }
    of_process(&file.exec, look, desk);
}

/// Warns of commands that init leaves out, if there is an init: with a handoff, or a section of its own.
fn not_on_init(file: &File, desk: &mut Desk<'_>) {
    if file.handoff.file.is_none() && file.init.timeout.is_none() {
        return;
    }
    for (name, notifier) in &file.notify {
        if notifier.command.is_some() && notifier.on_init.is_none() {
            let message = "`leasehold init` does not run this command: only later changes do";
            let hint = "write `on_init: true` where the application needs it before its start, otherwise `on_init: false`";
            desk.warn(&KeyPath::of(&["notify", name, "command"]), message, hint);
        }
    }
}

fn of_server(file: &File) -> Vec<Named<'_>> {
    let at = KeyPath::of(&["vault"]);
    let vault = &file.vault;
    vec![
        (at.key("ca_file"), vault.ca_file.as_ref()),
        (at.key("ca_dir"), vault.ca_dir.as_ref()),
        (at.key("client_cert_file"), vault.client_cert_file.as_ref()),
        (at.key("client_key_file"), vault.client_key_file.as_ref()),
    ]
}

#[cfg(feature = "clouds")]
fn of_backend<'f>((name, entry): (&'f String, &'f BackendEntry)) -> Option<Named<'f>> {
    let at = KeyPath::of(&["backends", name, "azure_key_vault", "client_secret_file"]);
    Some((at, entry.azure_key_vault.as_ref()?.client_secret_file.as_ref()))
}

fn of_login(auth: &Auth) -> Vec<Named<'_>> {
    let at = KeyPath::of(&["auth"]);
    let mut files = vec![
        (at.key("jwt_file"), auth.jwt_file.as_ref()),
        (at.key("role_id_file"), auth.role_id_file.as_ref()),
        (at.key("secret_id_file"), auth.secret_id_file.as_ref()),
        (at.key("token_file"), auth.token_file.as_ref()),
        (at.key("password_file"), auth.password_file.as_ref()),
    ];
    for (name, field) in auth.fields.iter().flatten() {
        if let Field::Of(source) = field {
            files.push((at.key("fields").key(name).key("file"), source.file.as_ref()));
        }
    }
    files
}

fn of_process(exec: &Exec, look: &dyn Fn(&Path) -> Seen, desk: &mut Desk<'_>) {
    // With a rendered PATH, the program is found by that PATH.
    if !exec.env.contains_key("PATH") {
        program(exec.command.as_deref(), &KeyPath::of(&["exec", "command"]), look, desk);
    }
}

/// Warns if the first of `words` is no program.
fn program(words: Option<&[String]>, at: &KeyPath, look: &dyn Fn(&Path) -> Seen, desk: &mut Desk<'_>) {
    let Some(name) = words.and_then(|words| words.first()) else { return };
    if !name.contains('/') {
        let path = (desk.env)("PATH").unwrap_or_else(|| DEFAULT_PATH.to_owned());
        let mut folders = path.split(':').filter(|folder| !folder.is_empty());
        if !folders.any(|folder| matches!(look(&Path::new(folder).join(name)), Seen::Program | Seen::Unknown))
        {
            desk.warn(at, "no such program is in PATH on this machine", ELSEWHERE);
        }
        return;
    }
    match look(Path::new(name)) {
        Seen::Nothing => desk.warn(at, "there is no such program on this machine", ELSEWHERE),
        Seen::Other => desk.warn(at, "it is no program that can be run", "make it executable"),
        Seen::Program | Seen::Unknown => {}
    }
}
