//! The cluster's API server, as far as the webhook's certificates need it. JSON goes in and comes out: a field that a
//! newer API server has is not lost, as it would be in types that are made from one version.

mod lease;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use http::header::{CONTENT_TYPE, DATE};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Limited};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;

pub(crate) use lease::Election;

/// An API server that has not answered by then is away.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest answer that is read: an object has 1.5 MiB at most.
const LARGEST: usize = 4 * 1024 * 1024;

/// A client of the API server.
pub(crate) struct Cluster {
    client: Client,
    /// The namespace of this pod.
    pub(crate) namespace: String,
    /// The latest version of Secrets that was answered so far. Versions of one etcd are numbers that grow.
    newest: AtomicU64,
}

/// What the API server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    /// The API server's clock, in seconds since 1970.
    pub(crate) date: Option<i64>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Away {
    /// The configuration of the client cannot be used.
    Configuration(String),
    /// The API server does not answer.
    Unreachable(String),
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(why) => write!(
                f,
                "no API server is known: {why}; run it in a pod with a service account's token, or set KUBECONFIG"
            ),
            Self::Unreachable(why) => write!(f, "the API server does not answer: {why}"),
        }
    }
}

impl Cluster {
    /// Reads where the API server is: from KUBECONFIG, or from what the kubelet gives to every pod.
    ///
    /// # Errors
    /// [`Away::Configuration`] if neither is there.
    pub(crate) async fn find(namespace: Option<String>) -> Result<Self, Away> {
        let wrong = |error: &dyn std::error::Error| Away::Configuration(chain(error));
        let config = Config::infer().await.map_err(|error| wrong(&error))?;
        Self::of(config, namespace)
    }

    /// Reads where the API server is from this file.
    ///
    /// # Errors
    /// [`Away::Configuration`] if the file does not say it.
    pub(crate) async fn read(kubeconfig: &Path, namespace: Option<String>) -> Result<Self, Away> {
        let wrong = |error: &dyn std::error::Error| Away::Configuration(chain(error));
        let file = Kubeconfig::read_from(kubeconfig).map_err(|error| wrong(&error))?;
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
        Self::of(config.map_err(|error| wrong(&error))?, namespace)
    }

    fn of(config: Config, namespace: Option<String>) -> Result<Self, Away> {
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| Away::Configuration(chain(&error)))?;
        Ok(Self { client, namespace, newest: AtomicU64::new(0) })
    }

    /// One at this address, in the namespace `leasehold`.
    #[cfg(test)]
    pub(crate) fn at(address: &str) -> Self {
        let config = Config::new(address.parse().expect("an address"));
        Self::of(config, Some("leasehold".to_owned())).expect("it has no files")
    }

    /// Returns the client itself, for watches.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Reads an object.
    ///
    /// # Errors
    /// [`Away`] if there is no answer.
    pub(crate) async fn get(&self, path: &str) -> Result<Answer, Away> {
        self.ask(Method::GET, path, None).await
    }

    /// Sends an object: POST makes it, PUT replaces the version that it names.
    ///
    /// # Errors
    /// [`Away`] if there is no answer.
    pub(crate) async fn send(&self, method: Method, path: &str, object: &Value) -> Result<Answer, Away> {
        self.ask(method, path, Some(("application/json", object))).await
    }

    /// Changes an object by a JSON patch.
    ///
    /// # Errors
    /// [`Away`] if there is no answer.
    pub(crate) async fn patch(&self, path: &str, operations: &Value) -> Result<Answer, Away> {
        self.ask(Method::PATCH, path, Some(("application/json-patch+json", operations))).await
    }

    /// Changes an object by merging another into it.
    ///
    /// # Errors
    /// [`Away`] if there is no answer.
    pub(crate) async fn merge(&self, path: &str, change: &Value) -> Result<Answer, Away> {
        self.ask(Method::PATCH, path, Some(("application/merge-patch+json", change))).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<(&str, &Value)>) -> Result<Answer, Away> {
        tokio::time::timeout(PATIENCE, self.exchange(method, path, body))
            .await
            .map_err(|_| Away::Unreachable(format!("no answer within {} s", PATIENCE.as_secs())))?
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<Answer, Away> {
        let away = |error: &dyn std::error::Error| Away::Unreachable(chain(error));
        let mut request = Request::builder().method(method).uri(path);
        let mut bytes = Vec::new();
        if let Some((kind, value)) = body {
            request = request.header(CONTENT_TYPE, kind);
            bytes = value.to_string().into_bytes();
        }
        let request = request.body(Body::from(bytes)).map_err(|error| away(&error))?;
        let answer = self.client.send(request).await.map_err(|error| away(&error))?;
        let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok()).and_then(seconds);
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), LARGEST).collect().await;
        let body = body.map_err(|error| Away::Unreachable(error.to_string()))?.to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        // Those of other kinds may be of another etcd.
        if let Some(version) = version(&body).filter(|_| path.contains("/secrets")) {
            self.newest.fetch_max(version, Ordering::Relaxed);
        }
        Ok(Answer { status, body, date })
    }
}

impl Cluster {
    /// Returns whether the cluster has gone back to an older state: its etcd was restored from a backup. Watches that began
    /// before wait for versions that are long in coming, so whoever keeps something of the cluster has to begin anew.
    pub(crate) async fn has_gone_back(&self, path: &str) -> bool {
        let before = self.newest.load(Ordering::Relaxed);
        let answer = self.get(path).await;
        answer
            .is_ok_and(|answer| answer.status == 200 && version(&answer.body).is_some_and(|now| now < before))
    }
}

fn version(body: &Value) -> Option<u64> {
    body["metadata"]["resourceVersion"].as_str()?.parse().ok()
}

impl Answer {
    /// Returns whether nothing can be made because the namespace is being deleted. The API server says so in the words of a
    /// missing right (403).
    pub(crate) fn is_of_ending_namespace(&self) -> bool {
        let causes = self.body["details"]["causes"].as_array();
        self.status == 403 && causes.into_iter().flatten().any(|one| one["reason"] == "NamespaceTerminating")
    }

    /// Returns the API server's own words, for a refusal.
    pub(crate) fn words(&self) -> String {
        let message = self.body["message"].as_str().unwrap_or("no reason is given");
        format!("{message} ({})", self.status)
    }
}

fn seconds(date: &str) -> Option<i64> {
    let time = httpdate::parse_http_date(date).ok()?;
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// Describes an error with its causes. A cause that says nothing new is left out.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = error.source();
    }
    words
}
