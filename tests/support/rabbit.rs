//! A source of renewable leases without a database: OpenBao's own rabbitmq engine against an answerer of
//! RabbitMQ's management API that keeps the users it is told to make.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::http::{Asked, Listener};

/// A loopback RabbitMQ, as far as the engine speaks to it.
#[derive(Debug)]
pub struct Rabbit {
    listener: Listener,
    users: Arc<Mutex<BTreeSet<String>>>,
}

impl Rabbit {
    /// One without users.
    pub fn start() -> Self {
        let users = Arc::new(Mutex::new(BTreeSet::new()));
        let kept = Arc::clone(&users);
        let listener = Listener::start(move |asked| answer(asked, &kept));
        Self { listener, users }
    }

    /// `http://127.0.0.1:PORT`: the connection_uri of the engine.
    pub fn address(&self) -> String {
        format!("http://{}", self.listener.address())
    }

    /// The users that exist now: made by a read, gone when the lease is revoked.
    pub fn users(&self) -> BTreeSet<String> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn answer(asked: &Asked, users: &Mutex<BTreeSet<String>>) -> (u16, String) {
    let Some(user) = asked.path.strip_prefix("/api/users/") else {
        // Permissions of a user: nothing to keep.
        return (204, String::new());
    };
    let mut users = users.lock().unwrap_or_else(PoisonError::into_inner);
    match asked.method.as_str() {
        "PUT" => users.insert(user.to_owned()),
        "DELETE" => users.remove(user),
        _ => return (405, String::new()),
    };
    (204, String::new())
}
