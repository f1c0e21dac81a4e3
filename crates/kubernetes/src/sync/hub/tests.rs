use std::net::{Ipv4Addr, TcpListener};

use serde_json::json;
use tokio::task::LocalSet;
use tokio::time::timeout;

use super::*;
use crate::sync::definition::{Kind, Kv, Rules};
use crate::sync::flags::Flags;
use crate::sync::options::Options;
use crate::sync::publisher::Publisher;
use crate::sync::restart::rollout::Restarter;
use crate::sync::{handoff, synced};

/// Far more than anything takes.
const SOON: Duration = Duration::from_secs(30);

/// A hub whose API server and Vault do not answer.
struct Scene {
    hub: Hub,
    inbox: UnboundedReceiver<Message>,
}

impl Scene {
    fn new(scope: Scope, with_handoffs: bool) -> Self {
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let nowhere = format!("http://{}", silent.local_addr().expect("it is bound"));
        drop(silent);
        let find = |name: &str| match name {
            "VAULT_ADDR" => Some(nowhere.clone()),
            name => name.ends_with("_ID").then(|| "given".to_owned()),
        };
        let options = Options::resolve(&Flags::read(&[]).expect("flags"), &find).expect("options");
        let cluster = Arc::new(Cluster::at(&nowhere));
        let (notes, _) = unbounded_channel();
        let (own, inbox) = unbounded_channel();
        let basis = Basis {
            vault: options.vault.clone(),
            auth: options.auth.clone(),
            store: None,
            login: Identity::Controller.to_string(),
            token: None,
            period: options.period,
            seed: 0,
        };
        let settings = handoff::Settings {
            secret: "handoff".to_owned(),
            mount: "transit".to_owned(),
            key: "sync".to_owned(),
        };
        let handoffs = with_handoffs.then(|| {
            let server = (&options.vault, options.auth.as_ref().expect("a login"));
            Rc::new(Handoffs::new(settings, Arc::clone(&cluster), server, "me").expect("no files"))
        });
        let (publisher, restarter) =
            (Publisher::new(Arc::clone(&cluster)), Restarter::new(Arc::clone(&cluster)));
        let places = (Places { publisher, restarter, handoff: None }, handoffs);
        let board = Rc::new(Board::new(notes, &options));
        Self { hub: Hub::new(cluster, places, own, board, (basis, scope, options.most_logins)), inbox }
    }

    /// Has the hub take what it sends itself, until this holds.
    async fn until(&mut self, what: &str, holds: impl Fn(&Hub) -> bool) {
        while !holds(&self.hub) {
            let message = timeout(SOON, self.inbox.recv()).await.expect(what);
            self.hub.take(message.expect("the hub has the other end"));
        }
    }
}

fn definition(name: &str) -> Arc<Definition> {
    let key = Key { kind: Kind::SyncedSecret, namespace: "shop".into(), name: name.into() };
    let spec = json!({
        "auth": {"serviceAccount": "web", "role": "web"}, "data": {"a": {"secret": "secret/web#user"}},
    });
    let rules = Rules { kv: Kv::Two, logs_in: true, by_namespace: None, types: BTreeSet::new() };
    Arc::new(synced::read(key, &json!({"uid": name}), &spec, &rules).expect("a definition"))
}

/// Makes the same definition as `definition` does, but with another role, and in another namespace.
fn with_role(name: &str, role: &str, namespace: &str) -> Arc<Definition> {
    let one = definition(name);
    let key = Key { namespace: namespace.into(), ..one.key.clone() };
    let identity = Arc::new(Identity::sample(namespace, role));
    Arc::new(Definition { key, identity, ..(*one).clone() })
}

/// An author may name another role in each object, and every login takes descriptors of the one controller.
#[tokio::test(flavor = "current_thread")]
async fn a_namespace_has_so_many_logins_at_most_and_takes_none_from_another() {
    let test = async {
        let mut scene = Scene::new(Scope::default(), false);
        scene.hub.most_logins = 2;
        let role = |number: usize| format!("role-{number}");
        for number in 0..4 {
            let one = with_role(&role(number), &role(number), "shop");
            scene.hub.take(Message::Want(one, false));
        }
        assert_eq!(scene.hub.engines.len(), 2);
        // A login that is there already serves more objects, and another namespace has its own.
        scene.hub.take(Message::Want(with_role("more", "role-0", "shop"), false));
        scene.hub.take(Message::Want(with_role("theirs", "role-3", "other"), false));
        assert!(scene.hub.engines.contains_key(&Identity::sample("other", "role-3")));
        let waiting: Vec<&str> = scene.hub.unmade.keys().map(|key| &*key.name).collect();
        assert_eq!(waiting, ["role-2", "role-3"]);
        // One login less.
        scene.hub.take(Message::Drop(with_role("role-1", "role-1", "shop").key.clone(), None));
        scene
            .until("the next login", |hub| hub.engines.contains_key(&Identity::sample("shop", "role-2")))
            .await;
        assert_eq!(scene.hub.unmade.len(), 1);
    };
    LocalSet::new().run_until(test).await;
}

fn web() -> Identity {
    Identity::sample("shop", "web")
}

#[tokio::test(flavor = "current_thread")]
async fn a_login_of_a_namespace_that_is_not_watched_is_not_given_back() {
    let scope = Scope { excluded: BTreeSet::from(["shop".to_owned()]), ..Scope::default() };
    let mut scene = Scene::new(scope, false);
    scene.hub.take(Message::Left(web()));
    assert!(scene.hub.left.is_empty());
    scene.hub.take(Message::Left(Identity::sample("other", "web")));
    assert_eq!(scene.hub.left.len(), 1);
}

/// A login is given back in several steps, and an author may delete an object and apply it again in one command.
#[tokio::test(flavor = "current_thread")]
async fn a_definition_waits_while_the_engine_of_its_login_gives_back_what_it_has() {
    let test = async {
        let mut scene = Scene::new(Scope::default(), false);
        scene.hub.take(Message::Want(definition("one"), false));
        assert!(scene.hub.engines.contains_key(&web()));
        scene.hub.take(Message::Drop(definition("one").key.clone(), None));
        assert!(scene.hub.ending.contains_key(&web()));
        let two = definition("two");
        scene.hub.take(Message::Want(Arc::clone(&two), false));
        assert!(
            !scene.hub.engines.contains_key(&web()),
            "it would go on from the handoff that is given back"
        );
        scene.hub.take(Message::Want(definition("three"), false));
        scene.hub.take(Message::Drop(definition("three").key.clone(), None));
        scene.until("the end of the first", |hub| hub.engines.contains_key(&web())).await;
        assert!(scene.hub.ending.is_empty() && scene.hub.unmade.is_empty());
        assert_eq!(scene.hub.logins.keys().collect::<Vec<_>>(), [&two.key]);
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_definition_can_be_deleted_before_its_handoff_is_read() {
    let test = async {
        let mut scene = Scene::new(Scope::default(), true);
        let one = definition("one");
        scene.hub.take(Message::Want(Arc::clone(&one), false));
        // Another one keeps the engine.
        scene.hub.take(Message::Want(definition("two"), false));
        let (answer, done) = channel();
        scene.hub.take(Message::Drop(one.key.clone(), Some(answer)));
        timeout(SOON, done).await.expect("the API server and the Vault are away").expect("an answer");
    };
    LocalSet::new().run_until(test).await;
}
