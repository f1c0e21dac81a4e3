//! `token_file`: a token that another program keeps in a file.

use std::path::Path;

use super::Attempt;
use crate::files;
use leasehold_base::failure::Failure;

pub(super) fn prepare(token_file: &Path) -> Result<Attempt, Failure> {
    Ok(Attempt::Hold(files::credential("token_file", token_file)?))
}
