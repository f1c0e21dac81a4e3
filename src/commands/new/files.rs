//! The files that `leasehold new` writes. The unit, its drop-in and the pod are those of the repository.

use std::fmt::Write as _;
use std::path::Path;

use super::ask::Answers;
use super::{Method, Platform};

const UNIT: &str = include_str!("../../../manifests/systemd/leasehold@.service");
const DROP_IN: &str = include_str!("../../../manifests/systemd/application.conf");
const POD: &str = include_str!("../../../manifests/kubernetes/pod-native-sidecar.yaml");

/// Returns a text as YAML, whatever is in it.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// Returns the configuration.
pub(super) fn configuration(answers: &Answers) -> String {
    let name = &answers.name;
    let mut text = format!("vault:\n  address: {}\n", quoted(&answers.address));
    match &answers.ca_file {
        Some(file) => put(&mut text, &format!("  ca_file: {}", quoted(file))),
        None => put(
            &mut text,
            "  # ca_file: /etc/leasehold/ca.pem      # where the server's authority is not the system's",
        ),
    }
    if answers.method == Method::Cert {
        put(
            &mut text,
            "  client_cert_file: /etc/leasehold/tls.pem\n  client_key_file: /etc/leasehold/tls.key",
        );
    }
    put(&mut text, "auth:");
    let role = quoted(&answers.role);
    let lines = match (answers.method, answers.place) {
        (Method::Approle, Platform::Machine) => format!(
            "  method: approle\n  role_id_file: /etc/leasehold/{name}.role-id\n  \
             secret_id_file: /run/credentials/leasehold@{name}.service/secret-id"
        ),
        (Method::Approle, Platform::Pod) => {
            "  method: approle\n  role_id_file: /var/run/secrets/vault/role-id\n  \
             secret_id_file: /var/run/secrets/vault/secret-id"
                .to_owned()
        }
        (Method::Kubernetes, _) => {
            format!("  method: kubernetes\n  role: {role}\n  jwt_file: /var/run/secrets/vault/token")
        }
        (Method::Jwt, _) => {
            format!("  method: jwt\n  role: {role}\n  jwt_file: /var/run/secrets/vault/token")
        }
        (Method::Cert, _) => format!("  method: cert\n  name: {role}"),
        (Method::TokenFile, _) => format!("  method: token_file\n  token_file: /run/vault-token/{name}"),
    };
    put(&mut text, &lines);
    put(
        &mut text,
        &match answers.place {
            Platform::Machine => format!(
                "secrets_dir: /run/leasehold-{name}/secrets\n\
             # A restart goes on with the token and the leases that are there.\n\
             handoff: {{file: /run/leasehold-{name}/handoff/state}}"
            ),
            Platform::Pod => "secrets_dir: /leasehold/secrets\n\
             # A restarted container goes on with the token and the leases that are there.\n\
             handoff: {file: /leasehold/handoff/state}\n\
             # Files are read through the group that the pod's fsGroup gives the volume.\n\
             defaults: {mode: \"0440\", dir_mode: \"0750\"}"
                .to_owned(),
        },
    );
    put(&mut text, "files:");
    for file in &answers.files {
        put(&mut text, &format!("  - path: {}\n    secret: {}", quoted(&file.path), quoted(&file.secret)));
    }
    put(
        &mut text,
        "# To have the application notified of a change:\n#   notify: {app: {signal: HUP, process: NAME}}",
    );
    put(
        &mut text,
        &match answers.place {
            Platform::Machine => format!("listen: unix:/run/leasehold-{name}/status.sock"),
            Platform::Pod => "listen: 127.0.0.1:9110".to_owned(),
        },
    );
    text
}

fn put(text: &mut String, lines: &str) {
    let _infallible = writeln!(text, "{lines}");
}

/// Returns the files beside the configuration. `program` is the path of this program.
pub(super) fn around(answers: &Answers, configuration: &str, program: &Path) -> Vec<(String, String)> {
    match answers.place {
        Platform::Machine => vec![
            ("leasehold@.service".to_owned(), unit(program)),
            (format!("{}.service.d/leasehold.conf", answers.name), DROP_IN.to_owned()),
        ],
        Platform::Pod => vec![(format!("{}-pod.yaml", answers.name), pod(&answers.name, configuration))],
    }
}

/// Returns the unit. It starts the program of a package if `program` is that one.
fn unit(program: &Path) -> String {
    let installed = program.starts_with("/usr/bin").then(|| program.display().to_string());
    let by_hand = "/usr/local/bin/leasehold";
    UNIT.replace(by_hand, &installed.unwrap_or_else(|| by_hand.to_owned()))
}

/// Returns the pod of the repository with this name and this configuration.
fn pod(name: &str, configuration: &str) -> String {
    let (head, pod) = POD.split_once("\n---\n").unwrap_or_default();
    let (head, _) = head.split_once("  leasehold.yaml: |\n").unwrap_or_default();
    let indented: String = configuration.lines().map(|line| format!("    {line}\n")).collect();
    let whole = format!("{head}  leasehold.yaml: |\n{indented}---\n{pod}");
    whole
        .replace("web-leasehold", &format!("{name}-leasehold"))
        .replace("name: web\n", &format!("name: {name}\n"))
        .replace("serviceAccountName: web\n", &format!("serviceAccountName: {name}\n"))
        .replace("/web:1.0", &format!("/{name}:1.0"))
}

/// Returns what is to be done with the files, command by command.
pub(super) fn next(answers: &Answers, folder: &Path) -> String {
    let (name, role) = (&answers.name, &answers.role);
    let at = |file: &str| folder.join(file).display().to_string();
    let mut text = format!(
        "  # where you may write policies; with vault for bao where you have that\n  \
         bao policy write {name} {}\n",
        at(&format!("{name}.policy.hcl"))
    );
    match answers.method {
        Method::Approle => put(
            &mut text,
            &format!(
                "  bao write auth/approle/role/{role} token_policies={name} token_period=1h\n  \
             bao read -field=role_id auth/approle/role/{role}/role-id >{name}.role-id\n  \
             (umask 077; bao write -f -field=secret_id auth/approle/role/{role}/secret-id >{name}.secret-id)"
            ),
        ),
        Method::Kubernetes => put(
            &mut text,
            &format!(
                "  bao write auth/kubernetes/role/{role} bound_service_account_names={name} \\\n    \
             bound_service_account_namespaces=default audience=vault token_policies={name} token_ttl=1h"
            ),
        ),
        Method::Jwt | Method::Cert | Method::TokenFile => {
            put(&mut text, &format!("  # give the role {role} of your login the policy {name}"));
        }
    }
    match answers.place {
        Platform::Machine => {
            let files = match answers.method {
                Method::Approle => format!(
                    "  install -m 644 {} {name}.role-id /etc/leasehold/\n  \
                     install -m 600 {name}.secret-id /etc/leasehold/",
                    at(&format!("{name}.yaml"))
                ),
                _ => format!("  install -m 644 {} /etc/leasehold/", at(&format!("{name}.yaml"))),
            };
            put(
                &mut text,
                &format!(
                    "  # on the machine, as root\n  install -d -m 755 /etc/leasehold\n{files}\n  \
                 install -m 644 {} /etc/systemd/system/\n  \
                 install -D -m 644 {} /etc/systemd/system/{name}.service.d/leasehold.conf\n  \
                 useradd --system --shell /usr/sbin/nologin leasehold-{name}\n  \
                 # it warns of what systemd makes at the start: the credential, and the folder of the socket\n  \
                 leasehold check -c /etc/leasehold/{name}.yaml\n  \
                 systemctl daemon-reload && systemctl restart {name}.service",
                    at("leasehold@.service"),
                    at(&format!("{name}.service.d/leasehold.conf"))
                ),
            );
        }
        Platform::Pod => put(
            &mut text,
            &format!(
                "  # where kubectl reaches the cluster; the image names in the file are to be yours\n  \
             kubectl create serviceaccount {name}\n  \
             kubectl create configmap vault-ca --from-file=ca.pem\n  \
             kubectl apply -f {}",
                at(&format!("{name}-pod.yaml"))
            ),
        ),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_starts_the_program_where_its_package_has_it() {
        let start = |program: &str| {
            let unit = unit(Path::new(program));
            let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart="));
            line.expect("it starts something").split(' ').next().expect("a program").to_owned()
        };
        assert_eq!(start("/usr/bin/leasehold"), "/usr/bin/leasehold");
        assert_eq!(start("/usr/bin/leasehold-clouds"), "/usr/bin/leasehold-clouds");
        assert_eq!(start("/home/ann/target/release/leasehold"), "/usr/local/bin/leasehold");
    }
}
