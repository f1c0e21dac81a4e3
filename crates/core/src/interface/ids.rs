//! Small names for what the core and the driver talk about.

/// An index into [`Policy::files`](crate::interface::policy::Policy::files): the files of the configuration, then the variables of
/// `exec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub usize);

/// What is published as one: the set of relative files, one absolute file, or the variables of `exec`.
/// An index into [`Policy::units`](crate::interface::policy::Policy::units).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitId(pub usize);

/// An index into [`Policy::notifiers`](crate::interface::policy::Policy::notifiers): those of the configuration, then the process of
/// `exec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NotifierId(pub usize);

/// A store of secrets that is no Vault: the environment, a folder, a cloud's secret manager.
/// An index into [`Policy::stores`](crate::interface::policy::Policy::stores).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(pub usize);

/// One thing that is asked of the server, once, however many files use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretId(pub usize);

/// One login. A new login gets the next number; old and new live side by side while leases move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub u64);

/// The server's name for a lease, such as `database/creds/web/AbC…`. It gives no power by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub String);
