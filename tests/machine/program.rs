//! The programs as one file that needs no libraries, as they are put into packages and images.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::support::{Leasehold, repository, script};

/// The release of `leasehold`, `leasehold-clouds` or `leasehold-kubernetes`, where it is as new as the sources, or the debug build linked
/// like it, which is three times as large.
pub(crate) fn shipped(package: &str) -> PathBuf {
    // The tests' own build has the clouds.
    release(package).unwrap_or_else(|| debug_build(package.trim_end_matches("-clouds")))
}

/// What `scripts/release` builds, where it is as new as what it is built from.
pub(crate) fn release(package: &str) -> Option<PathBuf> {
    let target = Leasehold::binary().parent()?.parent()?;
    let machine = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let program = target.join(machine).join("release").join(package);
    let sources = ["src", "crates", "Cargo.toml", "Cargo.lock"].map(|name| newest(&repository().join(name)));
    (changed(&program)? >= *sources.iter().flatten().max()?).then_some(program)
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// When a file, or the latest of a folder, was changed.
fn newest(path: &Path) -> Option<SystemTime> {
    let inside = fs::read_dir(path).into_iter().flatten().flatten();
    inside
        .filter_map(|entry| newest(&entry.path()))
        .chain(path.is_file().then(|| changed(path)).flatten())
        .max()
}

/// The debug build as one file that needs no libraries.
fn debug_build(package: &str) -> PathBuf {
    let target = Leasehold::binary().parent().expect("it is in a folder");
    let (folder, profile) = (target.parent().expect("a folder"), target.file_name().expect("a name"));
    script("static-binary", &[&folder.to_string_lossy(), &profile.to_string_lossy(), package]).into()
}
