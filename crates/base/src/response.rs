//! The server's answers. Every field has a default: servers leave out fields as they like, and they write
//! `null` for an empty list or text as often as not.

use crate::secret::Secret;
use crate::tree::Tree;

/// The answer to a read, a write or a list, with the fields of `api.Secret` in Vault's Go client.
///
/// `data` is what the server sent: for KV v2 that is `{data: …, metadata: …}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// The server's id for this request, which stands in its audit log.
    pub request_id: String,
    /// The id of the lease; empty if nothing was leased.
    pub lease_id: String,
    /// How long the lease lasts, in seconds. KV v1 sets it without a lease: the mount's default TTL.
    pub lease_duration: u64,
    /// Whether the lease can be renewed.
    pub renewable: bool,
    /// The secret itself.
    pub data: Tree,
    /// The value as it is kept, of a store that is no Vault. A Vault keeps fields, and no value.
    pub raw: Option<Secret>,
    /// The name of its version, of a store that is no Vault.
    pub version_id: Option<String>,
    /// The server's warnings. They may name paths, and never hold values.
    pub warnings: Vec<String>,
    /// The answer to a login: the token and its properties.
    pub auth: Option<Auth>,
    /// Where the real answer is kept, if this one is wrapped.
    pub wrap_info: Option<WrapInfo>,
}

/// The answer to a login. Servers leave out `token_policies` if the token has none of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Auth {
    /// The token.
    pub client_token: Secret,
    /// The accessor: a name for the token that grants nothing by itself. Empty for a batch token.
    pub accessor: String,
    /// All policies of the token.
    pub policies: Vec<String>,
    /// How long the token lasts, in seconds; 0 for a token that never expires (root).
    pub lease_duration: u64,
    /// Whether the token can be renewed.
    pub renewable: bool,
    /// `service` or `batch`.
    pub token_type: String,
    /// Whether it outlives the token that made it.
    pub orphan: bool,
    /// How often the token may be used; 0 for any number of times.
    pub num_uses: u64,
    /// What the auth method knows about the caller (service account, role): a map of texts.
    pub metadata: Tree,
}

/// Where a wrapped answer is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrapInfo {
    /// The wrapping token.
    pub token: Secret,
    /// Its accessor.
    pub accessor: String,
    /// How long the wrapping token lasts, in seconds.
    pub ttl: u64,
    /// When the answer was wrapped, in RFC 3339.
    pub creation_time: String,
    /// The path of the request that was wrapped. It is compared before unwrapping.
    pub creation_path: String,
    /// The accessor of the token in the real answer; empty if there is none.
    pub wrapped_accessor: String,
}

/// The name of a field of the answer that has another type than the API promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongType(pub &'static str);

impl std::fmt::Display for WrongType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` of the answer has an unexpected type", self.0)
    }
}

impl std::error::Error for WrongType {}

impl Response {
    /// Returns the answer for a value that a store keeps: its fields, if it is a JSON object; otherwise one field `value`.
    #[must_use]
    pub fn of_value(value: Secret) -> Self {
        let data = fields(&value).unwrap_or_else(|| Tree::map([("value", Tree::Text(value.clone()))]));
        Self { data, raw: Some(value), ..Self::default() }
    }

    /// Reads the answer in `tree`.
    ///
    /// # Errors
    /// [`WrongType`] names the first field that breaks the API, such as a negative
    /// `lease_duration`.
    pub fn from_tree(tree: &Tree) -> Result<Self, WrongType> {
        if tree.as_map().is_none() {
            return Err(WrongType("body"));
        }
        Ok(Self {
            request_id: text(tree, "request_id")?,
            lease_id: text(tree, "lease_id")?,
            lease_duration: seconds(tree, "lease_duration")?,
            renewable: flag(tree, "renewable")?,
            data: tree.get("data").cloned().unwrap_or_default(),
            raw: None,
            version_id: None,
            warnings: texts(tree, "warnings")?,
            auth: tree.get("auth").and_then(not_null).map(Auth::from_tree).transpose()?,
            wrap_info: tree.get("wrap_info").and_then(not_null).map(WrapInfo::from_tree).transpose()?,
        })
    }

    /// Returns the fields of a KV version 2 secret, which stand below `data` beside `metadata`; `None` if
    /// this is none. A deleted version has `null` there.
    #[must_use]
    pub fn kv2_fields(&self) -> Option<&Tree> {
        let fields = self.data.get("data")?;
        let metadata = self.data.get("metadata")?;
        let versioned = metadata.get("version").is_some() && metadata.get("created_time").is_some();
        (versioned && matches!(fields, Tree::Map(_) | Tree::Null)).then_some(fields)
    }

    /// Returns the answer as the server would send it, for the handoff. Login and wrapping are left out.
    #[must_use]
    pub fn to_tree(&self) -> Tree {
        let number = |n: u64| Tree::Number(n.to_string().into());
        Tree::map([
            ("request_id", Tree::text(self.request_id.as_str())),
            ("lease_id", Tree::text(self.lease_id.as_str())),
            ("lease_duration", number(self.lease_duration)),
            ("renewable", Tree::Bool(self.renewable)),
            ("data", self.data.clone()),
            ("warnings", Tree::list(self.warnings.iter().map(|w| Tree::text(w.as_str())))),
            ("auth", self.auth.as_ref().map_or(Tree::Null, Auth::to_tree)),
            ("wrap_info", self.wrap_info.as_ref().map_or(Tree::Null, WrapInfo::to_tree)),
        ])
    }

    /// Returns whether the answer is empty. A server sends no content if it has nothing to say about a write.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Auth {
    fn from_tree(tree: &Tree) -> Result<Self, WrongType> {
        Ok(Self {
            client_token: secret(tree, "client_token")?,
            accessor: text(tree, "accessor")?,
            policies: texts(tree, "policies")?,
            lease_duration: seconds(tree, "lease_duration")?,
            renewable: flag(tree, "renewable")?,
            token_type: text(tree, "token_type")?,
            orphan: flag(tree, "orphan")?,
            num_uses: seconds(tree, "num_uses")?,
            metadata: tree.get("metadata").cloned().unwrap_or_default(),
        })
    }

    fn to_tree(&self) -> Tree {
        let number = |n: u64| Tree::Number(n.to_string().into());
        Tree::map([
            ("client_token", Tree::Text(self.client_token.clone())),
            ("accessor", Tree::text(self.accessor.as_str())),
            ("policies", Tree::list(self.policies.iter().map(|policy| Tree::text(policy.as_str())))),
            ("lease_duration", number(self.lease_duration)),
            ("renewable", Tree::Bool(self.renewable)),
            ("token_type", Tree::text(self.token_type.as_str())),
            ("orphan", Tree::Bool(self.orphan)),
            ("num_uses", number(self.num_uses)),
            ("metadata", self.metadata.clone()),
        ])
    }
}

impl WrapInfo {
    fn from_tree(tree: &Tree) -> Result<Self, WrongType> {
        Ok(Self {
            token: secret(tree, "token")?,
            accessor: text(tree, "accessor")?,
            ttl: seconds(tree, "ttl")?,
            creation_time: text(tree, "creation_time")?,
            creation_path: text(tree, "creation_path")?,
            wrapped_accessor: text(tree, "wrapped_accessor")?,
        })
    }

    fn to_tree(&self) -> Tree {
        Tree::map([
            ("token", Tree::Text(self.token.clone())),
            ("accessor", Tree::text(self.accessor.as_str())),
            ("ttl", Tree::Number(self.ttl.to_string().into())),
            ("creation_time", Tree::text(self.creation_time.as_str())),
            ("creation_path", Tree::text(self.creation_path.as_str())),
            ("wrapped_accessor", Tree::text(self.wrapped_accessor.as_str())),
        ])
    }
}

fn not_null(tree: &Tree) -> Option<&Tree> {
    (*tree != Tree::Null).then_some(tree)
}

fn field<'a>(tree: &'a Tree, name: &str) -> Option<&'a Tree> {
    tree.get(name).and_then(not_null)
}

fn secret(tree: &Tree, name: &'static str) -> Result<Secret, WrongType> {
    match field(tree, name) {
        None => Ok(Secret::default()),
        Some(value) => value.as_text().cloned().ok_or(WrongType(name)),
    }
}

fn text(tree: &Tree, name: &'static str) -> Result<String, WrongType> {
    match field(tree, name) {
        None => Ok(String::new()),
        Some(value) => value.as_str().map(str::to_owned).ok_or(WrongType(name)),
    }
}

fn texts(tree: &Tree, name: &'static str) -> Result<Vec<String>, WrongType> {
    let Some(value) = field(tree, name) else { return Ok(Vec::new()) };
    let list = value.as_list().ok_or(WrongType(name))?;
    list.iter().map(|item| item.as_str().map(str::to_owned).ok_or(WrongType(name))).collect()
}

fn flag(tree: &Tree, name: &'static str) -> Result<bool, WrongType> {
    field(tree, name).map_or(Ok(false), |value| value.as_bool().ok_or(WrongType(name)))
}

/// No duration of an answer is longer than a hundred years, so that no arithmetic on it meets its limits.
pub const LONGEST: u64 = 100 * 366 * 24 * 60 * 60;

/// Reads the field `name` as whole seconds, [`LONGEST`] at most; 0 if the field is absent. OpenBao sends some of these
/// numbers as floats. A negative number, or one beyond a `u64`, is refused.
fn seconds(tree: &Tree, name: &'static str) -> Result<u64, WrongType> {
    let Some(value) = field(tree, name) else { return Ok(0) };
    let Tree::Number(spelling) = value else { return Err(WrongType(name)) };
    let spelling = spelling.expose_str().ok_or(WrongType(name))?;
    if let Ok(whole) = spelling.parse::<u64>() {
        return Ok(whole.min(LONGEST));
    }
    let float: f64 = spelling.parse().map_err(|_| WrongType(name))?;
    // A float that fits is cut to whole seconds, as the server counts them.
    if float >= 0.0 && float < u64::MAX as f64 {
        Ok((float as u64).min(LONGEST))
    } else {
        Err(WrongType(name))
    }
}

/// Returns the fields of `value` if it is a JSON object; `None` otherwise. A text and a number are JSON, too, but they
/// are values without fields.
fn fields(value: &Secret) -> Option<Tree> {
    let first = value.expose().iter().find(|byte| !byte.is_ascii_whitespace())?;
    let tree = (*first == b'{').then(|| Tree::from_json(value.expose()).ok())??;
    tree.as_map().is_some().then_some(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Response, WrongType> {
        Response::from_tree(&Tree::from_json(json.as_bytes()).expect("valid JSON"))
    }

    #[test]
    fn null_and_absent_fields_are_defaults() {
        let response =
            parse(r#"{"lease_id":null,"data":{"n":1.0},"warnings":null,"auth":null}"#).expect("ok");
        assert_eq!(response.lease_id, "");
        assert_eq!(response.data.get("n").and_then(Tree::as_f64), Some(1.0));
        assert!(response.warnings.is_empty() && response.auth.is_none());
    }

    #[test]
    fn a_login_without_token_policies_parses() {
        let json = r#"{"auth":{"client_token":"s.x","policies":["default"],"lease_duration":60}}"#;
        let auth = parse(json).expect("ok").auth.expect("auth");
        assert_eq!((auth.client_token.expose(), auth.lease_duration), (&b"s.x"[..], 60));
    }

    #[test]
    fn durations_are_a_hundred_years_at_most_and_nonsense_is_named() {
        for long in ["4294967296", "18446744073709551615", "18446744073709551614", "1e19"] {
            let json = format!(r#"{{"lease_duration":{long}}}"#);
            assert_eq!(parse(&json).map(|r| r.lease_duration), Ok(LONGEST), "{long}");
        }
        assert_eq!(parse(r#"{"lease_duration":3153600000}"#).map(|r| r.lease_duration), Ok(3_153_600_000));
        assert_eq!(parse(r#"{"lease_duration":60.0}"#).map(|r| r.lease_duration), Ok(60));
        for json in [r#"{"lease_duration":-1}"#, r#"{"lease_duration":1e40}"#, r#"{"lease_duration":"x"}"#] {
            assert_eq!(parse(json), Err(WrongType("lease_duration")));
        }
        assert_eq!(parse("[]"), Err(WrongType("body")));
    }

    #[test]
    fn a_response_survives_the_handoff() {
        for json in [
            r#"{"lease_id":"a/b","lease_duration":9,"renewable":true,"data":{"k":[1.50]}}"#,
            r#"{"auth":{"client_token":"s.x","accessor":"a","policies":["p"],"lease_duration":60,"renewable":true,
                "token_type":"service","orphan":true,"num_uses":3,"metadata":{"a":"b"}}}"#,
            r#"{"wrap_info":{"token":"s.w","accessor":"a","ttl":60,"creation_time":"t","creation_path":"p"}}"#,
            "{}",
        ] {
            let response = parse(json).expect("ok");
            let again = Tree::from_json(&response.to_tree().to_json()).expect("valid JSON");
            assert_eq!(Response::from_tree(&again), Ok(response));
        }
    }
}
