//! What a store needs of the machine. The sandbox has to know it before the store is asked.

use std::ffi::OsString;

use crate::settings::{Kind, Needs};

impl Kind {
    /// Returns the files and the ports that the store needs under this environment.
    #[must_use]
    #[cfg_attr(not(feature = "clouds"), expect(unused_variables, reason = "only the clouds look at it"))]
    pub fn needs(&self, environment: &dyn Fn(&str) -> Option<OsString>) -> Needs {
        match self {
            Self::Environment { .. } => Needs::default(),
            Self::Files { dir } => Needs { read: [dir.clone()].into(), ..Needs::default() },
            #[cfg(feature = "clouds")]
            Self::Aws(settings) => crate::aws::needs(settings, environment),
            #[cfg(feature = "clouds")]
            Self::Azure(settings) => crate::azure::needs(settings, environment),
            #[cfg(feature = "clouds")]
            Self::Google(settings) => crate::google::needs(settings, environment),
        }
    }
}
