//! Setting up a server and asking what is left on it, in the words of the tests.

use std::time::Duration;

use serde_json::{Value, json};

use super::cluster::{Cluster, Identity};
use super::openbao::OpenBao;
use super::rabbit::Rabbit;
use super::stage::SOON;
use super::wait::wait_until;

/// A token and its accessor.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The token.
    pub token: String,
    /// Names the token without being it.
    pub accessor: String,
}

/// A role of the kubernetes method.
#[derive(Debug, Clone)]
pub struct KubernetesRole<'a> {
    /// Its name.
    pub name: &'a str,
    /// The policies that its tokens get.
    pub policies: &'a [&'a str],
    /// The first time to live of its tokens.
    pub ttl: &'a str,
    /// The longest that its tokens can be renewed to.
    pub max_ttl: &'a str,
}

/// Engines and secrets.
impl OpenBao {
    /// Mounts a KV engine of version 1.
    pub fn kv1(&self, mount: &str) {
        self.mount(mount, json!({ "type": "kv", "options": { "version": "1" } }));
    }

    /// Mounts a KV engine of version 2, which takes a moment to become one after its mount is answered.
    pub fn kv2(&self, mount: &str) {
        self.mount(mount, json!({ "type": "kv", "options": { "version": "2" } }));
        let config = format!("{mount}/config");
        wait_until("the engine to be of version 2", SOON, || self.ask("GET", &config, None).status == 200);
    }

    /// Mounts any engine.
    pub fn mount(&self, mount: &str, what: Value) {
        self.ask("POST", &format!("sys/mounts/{mount}"), Some(what)).ok();
    }

    /// Writes to a path as it is: a secret of KV v1, a role, a configuration.
    #[track_caller]
    pub fn write(&self, path: &str, body: Value) -> Value {
        self.ask("POST", path, Some(body)).ok().json()
    }

    /// Writes a secret of KV v2; answers its version.
    pub fn put(&self, mount: &str, name: &str, data: Value) -> u64 {
        let answer = self.write(&format!("{mount}/data/{name}"), json!({ "data": data }));
        answer["data"]["version"].as_u64().expect("a written secret has a version")
    }

    /// Mounts a PKI engine with an authority of its own and a role for any name, whose certificates live
    /// `ttl` and are leased.
    pub fn pki(&self, mount: &str, role: &str, ttl: &str) {
        self.mount(mount, json!({ "type": "pki", "config": { "max_lease_ttl": "87600h" } }));
        self.write(
            &format!("{mount}/root/generate/internal"),
            json!({ "common_name": "Test authority", "key_type": "ec", "ttl": "87600h" }),
        );
        self.write(
            &format!("{mount}/roles/{role}"),
            json!({
                "allow_any_name": true, "key_type": "ec", "key_bits": 256,
                "ttl": ttl, "max_ttl": "24h", "generate_lease": true,
            }),
        );
    }

    /// Mounts the rabbitmq engine at `mount` with a role whose credentials live `ttl`, at most `max_ttl`.
    pub fn rabbit(&self, mount: &str, rabbit: &Rabbit, role: &str, ttl: Duration, max_ttl: Duration) {
        self.mount_rabbit("", mount, rabbit, role, (ttl, max_ttl));
    }

    /// The same in a `namespace`, which ends in a slash, with leases of an hour.
    pub fn rabbit_in(&self, namespace: &str, mount: &str, rabbit: &Rabbit, role: &str) {
        let hour = Duration::from_secs(3600);
        self.mount_rabbit(namespace, mount, rabbit, role, (hour, 2 * hour));
    }

    fn mount_rabbit(
        &self,
        namespace: &str,
        mount: &str,
        rabbit: &Rabbit,
        role: &str,
        (ttl, max_ttl): (Duration, Duration),
    ) {
        let engine = json!({ "type": "rabbitmq" });
        self.ask("POST", &format!("{namespace}sys/mounts/{mount}"), Some(engine)).ok();
        let mount = format!("{namespace}{mount}");
        self.write(
            &format!("{mount}/config/connection"),
            json!({
                "connection_uri": rabbit.address(), "username": "admin", "password": "admin",
                "verify_connection": false,
            }),
        );
        self.write(
            &format!("{mount}/config/lease"),
            json!({ "ttl": ttl.as_secs(), "max_ttl": max_ttl.as_secs() }),
        );
        self.write(&format!("{mount}/roles/{role}"), json!({ "tags": "monitoring" }));
    }
}

/// Who may log in, and what they may do.
impl OpenBao {
    /// Writes a policy.
    pub fn policy(&self, name: &str, hcl: &str) {
        self.ask("PUT", &format!("sys/policies/acl/{name}"), Some(json!({ "policy": hcl }))).ok();
    }

    /// Makes a token below root.
    pub fn token(&self, policies: &[&str], ttl: &str) -> Grant {
        let answer = self.write("auth/token/create", json!({ "policies": policies, "ttl": ttl }));
        grant(&answer)
    }

    /// Turns the kubernetes method on, reviewed by `cluster`.
    pub fn kubernetes(&self, cluster: &Cluster) {
        self.ask("POST", "sys/auth/kubernetes", Some(json!({ "type": "kubernetes" }))).ok();
        self.write(
            "auth/kubernetes/config",
            json!({
                "kubernetes_host": cluster.address(),
                // Must be given, though it is not used over plain HTTP.
                "kubernetes_ca_cert": self.ca_pem(),
                "token_reviewer_jwt": cluster.reviewer_token(),
                "disable_local_ca_jwt": true,
            }),
        );
    }

    /// Adds a role for the account of `identity`, for tokens of audience `vault`.
    pub fn kubernetes_role(&self, role: &KubernetesRole<'_>, identity: &Identity) {
        self.write(
            &format!("auth/kubernetes/role/{}", role.name),
            json!({
                "bound_service_account_names": [identity.account],
                "bound_service_account_namespaces": [identity.namespace],
                "audience": "vault",
                "token_policies": role.policies,
                "token_ttl": role.ttl,
                "token_max_ttl": role.max_ttl,
            }),
        );
    }

    /// Turns approle on, adds a role, and answers its role id and one secret id.
    pub fn approle(&self, role: &str, policies: &[&str], ttl: &str) -> (String, String) {
        self.ask("POST", "sys/auth/approle", Some(json!({ "type": "approle" }))).ok();
        let path = format!("auth/approle/role/{role}");
        self.write(&path, json!({ "token_policies": policies, "token_ttl": ttl }));
        let id = self.ask("GET", &format!("{path}/role-id"), None).ok().json();
        let secret = self.write(&format!("{path}/secret-id"), json!({}));
        (text(&id["data"]["role_id"]), text(&secret["data"]["secret_id"]))
    }
}

/// What is left.
impl OpenBao {
    /// The accessors of all tokens that live, except root's.
    pub fn accessors(&self) -> Vec<String> {
        let all = self.list("auth/token/accessors");
        all.into_iter().filter(|accessor| !self.is_root(accessor)).collect()
    }

    /// What the server knows of a token; nothing where it is dead.
    pub fn lookup_accessor(&self, accessor: &str) -> Option<Value> {
        let reply = self.ask("POST", "auth/token/lookup-accessor", Some(json!({ "accessor": accessor })));
        (reply.status == 200).then(|| reply.json()["data"].clone())
    }

    /// Revokes a token behind its holder's back.
    pub fn revoke_accessor(&self, accessor: &str) {
        self.write("auth/token/revoke-accessor", json!({ "accessor": accessor }));
    }

    /// The ids of all leases of secrets below `prefix` (`pki/`, `rabbitmq/creds/`).
    pub fn leases(&self, prefix: &str) -> Vec<String> {
        let mut found = Vec::new();
        for key in self.list(&format!("sys/leases/lookup/{prefix}")) {
            let path = format!("{prefix}{key}");
            if key.ends_with('/') {
                found.extend(self.leases(&path));
            } else {
                found.push(path);
            }
        }
        found
    }

    fn is_root(&self, accessor: &str) -> bool {
        self.lookup_accessor(accessor).is_some_and(|data| data["policies"] == json!(["root"]))
    }

    fn list(&self, path: &str) -> Vec<String> {
        let reply = self.ask("LIST", path, None);
        // 404 is how the server says that there is nothing.
        assert!(matches!(reply.status, 200 | 404), "LIST {path} answered {}: {}", reply.status, reply.text);
        reply.json()["data"]["keys"].as_array().into_iter().flatten().map(text).collect()
    }
}

fn grant(answer: &Value) -> Grant {
    Grant { token: text(&answer["auth"]["client_token"]), accessor: text(&answer["auth"]["accessor"]) }
}

#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().expect("the server answers this as text").to_owned()
}
