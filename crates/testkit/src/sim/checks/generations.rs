//! The promises about files that are published together.

use std::collections::BTreeMap;
use std::time::Duration;

use leasehold_core::ids::FileId;

use super::super::server::{KV_MOUNT, Value};
use super::super::setup::FileSetup;
use super::super::world::World;
use super::Held;

/// Returns the longest quiet time of the files that are published together with this one.
pub(super) fn set_wait(world: &World, file: FileId) -> Duration {
    let wait = |file: &FileSetup| file.wait.map_or(Duration::ZERO, |wait| wait.max);
    if file.0 < world.setup.members {
        world.setup.files[..world.setup.members].iter().map(wait).max().unwrap_or_default()
    } else {
        wait(&world.setup.files[file.0])
    }
}

/// Checks that files that are published together are made of the same answers.
pub(super) fn one_generation(world: &World, files: &[FileId]) -> Held {
    let process = world.process.as_ref().ok_or("an action without a process")?;
    let mut seen: BTreeMap<&String, (FileId, &Value)> = BTreeMap::new();
    for file in files {
        let Some(content) = process.renderings.get(file) else {
            return Err(format!("{file:?} is published and was never rendered"));
        };
        // One bad path harms its own file only, which stays as it was.
        let good = !process.failing.contains(file);
        // What is read elsewhere by now, as after a change of the KV's version, is another path with its own looks.
        let here =
            |path: &String| !path.starts_with(KV_MOUNT) || process.reads_from(&world.setup, *file, path);
        for (path, value) in content.iter().filter(|(path, _)| good && here(path)) {
            match seen.get(path) {
                Some((other, before)) if *before != value => {
                    return Err(format!("{file:?} and {other:?} are published with two answers of {path}"));
                }
                _ => {
                    seen.insert(path, (*file, value));
                }
            }
        }
    }
    Ok(())
}
