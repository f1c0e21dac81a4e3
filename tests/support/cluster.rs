//! The part that a Kubernetes cluster plays in a login: it signs service-account tokens, and its API
//! server reviews them when Vault asks.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use serde_json::{Value, json};

use super::http::{Asked, Listener};

/// The audience of a token that is meant for the API server itself.
const API_AUDIENCE: &str = "https://kubernetes.default.svc";

/// Who a token is for, and how.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The namespace.
    pub namespace: String,
    /// The service account.
    pub account: String,
    /// The pod's uid, to which a handoff is bound.
    pub pod_uid: String,
    /// The audiences.
    pub audiences: Vec<String>,
    /// How long the token lives.
    pub lives: Duration,
    /// In how many seconds it begins to; negative where it has begun.
    pub begins: i64,
}

impl Default for Identity {
    /// Account `web` in `default`, for `vault`, for an hour.
    fn default() -> Self {
        Self {
            namespace: "default".into(),
            account: "web".into(),
            pod_uid: "3f0c8f1e-7a52-4b51-9f0e-6a2d0e8b7c11".into(),
            audiences: vec!["vault".into()],
            lives: Duration::from_secs(3600),
            begins: 0,
        }
    }
}

/// A cluster with a signing key and an answerer of TokenReviews on a loopback port.
#[derive(Debug)]
pub struct Cluster {
    signer: EcdsaKeyPair,
    listener: Listener,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    public_key: Vec<u8>,
    reviews: AtomicUsize,
    deleted: Mutex<Vec<String>>,
    away: AtomicBool,
}

impl Cluster {
    /// A cluster with a new key.
    pub fn start() -> Self {
        let random = SystemRandom::new();
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("ring makes keys");
        let signer = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)
            .expect("the key that was just made");
        let shared = Arc::new(Shared {
            public_key: signer.public_key().as_ref().to_vec(),
            reviews: AtomicUsize::new(0),
            deleted: Mutex::default(),
            away: AtomicBool::new(false),
        });
        let answerer = Arc::clone(&shared);
        let listener = Listener::start(move |asked| answerer.answer(asked));
        Self { signer, listener, shared }
    }

    /// `http://127.0.0.1:PORT`: the kubernetes_host of the auth method.
    pub fn address(&self) -> String {
        format!("http://{}", self.listener.address())
    }

    /// The key that its tokens are verified with, PEM.
    pub fn public_key_pem(&self) -> String {
        // What stands before the point of every key on P-256, in DER.
        const HEAD: [u8; 26] = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
            0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ];
        let der = [&HEAD[..], &self.shared.public_key].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    /// A signed service-account token of the shape that the TokenRequest API gives.
    pub fn token(&self, identity: &Identity) -> String {
        let begin = unix_now().saturating_add_signed(identity.begins);
        let Identity { namespace, account, pod_uid, .. } = identity;
        let claims = json!({
            "iss": API_AUDIENCE,
            "sub": subject(namespace, account),
            "aud": identity.audiences,
            "iat": begin,
            "nbf": begin,
            "exp": begin + identity.lives.as_secs(),
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": { "name": account, "uid": format!("uid-of-{account}") },
                "pod": { "name": format!("{account}-0"), "uid": pod_uid },
            },
        });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&json!({ "alg": "ES256", "kid": "one" })), encode(&claims));
        let signature =
            self.signer.sign(&SystemRandom::new(), signed.as_bytes()).expect("ring signs what it is given");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The token that Vault shows when it asks for a review.
    pub fn reviewer_token(&self) -> String {
        self.token(&Identity {
            namespace: "vault".into(),
            account: "reviewer".into(),
            audiences: vec![API_AUDIENCE.into()],
            ..Identity::default()
        })
    }

    /// How many reviews were asked for: one at each login, and one whenever such a token is renewed.
    pub fn reviews(&self) -> usize {
        self.shared.reviews.load(Ordering::SeqCst)
    }

    /// The API server is away, or back: it answers nothing but 503.
    pub fn is_away(&self, away: bool) {
        self.shared.away.store(away, Ordering::SeqCst);
    }

    /// Deletes a service account: its tokens are no longer authenticated.
    pub fn delete(&self, identity: &Identity) {
        let mut deleted = self.shared.deleted.lock().unwrap_or_else(PoisonError::into_inner);
        deleted.push(subject(&identity.namespace, &identity.account));
    }
}

impl Shared {
    fn answer(&self, asked: &Asked) -> (u16, String) {
        if self.away.load(Ordering::SeqCst) {
            return (503, String::new());
        }
        if asked.method != "POST" || asked.path != "/apis/authentication.k8s.io/v1/tokenreviews" {
            return (404, String::new());
        }
        let reviewer = asked.bearer.as_deref().and_then(|token| self.verify(token, &[]));
        if reviewer.is_none() {
            return (401, json!({ "kind": "Status", "status": "Failure", "code": 401 }).to_string());
        }
        self.reviews.fetch_add(1, Ordering::SeqCst);
        let review: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let audiences = strings(&review["spec"]["audiences"]);
        let token = review["spec"]["token"].as_str().unwrap_or_default();
        let status = match self.verify(token, &audiences) {
            Some((claims, audiences)) => json!({
                "authenticated": true,
                "audiences": audiences,
                "user": {
                    "username": claims["sub"],
                    "uid": claims["kubernetes.io"]["serviceaccount"]["uid"],
                    "groups": ["system:serviceaccounts", "system:authenticated"],
                },
            }),
            None => json!({ "authenticated": false, "error": "invalid bearer token" }),
        };
        let answer =
            json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status });
        (201, answer.to_string())
    }

    /// The claims and the audiences that fit, where the signature holds, the token is in date, its account
    /// exists, and it is for one of `wanted` (the API server itself where none are named).
    fn verify(&self, token: &str, wanted: &[String]) -> Option<(Value, Vec<String>)> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.public_key)
            .verify(signed.as_bytes(), &signature)
            .ok()?;
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        if claims["exp"].as_u64()? <= unix_now() {
            return None;
        }
        let deleted = self.deleted.lock().unwrap_or_else(PoisonError::into_inner);
        if deleted.iter().any(|subject| claims["sub"] == subject.as_str()) {
            return None;
        }
        let of_api = [API_AUDIENCE.to_owned()];
        let wanted = if wanted.is_empty() { &of_api } else { wanted };
        let mut audiences = strings(&claims["aud"]);
        audiences.retain(|audience| wanted.contains(audience));
        (!audiences.is_empty()).then_some((claims, audiences))
    }
}

fn subject(namespace: &str, account: &str) -> String {
    format!("system:serviceaccount:{namespace}:{account}")
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_secs()
}
