//! A loopback AWS: moto's server, which judges signatures with botocore's own code once it is told to.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::child::Child;
use super::http::{Reply, request};
use super::ports::free_address;
use super::script::script;
use super::wait::wait_until;
use super::{SOON, Workspace};

/// The region of everything.
pub const REGION: &str = "eu-central-1";

/// A server of one's own, with nothing in it.
#[derive(Debug)]
pub struct Moto {
    child: Child,
    address: SocketAddr,
    /// Where its output is kept.
    _space: Workspace,
}

/// A user's key.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// Its id.
    pub id: String,
    /// The key itself.
    pub secret: String,
}

impl Moto {
    /// Starts it. It takes every signature at first.
    pub fn start() -> Self {
        let (space, address) = (Workspace::new(), free_address());
        let python = script("moto", &[]);
        let child = Child::start(python.as_ref(), "moto", space.path(), |command| {
            let port = address.port().to_string();
            command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port]);
        });
        let mut moto = Self { child, address, _space: space };
        wait_until("moto's server", SOON, || {
            assert!(moto.child.ended().is_none(), "{}", moto.child.stderr());
            request(address, "GET", "/moto-api/", &[], None).is_ok_and(|reply| reply.status == 200)
        });
        moto
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Has it judge every signature from now on, and what policies allow.
    pub fn check_signatures(&self) {
        let json = [("Content-Type", "application/json")];
        let body = json!(0);
        request(self.address, "POST", "/moto-api/reset-auth", &json, Some(&body)).expect("it answers").ok();
    }

    /// An action of Secrets Manager, as nobody in particular.
    pub fn secrets(&self, action: &str, body: &Value) -> Value {
        let target = format!("secretsmanager.{action}");
        let by = credential("secretsmanager");
        let headers = [
            ("X-Amz-Target", target.as_str()),
            ("Authorization", by.as_str()),
            ("Content-Type", "application/x-amz-json-1.1"),
        ];
        request(self.address, "POST", "/", &headers, Some(body)).expect("it answers").ok().json()
    }

    /// Makes a secret, or gives it another value: the one before is AWSPREVIOUS then.
    pub fn put(&self, name: &str, value: &str) {
        let reply = self.ask_secrets("CreateSecret", &json!({"Name": name, "SecretString": value}));
        if reply.status != 200 {
            self.secrets("PutSecretValue", &json!({"SecretId": name, "SecretString": value}));
        }
    }

    fn ask_secrets(&self, action: &str, body: &Value) -> Reply {
        let target = format!("secretsmanager.{action}");
        let by = credential("secretsmanager");
        let headers = [("X-Amz-Target", target.as_str()), ("Authorization", by.as_str())];
        request(self.address, "POST", "/", &headers, Some(body)).expect("it answers")
    }

    /// A user who may do what this policy allows, and a key of theirs.
    pub fn user(&self, name: &str, policy: &Value) -> AccessKey {
        self.iam(&format!("Action=CreateUser&UserName={name}"));
        let policy = encoded(&policy.to_string());
        self.iam(&format!("Action=PutUserPolicy&UserName={name}&PolicyName=p&PolicyDocument={policy}"));
        let made = self.iam(&format!("Action=CreateAccessKey&UserName={name}"));
        AccessKey { id: element(&made, "AccessKeyId"), secret: element(&made, "SecretAccessKey") }
    }

    /// Makes a role that anybody may assume, and returns its name.
    pub fn role(&self, name: &str, policy: &Value) -> String {
        let trust = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}});
        let trust = encoded(&trust.to_string());
        let made = self.iam(&format!("Action=CreateRole&RoleName={name}&AssumeRolePolicyDocument={trust}"));
        let policy = encoded(&policy.to_string());
        self.iam(&format!("Action=PutRolePolicy&RoleName={name}&PolicyName=p&PolicyDocument={policy}"));
        element(&made, "Arn")
    }

    fn iam(&self, form: &str) -> String {
        let by = credential("iam");
        let path = format!("/?{form}&Version=2010-05-08");
        let headers = [("Authorization", by.as_str())];
        request(self.address, "POST", &path, &headers, None).expect("it answers").ok().text
    }
}

/// By this moto knows which service is meant.
fn credential(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn element(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{name}>")).expect("it is there");
    rest.split_once(&format!("</{name}>")).expect("it ends").0.to_owned()
}
