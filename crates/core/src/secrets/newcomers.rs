//! What a person wants minted anew (`POST /renew`), because a key has leaked or an authority was replaced: nothing
//! that the server says shows that.

use crate::engine::Engine;
use crate::files::inspect::Look;
use crate::interface::action::Level;
use crate::interface::event::Wanted;
use crate::interface::ids::{FileId, SecretId};
use crate::secrets::graph::{Op, Step};
use leasehold_base::gather::Gather as _;

impl Engine {
    /// Returns whether there is something to be minted anew.
    #[must_use]
    pub fn has(&self, wanted: &Wanted) -> bool {
        match wanted {
            Wanted::File(_) => self.file_of(wanted).is_some(),
            Wanted::Path(_) => !self.wanted(wanted).is_empty(),
        }
    }

    /// Mints these secrets anew as if their time had come. The old leases are revoked once every file is published
    /// without them and every reader was notified.
    pub(crate) fn renew_now(&mut self, wanted: &Wanted) {
        for id in self.wanted(wanted) {
            let Some(node) = self.graph.get_mut(id) else { continue };
            let path = node.path().to_owned();
            match node.step {
                // The answer under way may be older than the request.
                Step::Busy(Op::Read | Op::Renew) => node.again = true,
                Step::Waiting { op: Op::Resolve, .. } | Step::Busy(Op::Resolve) => {
                    self.set_step(id, Step::Busy(Op::Resolve));
                }
                Step::Waiting { .. } | Step::Idle => self.set_step(id, Step::Busy(Op::Read)),
                Step::Suspect(_) => {}
            }
            self.say_of(id, Level::Info, format!("asked for {path} anew"));
        }
    }

    /// Polls these secrets now, as [`refresh`](Self::refresh) polls all.
    pub(crate) fn refresh_some(&mut self, wanted: &Wanted) {
        let ids = self.wanted(wanted);
        let users = ids.iter().filter_map(|id| self.graph.get(*id)).flat_map(|node| &node.users).copied();
        let files = users.chain(self.file_of(wanted)).gather();
        self.inspect_files(files, Look::Thorough);
        for id in ids {
            self.look_at(id);
        }
    }

    /// Returns the file that is named.
    fn file_of(&self, wanted: &Wanted) -> Option<FileId> {
        match wanted {
            Wanted::File(name) => self.policy.files.iter().position(|file| file.name == *name).map(FileId),
            Wanted::Path(_) => None,
        }
    }

    fn wanted(&self, wanted: &Wanted) -> Vec<SecretId> {
        let file = self.file_of(wanted);
        let is_meant = |id: SecretId| match (wanted, self.graph.get(id)) {
            (Wanted::Path(path), Some(node)) => {
                let path = path.trim_matches('/');
                node.request.iter().chain(&node.written).any(|request| request.path == path)
            }
            (Wanted::File(_), Some(node)) => file.is_some_and(|file| node.users.contains(&file)),
            (_, None) => false,
        };
        self.graph.ids().into_iter().filter(|id| is_meant(*id)).collect()
    }

    /// Records whether the credentials at hand are used up, and warns if they have just become so.
    pub(crate) fn used_up(&mut self, used_up: bool) {
        let before = std::mem::replace(&mut self.upstream.session.used_up, used_up);
        if before || !used_up {
            return;
        }
        let what = "the wrapping token of the secret id was opened by an earlier run of Leasehold, and can be opened once only: deliver a new one";
        let left =
            self.upstream.session.login().map(|login| login.expires.map(|end| self.now.moment.until(end)));
        let text = match left {
            Some(Some(left)) => {
                let left = humantime::format_duration(std::time::Duration::from_secs(left.as_secs()));
                format!("{what} before the current token ends, in {left} unless it can be renewed")
            }
            Some(None) => format!("{what}; the current token does not end by itself"),
            None => format!("{what}; nothing can log in until then"),
        };
        self.say(Level::Warn, text);
    }
}
