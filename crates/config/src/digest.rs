//! Makes one number of what a handoff depends on: the server, the login and the files as resolved.
//!
//! Two texts that mean the same have the same digest, whatever their order, comments and defaults. Every field is
//! written with its length and in a fixed order, so no two plans share an encoding.

use sha2::{Digest, Sha256};

use super::plan::{
    AuthMethod, AuthPlan, Credential, FilePlan, FileSource, MissingKey, RateLimit, Source, Target, VaultPlan,
};
use leasehold_base::request::Request;
use leasehold_settings::login::{Issuer, Proof, Signer};
use leasehold_settings::stores::{Kind, ManagedIdentity, Settings};

/// The name of the encoding. It changes with the encoding, so that a handoff of an older one is not taken for ours.
const VERSION: &[u8] = b"leasehold-plan-5";

/// Returns SHA-256 over the canonical encoding.
pub(super) fn of(vault: &VaultPlan, auth: &AuthPlan, stores: &[Settings], files: &[FilePlan]) -> [u8; 32] {
    let mut encoder = Encoder(Sha256::new());
    encoder.bytes(VERSION);
    encoder.vault(vault);
    encoder.auth(auth);
    encoder.number(files.len() as u64);
    for file in files {
        encoder.file(file);
    }
    // A handoff of a version without stores stays good if there are no stores.
    for store in stores {
        encoder.store(store);
    }
    encoder.0.finalize().into()
}

struct Encoder(Sha256);

impl Encoder {
    fn number(&mut self, number: u64) {
        self.0.update(number.to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    fn path(&mut self, path: &std::path::Path) {
        self.bytes(path.as_os_str().as_encoded_bytes());
    }

    /// Writes whether there is a value, and then what `each` writes of it.
    fn option<T>(&mut self, value: Option<T>, each: impl FnOnce(&mut Self, T)) {
        self.number(u64::from(value.is_some()));
        if let Some(value) = value {
            each(self, value);
        }
    }

    fn duration(&mut self, duration: std::time::Duration) {
        self.number(duration.as_secs());
        self.number(u64::from(duration.subsec_nanos()));
    }

    fn store(&mut self, store: &Settings) {
        self.bytes(store.name.as_bytes());
        self.bytes(store.kind.name().as_bytes());
        self.option(store.rate_limit, Self::rate_limit);
        match &store.kind {
            Kind::Environment { prefix } => self.bytes(prefix.as_bytes()),
            Kind::Files { dir } => self.path(dir),
            Kind::Aws(aws) => {
                self.option(aws.region.as_deref(), |to, text| to.bytes(text.as_bytes()));
                self.option(aws.endpoint.as_ref(), |to, url| to.bytes(url.as_str().as_bytes()));
                self.option(aws.role_arn.as_deref(), |to, text| to.bytes(text.as_bytes()));
            }
            Kind::Azure(azure) => {
                self.bytes(azure.url.as_str().as_bytes());
                let identity = &azure.identity;
                self.option(identity.tenant_id.as_deref(), |to, text| to.bytes(text.as_bytes()));
                self.option(identity.client_id.as_deref(), |to, text| to.bytes(text.as_bytes()));
                self.option(identity.client_secret_file.as_deref(), Self::path);
                self.option(identity.managed_identity.as_ref(), Self::managed_identity);
            }
            Kind::Google(google) => {
                self.bytes(google.project.as_bytes());
                self.option(google.location.as_deref(), |to, text| to.bytes(text.as_bytes()));
                self.option(google.endpoint.as_ref(), |to, url| to.bytes(url.as_str().as_bytes()));
            }
        }
    }

    fn rate_limit(&mut self, limit: RateLimit) {
        self.number(limit.per_second.to_bits());
        self.number(u64::from(limit.burst));
    }

    fn vault(&mut self, vault: &VaultPlan) {
        self.bytes(vault.address.as_str().as_bytes());
        self.option(vault.namespace.as_deref(), |to, text| to.bytes(text.as_bytes()));
        self.option(vault.ca_file.as_deref(), Self::path);
        self.option(vault.ca_dir.as_deref(), Self::path);
        self.option(vault.client_cert.as_ref(), |to, cert| {
            to.path(&cert.cert_file);
            to.path(&cert.key_file);
        });
        self.option(vault.server_name.as_deref(), |to, text| to.bytes(text.as_bytes()));
        self.number(vault.redirect_hosts.len() as u64);
        for host in &vault.redirect_hosts {
            self.bytes(host.as_bytes());
        }
        self.option(vault.proxy.as_ref(), |to, url| to.bytes(url.as_str().as_bytes()));
        self.duration(vault.timeout);
        self.option(vault.rate_limit, Self::rate_limit);
        self.number(vault.max_in_flight as u64);
    }

    fn auth(&mut self, auth: &AuthPlan) {
        self.bytes(auth.mount.as_bytes());
        self.option(auth.namespace.as_deref(), |to, text| to.bytes(text.as_bytes()));
        self.option(auth.wrap_ttl, Self::duration);
        match &auth.method {
            AuthMethod::Kubernetes { role, jwt_file } => {
                self.number(0);
                self.bytes(role.as_bytes());
                self.path(jwt_file);
            }
            AuthMethod::AppRole { role_id, secret_id, wrapped_by } => {
                self.number(1);
                self.credential(role_id);
                self.option(secret_id.as_ref(), Self::credential);
                self.option(wrapped_by.as_deref(), |to, path| to.bytes(path.as_bytes()));
            }
            // The token too: a handoff of another token is not what was asked for.
            AuthMethod::Token { token_env, token } => {
                self.number(2);
                self.bytes(token_env.as_bytes());
                self.option(token.as_ref(), |to, token| to.bytes(token.expose()));
            }
            AuthMethod::None => self.number(99),
            AuthMethod::TokenFile { token_file } => {
                self.number(3);
                self.path(token_file);
            }
            // The certificate's files are the connection's.
            AuthMethod::Cert { name, own: _ } => {
                self.number(4);
                self.option(name.as_deref(), |to, name| to.bytes(name.as_bytes()));
            }
            AuthMethod::Password { username, password_file } => {
                self.number(5);
                self.bytes(username.as_bytes());
                self.path(password_file);
            }
            AuthMethod::Path { path, fields } => {
                self.number(6);
                self.bytes(path.as_bytes());
                self.number(fields.len() as u64);
                for (name, field) in fields {
                    self.bytes(name.as_bytes());
                    self.credential(field);
                }
            }
            AuthMethod::Cloud { role, proof } => {
                self.number(7);
                self.option(role.as_deref(), |to, role| to.bytes(role.as_bytes()));
                self.proof(proof);
            }
        }
    }

    fn managed_identity(&mut self, identity: &ManagedIdentity) {
        let (number, id) = match identity {
            ManagedIdentity::System => (0, ""),
            ManagedIdentity::Client(id) => (1, id.as_str()),
            ManagedIdentity::Object(id) => (2, id.as_str()),
            ManagedIdentity::Resource(id) => (3, id.as_str()),
        };
        self.number(number);
        self.bytes(id.as_bytes());
    }

    fn proof(&mut self, proof: &Proof) {
        match proof {
            Proof::Aws { region, server_id } => {
                self.number(0);
                self.option(region.as_deref(), |to, text| to.bytes(text.as_bytes()));
                self.option(server_id.as_deref(), |to, text| to.bytes(text.as_bytes()));
            }
            Proof::Azure { audience, identity } => {
                self.number(1);
                self.bytes(audience.as_bytes());
                self.option(identity.as_ref(), Self::managed_identity);
            }
            Proof::Google { signer, account } => {
                self.number(2);
                self.number(u64::from(*signer == Signer::Account));
                self.option(account.as_deref(), |to, text| to.bytes(text.as_bytes()));
            }
            Proof::Jwt { audience, issuer } => {
                self.number(3);
                self.bytes(audience.as_bytes());
                match issuer {
                    Issuer::Aws { region } => {
                        self.number(0);
                        self.option(region.as_deref(), |to, text| to.bytes(text.as_bytes()));
                    }
                    Issuer::Azure { identity } => {
                        self.number(1);
                        self.option(identity.as_ref(), Self::managed_identity);
                    }
                    Issuer::Google { account } => {
                        self.number(2);
                        self.option(account.as_deref(), |to, text| to.bytes(text.as_bytes()));
                    }
                }
            }
        }
    }

    fn credential(&mut self, credential: &Credential) {
        match credential {
            Credential::Given(secret) => {
                self.number(0);
                self.bytes(secret.expose());
            }
            Credential::File(file) => {
                self.number(1);
                self.path(file);
            }
            Credential::Unset(variable) => {
                self.number(2);
                self.bytes(variable.as_bytes());
            }
        }
    }

    fn file(&mut self, file: &FilePlan) {
        match &file.target {
            Target::Member(path) => {
                self.number(0);
                self.path(path);
            }
            Target::Alone(path) => {
                self.number(1);
                self.path(path);
            }
        }
        self.source(&file.source);
        self.number(u64::from(file.mode));
        self.option(file.uid, |to, id| to.number(u64::from(id)));
        self.option(file.gid, |to, id| to.number(u64::from(id)));
        self.duration(file.refresh);
        self.option(file.wait, |to, wait| {
            to.duration(wait.min);
            to.duration(wait.max);
        });
        self.number(file.notify.len() as u64);
        for notifier in &file.notify {
            self.number(*notifier as u64);
        }
    }

    fn source(&mut self, source: &FileSource) {
        match source {
            FileSource::Made(Source::Template(template)) => {
                self.number(0);
                self.bytes(template.template.text());
                self.number(match template.missing_key {
                    MissingKey::Error => 0,
                    MissingKey::Default => 1,
                    MissingKey::Zero => 2,
                });
                self.bytes(template.delimiters.0.as_bytes());
                self.bytes(template.delimiters.1.as_bytes());
            }
            FileSource::Made(Source::Field { request, key, base64 }) => {
                self.number(1);
                self.request(request);
                self.bytes(key.as_bytes());
                self.number(u64::from(*base64));
            }
            FileSource::Made(Source::Value { request, base64 }) => {
                self.number(5);
                self.request(request);
                self.number(u64::from(*base64));
            }
            FileSource::Made(Source::Json { request }) => {
                self.number(2);
                self.request(request);
            }
            FileSource::Token { wrap_ttl } => {
                self.number(3);
                self.option(*wrap_ttl, Self::duration);
            }
        }
    }

    /// Writes the request without its verb, because every configured request is a read.
    fn request(&mut self, request: &Request) {
        self.bytes(request.path.as_bytes());
        self.number(request.args.len() as u64);
        for (name, value) in &request.args {
            self.bytes(name.as_bytes());
            self.bytes(value.expose());
        }
    }
}
