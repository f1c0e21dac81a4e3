//! The machine's time-zone database, for dates. It is the one that Go's `time` package reads, in the same folders.

use std::env;
use std::ffi::OsStr;
use std::path::{Component, Path};

use super::environment::read_file;

/// The folders of the tables. The first match wins.
const FOLDERS: [&str; 2] = ["/usr/share/zoneinfo", "/etc/zoneinfo"];

/// The table of the machine's own zone where `TZ` does not say another.
const OWN: &str = "/etc/localtime";

/// Returns the table of the zone `name`; `Local` is the machine's own. `None` if there is none.
pub(super) fn of_this_machine(name: &str) -> Option<Vec<u8>> {
    if name == "Local" { own(env::var_os("TZ").as_deref()) } else { named(name) }
}

/// Returns the machine's own zone by the variable `TZ`: a name or a path, behind a colon or not. Empty is UTC.
fn own(variable: Option<&OsStr>) -> Option<Vec<u8>> {
    let Some(variable) = variable else { return table(Path::new(OWN)) };
    let zone = variable.to_str()?;
    let zone = zone.strip_prefix(':').unwrap_or(zone);
    if zone.starts_with('/') { table(Path::new(zone)) } else { named(zone) }
}

fn named(name: &str) -> Option<Vec<u8>> {
    let plain = |part| matches!(part, Component::Normal(_));
    // A template says the name: it must not lead out of the database.
    if name.is_empty() || name.contains('\\') || !Path::new(name).components().all(plain) {
        return None;
    }
    FOLDERS.iter().find_map(|folder| table(&Path::new(folder).join(name)))
}

fn table(path: &Path) -> Option<Vec<u8>> {
    read_file(path).ok().map(|table| table.expose().to_vec())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_name_does_not_lead_out_of_the_database() {
        for name in ["", "../../../etc/hostname", "/etc/hostname", "Europe/../../../../etc/hostname", "a\\b"]
        {
            assert_eq!(named(name), None, "{name}");
        }
    }

    #[test]
    fn the_variable_names_a_zone_or_a_file() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(b"table").expect("room for a word");
        let path = file.path().display();
        for path in [path.to_string(), format!(":{path}")] {
            assert_eq!(own(Some(OsStr::new(&path))).as_deref(), Some(&b"table"[..]));
        }
        assert_eq!(own(Some(OsStr::new(""))), None, "UTC");
        assert_eq!(own(Some(OsStr::new(":../../etc/hostname"))), None);
    }
}
