//! Sprig.
use crate::template::function::Functions;
pub(super) fn add_to(_: &mut Functions) {}
