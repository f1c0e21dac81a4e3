//! Logins with tokens that a real Kubernetes API server issues and reviews.

use crate::support::{
    ApiServer, Leasehold, OpenBao, SOON, Workspace, api_server_possible, set_up_vault, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::json;

/// The token volume of the shipped manifests.
const AUDIENCE: &str = "vault";

/// A cluster with the shipped accounts and roles, and a Vault that the shipped script has set up for it.
struct Stage {
    cluster: ApiServer,
    server: OpenBao,
}

impl Stage {
    fn new() -> Self {
        let (cluster, server) = (ApiServer::start(), OpenBao::start());
        cluster.namespace("vault");
        cluster.apply("serviceaccount.yaml");
        cluster.apply("reviewer.yaml");
        let reviewer = cluster.token("vault", "vault", &[]);
        set_up_vault(&server, &cluster.address(), &cluster.ca_file(), &reviewer);
        server.kv2("secret");
        server.put("secret", "web", json!({ "api_key": "one" }));
        Self { cluster, server }
    }

    /// A pod's folders, with this token in its volume.
    fn pod(&self, token: &str) -> Workspace {
        let space = Workspace::new();
        space.dir("vault-token");
        space.file("vault-token/token", token);
        let dir = space.path().display();
        let config = format!(
            "vault: {{address: '{}', ca_file: '{}', timeout: 5s}}\n\
             auth: {{method: kubernetes, role: web, jwt_file: '{dir}/vault-token/token'}}\n\
             secrets_dir: '{dir}/secrets'\n\
             handoff: {{file: '{dir}/handoff/state'}}\n\
             listen: 'unix:{dir}/status.sock'\n\
             files: [{{path: api-key, secret: 'secret/web#api_key', refresh: 1s}}]\n",
            self.server.address(),
            self.server.ca_file().display(),
        );
        space.file("leasehold.yaml", config);
        space
    }

    /// How a login with `token` is answered.
    fn login(&self, token: &str) -> u16 {
        let body = json!({ "role": "web", "jwt": token });
        self.server.ask_as("", "POST", "auth/kubernetes/login", Some(body)).status
    }

    /// As the audit log shows a value.
    fn hashed(&self, value: &str) -> String {
        let answer = self.server.write("sys/audit-hash/log", json!({ "input": value }));
        answer["data"]["hash"].as_str().expect("a hash").to_owned()
    }

    /// Whether somebody logged in with this token.
    fn was_shown(&self, token: &str) -> bool {
        let hash = self.hashed(token);
        self.server.audit().iter().any(|entry| entry["request"]["data"]["jwt"] == hash.as_str())
    }
}

fn config(space: &Workspace) -> [String; 2] {
    ["--config".to_owned(), space.join("leasehold.yaml").to_string_lossy().into_owned()]
}

fn init(space: &Workspace) -> crate::support::Finished {
    let arguments =
        [vec!["init".to_owned(), "--timeout".to_owned(), "20s".to_owned()], config(space).to_vec()];
    Leasehold::new(space).run(&arguments.concat())
}

#[test]
fn a_token_of_a_real_cluster_opens_what_its_account_may_see_and_no_other_does() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::new();
    let token = |account, audience| stage.cluster.token("default", account, &[audience]);

    let pod = stage.pod(&token("web", AUDIENCE));
    init(&pod).expect_code(0);
    assert_eq!(pod.read("secrets/api-key").as_deref(), Some("one"));

    // A token that is for the API server itself, and one of another account.
    let other = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "other" } });
    stage.cluster.ask("POST", "/api/v1/namespaces/default/serviceaccounts", Some(&other)).ok();
    for stranger in [token("web", "https://kubernetes.default.svc"), token("other", AUDIENCE)] {
        let pod = stage.pod(&stranger);
        let refused = init(&pod).expect_code(77);
        refused.assert_silent_about(&stranger);
        assert_eq!(pod.read("secrets/api-key"), None);
    }

    // The kubelet renews the token in its volume; the next login takes the new one.
    let (first, second) = (token("web", AUDIENCE), token("web", AUDIENCE));
    let pod = stage.pod(&first);
    let sidecar = Leasehold::new(&pod).spawn(&[vec!["sidecar".to_owned()], config(&pod).to_vec()].concat());
    wait_until("the first login", SOON, || pod.read("secrets/api-key").is_some());
    assert!(stage.was_shown(&first) && !stage.was_shown(&second));
    pod.file("vault-token/token", &second);
    for accessor in stage.server.accessors() {
        stage.server.revoke_accessor(&accessor);
    }
    wait_until("the next login", SOON, || stage.was_shown(&second));
    stage.server.put("secret", "web", json!({ "api_key": "two" }));
    wait_until("the new secret", SOON, || pod.read("secrets/api-key").as_deref() == Some("two"));
    sidecar.signal(Signal::SIGTERM);
    assert_eq!(sidecar.wait(SOON).code, Some(0));
    assert_eq!(stage.server.accessors(), [""; 0], "its token is revoked");

    // An account that is deleted takes its tokens along, as soon as the API server has forgotten its review.
    stage.cluster.delete_account("default", "web");
    wait_until("the token to be refused", 4 * SOON, || stage.login(&second) / 100 == 4);
    let pod = stage.pod(&second);
    init(&pod).expect_code(77).assert_silent_about(&second);
}
