//! A machine with systemd as its first process: the host's own files, or an empty Debian's, under an overlay, in a
//! container of systemd's, on the host's loopback so that the test's server can be reached.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{Pid, geteuid};

use crate::support::{
    Cell, Leasehold, OpenBao, Workspace, children, have, inside, need, repository, wait_for, wait_until,
};

/// Booting takes two seconds on a quiet machine.
const BOOT: Duration = Duration::from_secs(90);

/// Timers and installed services of the host are none of ours: only the manager and its journal run.
const BOOT_SCRIPT: &str = r#"
mount -t tmpfs tmpfs "$1"
cd "$1"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=$3,upperdir=$1/upper,workdir=$1/work" root
rm -rf root/etc/systemd/system/*.wants root/etc/machine-id
ln -sf /dev/null root/etc/systemd/system/timers.target
cp -a "$2/." root/
shift 3
exec systemd-nspawn --quiet --directory=root --boot --register=no --keep-unit --link-journal=no "$@" \
    systemd.unit=basic.target </dev/null
"#;

/// A running machine.
#[derive(Debug)]
pub(crate) struct Machine {
    // Dropped first: its mounts are in the folders of the other.
    cell: Cell,
    _space: Workspace,
    leader: Pid,
}

/// Whether there can be one here.
pub(crate) fn possible() -> bool {
    let available = geteuid().is_root() && have("systemd-nspawn");
    need("root and systemd-nspawn", "apt-get install systemd-container", available)
}

impl Machine {
    /// Boots this machine's system with the shipped units of leasehold and `files` (path, mode, content) besides.
    pub(crate) fn boot(server: &OpenBao, files: &[(&str, u32, String)]) -> Self {
        let binary = fs::read(Leasehold::binary()).expect("it was built");
        let mut all = vec![
            ("/usr/local/bin/leasehold".to_owned(), 0o755, binary),
            ("/etc/leasehold/ca.pem".to_owned(), 0o644, server.ca_pem().into_bytes()),
        ];
        for unit in ["leasehold.service", "leasehold@.service"] {
            all.push((format!("/etc/systemd/system/{unit}"), 0o644, shipped(unit)));
        }
        let files =
            files.iter().map(|(path, mode, text)| ((*path).to_owned(), *mode, text.clone().into_bytes()));
        all.extend(files);
        Self::boot_on(Path::new("/"), &all, &[])
    }

    /// Boots the system in the folder `lower`, which is not written, with `files` besides and further options of nspawn.
    pub(crate) fn boot_on(lower: &Path, files: &[(String, u32, Vec<u8>)], options: &[&str]) -> Self {
        let space = Workspace::new();
        let (root, extra) = (space.dir("machine"), space.dir("extra"));
        for (path, mode, content) in files {
            let path = extra.join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().expect("it has a folder")).expect("a fresh folder");
            fs::write(&path, content).expect("a fresh file");
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).expect("it is ours");
        }
        open_folders(&extra);
        let mut arguments = vec![root.as_os_str(), extra.as_os_str(), lower.as_os_str()];
        arguments.extend(options.iter().map(OsStr::new));
        let cell = Cell::start(space.path(), "machine", BOOT_SCRIPT, &arguments);
        let mut machine = Self { leader: cell.first(), cell, _space: space };
        // The container's first process is a child of systemd-nspawn, once that is there.
        machine.leader = wait_for("the machine's first process", BOOT, || {
            machine.cell.assert_lives();
            children(machine.leader).into_iter().find(|pid| name(*pid) == "systemd")
        });
        wait_until("the machine to be up", BOOT, || {
            machine.cell.assert_lives();
            machine.run(&["systemctl", "is-active", "basic.target"]).0.trim() == "active"
        });
        machine
    }

    /// Runs a program in the machine: what it wrote, and whether it succeeded.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> (String, bool) {
        let output =
            inside(self.leader, &["--all"]).args(arguments).output().expect("nsenter is util-linux's");
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (said.into_owned(), output.status.success())
    }

    /// `systemctl` that has to succeed.
    #[track_caller]
    pub(crate) fn systemctl(&self, arguments: &[&str]) {
        let (said, success) = self.run(&[&["systemctl"], arguments].concat());
        let journal = self.run(&["journalctl", "--no-pager", "-n", "40"]).0;
        assert!(success, "systemctl {arguments:?}: {said}\n{journal}");
    }

    /// A property of a unit.
    pub(crate) fn show(&self, unit: &str, property: &str) -> String {
        self.run(&["systemctl", "show", "--value", "--property", property, unit]).0.trim().to_owned()
    }

    /// A unit's state: `active`, `activating`, `inactive` and so on.
    pub(crate) fn state(&self, unit: &str) -> String {
        self.show(unit, "ActiveState")
    }

    /// Where a file of the machine is for the test.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.leader))
    }

    /// The text of a file; nothing where it is not there.
    pub(crate) fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path(path)).ok()
    }
}

/// A file of manifests/systemd.
pub(crate) fn shipped(name: &str) -> Vec<u8> {
    fs::read(repository().join("manifests/systemd").join(name)).expect("it is ours")
}

fn name(process: Pid) -> String {
    fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default().trim().to_owned()
}

/// Copying takes over the modes of folders, and a test's own are closed to others.
fn open_folders(dir: &Path) {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).expect("it is ours");
    for entry in fs::read_dir(dir).expect("it can be listed").flatten() {
        if entry.path().is_dir() {
            open_folders(&entry.path());
        }
    }
}
