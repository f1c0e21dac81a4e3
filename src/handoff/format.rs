//! The state as JSON, written ([`write`](super::write)) and read through [`Tree`], so that no copy of a secret stays
//! behind.
//!
//! Times are nanoseconds on the boot clock. Bytes that need not be UTF-8 are base64. A response is a text of JSON
//! within the JSON, so that a response that is nested as deeply as we accept still fits.

use leasehold_base::gather::Gather as _;
use std::collections::BTreeMap;
use std::time::Duration;

use super::{Binding, Kept, Loaded, Unusable, journal, published, strays};
use crate::core::event::Life;
use crate::core::ids::{LeaseId, TokenId};
use crate::core::snapshot::{KeptLease, KeptSecret, KeptToken, Refusals};
use crate::secret::Secret;
use crate::tree::Tree;
use crate::vault::mounts::Mount;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leasehold_base::request::{Request, Verb};
use leasehold_base::response::Response;
use leasehold_base::time::Moment;

/// Counts up when the meaning of a field changes. No run goes on from a state of another version, but what the state
/// names is revoked ([`strays`]). For that, these fields keep their names and meanings in all versions: `version`,
/// `digest`, `pod`, `boot`, `server`; of `tokens` `id`, `secret`, `accessor`, `expires`, `latest`, `granted`,
/// `batch`, `owned`; of `retiring` and of each secret's `lease` `id`, `token`, `expires`, `latest`, `granted`;
/// `untold`, `opened`, `refusals` and `refused_with`; of `published` all. A field may be missing, and then reads as in a build that did not know
/// it.
pub(super) const VERSION: u64 = 3;

/// The version of a state that [a journal](super::journal) may go on from. A build that knows no journal would take
/// such a state for complete. Because of the version, it revokes what the state names, and logs in anew.
pub(super) const OPEN: u64 = 4;

/// The size limit of a state's values. The state is ours: its mode and owner are checked before it is read.
const ROOM: usize = 1 << 30;

/// Returns what `bytes`, with the journal that goes on from them, mean to `binding` at `now`. `distrust` says why the
/// journal is not to be believed.
pub(super) fn parse(
    (bytes, journal): (&[u8], &[u8]),
    distrust: Option<Unusable>,
    binding: &Binding,
    now: Moment,
) -> Result<Loaded, Unusable> {
    let tree = tree(bytes)?;
    let (tree, damaged) = match get::<u64>(&tree, "version").ok() {
        Some(OPEN) => journal::replay(tree, bytes, journal),
        _ => (tree, false),
    };
    let damaged = damaged.then(|| Unusable::Corrupt("a line of its journal is not as we write it".into()));
    judge(&tree, distrust.or(damaged), binding, now)
}

/// Parses `bytes`.
pub(super) fn tree(bytes: &[u8]) -> Result<Tree, Unusable> {
    Tree::from_json_within(bytes, ROOM).map_err(|error| Unusable::Corrupt(error.to_string()))
}

/// Returns what the state in `tree` means. If something of it is `lost`, no run goes on from it.
fn judge(tree: &Tree, lost: Option<Unusable>, binding: &Binding, now: Moment) -> Result<Loaded, Unusable> {
    let corrupt = |Damaged(field): Damaged| Unusable::Corrupt(format!("`{field}` is not as we write it"));
    let version = get::<u64>(tree, "version").map_err(corrupt)?;
    if string(tree, "pod").map_err(corrupt)? != binding.pod {
        return Err(Unusable::OtherPod);
    }
    // Two boots without a name may be different ones.
    let same_boot = string(tree, "boot").map_err(corrupt)? == binding.boot && !binding.boot.is_empty();
    let same_configuration = string(tree, "digest").map_err(corrupt)? == hex(&binding.digest);
    let why = match (matches!(version, VERSION | OPEN), same_configuration, lost) {
        (true, true, Some(lost)) => lost,
        (true, true, None) => {
            let kept = kept(tree, binding.owns).map_err(corrupt)?;
            let same_clock = same_boot && !strays::is_ahead(&kept, now);
            return Ok(Loaded::Found { kept: Box::new(kept), same_clock });
        }
        (true, false, _) => Unusable::OtherConfiguration,
        (false, _, _) => Unusable::OtherVersion,
    };
    // The same configuration names the same server.
    let server = tree.get("server").and_then(Tree::as_str);
    if !server.map_or(same_configuration, |server| server == binding.server) {
        // Files do not depend on the server.
        return match published::of(tree) {
            none if none.is_empty() => Err(Unusable::OtherServer),
            published => {
                let kept = Box::new(Kept { published, ..Kept::default() });
                Ok(Loaded::Strays { kept, same_clock: same_boot, why: Unusable::OtherServer })
            }
        };
    }
    let kept = strays::of(tree, binding.owns);
    let same_clock = same_boot && !strays::is_ahead(&kept, now);
    Ok(Loaded::Strays { kept: Box::new(kept), same_clock, why })
}

/// The field that is missing or has the wrong type.
pub(super) struct Damaged(&'static str);

pub(super) type Parsed<T> = Result<T, Damaged>;

fn kept(tree: &Tree, owns: bool) -> Parsed<Kept> {
    let mut kept = Kept { opened: opened(tree), published: published::of(tree), ..Kept::default() };
    for entry in list(tree, "tokens")? {
        let (token, secret) = token(entry, owns)?;
        kept.tokens.extend(secret.map(|secret| (token.id, secret)));
        kept.snapshot.tokens.push(token);
    }
    kept.snapshot.secrets = list(tree, "secrets")?.iter().map(secret).collect::<Parsed<_>>()?;
    kept.snapshot.retiring = list(tree, "retiring")?.iter().map(lease).collect::<Parsed<_>>()?;
    kept.snapshot.refusals = present(tree, "refusals").map(refusals_of).transpose()?;
    // An earlier version kept none of these.
    kept.children = children(tree);
    kept.mounts =
        tree.get("mounts").and_then(Tree::as_list).unwrap_or_default().iter().filter_map(mount).collect();
    kept.refused_with = tree.get("refused_with").and_then(Tree::as_str).map(str::to_owned);
    let name = |entry: &Tree| entry.as_str().map(str::to_owned).ok_or(Damaged("untold"));
    kept.snapshot.untold = list(tree, "untold")?.iter().map(name).collect::<Parsed<_>>()?;
    kept.snapshot.blind = flag(tree, "blind")?;
    kept.snapshot.unsure = flag(tree, "unsure")?;
    kept.snapshot.ending = flag_or(tree, "ending", false)?;
    for entry in list(tree, "responses")? {
        let request = request(entry.get("request").ok_or(Damaged("request"))?)?;
        kept.responses.insert(request, response(entry)?);
    }
    Ok(kept)
}

fn response(entry: &Tree) -> Parsed<Response> {
    if let Some(value) = entry.get("value") {
        return Ok(Response::of_value(get_bytes(value, "value")?));
    }
    let json = entry.get("response").and_then(Tree::as_text).ok_or(Damaged("response"))?;
    let response = Tree::from_json_within(json.expose(), ROOM).ok();
    response.and_then(|tree| Response::from_tree(&tree).ok()).ok_or(Damaged("response"))
}

pub(super) fn child_tree((lease, token): (&LeaseId, &Secret)) -> Tree {
    Tree::map([("lease", text(&lease.0)), ("secret", bytes(token))])
}

/// Returns the tokens that templates have made, as far as they can be read.
pub(super) fn children(tree: &Tree) -> BTreeMap<LeaseId, Secret> {
    let child = |entry: &Tree| {
        let lease = string(entry, "lease").ok()?.to_owned();
        Some((LeaseId(lease), get_bytes(entry.get("secret")?, "secret").ok()?))
    };
    tree.get("children").and_then(Tree::as_list).unwrap_or_default().iter().filter_map(child).gather()
}

pub(super) fn mount_tree(mount: &Mount) -> Tree {
    Tree::map([("path", text(&mount.path)), ("kind", text(&mount.kind)), ("kv2", Tree::Bool(mount.kv2))])
}

fn mount(tree: &Tree) -> Option<Mount> {
    let text = |field| tree.get(field).and_then(Tree::as_str).map(str::to_owned);
    Some(Mount { path: text("path")?, kind: text("kind")?, kv2: tree.get("kv2")?.as_bool()? })
}

pub(super) fn refusals_of(tree: &Tree) -> Parsed<Refusals> {
    // An earlier version wrote neither the reason nor what was sent.
    let why = tree.get("why").and_then(Tree::as_str).unwrap_or_default().to_owned();
    let pardoned = tree.get("pardoned").and_then(Tree::as_bool).unwrap_or_default();
    Ok(Refusals { count: get(tree, "count")?, last: get_moment(tree, "last")?, why, pardoned })
}

pub(super) fn token_tree(token: &KeptToken, secret: Option<&Secret>) -> Tree {
    Tree::map([
        ("id", number(token.id.0)),
        ("secret", optional(secret, bytes)),
        ("accessor", text(&token.accessor)),
        ("expires", optional(token.expires, moment)),
        ("latest", optional(token.latest, moment)),
        ("granted", optional(token.granted, duration)),
        ("renewable", Tree::Bool(token.renewable)),
        ("batch", Tree::Bool(token.batch)),
        ("uses", optional(token.uses, number)),
        ("undated", Tree::Bool(token.undated)),
        ("leaving", Tree::Bool(token.leaving)),
        ("exposed", Tree::Bool(token.exposed)),
        ("owned", Tree::Bool(token.owned)),
    ])
}

fn token(tree: &Tree, owns: bool) -> Parsed<(KeptToken, Option<Secret>)> {
    let token = KeptToken {
        id: TokenId(get(tree, "id")?),
        accessor: string(tree, "accessor")?.to_owned(),
        expires: present(tree, "expires").map(|_| get_moment(tree, "expires")).transpose()?,
        latest: present(tree, "latest").map(|_| get_moment(tree, "latest")).transpose()?,
        granted: present(tree, "granted").map(|_| get_duration(tree, "granted")).transpose()?,
        renewable: flag(tree, "renewable")?,
        batch: flag(tree, "batch")?,
        uses: present(tree, "uses").map(|_| get(tree, "uses")).transpose()?,
        undated: flag(tree, "undated")?,
        leaving: flag_or(tree, "leaving", false)?,
        exposed: flag_or(tree, "exposed", false)?,
        owned: flag_or(tree, "owned", owns)?,
    };
    let secret = present(tree, "secret").map(|secret| get_bytes(secret, "secret")).transpose()?;
    Ok((token, secret))
}

pub(super) fn secret_tree(secret: &KeptSecret) -> Tree {
    Tree::map([
        ("request", request_tree(&secret.request)),
        ("written", Tree::list(secret.written.iter().map(request_tree))),
        ("read", moment(secret.read)),
        ("lease", optional(secret.lease.as_ref(), lease_tree)),
        ("life", life_tree(secret.life)),
        ("ends_in", optional(ends_in(secret.life), duration)),
        ("version", optional(secret.version, number)),
    ])
}

fn secret(tree: &Tree) -> Parsed<KeptSecret> {
    Ok(KeptSecret {
        request: request(tree.get("request").ok_or(Damaged("request"))?)?,
        written: list(tree, "written")?.iter().map(request).collect::<Parsed<_>>()?,
        read: get_moment(tree, "read")?,
        lease: present(tree, "lease").map(lease).transpose()?,
        life: match present(tree, "ends_in") {
            Some(_) => Life::EndsIn(get_duration(tree, "ends_in")?),
            None => life(tree.get("life").ok_or(Damaged("life"))?)?,
        },
        version: present(tree, "version").map(|_| get(tree, "version")).transpose()?,
    })
}

pub(super) fn lease_tree(lease: &KeptLease) -> Tree {
    Tree::map([
        ("id", text(&lease.id.0)),
        ("token", number(lease.token.0)),
        ("expires", moment(lease.expires)),
        ("latest", moment(lease.latest)),
        ("granted", duration(lease.granted)),
        ("renewable", Tree::Bool(lease.renewable)),
        ("orphan", Tree::Bool(lease.orphan)),
        ("undated", Tree::Bool(lease.undated)),
    ])
}

fn lease(tree: &Tree) -> Parsed<KeptLease> {
    Ok(KeptLease {
        id: LeaseId(string(tree, "id")?.to_owned()),
        token: TokenId(get(tree, "token")?),
        expires: get_moment(tree, "expires")?,
        latest: get_moment(tree, "latest")?,
        granted: get_duration(tree, "granted")?,
        renewable: flag(tree, "renewable")?,
        orphan: flag_or(tree, "orphan", false)?,
        undated: flag(tree, "undated")?,
    })
}

fn life_tree(life: Life) -> Tree {
    match life {
        // An earlier build does not know `EndsIn`, and polls the secret as it did.
        Life::Unknown | Life::EndsIn(_) => Tree::Null,
        Life::Until(wall) => Tree::map([("until", number(wall))]),
        Life::RotatesIn(wait) => Tree::map([("rotates_in", duration(wait))]),
    }
}

fn ends_in(life: Life) -> Option<Duration> {
    match life {
        Life::EndsIn(ttl) => Some(ttl),
        Life::Unknown | Life::Until(_) | Life::RotatesIn(_) => None,
    }
}

fn life(tree: &Tree) -> Parsed<Life> {
    if present(tree, "until").is_some() {
        return Ok(Life::Until(get(tree, "until")?));
    }
    match tree {
        Tree::Null => Ok(Life::Unknown),
        _ => Ok(Life::RotatesIn(get_duration(tree, "rotates_in")?)),
    }
}

pub(super) fn request_tree(request: &Request) -> Tree {
    let verb = match request.verb {
        Verb::Read => "read",
        Verb::Write => "write",
        Verb::List => "list",
    };
    Tree::map([
        ("verb", text(verb)),
        ("path", text(&request.path)),
        ("args", Tree::map(request.args.iter().map(|(key, value)| (key.as_str(), bytes(value))))),
    ])
}

/// Reads a request. Its path goes through the same check as those of a configuration, but stays as it is: it was
/// cleaned before, and a second time is once too often for `v1/v1/x`.
fn request(tree: &Tree) -> Parsed<Request> {
    let args = tree.get("args").and_then(Tree::as_map).ok_or(Damaged("args"))?;
    let args: BTreeMap<_, _> = args
        .iter()
        .map(|(key, value)| Ok((key.to_owned(), get_bytes(value, "args")?)))
        .collect::<Parsed<_>>()?;
    let path = string(tree, "path")?;
    let verb = match string(tree, "verb")? {
        "read" => Verb::Read,
        "write" => Verb::Write,
        "list" => Verb::List,
        _ => return Err(Damaged("verb")),
    };
    let request = Request::write(path, args).map_err(|_| Damaged("path"))?;
    Ok(Request { verb, path: path.to_owned(), ..request })
}

/// Returns the digest of the wrapping token that was opened, if there was one.
pub(super) fn opened(tree: &Tree) -> Option<String> {
    present(tree, "opened").and_then(Tree::as_str).map(str::to_owned)
}

pub(super) fn text(text: &str) -> Tree {
    Tree::text(text)
}

pub(super) fn number(number: impl ToString) -> Tree {
    Tree::Number(number.to_string().into())
}

fn duration(duration: Duration) -> Tree {
    number(duration.as_nanos())
}

pub(super) fn moment(moment: Moment) -> Tree {
    duration(moment.since_boot())
}

pub(super) fn bytes(secret: &Secret) -> Tree {
    Tree::text(STANDARD.encode(secret.expose()))
}

pub(super) fn optional<T>(value: Option<T>, tree: impl FnOnce(T) -> Tree) -> Tree {
    value.map_or(Tree::Null, tree)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn present<'a>(tree: &'a Tree, field: &str) -> Option<&'a Tree> {
    tree.get(field).filter(|value| **value != Tree::Null)
}

pub(super) fn list<'a>(tree: &'a Tree, field: &'static str) -> Parsed<&'a [Tree]> {
    tree.get(field).and_then(Tree::as_list).ok_or(Damaged(field))
}

pub(super) fn string<'a>(tree: &'a Tree, field: &'static str) -> Parsed<&'a str> {
    tree.get(field).and_then(Tree::as_str).ok_or(Damaged(field))
}

fn flag(tree: &Tree, field: &'static str) -> Parsed<bool> {
    tree.get(field).and_then(Tree::as_bool).ok_or(Damaged(field))
}

/// Reads a field that earlier builds did not write.
pub(super) fn flag_or(tree: &Tree, field: &'static str, otherwise: bool) -> Parsed<bool> {
    if tree.get(field).is_none() { Ok(otherwise) } else { flag(tree, field) }
}

pub(super) fn get<T: std::str::FromStr>(tree: &Tree, field: &'static str) -> Parsed<T> {
    let Some(Tree::Number(spelling)) = tree.get(field) else { return Err(Damaged(field)) };
    spelling.expose_str().and_then(|spelling| spelling.parse().ok()).ok_or(Damaged(field))
}

pub(super) fn get_duration(tree: &Tree, field: &'static str) -> Parsed<Duration> {
    const SECOND: u128 = 1_000_000_000;
    let nanos: u128 = get(tree, field)?;
    let seconds = u64::try_from(nanos / SECOND).map_err(|_| Damaged(field))?;
    let rest = u32::try_from(nanos % SECOND).expect("less than a second of nanoseconds fits");
    Ok(Duration::new(seconds, rest))
}

pub(super) fn get_moment(tree: &Tree, field: &'static str) -> Parsed<Moment> {
    get_duration(tree, field).map(Moment::new)
}

pub(super) fn get_bytes(tree: &Tree, field: &'static str) -> Parsed<Secret> {
    let text = tree.as_text().ok_or(Damaged(field))?;
    STANDARD.decode(text.expose()).map(Secret::new).map_err(|_| Damaged(field))
}
