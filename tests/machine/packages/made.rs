//! Packages around the programs, each made once for all tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use crate::program::{release, shipped};
use crate::support::{have, need, repository};

/// The version that the packages have.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// That of a package by which one is upgraded, of the same program.
pub(crate) const NEXT: &str = concat!(env!("CARGO_PKG_VERSION"), "+next");

static PACKAGES: LazyLock<PathBuf> =
    LazyLock::new(|| build("packages", "leasehold", "deb,tar,sbom,vex,provenance,sums", VERSION));
static UPGRADE: LazyLock<PathBuf> = LazyLock::new(|| build("upgrade", "leasehold", "deb", NEXT));
static CLOUDS: LazyLock<PathBuf> = LazyLock::new(|| build("clouds", "leasehold-clouds", "deb", VERSION));
static IMAGES: LazyLock<[PathBuf; 2]> = LazyLock::new(|| {
    ["leasehold", "leasehold-kubernetes"]
        .map(|program| build(&format!("{program}-image"), program, "oci", VERSION))
});

/// Whether there is a release to be packed.
pub(crate) fn possible() -> bool {
    need("a release build as new as the sources", "make release", release("leasehold").is_some())
}

/// A folder with the packages of this machine's kind; signed, and with the public key, where minisign is installed.
pub(crate) fn packages() -> &'static Path {
    &PACKAGES
}

/// The package of Debian, called that version or the next.
pub(crate) fn deb(version: &str) -> PathBuf {
    let folder = if version == VERSION { &PACKAGES } else { &UPGRADE };
    folder.join(format!("leasehold_{version}_{}.deb", architecture()))
}

/// The package of Debian with the clouds.
pub(crate) fn clouds() -> PathBuf {
    CLOUDS.join(format!("leasehold-clouds_{VERSION}_{}.deb", architecture()))
}

/// What the same program is packed into another time.
pub(crate) fn packed_again() -> PathBuf {
    build("again", "leasehold", "deb,tar,sbom,vex,provenance", VERSION)
}

/// The package for distributions with RPM.
pub(crate) fn rpm() -> PathBuf {
    let machine = std::env::consts::ARCH;
    build("rpm", "leasehold", "rpm", VERSION).join(format!("leasehold-{VERSION}-1.{machine}.rpm"))
}

/// The image of a program for this machine: of the release where it is as new as the sources.
pub(crate) fn image(program: &str) -> PathBuf {
    let name = format!("{program}-{VERSION}.oci.tar");
    let found = IMAGES.iter().map(|folder| folder.join(&name)).find(|path| path.exists());
    found.expect("there are two programs")
}

/// What Debian calls this machine's kind.
pub(crate) fn architecture() -> &'static str {
    if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" }
}

fn build(name: &str, program: &str, kinds: &str, version: &str) -> PathBuf {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages").join(name);
    // What another run has left.
    let _ = fs::remove_dir_all(&out);
    fs::create_dir_all(&out).expect("the folder of this run's files");
    let mut command = Command::new(repository().join("packaging/build"));
    command
        .args([out.as_os_str(), kinds.as_ref()])
        .arg(format!("{program}:{}={}", architecture(), shipped(program).display()))
        .env("VERSION", version)
        .env_remove("SIGNING_KEY");
    if kinds.contains("sums") && have("minisign") {
        command.env("SIGNING_KEY", throw_away_key(&out));
    }
    succeeded(&command.output().expect("it is in the repository"));
    out
}

/// A pair of keys, whose public half is put beside the packages, as the page asks for it.
fn throw_away_key(out: &Path) -> PathBuf {
    let key = out.with_extension("key");
    let made = Command::new("minisign")
        .args(["-G", "-f", "-W", "-s"])
        .arg(&key)
        .arg("-p")
        .arg(out.join("leasehold.pub"))
        .output()
        .expect("it is there");
    succeeded(&made);
    key
}

#[track_caller]
fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
