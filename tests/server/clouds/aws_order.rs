//! Whose keys are taken where several are there: botocore, which AWS' command line and boto3 are made of, is the judge.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::Machine;
use super::aws_sources::keys;
use crate::support::{Asked, CANARY, Listener, repository, script};

type Environment = BTreeMap<String, String>;

/// STS, a container's service and Secrets Manager in one. The last notes whose keys it was asked with.
struct Services {
    listener: Listener,
    /// The ids of keys, and the forms that STS got.
    asked: Arc<Mutex<(Vec<String>, Vec<String>)>>,
}

impl Services {
    fn start() -> Self {
        let asked = Arc::<Mutex<(Vec<String>, Vec<String>)>>::default();
        let noted = Arc::clone(&asked);
        let listener = Listener::start(move |request| {
            let form = String::from_utf8_lossy(&request.body).into_owned();
            let mut noted = noted.lock().expect("no test panics with it");
            if request.path == "/container" {
                return (200, keys("CONTAINER", 3600));
            }
            if form.contains("Action=") {
                let id = if form.contains("WebIdentityToken=") {
                    "WEB".into()
                } else {
                    format!("ROLEBY{}", id(request))
                };
                noted.1.push(form);
                return (200, of_sts(&id));
            }
            noted.0.push(id(request));
            (200, json!({"SecretString": "value"}).to_string())
        });
        Self { listener, asked }
    }

    fn url(&self) -> String {
        format!("http://{}", self.listener.address())
    }

    /// Whose keys the store was last asked with since this was asked last.
    fn last(&self) -> Option<String> {
        std::mem::take(&mut self.asked.lock().expect("no test panics with it").0).pop()
    }

    fn forms(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("no test panics with it").1)
    }

    fn machine(&self) -> Machine {
        let machine = Machine::new(&format!(
            "{{aws_secrets_manager: {{region: eu-central-1, endpoint: '{}'}}}}",
            self.url()
        ));
        machine.space.file("token", "header.payload.signature");
        machine
            .space
            .file("keys", format!("[keys]\naws_access_key_id=PROFILE\naws_secret_access_key={CANARY}\n"));
        machine
    }

    /// What every case has.
    fn environment(&self, machine: &Machine) -> Environment {
        let at = |name: &str| machine.space.join(name).display().to_string();
        of(&[
            ("HOME", &at("home")),
            ("AWS_SHARED_CREDENTIALS_FILE", &at("keys")),
            ("AWS_CONFIG_FILE", &at("config")),
            ("AWS_DEFAULT_REGION", "eu-central-1"),
            ("AWS_ENDPOINT_URL_STS", &self.url()),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ])
    }
}

fn of(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn id(request: &Asked) -> String {
    let by = request.headers.get("authorization").cloned().unwrap_or_default();
    by.split("Credential=").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default().to_owned()
}

fn of_sts(id: &str) -> String {
    let keys = format!(
        "<Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{CANARY}</SecretAccessKey>\
         <SessionToken>{CANARY}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
    );
    // A client reads the part that is named after its action.
    let part = |action: &str| format!("<{action}Result>{keys}</{action}Result>");
    format!("<Response>{}{}</Response>", part("AssumeRole"), part("AssumeRoleWithWebIdentity"))
}

/// Whose keys botocore takes in each environment.
fn judged(environments: &[Environment]) -> Vec<Option<String>> {
    let mut python = Command::new(script("moto", &[]))
        .arg(repository().join("tests/server/clouds/judge_aws.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    let text = serde_json::to_vec(environments).expect("JSON");
    python.stdin.take().expect("it is piped").write_all(&text).expect("it reads");
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).expect("a list")
}

/// Whose keys Leasehold takes.
fn taken(services: &Services, machine: &Machine, environment: &Environment) -> Option<String> {
    let config = machine.config("files: [{path: a, secret: cloud/a}]");
    let leasehold =
        environment.iter().fold(machine.leasehold(), |leasehold, (name, value)| leasehold.env(name, value));
    let finished = leasehold.run(&["init", "--timeout", "2s", "--config", &config]);
    finished.assert_silent_about(CANARY);
    let last = services.last();
    assert_eq!(last.is_some(), finished.code == Some(0), "{}", finished.stderr);
    last
}

/// The sources that a machine may have besides a profile.
fn sources(services: &Services, machine: &Machine) -> [Environment; 3] {
    let token = machine.space.join("token").display().to_string();
    [
        of(&[("AWS_ACCESS_KEY_ID", "ENVIRONMENT"), ("AWS_SECRET_ACCESS_KEY", CANARY)]),
        of(&[("AWS_WEB_IDENTITY_TOKEN_FILE", &token), ("AWS_ROLE_ARN", "arn:aws:iam::1:role/environment")]),
        of(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/container", services.url()))]),
    ]
}

#[test]
fn of_several_sources_we_take_the_one_that_botocore_takes() {
    const ROLE: &str = "role_arn = arn:aws:iam::123456789012:role/reader\nsource_profile = keys\n";
    let services = Services::start();
    let machine = services.machine();
    let web = format!(
        "role_arn = arn:aws:iam::123456789012:role/reader\nweb_identity_token_file = {}\n",
        machine.space.join("token").display()
    );
    let chains = "[profile chain]\nrole_arn = arn:aws:iam::123456789012:role/last\nsource_profile = role\n\
                  [profile circle]\nrole_arn = arn:aws:iam::123456789012:role/last\nsource_profile = circle\n\
                  [profile region]\nregion = eu-central-1\n";
    for config in
        [format!("[profile role]\n{ROLE}[profile web]\n{web}{chains}"), format!("[profile default]\n{ROLE}")]
    {
        const ALL: [&str; 8] = ["", "keys", "role", "web", "chain", "circle", "region", "absent"];
        let profiles: &[&str] = if config.contains("default") { &[""] } else { &ALL };
        machine.space.file("config", config);
        let mut all = Vec::new();
        for profile in profiles {
            for chosen in 0..8 {
                let mut environment = services.environment(&machine);
                let sources = sources(&services, &machine).into_iter().enumerate();
                environment
                    .extend(sources.filter(|(bit, _)| chosen & (1 << bit) != 0).flat_map(|(_, more)| more));
                if !profile.is_empty() {
                    environment.insert("AWS_PROFILE".to_owned(), (*profile).to_owned());
                }
                all.push(environment);
            }
        }
        let judged = judged(&all);
        services.forms();
        let ours: Vec<_> = all.iter().map(|environment| taken(&services, &machine, environment)).collect();
        let wrong: Vec<_> =
            all.iter().zip(ours).zip(judged).filter(|((_, ours), judged)| ours != judged).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[test]
fn what_a_profile_says_about_its_role_reaches_sts_as_botocore_sends_it() {
    let services = Services::start();
    let machine = services.machine();
    machine.space.file(
        "config",
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/reader\nsource_profile = keys\n\
         external_id = a/b\nduration_seconds = 900\nrole_session_name = web\n",
    );
    let mut environment = services.environment(&machine);
    environment.insert("AWS_PROFILE".to_owned(), "role".to_owned());
    let fields = || {
        let forms = services.forms();
        let [form] = &forms[..] else { panic!("{forms:?}") };
        let mut fields: Vec<String> = form.split('&').map(str::to_owned).collect();
        fields.sort();
        fields
    };
    judged(std::slice::from_ref(&environment));
    let theirs = fields();
    assert_eq!(taken(&services, &machine, &environment).as_deref(), Some("ROLEBYPROFILE"));
    assert_eq!(fields(), theirs);
    assert!(theirs.contains(&"ExternalId=a%2Fb".to_owned()), "{theirs:?}");
    assert!(theirs.contains(&"DurationSeconds=900".to_owned()), "{theirs:?}");
}
