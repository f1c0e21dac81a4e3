//! Somebody who changes the volume all the time while we publish: another user, on a volume that
//! is open to everybody, as an emptyDir is.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Child;

use leasehold::publish::{Set, SingleFile};
use rustix::fs::{CWD, Mode};

use crate::publish::fixture::{PLAIN, census, member, names, open, read};
use crate::publish::scene::{self, is_root};
use crate::support::{Workspace, need, wait_until};

const NOBODY: u32 = 65534;
const ROUNDS: u32 = 2_000;

/// Puts a trap at every name that a publish could use next, and takes them away again, until
/// killed. Nothing here may fail the attacker: he takes what he can get.
fn attack(volume: &Path, outside: &Path) {
    let _ = fs::write(volume.join("attacking"), "");
    for round in 0_u32.. {
        let current = fs::read_link(volume.join("..data")).ok();
        let number = current.as_deref().and_then(Path::to_str).and_then(|name| name.rsplit('_').next());
        let number: u64 = number.and_then(|number| number.parse().ok()).unwrap_or(0);
        let next = format!("..leasehold_{}", number + 1);
        for name in [&*next, &format!("{next}.link"), "..data", "a", "tls", "conf", "..leasehold_x.tmp"] {
            let at = volume.join(name);
            let away = volume.join(format!("away-{name}"));
            match round % 5 {
                0 => drop(symlink(outside, &at)),
                1 => drop(symlink(outside.join("precious"), &at)),
                2 => drop(rustix::fs::mkfifoat(CWD, &at, Mode::from_raw_mode(0o666))),
                3 => {
                    // What the publisher just made is moved away, and a link put in its place.
                    drop(fs::rename(&at, &away));
                    drop(symlink(outside, &at));
                }
                _ => drop(fs::create_dir(&at)),
            }
            drop(fs::remove_file(&at));
            drop(fs::remove_dir(&at));
            drop(fs::remove_file(&away));
        }
    }
}

struct Attacker(Child);

impl Drop for Attacker {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).expect("it is ours to end");
    }
}

#[test]
fn an_attacker_with_the_volume_open_never_gets_a_write_outside() {
    const TEST: &str = "race::an_attacker_with_the_volume_open_never_gets_a_write_outside";
    if let Some(folder) = scene::folder() {
        attack(&folder.join("volume"), &folder.join("outside"));
        return;
    }
    if !need("root", "run the tests as root", is_root()) {
        return;
    }
    let dir = Workspace::new();
    let (volume, outside) = (dir.dir("volume"), dir.dir("outside"));
    // Ours to write, his to name: what a misled write would change.
    dir.file("outside/precious", "precious");
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o755)).expect("ours");
    fs::set_permissions(&volume, fs::Permissions::from_mode(0o777)).expect("ours");
    let before = census(&outside);

    let binary = scene::binary_for_everybody(dir.path());
    let attackers = [(); 2].map(|()| {
        let mut command = scene::command(&[], &binary, TEST, dir.path());
        Attacker(command.uid(NOBODY).gid(NOBODY).spawn().expect("started"))
    });
    wait_until("the attack", std::time::Duration::from_secs(30), || volume.join("attacking").exists());

    let (mut published, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        let bytes = format!("secret {round}");
        let set = Set::open(&volume, 0o750, true)
            .and_then(|mut set| set.publish(&[member("a", &bytes), member("tls/b", &bytes)]));
        let alone = SingleFile::open(&volume.join("conf/c"), 0o750, true)
            .and_then(|mut file| file.publish(&bytes.as_str().into(), &PLAIN));
        for result in [set, alone] {
            match result {
                Ok(_) => published += 1,
                Err(error) => {
                    refused += 1;
                    assert!(error.path.starts_with(&volume), "{error}");
                    assert!(!error.to_string().contains("secret "), "{error}");
                }
            }
        }
    }
    assert_eq!(census(&outside), before, "after {published} publishes and {refused} refusals");
    assert!(published > 0 && refused > 0, "a race that nobody won: {published} and {refused}");

    // Once he is gone, all is well again.
    drop(attackers);
    for name in names(&volume).iter().filter(|name| !name.starts_with("..leasehold_")) {
        let path = volume.join(name);
        fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path)).expect("ours to remove");
    }
    open(&volume).publish(&[member("a", "after")]).expect("published");
    assert_eq!(read(&volume, "a").as_deref(), Some("after"));
    let left = names(&volume);
    assert!(left.len() == 3 && left[0] == "..data" && left[2] == "a", "{left:?}");
    assert_eq!(census(&outside), before);
}
