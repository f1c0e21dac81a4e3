//! `path`: any other method, as its own documentation describes it.

use super::{Attempt, Post};
use crate::files;
use crate::settings::Credential;
use leasehold_base::failure::Failure;
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;

pub(super) fn prepare(path: &str, fields: &[(String, Credential)]) -> Result<Attempt, Failure> {
    let value = |(name, field): &(String, Credential)| {
        let value = match field {
            Credential::Given(value) => value.clone(),
            Credential::File(path) => files::password(&format!("auth.fields.{name}"), path)?,
            Credential::Unset(variable) => return Err(files::unset(variable)),
        };
        Ok((name.clone(), value))
    };
    let fields = fields.iter().map(value).collect::<Result<Vec<(String, Secret)>, Failure>>()?;
    let body = Tree::map(fields.iter().map(|(name, value)| (name.as_str(), Tree::Text(value.clone()))));
    let credentials = fields.into_iter().map(|(_, value)| value).collect();
    Ok(Attempt::Ask(Post { path: path.to_owned(), body, credentials }))
}
