//! What an answer means and what is done: the table that the client runs on.

use leasehold::vault::verdict::{Asked, RULES, Rule};
use leasehold_base::failure::FailureKind;

use crate::reference::page::cell;

const HEAD: &str = "# What an answer means

The first question is whose answer it is. An ingress, a mesh or a load balancer answers in Vault's place on a bad day, with any
status. The API's own failures are a JSON object with `errors` (a list of texts), with a `request_id`, or with the metadata
of a deleted KV v2 version; `sys/health` has a body of its own. Everything else is a page, and a page proves nothing about a
credential, a token, a lease or a path. Nothing of a page's body is ever quoted.

## Successes

A 2xx that lacks what was asked for is nonsense: nothing is changed, and it is asked again. A read whose `data.data` is null beside
the metadata of KV v2 is a deleted version. A revocation whose answer lacks it is not done: that is a page, too.

| asked | a success has to bring |
| --- | --- |
";

const FAILURES: &str = "
## Failures

The first line that fits decides.

| status | body | asked | meaning | what is done |
| --- | --- | --- | --- | --- |
";

pub(crate) fn page() -> String {
    let mut page = HEAD.to_owned();
    for asked in Asked::ALL {
        page.push_str(&format!("| {} | {} |\n", asked.name(), asked.wants()));
    }
    page.push_str(FAILURES);
    page.extend(RULES.iter().map(line));
    page
}

fn line(rule: &Rule) -> String {
    let (from, to) = rule.statuses;
    let status = if from == to { from.to_string() } else { format!("{from} to {to}") };
    let asked: Vec<&str> = rule.asked.iter().map(|asked| asked.name()).collect();
    let asked = if asked.is_empty() { "anything".to_owned() } else { asked.join(", ") };
    let done = rule.means.map_or("it is an empty list", |kind| done(kind, rule.asked));
    let cells = [&status, rule.sign.name(), &asked, rule.why, done].map(cell);
    format!("| {} |\n", cells.join(" | "))
}

fn done(kind: FailureKind, asked: &[Asked]) -> &'static str {
    use FailureKind as K;
    match kind {
        K::Unheard if asked.contains(&Asked::Login) => {
            "an outage, with the same probes; the server may have refused and counted it, so where it locks accounts (see 400 to 401) it \
             counts as refused after a login that was"
        }
        K::Unreachable | K::Unheard | K::Unavailable => {
            "an outage: what is there stays, one probe every 1 s to 5 s (after half a minute 2 s to 10 s), all goes on when it is back"
        }
        K::Intercepted => {
            "as an outage for this path, which is asked again after 1 s, doubling up to 55 s; one probe of `sys/health` finds out \
             whether it is one for all"
        }
        K::Overloaded(_) => {
            "the path waits as long as it is told, 50 s at most and never past half of what its lease has left; a second path of \
             the mount makes the mount wait; renewals go on; a login waits for 30 s at most, revocations together for 60 s"
        }
        K::Fault | K::NotYet | K::Nonsense | K::Redirected => {
            "what is there stays; asked again after 1 s, doubling up to 55 s"
        }
        K::Denied => {
            "the token is looked up. A dead one is replaced. A living one is denied by policy: a read is asked again; a lease is renewed no \
             more, and minted anew before its end; a revocation is asked again for three minutes"
        }
        K::Refused => {
            "where the server may lock accounts (approle, userpass, ldap, and a mount of `method: path` that is not of a known method): \
             three tries, then one in a quarter of an hour; elsewhere asked again after 1 s, doubling up to 60 s"
        }
        K::Missing => {
            "a read: the file stays; asked again up to once a minute; init ends with 66. A lease's renewal: it is minted anew. A token's \
             renewal: another login. A revocation: it counts as done"
        }
        K::Rejected => {
            "a lease's renewal: it is minted anew, once in its life. A token's renewal: another login. A revocation: it counts as done. \
             Anything else: the file stays, and init ends with 66"
        }
        K::Local | K::Unusable => "nothing is sent",
    }
}
