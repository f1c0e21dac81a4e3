//! Asks the server what a token may do, without trying it.

use std::collections::BTreeMap;

use super::client::{Client, answered};
use super::endpoint::Raw;
use super::verdict::Asked;
use leasehold_base::failure::Failure;
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;

impl Client {
    /// Returns what `token` may do at these paths, in the server's words: `read`, `deny`, `root`. With `own`, the
    /// question goes to the namespace that made the token, not to that of the secrets.
    ///
    /// # Errors
    /// [`FailureKind::Denied`](leasehold_base::failure::FailureKind::Denied) if the token may not ask, which the
    /// default policy allows.
    pub async fn capabilities(
        &self,
        paths: &[&str],
        own: bool,
        token: &Secret,
    ) -> Result<BTreeMap<String, Vec<String>>, Failure> {
        let call = if own { self.for_tokens(Some(token)) } else { self.for_secrets(token) };
        let list = Tree::list(paths.iter().map(|path| Tree::text(*path)));
        let answer =
            answered(&call, &Raw::put("sys/capabilities-self", Tree::map([("paths", list)])), Asked::Read)
                .await?;
        let granted = |path: &&str| {
            let words = answer.data.get(path).and_then(Tree::as_list).unwrap_or_default();
            ((*path).to_owned(), words.iter().filter_map(Tree::as_str).map(str::to_owned).collect())
        };
        Ok(paths.iter().map(granted).collect())
    }
}
