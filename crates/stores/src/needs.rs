//! Lists the files and the ports that a store uses. A login by a cloud's identity uses some, too.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::Kind;

/// The ports of the clouds. Their metadata services have no TLS.
#[cfg(feature = "clouds")]
pub(crate) const PORTS: [u16; 2] = [80, 443];

/// These are used. The sandbox allows them before the first request is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Files, and folders, that are read.
    pub read: BTreeSet<PathBuf>,
    /// TCP ports that are connected to.
    pub ports: BTreeSet<u16>,
}

/// Returns the files and the ports that a store needs under this environment.
#[must_use]
#[cfg_attr(not(feature = "clouds"), expect(unused_variables, reason = "only the clouds look at it"))]
pub fn needs(kind: &Kind, environment: &dyn Fn(&str) -> Option<OsString>) -> Needs {
    match kind {
        Kind::Environment { .. } => Needs::default(),
        Kind::Files { dir } => Needs { read: [dir.clone()].into(), ..Needs::default() },
        #[cfg(feature = "clouds")]
        Kind::Aws(settings) => crate::aws::needs(settings, environment),
        #[cfg(feature = "clouds")]
        Kind::Azure(settings) => crate::azure::needs(settings, environment),
        #[cfg(feature = "clouds")]
        Kind::Google(settings) => crate::google::needs(settings, environment),
        #[cfg(not(feature = "clouds"))]
        Kind::Aws(_) | Kind::Azure(_) | Kind::Google(_) => Needs::default(),
    }
}
