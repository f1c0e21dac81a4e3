//! Collects what a plan needs to reach, and nothing else.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use leasehold_stores::{self as stores, Kind};
use url::Url;

use crate::config::plan::{
    AuthMethod, Listen, Notifier, Plan, ProcessTarget, Target, TemplateSource, VaultPlan,
};

/// The paths of the system that the C library, and the look-up of authorities, read.
///
/// It is all of `/etc`, because its files are replaced by renames (`resolv.conf` by whatever runs the network). A
/// rule holds for what has a name now, so a rule for the file itself would cut us off from the server at the next
/// change. The mode of `shadow` still decides which users may read it.
const SYSTEM: [&str; 12] = [
    "/etc",
    // Behind links of /etc: the network's resolv.conf, and authorities.
    "/run/systemd/resolve",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/share/pki",
    "/var/lib/ca-certificates",
    // The modules that nsswitch.conf names are libraries.
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    // What dates of templates are seen from.
    "/usr/share/zoneinfo",
    "/proc/sys/kernel/random",
];
/// The folders where the system lists its interfaces and routes.
const NETWORK: [&str; 3] = ["/proc/self/net", "/sys/class/net", "/sys/devices"];
/// The variables that say where the system's authorities are.
const AUTHORITIES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
/// The port of name servers. Large answers come by TCP.
const DNS: u16 = 53;
/// The port that Vault and OpenBao listen on unless configured otherwise, so a redirect may lead there.
const VAULT: u16 = 8200;

/// The paths, ports and privileges of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// The files, and the folders with all below them, to read.
    pub(super) read: BTreeSet<PathBuf>,
    /// The folders to publish in.
    pub(super) publish: BTreeSet<PathBuf>,
    /// The folders to remove files from, which an earlier run published there.
    pub(super) clear: BTreeSet<PathBuf>,
    /// The folders to put a socket in.
    pub(super) sockets: BTreeSet<PathBuf>,
    /// The TCP ports to connect to.
    pub(super) connect: BTreeSet<u16>,
    /// The TCP ports to listen on.
    pub(super) bind: BTreeSet<u16>,
    /// The places in templates that read files whose paths only a rendering can know.
    pub(super) unknown: BTreeSet<String>,
    /// True if processes have to be found and signalled.
    pub(super) signals: bool,
    /// True if the service manager listens on a Unix socket without a path.
    pub(super) abstract_sockets: bool,
}

impl Needs {
    /// Returns what `plan`, read from `texts`, needs in the environment `env`.
    pub(super) fn of(plan: &Plan, texts: &[&Path], env: impl Fn(&str) -> Option<OsString>) -> Self {
        let mut needs = Self::default();
        needs.read.extend(SYSTEM.map(PathBuf::from));
        if !plan.shutdown.delay.is_zero() {
            // Whether anything is left to delay the end for.
            needs.read.insert("/proc".into());
        }
        for path in AUTHORITIES.iter().filter_map(|name| env(name)) {
            needs.file(Path::new(&path));
        }
        let zone = env("TZ").unwrap_or_default();
        let zone = Path::new(zone.to_str().map_or("", |zone| zone.trim_start_matches(':')));
        // These may be links in /etc that lead to the database, if it is elsewhere.
        for path in [Path::new("/etc/localtime"), Path::new("/etc/zoneinfo"), zone] {
            if path.is_absolute() && path.exists() {
                needs.file(path);
            }
        }
        for text in texts {
            needs.file(text);
        }
        needs.abstract_sockets = env("NOTIFY_SOCKET").is_some_and(|at| at.as_bytes().starts_with(b"@"));
        if !matches!(plan.auth.method, AuthMethod::None) {
            needs.server(&plan.vault);
        }
        needs.credentials(&plan.auth.method, &env);
        for store in &plan.stores {
            needs.store(&store.kind, &env);
        }
        needs.destinations(plan);
        for notifier in &plan.notifiers {
            needs.notifier(&notifier.how);
        }
        match &plan.listen {
            Some(Listen::Tcp(address)) => drop(needs.bind.insert(address.port())),
            Some(Listen::Unix(path)) => needs.sockets.extend(path.parent().map(Path::to_owned)),
            None => {}
        }
        if let Some(tls) = &plan.listen_tls {
            for file in [&tls.cert_file, &tls.key_file].into_iter().chain(&tls.client_ca_file) {
                needs.file(file);
            }
        }
        needs
    }

    /// Returns, in words, the first need of `other` that is not among these.
    pub(super) fn lacks(&self, other: &Self) -> Option<String> {
        let beneath =
            |folders: &BTreeSet<PathBuf>, path: &Path| path.ancestors().any(|one| folders.contains(one));
        let read = other.read.iter().find(|path| !beneath(&self.read, path) && !beneath(&self.publish, path));
        let publish = other.publish.iter().find(|path| !beneath(&self.publish, path));
        let socket = other.sockets.iter().find(|path| !beneath(&self.sockets, path));
        let connect = other.connect.difference(&self.connect).next();
        let bind = other.bind.difference(&self.bind).next();
        let signals = (other.signals && !self.signals).then(|| "signals to other processes".to_owned());
        read.map(|path| format!("reading in {}", path.display()))
            .or_else(|| publish.map(|path| format!("writing in {}", path.display())))
            .or_else(|| socket.map(|path| format!("a socket in {}", path.display())))
            .or_else(|| connect.map(|port| format!("connections to TCP port {port}")))
            .or_else(|| bind.map(|port| format!("listening on TCP port {port}")))
            .or(signals)
    }

    /// Grants reading of the folder that holds `path`, and of the folder that it really is in now, because such
    /// files are replaced by renames or by the links of a projected volume. If `path` is a folder, grants that. If
    /// it does not exist yet, grants the nearest folder above it that does. If the folder would be `/`, grants the
    /// file alone.
    fn file(&mut self, path: &Path) {
        let real = std::fs::canonicalize(path).ok();
        for path in std::iter::once(path).chain(real.as_deref()) {
            let folder = path.ancestors().find(|folder| folder.is_dir());
            self.read.insert(match folder {
                Some(folder) if folder.parent().is_some() => folder.to_owned(),
                _ => path.to_owned(),
            });
        }
    }

    /// Adds a folder that may come later, or be made anew: itself, and the folder that it is in. A rule holds for what
    /// has the name now.
    fn folder(&mut self, dir: &Path) {
        let real = std::fs::canonicalize(dir).ok();
        for dir in std::iter::once(dir).chain(real.as_deref()) {
            self.read.insert(dir.to_owned());
            // Everything is below the root.
            if let Some(parent) = dir.parent().filter(|parent| parent.parent().is_some()) {
                self.file(parent);
            }
        }
    }

    fn server(&mut self, vault: &VaultPlan) {
        let own = vault.client_cert.iter().flat_map(|own| [&own.cert_file, &own.key_file]);
        for file in vault.ca_file.iter().chain(&vault.ca_dir).chain(own) {
            self.file(file);
        }
        self.connect.insert(DNS);
        if let Some(proxy) = &vault.proxy {
            self.connect.extend(proxy.port_or_known_default());
            return;
        }
        let home = vault.address.port_or_known_default();
        self.connect.extend(home);
        for host in &vault.redirect_hosts {
            let named = Url::parse(&format!("{}://{host}", vault.address.scheme())).ok();
            let ours = home.into_iter().chain([VAULT]);
            self.connect.extend(ours.chain(named.and_then(|url| url.port_or_known_default())));
        }
    }

    fn credentials(&mut self, method: &AuthMethod, env: &dyn Fn(&str) -> Option<OsString>) {
        for file in method.files() {
            self.file(&file);
        }
        if let AuthMethod::Cloud { proof, .. } = method {
            let cloud = stores::login::needs(proof, env);
            cloud.read.iter().for_each(|path| self.file(path));
            self.connect.insert(DNS);
            self.connect.extend(cloud.ports);
        }
    }

    fn store(&mut self, kind: &Kind, env: &dyn Fn(&str) -> Option<OsString>) {
        let store = stores::needs(kind, env);
        match kind {
            Kind::Files { dir } => self.folder(dir),
            _ => store.read.iter().for_each(|path| self.file(path)),
        }
        if !store.ports.is_empty() {
            self.connect.insert(DNS);
            self.connect.extend(store.ports);
        }
    }

    fn destinations(&mut self, plan: &Plan) {
        self.publish.extend(plan.secrets_dir.clone());
        self.publish.extend(plan.handoff.as_deref().and_then(Path::parent).map(Path::to_owned));
        self.publish.extend(plan.writes.folders.iter().cloned());
        for file in &plan.files {
            if let Target::Alone(path) = &file.target
                && !file.target.is_nowhere()
            {
                self.publish.extend(path.parent().map(Path::to_owned));
            }
            if let Some(source) = file.source.template() {
                source.file.iter().for_each(|path| self.file(path));
                self.files_of(source);
            }
        }
    }

    /// Adds what the template reads with the functions `file` and `sockaddr`.
    fn files_of(&mut self, source: &TemplateSource) {
        for call in source.template.calls() {
            match (call.function, call.args.first()) {
                ("file", Some(Some(path))) => self.file(Path::new(OsStr::from_bytes(path.expose()))),
                ("file", _) => {
                    let (line, column) = (call.position.line, call.position.column + 1);
                    self.unknown.insert(format!("{}:{line}:{column}", source.name));
                }
                ("sockaddr", _) => self.read.extend(NETWORK.map(PathBuf::from)),
                _ => {}
            }
        }
    }

    fn notifier(&mut self, how: &Notifier) {
        match how {
            Notifier::Signal { target, .. } => {
                self.signals = true;
                self.read.insert("/proc".into());
                if let ProcessTarget::PidFile(path) = target {
                    self.file(path);
                }
            }
            Notifier::Http { url, .. } => self.connect.extend(url.port_or_known_default()),
            Notifier::Command { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read::{Inputs, Text, read};

    const PLAN: &str = "\
vault:
  address: https://vault.example
  ca_file: /nowhere/ca/ca.pem
  redirect_hosts: [standby.example, 'other.example:9200']
auth: {method: kubernetes, role: web}
secrets_dir: /nowhere/secrets
handoff: {file: /nowhere/handoff/state}
files: [{path: a, secret: kv/a}, {path: /nowhere/etc/b, secret: kv/b}]
notify:
  app: {http: 'http://127.0.0.1:8080/reload'}
write_to_file: [/nowhere/written]
listen: 127.0.0.1:9110
";

    fn needs(yaml: &str) -> Needs {
        let texts = [Text { name: "c.yaml".into(), bytes: yaml.into() }];
        Needs::of(&plan(&texts), &[], |_| None)
    }

    fn plan(texts: &[Text]) -> Plan {
        let inputs = Inputs {
            folder: std::path::Path::new("/"),
            texts,
            flags: &[],
            env: &|_| None,
            read_file: &|_| Err(std::io::ErrorKind::NotFound.into()),
            functions: crate::functions::all(),
            look: None,
            elsewhere: false,
        };
        read(&inputs).expect("a good configuration").0
    }

    fn set<T: Ord, const N: usize>(of: [T; N]) -> BTreeSet<T> {
        BTreeSet::from(of)
    }

    #[test]
    fn a_plan_needs_its_folders_and_its_ports() {
        let needs = needs(PLAN);
        let publish =
            ["/nowhere/secrets", "/nowhere/handoff", "/nowhere/etc", "/nowhere/written"].map(PathBuf::from);
        assert_eq!(needs.publish, set(publish));
        assert_eq!(needs.connect, set([53, 443, 8080, 8200, 9200]));
        assert_eq!((needs.bind, needs.sockets), (set([9110]), set([])));
        assert!(!needs.signals && !needs.read.contains(Path::new("/proc")));
    }

    #[test]
    fn a_cloud_needs_its_ports_and_the_files_that_its_variables_name() {
        let yaml = PLAN.replace("auth:", "backends: {aws: {aws_secrets_manager: {region: eu-central-1, endpoint: 'https://127.0.0.1:8443'}}}\nauth:");
        let variables = [
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/t/token"),
            ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:81"),
        ];
        let env =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        let texts = [Text { name: "c.yaml".into(), bytes: yaml.into() }];
        let needs = Needs::of(&plan(&texts), &[], env);
        assert_eq!(needs.connect, set([53, 80, 81, 443, 8080, 8200, 8443, 9200]));
        assert!(needs.read.contains(Path::new("/nowhere/t/token")));
    }

    #[test]
    fn a_login_by_a_cloud_needs_what_finds_its_proof() {
        let login = "auth: {method: jwt, role: web, jwt_from: gcp, audience: vault}";
        let yaml = PLAN.replace("auth: {method: kubernetes, role: web}", login);
        let texts = [Text { name: "c.yaml".into(), bytes: yaml.into() }];
        let env = |name: &str| match name {
            "GCE_METADATA_HOST" => Some("127.0.0.1:8081".into()),
            "GOOGLE_APPLICATION_CREDENTIALS" => Some("/nowhere/key/key.json".into()),
            _ => None,
        };
        let needs = Needs::of(&plan(&texts), &[], env);
        assert_eq!(needs.connect, set([53, 80, 443, 8080, 8081, 8200, 9200]));
        assert!(needs.read.contains(Path::new("/nowhere/key/key.json")));
    }

    #[test]
    fn behind_a_proxy_only_the_proxy_is_connected_to() {
        let yaml = PLAN.replace("  ca_file", "  proxy: http://proxy.example:3128\n  ca_file");
        assert_eq!(needs(&yaml).connect, set([53, 3128, 8080]));
    }

    #[test]
    fn never_everything_because_a_file_is_missing_or_stands_at_the_top() {
        let needs = needs(PLAN);
        assert!(!needs.read.contains(Path::new("/")));
        assert!(needs.read.contains(Path::new("/nowhere/ca/ca.pem")), "no folder of it is there but /");
        let mut one = Needs::default();
        one.file(Path::new("/proc/version"));
        one.file(Path::new("/etc/"));
        one.file(Path::new("/dev/shm/not/yet"));
        assert_eq!(one.read, set(["/proc", "/etc", "/dev/shm"].map(PathBuf::from)));
    }

    #[test]
    fn a_folder_of_a_store_may_come_or_be_made_anew_in_the_folder_that_it_is_in() {
        let space = tempfile::tempdir().expect("a folder");
        let space = space.path().canonicalize().expect("it is there");
        let of = |dir: &Path| {
            let mut needs = Needs::default();
            needs.folder(dir);
            needs.read
        };
        let dir = space.join("credentials");
        assert!(of(&dir).contains(&space));
        assert!(of(&space.join("not/yet")).contains(&space));
        std::fs::create_dir(&dir).expect("a folder");
        assert!(of(&dir).contains(&space) && of(&dir).contains(&dir));
        let (real, link) = (space.join("real/inner"), space.join("link"));
        std::fs::create_dir_all(&real).expect("folders");
        std::os::unix::fs::symlink(&real, &link).expect("a link");
        assert!(of(&link).contains(&space.join("real")));
        assert_eq!(of(Path::new("/credentials")), set(["/credentials".into()]), "never everything");
    }

    #[test]
    fn files_that_a_template_reads_are_known_where_it_says_which() {
        let yaml = PLAN.replace(
            "{path: a, secret: kv/a}",
            "{path: a, template: '{{ file \"/nowhere/known\" }}{{ with env \"HOME\" }}{{ . | file }}{{ end }}'}",
        );
        let needs = needs(&yaml);
        assert!(needs.read.contains(Path::new("/nowhere/known")));
        assert_eq!(needs.unknown, set(["files[0].template:1:56".to_owned()]));
    }

    #[test]
    fn files_that_a_template_with_other_delimiters_reads_are_known_too() {
        let yaml = PLAN.replace(
            "{path: a, secret: kv/a}",
            "{path: a, template: '[[ file \"/nowhere/known\" ]]{{ file \"/no\" }}', delimiters: {left: '[[', right: ']]'}}",
        );
        let read = needs(&yaml).read;
        assert!(read.contains(Path::new("/nowhere/known")) && !read.contains(Path::new("/no")));
    }

    #[test]
    fn a_template_that_asks_for_addresses_may_read_where_the_system_tells_of_them() {
        let asking = "{path: a, template: '{{ sockaddr \"GetPrivateIP\" }}'}";
        let of = |yaml: &str| NETWORK.iter().all(|path| needs(yaml).read.contains(Path::new(path)));
        assert!(!of(PLAN) && of(&PLAN.replace("{path: a, secret: kv/a}", asking)));
    }

    #[test]
    fn what_another_configuration_needs_besides_is_named() {
        let here = needs(PLAN);
        assert_eq!(here.lacks(&here), None);
        for (old, new, outside) in [
            ("/nowhere/etc/b", "/elsewhere/b", "writing in /elsewhere"),
            ("[/nowhere/written]", "[/elsewhere/w]", "writing in /elsewhere/w"),
            ("/nowhere/ca/ca.pem", "/elsewhere/ca.pem", "reading in /elsewhere/ca.pem"),
            (":8080", ":8081", "connections to TCP port 8081"),
            (":9110", ":9111", "listening on TCP port 9111"),
            ("127.0.0.1:9110", "unix:/elsewhere/s", "a socket in /elsewhere"),
            ("http: 'http://127.0.0.1:8080/reload'", "signal: HUP, process: app", "reading in /proc"),
        ] {
            assert_eq!(here.lacks(&needs(&PLAN.replace(old, new))).as_deref(), Some(outside));
        }
        assert_eq!(here.lacks(&needs(&PLAN.replace("/nowhere/etc/b", "/nowhere/etc/sub/b"))), None);
    }
}
