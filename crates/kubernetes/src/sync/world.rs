//! What a rendering can reach besides secrets: nothing, except the salt of a password's hash.

use std::cell::RefCell;
use std::sync::Arc;

use leasehold::render::Environment;
use leasehold::template::host::{HostError, Network, WallTime};
use sha2::{Digest as _, Sha256};

thread_local! {
    /// What the next salt is made of: the key that is being rendered, and how many salts it has had.
    static SALT: RefCell<(String, u32)> = const { RefCell::new((String::new(), 0)) };
}

/// Begins a rendering of this key of this object. A salt has to differ from others, and need not be secret. It is the
/// same in each rendering, so that a Secret with a hash in it does not change.
pub(crate) fn salt(uid: &str, key: &str) {
    SALT.set((format!("{uid} {key}"), 0));
}

/// Returns a world without variables, files, zones and network. A pure template cannot reach those anyway.
pub(crate) fn of_nothing() -> Environment {
    Environment {
        variables: Arc::default(),
        read_file: Arc::new(|_| Err(HostError("no file can be read here".to_owned()))),
        now: || WallTime { seconds: leasehold_base::clock::now().wall, nanoseconds: 0 },
        zone: |_| None,
        network: || Ok(Network::default()),
        random: fill,
    }
}

fn fill(bytes: &mut [u8]) {
    SALT.with_borrow_mut(|(of, count)| {
        for part in bytes.chunks_mut(32) {
            *count += 1;
            let hash = Sha256::digest(format!("{count} {of}"));
            part.copy_from_slice(&hash[..part.len()]);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn() -> [u8; 16] {
        let mut bytes = [0; 16];
        fill(&mut bytes);
        bytes
    }

    #[test]
    fn salts_differ_and_are_the_same_in_each_rendering() {
        salt("1", "a");
        let (first, second) = (drawn(), drawn());
        assert_ne!(first, second);
        salt("1", "a");
        assert_eq!([drawn(), drawn()], [first, second]);
        salt("1", "b");
        assert_ne!(drawn(), first);
    }
}
