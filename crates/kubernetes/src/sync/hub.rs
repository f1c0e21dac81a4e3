//! Passes messages to the engine whose login they concern, and makes and ends engines as logins come and go.

mod files;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use leasehold_base::clock;
use leasehold_base::time::Moment;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot::{Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use self::files::Files;
use super::board::Board;
use super::definition::{Definition, Key, Kind};
use super::desk::{Message, Place, Refused, Sighting};
use super::handoff::Handoffs;
use super::handovers::Handovers;
use super::identity::{self, Identity, Token};
use super::roster::Basis;
use super::run::{Places, Run};
use super::scope::Scope;
use crate::cluster::Cluster;
use crate::refusal::Refusal;

/// The pause before an engine is made that could not be made: no descriptors are left, for example.
const AGAIN: Duration = Duration::from_secs(60);

/// The pause between two looks whether all definitions are known, and which logins are not needed any more.
const LOOK: Duration = Duration::from_secs(1);

/// The pause between two looks at the TLS files.
const MINUTE: Duration = Duration::from_secs(60);

/// The hub; see the module.
pub(crate) struct Hub {
    pub(crate) cluster: Arc<Cluster>,
    places: Places,
    handoffs: Option<Rc<Handoffs>>,
    /// For messages that the hub sends itself.
    own: UnboundedSender<Message>,
    /// The search for what an earlier leader has left has begun, and found these logins.
    swept: bool,
    left: BTreeSet<Identity>,
    pub(crate) board: Rc<Board>,
    /// The basis of the engine with the controller's own login.
    pub(crate) basis: Basis,
    scope: Scope,
    /// How many logins the definitions of one namespace may have at once.
    most_logins: usize,
    files: Option<Files>,
    engines: HashMap<Identity, Engine>,
    handovers: Rc<Handovers>,
    /// What each definition that an engine has is read with.
    logins: BTreeMap<Key, Login>,
    /// The Secrets that were seen, for engines that start later.
    seen: BTreeMap<Place, Sighting>,
    /// The engines that give back what they hold.
    ending: HashMap<Identity, JoinHandle<()>>,
    /// The definitions whose engine could not be made, or whose login is being given back, and when that is tried again.
    unmade: BTreeMap<Key, (Arc<Definition>, bool)>,
    again: Option<Moment>,
}

/// The login of a definition.
struct Login {
    /// The object that asked for it. Another one of the same name has nothing to do with it.
    uid: String,
    identity: Arc<Identity>,
    /// The logins that it had before, of which its Secret, or a reader of it, may still have values.
    formers: Vec<Arc<Identity>>,
}

struct Engine {
    inbox: UnboundedSender<Message>,
    running: JoinHandle<()>,
}

impl Hub {
    pub(crate) fn new(
        cluster: Arc<Cluster>,
        (places, handoffs): (Places, Option<Rc<Handoffs>>),
        own: UnboundedSender<Message>,
        board: Rc<Board>,
        (basis, scope, most_logins): (Basis, Scope, usize),
    ) -> Self {
        let (engines, logins, seen, ending, unmade) = Default::default();
        let (swept, left, again) = Default::default();
        let handovers = Rc::new(Handovers::new(own.clone()));
        let files = Files::of(&basis.vault);
        Self {
            cluster,
            places,
            handoffs,
            own,
            swept,
            left,
            board,
            basis,
            scope,
            most_logins,
            files,
            engines,
            handovers,
            logins,
            seen,
            ending,
            unmade,
            again,
        }
    }

    /// Runs until it is asked to stop, and every engine has revoked what it holds.
    pub(crate) async fn run(mut self, mut inbox: UnboundedReceiver<Message>) {
        let mut looks = tokio::time::interval(LOOK);
        let mut minutes = tokio::time::interval(MINUTE);
        for each in [&mut looks, &mut minutes] {
            each.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            let looks_for_more = self.handoffs.is_some() && (!self.swept || !self.left.is_empty());
            let message = tokio::select! {
                message = inbox.recv() => message,
                () = due(self.again) => {
                    self.make_again();
                    continue;
                }
                _ = minutes.tick(), if self.files.is_some() => {
                    self.reload();
                    continue;
                }
                // The engines tell the board, and not the hub, that all definitions are known.
                _ = looks.tick(), if looks_for_more => {
                    self.sweep();
                    self.give_back();
                    continue;
                }
            };
            let Some(message) = message.filter(|message| !matches!(message, Message::Stop)) else { break };
            self.take(message);
            self.sweep();
        }
        for engine in self.engines.values() {
            let _sent = engine.inbox.send(Message::Stop);
        }
        for engine in self.engines.into_values() {
            let _over = engine.running.await;
        }
        for running in self.ending.into_values() {
            let _over = running.await;
        }
    }

    /// Handles a message, or passes it to those that it concerns.
    fn take(&mut self, message: Message) {
        if let Some(key) = message.concerns() {
            self.unmade.remove(key);
        }
        match message {
            Message::Want(definition, known) => self.want(definition, known),
            Message::Drop(key, answer) => {
                self.leave(&key, answer);
                self.board.forget(&key);
            }
            Message::Refuse(key, refused) => self.refuse(&key, &refused),
            Message::Seen(sighting) => self.see(sighting),
            Message::Listed(list, keys) => self.board.listed(&list, keys),
            Message::Unlisted(list, is_denied) => self.board.unlisted(list, is_denied),
            Message::Left(identity) => self.find_left(identity),
            Message::Settled(key) => self.settle(&key),
            Message::Ended(identity) => {
                self.ending.remove(&identity);
                self.make_again();
            }
            Message::Credentials(_) | Message::Reload | Message::End | Message::Stop => {}
        }
    }

    /// Reports a Secret to the engines that may have definitions of it, and to those that start later.
    fn see(&mut self, sighting: Sighting) {
        let place = (sighting.namespace.clone(), sighting.name.clone());
        let concerned = self.engines.iter().filter(|(identity, _)| identity.is_used_in(&sighting.namespace));
        for (_, engine) in concerned {
            let _sent = engine.inbox.send(Message::Seen(sighting.clone()));
        }
        match sighting.gone {
            false => self.seen.insert(place, sighting),
            true => self.seen.remove(&place),
        };
    }

    /// Notes a login that an earlier leader has left. Where no definition is seen, that none uses the login says nothing: its
    /// Secrets may be there, with its leases.
    fn find_left(&mut self, identity: Identity) {
        if self.scope.shows_users_of(&identity) {
            self.left.insert(identity);
            return;
        }
        tracing::info!("left the handoff of {identity}, whose namespace is not watched");
    }

    /// Passes a definition to the engine of its login. An engine that it had before keeps it in its former form.
    fn want(&mut self, definition: Arc<Definition>, known: bool) {
        let (key, identity) = (definition.key.clone(), definition.identity.clone());
        if self.logins.get(&key).is_some_and(|login| login.uid != definition.uid) {
            // Another object of the same name: the Secret of the one before goes with that.
            self.leave(&key, None);
            self.board.forget(&key);
        }
        // To the engine of another login, there was no Secret before.
        let known = known || self.logins.contains_key(&key);
        self.board.arrived(&key);
        if self.ending.contains_key(&*identity) {
            // Another engine beside the one that ends would go on from the handoff that this one gives back.
            self.unmade.insert(key, (definition, known));
            return;
        }
        if self.is_crowded(&identity) {
            self.refuse(&key, &one_too_many(&definition, self.most_logins));
            self.again.get_or_insert_with(|| clock::moment().after(AGAIN));
            self.unmade.insert(key, (definition, known));
            return;
        }
        match self.engine(&identity) {
            Ok(engine) => {
                self.log_in(&definition);
                let _sent = engine.send(Message::Want(definition, known));
                self.settle(&key);
            }
            Err(why) => {
                tracing::error!("no engine for {identity}, tried again in {} s: {why}", AGAIN.as_secs());
                self.again.get_or_insert_with(|| clock::moment().after(AGAIN));
                self.unmade.insert(key, (definition, known));
            }
        }
    }

    /// Returns whether this would be one login too many of its namespace. What one namespace may use is bounded, so that the
    /// others always get theirs.
    fn is_crowded(&self, identity: &Identity) -> bool {
        let Identity::Account { namespace, .. } = identity else { return false };
        if self.engines.contains_key(identity) {
            return false;
        }
        let of_namespace =
            |one: &&Identity| matches!(one, Identity::Account { namespace: of, .. } if of == namespace);
        self.engines.keys().chain(self.ending.keys()).filter(of_namespace).count() >= self.most_logins
    }

    /// Handles a definition that cannot be synced in its present form. Its engine keeps the last form that was good: readers
    /// of the Secret go on with its credentials, until the mistake is corrected or the object is deleted.
    fn refuse(&mut self, key: &Key, refused: &Refused) {
        self.board.arrived(key);
        match self.logins.get(key) {
            Some(login) if login.uid == refused.uid => self.board.refuse_edit(key, refused),
            _ => {
                self.leave(key, None);
                self.board.refuse(key, refused);
            }
        }
    }

    /// Makes the engines that could not be made.
    fn make_again(&mut self) {
        self.again = None;
        for (definition, known) in std::mem::take(&mut self.unmade).into_values() {
            self.want(definition, known);
        }
    }

    /// Notes the login of a definition. If it had another one, that serves the Secret until this one has published it.
    fn log_in(&mut self, definition: &Definition) {
        let (uid, identity) = (definition.uid.clone(), Arc::clone(&definition.identity));
        let mut formers = Vec::new();
        if let Some(before) = self.logins.remove(&definition.key) {
            formers = before.formers;
            if before.identity != identity {
                self.handovers.begin(&definition.key, &before.identity, &identity);
                formers.retain(|one| *one != identity);
                formers.push(before.identity);
            }
        }
        self.logins.insert(definition.key.clone(), Login { uid, identity, formers });
    }

    /// Takes a definition from those logins that it had, and that are not needed for it any more. Each edit may name another
    /// login that never works: none of them waits for the next one.
    fn settle(&mut self, key: &Key) {
        let Some(login) = self.logins.get_mut(key) else { return };
        let (spare, needed): (Vec<_>, Vec<_>) = std::mem::take(&mut login.formers)
            .into_iter()
            .partition(|former| self.handovers.is_spare(key, former));
        login.formers = needed;
        let identity = Arc::clone(&login.identity);
        for former in spare {
            self.part(key, &former, None);
        }
        // A former login that had no answer to its last write may have written over what the wanted one has published.
        if self.handovers.may_have_of_another(key, &identity)
            && let Some(engine) = self.engines.get(&identity)
        {
            let _sent = engine.inbox.send(Message::Settled(key.clone()));
        }
    }

    /// Takes a definition from all logins that it has.
    fn leave(&mut self, key: &Key, answer: Option<Sender<()>>) {
        self.handovers.forget(key);
        let Some(Login { identity, formers, .. }) = self.logins.remove(key) else {
            // A definition that was never wanted has nothing under way.
            let _sent = answer.map(|answer| answer.send(()));
            return;
        };
        let mut parts = Vec::new();
        for identity in formers.into_iter().chain([identity]) {
            let (part, done) = channel();
            parts.push(done);
            self.part(key, &identity, Some(part));
        }
        let Some(answer) = answer else { return };
        tokio::task::spawn_local(async move {
            for part in parts {
                // An engine that ends before its answer may have a request under way: this is asked again.
                if part.await.is_err() {
                    return;
                }
            }
            let _sent = answer.send(());
        });
    }

    /// Takes a definition from one login. The last definition of a login ends its engine.
    fn part(&mut self, key: &Key, identity: &Identity, answer: Option<Sender<()>>) {
        let Some(engine) = self.engines.get(identity) else { return };
        let _sent = engine.inbox.send(Message::Drop(key.clone(), answer));
        let uses = |login: &Login| {
            *login.identity == *identity || login.formers.iter().any(|former| **former == *identity)
        };
        if *identity != Identity::Controller && !self.logins.values().any(uses) {
            self.end(identity);
        }
    }

    /// Has an engine revoke everything.
    fn end(&mut self, identity: &Identity) {
        let Some(engine) = self.engines.remove(identity) else { return };
        let _sent = engine.inbox.send(Message::End);
        self.board.part(&identity.to_string());
        let (own, ended) = (self.own.clone(), identity.clone());
        let ending = tokio::task::spawn_local(async move {
            let _over = engine.running.await;
            // The hub is gone if the process is ending.
            let _sent = own.send(Message::Ended(Box::new(ended)));
        });
        self.ending.insert(identity.clone(), ending);
    }

    /// Looks for what an earlier leader has left of logins that nothing uses any more, once all definitions are
    /// known: their last definition was deleted while no controller ran.
    fn sweep(&mut self) {
        let may_begin = !self.swept && self.board.knows_all();
        let Some(handoffs) = self.handoffs.clone().filter(|_| may_begin) else { return };
        self.swept = true;
        let own = self.own.clone();
        tokio::task::spawn_local(async move {
            for identity in handoffs.left().await {
                let _sent = own.send(Message::Left(identity));
            }
        });
    }

    /// Gives back what was found of logins that are not needed. A login waits as long as a Secret may still have its values:
    /// the object was refused from the start, or the login that it has now does not work.
    fn give_back(&mut self) {
        // An engine that is there goes on from its handoff, or gives it back.
        let (engines, ending) = (&self.engines, &self.ending);
        self.left.retain(|identity| !engines.contains_key(identity) && !ending.contains_key(identity));
        let (now, later) =
            std::mem::take(&mut self.left).into_iter().partition(|one| self.board.needs_no_more(one));
        self.left = later;
        let now: BTreeSet<Identity> = now;
        for identity in now {
            // An engine without definitions revokes what it finds.
            match self.engine(&identity) {
                Ok(_) if identity == Identity::Controller => {}
                Ok(_) => self.end(&identity),
                Err(why) => {
                    tracing::debug!(
                        "cannot revoke what the login of {identity} holds, trying again later: {why}"
                    );
                    self.left.insert(identity);
                }
            }
        }
    }

    fn engine(&mut self, identity: &Identity) -> Result<UnboundedSender<Message>, String> {
        if let Some(engine) = self.engines.get(identity) {
            return Ok(engine.inbox.clone());
        }
        let (inbox, receiver) = unbounded_channel();
        let mut basis = self.basis.clone();
        basis.login = identity.to_string();
        basis.seed = identity.seed(self.basis.seed);
        if let Identity::Account { role, mount, .. } = identity {
            // A tenant reaches only the Vault.
            basis.store = None;
            let token = Rc::new(Token::new().map_err(|error| error.to_string())?);
            basis.auth = Some(identity::login(role, mount, &token));
            basis.token = Some(token.path.display().to_string());
            let keep = identity::keep(Arc::clone(&self.cluster), identity.clone(), token, inbox.clone());
            tokio::task::spawn_local(keep);
        }
        let handoff = self.handoffs.as_ref().map(|all| Rc::new(all.of(identity)));
        let places = Places { handoff, ..self.places.clone() };
        let share = self.handovers.of(identity);
        let run = Run::new(basis, (places, share), Rc::clone(&self.board), receiver)?;
        let running = tokio::task::spawn_local(run.run());
        for sighting in self.seen.values().filter(|seen| identity.is_used_in(&seen.namespace)) {
            let _sent = inbox.send(Message::Seen(sighting.clone()));
        }
        self.engines.insert(identity.clone(), Engine { inbox: inbox.clone(), running });
        Ok(inbox)
    }
}

/// Says that the namespace has as many logins as it may have.
fn one_too_many(definition: &Definition, most: usize) -> Refused {
    let what = format!("the namespace has {most} logins already, and may have no more (-namespace-logins)");
    let advice = "use a service account and a role that another object of the namespace uses, or delete one";
    // A SecretDefinition names no login: its namespace has one.
    let place =
        if definition.key.kind == Kind::SecretDefinition { "metadata.namespace" } else { "spec.auth" };
    Refused {
        uid: definition.uid.clone(),
        secret: definition.target.name.to_string(),
        generation: definition.generation,
        why: Refusal::new(place, what, advice),
    }
}

/// Ends at this time, or never.
async fn due(at: Option<Moment>) {
    match at {
        Some(at) => tokio::time::sleep(clock::moment().until(at)).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
