use leasehold::core::view::{BreakerView, Fault, FileView, Health, Readiness, View};
use leasehold_base::clock;
use leasehold_base::time::{Moment, Now};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::refusal::Refusal;
use crate::sync::flags::Flags;
use crate::sync::handovers::Shows;
use crate::sync::identity::Identity;
use crate::sync::roster::Basis;

struct Scene {
    board: Board,
    notes: UnboundedReceiver<Note>,
    basis: Basis,
    key: Key,
}

impl Scene {
    /// Makes a board with one object, which is synced in its first form.
    fn new() -> Self {
        let find = |name: &str| name.ends_with("_ID").then(|| "given".to_owned());
        let options = Options::resolve(&Flags::read(&[]).expect("flags"), &find).expect("options");
        let (sender, notes) = unbounded_channel();
        let basis = Basis {
            vault: options.vault.clone(),
            auth: None,
            store: None,
            login: Identity::Controller.to_string(),
            token: None,
            period: options.period,
            seed: 0,
        };
        let key = Key { kind: Kind::SyncedSecret, namespace: "shop".into(), name: "web".into() };
        let scene = Self { board: Board::new(sender, &options), notes, basis, key };
        scene.board.arrived(&scene.key);
        scene.expect(1);
        scene.board.good(&scene.key, true);
        scene.show(Some(7));
        scene
    }

    fn expect(&self, generation: i64) {
        self.board.expect(&self.key, "uid".to_owned(), "web".to_owned(), generation);
    }

    fn refused(generation: i64) -> Refused {
        let why = Refusal::new("spec.data", "there are no keys", "add one");
        Refused { uid: "uid".to_owned(), secret: "renamed".to_owned(), generation, why }
    }

    /// Shows the one file of an engine on the board. The file is published, and ends so many seconds from now.
    fn show(&self, expires: Option<u64>) {
        let now = clock::now();
        let expires = expires.map(|seconds| now.moment.after(Duration::from_secs(seconds)));
        self.board.show(&self.basis, &view(now, expires), now, &|_| Shows::ALL);
    }

    /// Returns the last status that was to be written, with its reason.
    fn told(&mut self) -> (Status, &'static str) {
        let notes = std::iter::from_fn(|| self.notes.try_recv().ok());
        let last = notes.filter_map(|note| Some((note.status?, note.reason))).last();
        last.expect("a status")
    }
}

fn view(now: Now, expires: Option<Moment>) -> View {
    let file = FileView {
        name: "SyncedSecret shop/web#a".to_owned(),
        generation: Some(1),
        changed: None,
        expires,
        health: Health::Good,
        error: None,
        failures: 0,
        secrets: Vec::new(),
        renders: 1,
    };
    View {
        now: now.moment,
        readiness: Readiness::Ready,
        token: None,
        logged_out: None,
        login: None,
        used_up: false,
        outage: None,
        silence: None,
        breaker: BreakerView::default(),
        stores: Vec::new(),
        files: vec![file],
        secrets: Vec::new(),
        notifiers: Vec::new(),
        counters: Counters::default(),
    }
}

#[test]
fn an_edit_that_is_refused_is_shown_beside_the_secret_that_is_kept() {
    let mut scene = Scene::new();
    let (status, reason) = scene.told();
    assert!(status.synced && status.ready && reason == "Synced");
    scene.board.refuse_edit(&scene.key, &Scene::refused(2));
    // Its leases are renewed, and its form of before is heard of late.
    scene.show(Some(70));
    scene.expect(1);
    scene.board.is_again(&scene.key, 1);
    scene.show(Some(80));
    let (status, reason) = scene.told();
    assert!(!status.synced && status.ready && reason == "Refused");
    assert_eq!((&*status.secret, status.generation), ("web", 2));
    assert!(status.expires.is_some_and(|end| end > clock::now().wall + 60), "{status:?}");

    // It is changed back: to the engine nothing has happened.
    scene.board.is_again(&scene.key, 3);
    scene.show(Some(80));
    let (status, reason) = scene.told();
    assert!(status.synced && status.generation == 3 && reason == "Synced");
}

#[test]
fn a_login_that_pods_may_still_need_is_not_given_back() {
    let scene = Scene::new();
    let needs_no_more = || scene.board.needs_no_more(&Identity::sample("shop", "before"));
    assert!(needs_no_more(), "it is synced, and nothing was restarted");
    scene.board.restarting(&scene.key);
    assert!(!needs_no_more());
    scene.board.restarted(&scene.key, Err(&"the rollout hangs".to_owned()));
    assert!(!needs_no_more());
    scene.board.restarted(&scene.key, Ok(()));
    assert!(needs_no_more());
}

#[test]
fn a_login_is_not_given_back_where_objects_with_it_cannot_be_listed() {
    let scene = Scene::new();
    let needs_no_more = || {
        let accounts = ["shop", "other"].map(|namespace| Identity::sample(namespace, "before"));
        let all = [Identity::Controller].into_iter().chain(accounts);
        all.map(|identity| scene.board.needs_no_more(&identity)).collect::<Vec<_>>()
    };
    let list = |kind, namespace: Option<&str>| (Some(kind), namespace.map(str::to_owned));
    assert_eq!(needs_no_more(), [true, true, true]);
    for (hidden, needs) in [
        (list(Kind::SyncedSecret, Some("other")), [true, true, false]),
        (list(Kind::SecretDefinition, Some("other")), [false, true, false]),
        (list(Kind::SyncedSecret, None), [true, false, false]),
    ] {
        scene.board.unlisted(hidden.clone(), true);
        assert_eq!(needs_no_more(), needs, "{hidden:?}");
        scene.board.listed(&hidden, BTreeSet::new());
        assert_eq!(needs_no_more(), [true, true, true], "{hidden:?}");
    }
    // There is no such kind, as in a cluster without secrets-manager, or while it is being defined.
    scene.board.unlisted(list(Kind::SecretDefinition, None), false);
    assert_eq!(needs_no_more(), [true, true, true]);
    scene.board.unlisted(list(Kind::SyncedSecret, None), false);
    assert_eq!(needs_no_more(), [true, false, false]);
}

#[test]
fn an_engine_that_waits_for_its_handoff_says_so_before_it_shows_anything() {
    let scene = Scene::new();
    let up = || scene.board.metrics().contains("leasehold_sync_server_up{login=\"the other\"} 1");
    scene.board.lead();
    scene.board.await_lists(BTreeSet::from([(None, None)]));
    scene.board.credentials("the other", Some("the handoff cannot be read yet: denied".to_owned()));
    let said = "the definitions are not known yet: the handoff cannot be read yet: denied";
    assert!(scene.board.unready().as_deref() == Some(said) && !up());
    scene.board.credentials("the other", None);
    assert!(scene.board.unready().as_deref() == Some("the definitions are not known yet") && up());
}

#[test]
fn what_was_never_good_has_nothing_that_is_kept() {
    let mut scene = Scene::new();
    scene.board.refuse(&scene.key, &Scene::refused(2));
    scene.show(Some(70));
    let (status, reason) = scene.told();
    assert!(!status.synced && !status.ready && status.expires.is_none() && reason == "Refused");
    assert_eq!(status.secret, "renamed");
}

#[test]
fn the_next_login_shows_its_trouble_and_the_former_one_what_the_secret_has() {
    let mut scene = Scene::new();
    scene.expect(2);
    let now = clock::now();
    let mut next = view(now, None);
    next.files[0].generation = None;
    next.files[0].error = Some(Fault { class: "login", text: "could not log in".to_owned() });
    let former = view(now, Some(now.moment.after(Duration::from_secs(70))));
    let (of_next, of_former) =
        (Shows { trouble: true, values: false }, Shows { trouble: false, values: true });
    scene.told();
    // Whichever comes last.
    for (view, shows) in [(&next, of_next), (&former, of_former), (&next, of_next)] {
        scene.board.show(&scene.basis, view, now, &|_| shows);
    }
    let told: Vec<Note> = std::iter::from_fn(|| scene.notes.try_recv().ok()).collect();
    assert!(told.iter().all(|note| note.reason == "NotSynced"), "{told:?}");
    let last = told.into_iter().filter_map(|note| note.status).last().expect("a status");
    assert!(!last.synced && last.ready, "{last:?}");
    assert!(last.expires.is_some_and(|end| end > now.wall + 60), "{last:?}");
}
