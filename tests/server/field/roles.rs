//! Static roles of a real PostgreSQL: the password on disk logs in soon after whatever rotated it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Leasehold, Listener, Postgres, SOON, Stage, Workspace, wait_until};

const ROLE: &str = "CREATE ROLE keeper LOGIN PASSWORD 'to be rotated'";

#[test]
fn a_password_that_is_rotated_by_hand_is_on_disk_within_a_refresh() {
    let Some(postgres) = Postgres::start() else { return };
    let stage = Stage::new();
    stage.server.database(&postgres);
    postgres.admin(ROLE);
    stage.server.write(
        "database/static-roles/keeper",
        json!({ "db_name": "pg", "username": "keeper", "rotation_period": "720h" }),
    );
    let config = stage.config(
        "files:\n  - {path: password, refresh: 1s, secret: 'database/static-creds/keeper#password'}\n",
    );
    let sidecar = stage.sidecar(&config);
    for _ in 0..3 {
        let before = stage.read("password").expect("it is there");
        assert!(postgres.accepts("keeper", &before));
        stage.server.ask("POST", "database/rotate-role/keeper", None).ok();
        wait_until("the new password", SOON, || {
            let now = stage.read("password").expect("a published file stays");
            now != before && postgres.accepts("keeper", &now)
        });
    }
    sidecar.stop();
}

/// A server whose static role rotates by a schedule, as Vault's do and OpenBao's do not: at every fourth second, and
/// its time is moved on `late` before its password.
struct Scheduled {
    postgres: Arc<Postgres>,
    begin: Instant,
    late: Duration,
    /// The number of the password that PostgreSQL has.
    passwords: Mutex<u64>,
}

const PERIOD: u64 = 4;

impl Scheduled {
    fn read(&self) -> String {
        let age = self.begin.elapsed();
        let due = age.saturating_sub(self.late).as_secs() / PERIOD;
        let mut done = self.passwords.lock().expect("not poisoned");
        if *done < due {
            self.postgres.admin(&format!("ALTER ROLE keeper PASSWORD 'password-{due}'"));
            *done = due;
        }
        let left = PERIOD - age.as_secs() % PERIOD;
        json!({ "data": {
            "username": "keeper", "password": format!("password-{}", *done), "ttl": left,
            "rotation_schedule": "*/4 * * * * *", "rotation_window": 3600, "last_vault_rotation": age.as_secs() / PERIOD,
        }})
        .to_string()
    }
}

#[test]
fn a_role_with_a_schedule_whose_time_is_moved_on_before_its_password_is_followed() {
    let Some(postgres) = Postgres::start() else { return };
    postgres.admin(ROLE);
    postgres.admin("ALTER ROLE keeper PASSWORD 'password-0'");
    let postgres = Arc::new(postgres);
    let scheduled = Scheduled {
        postgres: Arc::clone(&postgres),
        begin: Instant::now(),
        late: Duration::from_millis(1800),
        passwords: Mutex::new(0),
    };
    let server = Listener::start(move |asked| match asked.path.split('?').next().unwrap_or_default() {
        "/v1/auth/token/lookup-self" => {
            (200, r#"{"data":{"id":"x","ttl":3600,"expire_time":"2100-01-01T00:00:00Z"}}"#.to_owned())
        }
        "/v1/sys/health" => (200, r#"{"initialized":true,"sealed":false,"standby":false}"#.to_owned()),
        "/v1/database/static-creds/keeper" => (200, scheduled.read()),
        _ => (404, r#"{"errors":[]}"#.to_owned()),
    });
    let space = Workspace::new();
    let config = format!(
        "vault: {{address: 'http://{}'}}\nauth: {{method: token, token_env: TOKEN}}\nsecrets_dir: '{}'\nfiles:\n  - {{path: password, refresh: 60s, secret: 'database/static-creds/keeper#password'}}\n",
        server.address(),
        space.dir("secrets").display()
    );
    let config = space.file("leasehold.yaml", config);
    let arguments = ["sidecar", "--config", config.to_str().expect("UTF-8")];
    let sidecar = Leasehold::new(&space).env("TOKEN", "s.x").spawn(&arguments);
    for n in 1..4 {
        // With a `refresh` of a minute only the questions after the moved time can bring it.
        wait_until("the next password", SOON, || {
            let now = space.read("secrets/password").unwrap_or_default();
            let number = now.strip_prefix("password-").and_then(|number| number.parse().ok());
            number.is_some_and(|number: u64| number >= n) && postgres.accepts("keeper", &now)
        });
    }
    sidecar.stop();
}
