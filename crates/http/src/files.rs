//! Reads small files from disk: credentials and certificates, which other programs write and rotate.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use leasehold_base::exit::in_a_pod;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;

/// No JWT, token or secret id is longer.
const CREDENTIAL_MAX: usize = 64 * 1024;
const EMPTY: &str = "is empty";

/// Reads the whole of a regular file of at most `max` bytes. `what` names it in messages.
///
/// The file is opened without blocking: a FIFO in place of the file would otherwise stop the daemon for ever.
///
/// # Errors
/// The reason why it cannot be read, by its name.
pub fn read(what: &str, path: &Path, max: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let told = |why: &str| format!("{what} {} {why}", path.display());
    let unreadable = |error: &std::io::Error| unusable(told(&format!("cannot be read: {}", plain(error))));
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC)
        .open(path)
        .map_err(|error| unopened(what, path, &error))?;
    let meta = file.metadata().map_err(|error| unreadable(&error))?;
    if !meta.is_file() {
        return Err(unusable(told("is not a regular file")));
    }
    // Room for all of it at once: a buffer that grows leaves unwiped copies behind.
    let room = usize::try_from(meta.len()).unwrap_or(max).min(max) + 1;
    let mut bytes = Zeroizing::new(vec![0; room]);
    let mut length = 0;
    let mut file = file;
    while length < room {
        match file.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(&error)),
        }
    }
    if length == room {
        let large = room > max;
        return Err(if large {
            unusable(told(&format!("is larger than {max} bytes")))
        } else {
            local(told("grew while it was read"))
        });
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Returns the failure of opening a file. A file that is not there may come in a moment, since the kubelet may be
/// late. One that we may not read stays so.
fn unopened(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    let shown = path.display();
    if error.kind() != std::io::ErrorKind::PermissionDenied {
        let why = format!("{what} {shown} cannot be opened: {}", plain(error));
        return if error.kind() == std::io::ErrorKind::NotFound { not_yet(path, why) } else { unusable(why) };
    }
    denied(what, path, nix::unistd::eaccess(path, nix::unistd::AccessFlags::R_OK).is_ok())
}

/// Returns the failure of a file that may not be opened, `although` its mode lets us read it or because it does not.
fn denied(what: &str, path: &Path, although: bool) -> Failure {
    let shown = path.display();
    if although {
        let why = format!(
            "{what} {shown} cannot be opened, although its mode allows it: the sandbox of this process denies it, or another security module; restart leasehold, so that the sandbox is made for the file as it is now, or use `sandbox: off`"
        );
        return Failure::advised(FailureKind::Unusable, why);
    }
    let user = nix::unistd::geteuid().as_raw();
    // The file's folder may be closed to us, too.
    let owner = std::fs::metadata(path).map_or_else(
        |_| String::new(),
        |meta| format!(" (it belongs to {}:{}, mode {:04o})", meta.uid(), meta.gid(), meta.mode() & 0o7777),
    );
    let mend = if in_a_pod() {
        "run as its owner, or give the volume an `fsGroup`"
    } else {
        "make that user its owner, or hand it over with LoadCredential= under systemd"
    };
    Failure::advised(
        FailureKind::Unusable,
        format!("{what} {shown} cannot be opened: permission denied to uid {user}{owner}; {mend}"),
    )
}

/// Returns the failure of a credential that may come, unless systemd has put there what it had when it started the
/// unit.
fn not_yet(path: &Path, why: String) -> Failure {
    let unit = path.strip_prefix("/run/credentials").ok().and_then(Path::parent);
    let Some(unit) = unit.filter(|unit| !unit.as_os_str().is_empty()) else { return local(why) };
    let unit = unit.display();
    Failure::advised(
        FailureKind::Unusable,
        format!("{why}; put it where LoadCredential= of {unit} says, and restart that unit"),
    )
}

/// Reads a credential: the content of the file at `path`.
///
/// # Errors
/// The reason why the file cannot be read, or the rule that it breaks.
pub fn credential(what: &str, path: &Path) -> Result<Secret, Failure> {
    let bytes = read(what, path, CREDENTIAL_MAX)?;
    let complain = |rule: &str| format!("{what} {} {rule}", path.display());
    // An empty file may be one that is being written.
    credential_in(&bytes)
        .map_err(|rule| if rule == EMPTY { not_yet(path, complain(rule)) } else { unusable(complain(rule)) })
}

/// Reads a credential from the text of a file, without the space around it. Space, a newline or another control
/// byte inside is refused, because it would split the header or the JSON that the credential goes into.
///
/// # Errors
/// The rule that the text breaks, to be put behind the name of the file.
pub fn credential_in(bytes: &[u8]) -> Result<Secret, &'static str> {
    match bytes.trim_ascii() {
        [] => Err(EMPTY),
        text if text.iter().all(u8::is_ascii_graphic) => Ok(Secret::new(text.to_vec())),
        _ => Err("must hold one line of visible ASCII characters without spaces"),
    }
}

/// Reads a password: the content of the file at `path` without the newline at its end. Passwords have spaces. They
/// have no control bytes, and a file of several lines is another one than was meant.
pub fn password(what: &str, path: &Path) -> Result<Secret, Failure> {
    let bytes = read(what, path, CREDENTIAL_MAX)?;
    let complain = |rule| format!("{what} {} {rule}", path.display());
    let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    match text.strip_suffix(b"\r").unwrap_or(text) {
        [] => Err(not_yet(path, complain(EMPTY))),
        text if text.iter().any(u8::is_ascii_control) || std::str::from_utf8(text).is_err() => {
            Err(unusable(complain("must hold one line of text in UTF-8")))
        }
        text => Ok(Secret::new(text.to_vec())),
    }
}

/// Returns whether `token` may become a header as it is.
pub fn is_token(token: &Secret) -> bool {
    !token.is_empty() && token.expose().iter().all(u8::is_ascii_graphic)
}

/// Returns a failure of our own side.
pub fn local(why: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Local, why)
}

/// Returns a failure of our own side that stays.
pub fn unusable(why: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Unusable, why)
}

/// Returns the failure of a credential whose variable is not set.
pub fn unset(variable: &str) -> Failure {
    unusable(format!("the variable {variable} is not set"))
}

/// Returns the system's words without its number.
pub fn plain(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        kind => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(bytes: &[u8]) -> tempfile::NamedTempFile {
        use std::io::Write;
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(bytes).expect("written");
        file
    }

    #[test]
    fn a_credential_is_trimmed() {
        let file = write(b"\n abc.def \r\n");
        assert_eq!(credential("jwt_file", file.path()).expect("good").expose(), b"abc.def");
    }

    #[test]
    fn a_bad_credential_is_named_by_its_path_and_never_shown() {
        for (bytes, rule) in [
            (&b"  \n"[..], "is empty"),
            (b"hunter2\nhunter3", "one line"),
            (b"hunter2\0", "one line"),
            (b"hunter2 hunter3", "one line"),
            (&[b'x'; CREDENTIAL_MAX + 1], "is larger than 65536 bytes"),
        ] {
            let file = write(bytes);
            let failure = credential("jwt_file", file.path()).expect_err("refused");
            let may_come = rule == EMPTY;
            assert_eq!(failure.kind, if may_come { FailureKind::Local } else { FailureKind::Unusable });
            assert!(failure.why.contains(rule), "{failure}");
            assert!(failure.why.contains(&file.path().display().to_string()));
            assert!(!failure.why.contains("hunter"));
        }
    }

    #[test]
    fn a_password_keeps_its_spaces_and_loses_one_newline() {
        for text in [&b" two words "[..], b" two words \n", b" two words \r\n"] {
            let file = write(text);
            assert_eq!(password("password_file", file.path()).expect("good").expose(), b" two words ");
        }
        for (bytes, rule) in [
            (&b"\n"[..], "is empty"),
            (b"hunter2\n\n", "one line"),
            (b"hunter2\0", "one line"),
            (b"hunter2\xff", "one line"),
        ] {
            let file = write(bytes);
            let failure = password("password_file", file.path()).expect_err("refused");
            assert!(failure.why.contains(rule) && !failure.why.contains("hunter"), "{failure}");
        }
    }

    #[test]
    fn what_is_not_a_file_is_refused_without_waiting() {
        let space = tempfile::tempdir().expect("a folder");
        let fifo = space.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
        for (path, rule) in [
            (fifo.as_path(), "not a regular file"),
            (space.path(), "not a regular file"),
            (&space.path().join("none"), "no such file"),
        ] {
            let failure = credential("jwt_file", path).expect_err("refused");
            assert!(failure.why.contains(rule), "{failure}");
        }
    }

    #[test]
    fn a_file_that_may_not_be_read_is_told_with_its_owner_and_is_not_waited_for() {
        use std::io::{Error, ErrorKind};
        let file = write(b"x");
        let denied = denied("secret_id_file", file.path(), false);
        assert_eq!((denied.kind, denied.advised), (FailureKind::Unusable, true));
        let user = nix::unistd::geteuid().as_raw();
        for part in [
            format!("secret_id_file {} cannot be opened", file.path().display()),
            format!("permission denied to uid {user} (it belongs to {user}:"),
            "mode 0600); ".to_owned(),
        ] {
            assert!(denied.why.contains(&part), "{denied}");
        }
        // The file is ours, so that its mode is not the reason.
        let sandboxed = unopened("secret_id_file", file.path(), &Error::from(ErrorKind::PermissionDenied));
        assert_eq!((sandboxed.kind, sandboxed.advised), (FailureKind::Unusable, true));
        assert!(sandboxed.why.contains("the sandbox of this process denies it"), "{sandboxed}");
        let none = unopened("secret_id_file", file.path(), &Error::from(ErrorKind::NotFound));
        assert_eq!(none.kind, FailureKind::Local, "it may come");
    }

    #[test]
    fn a_credential_that_systemd_did_not_find_is_not_waited_for_and_the_unit_is_named() {
        let failure = |path: &str| {
            credential("secret_id_file", Path::new(path)).expect_err("there is no such unit on this machine")
        };
        let of_a_unit = failure("/run/credentials/leasehold@nobody.service/secret-id");
        assert_eq!((of_a_unit.kind, of_a_unit.advised), (FailureKind::Unusable, true));
        let mend = "; put it where LoadCredential= of leasehold@nobody.service says, and restart that unit";
        assert!(of_a_unit.why.ends_with(mend), "{of_a_unit}");
        assert_eq!(failure("/run/credentials/nobody").kind, FailureKind::Local, "no unit's");
    }

    #[test]
    fn a_file_of_exactly_the_limit_is_taken() {
        let file = write(b"12345678");
        assert_eq!(read("ca_file", file.path(), 8).expect("fits").as_slice(), b"12345678");
        assert!(read("ca_file", file.path(), 7).is_err());
    }
}
