//! Which identity asks, and the tokens of App Service, from a service on this machine that speaks its protocol.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use super::source::source;
use super::*;

const HEADER: &str = "canary-identity-header";
const RESOURCE: &str = "https://vault.azure.net";

/// A service that gives each of these answers once, in order: a status line, further headers, and a body.
struct Service {
    url: String,
    asked: Receiver<Vec<String>>,
}

impl Service {
    fn start(answers: Vec<(&'static str, &'static str, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/msi/token", listener.local_addr().expect("an address"));
        let (send, asked) = channel();
        std::thread::spawn(move || {
            for (status, headers, body) in answers {
                let Ok((stream, _)) = listener.accept() else { return };
                // A test that has failed does not listen any more.
                let _ = send.send(answer(stream, status, headers, &body));
            }
        });
        Self { url, asked }
    }

    /// Returns the lines of the last request: the first one, then the headers.
    fn last(&self) -> Vec<String> {
        self.asked.try_iter().last().expect("it was asked")
    }
}

/// Reads a request without a body, and answers it. Returns its lines.
fn answer(mut stream: TcpStream, status: &str, headers: &str, body: &str) -> Vec<String> {
    let lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
    let lines: Vec<String> =
        lines.map(|line| line.expect("a line")).take_while(|line| !line.is_empty()).collect();
    let length = body.len();
    let text =
        format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).expect("it is read");
    lines
}

fn identity(service: &Service, settings: AzureIdentity) -> Identity {
    let value = |name: &str| match name {
        "IDENTITY_ENDPOINT" => Some(Secret::from(service.url.as_str())),
        "IDENTITY_HEADER" => Some(HEADER.into()),
        _ => None,
    };
    let variables = Variables::of(crate::azure::NAMES, &value);
    Identity::new(Asker::new(settings, variables, crate::azure::PUBLIC))
}

fn challenge() -> Challenge {
    Challenge { resource: RESOURCE.to_owned(), tenant: None }
}

/// Returns an answer with a token, in which `end` is the field that says when the token ends.
fn token(name: &str, end: &str) -> (&'static str, &'static str, String) {
    ("200 OK", "", format!(r#"{{"access_token": "{name}", "token_type": "Bearer", "resource": "x"{end}}}"#))
}

#[tokio::test]
async fn app_service_is_asked_with_its_header_for_the_identity_that_is_named() {
    let ends = leasehold_base::clock::now().wall + 86_400;
    let service = Service::start(vec![token("t", &format!(r#", "expires_on": "{ends}""#))]);
    let settings = AzureIdentity {
        managed_identity: Some(ManagedIdentity::Resource("/r i".into())),
        ..AzureIdentity::default()
    };
    let identity = identity(&service, settings);
    for _ in 0..2 {
        // The service answers once: the token is kept.
        let token = identity.token(&Http::default(), &challenge()).await.expect("a token");
        assert_eq!(token.expose(), b"t");
    }
    let lines = service.last();
    let line = "GET /msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net&mi_res_id=%2Fr+i HTTP/1.1";
    assert_eq!(lines[0], line);
    assert!(lines.contains(&format!("x-identity-header: {HEADER}")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("metadata:")), "that is the machine's: {lines:?}");
}

#[tokio::test]
async fn a_token_near_its_end_is_kept_for_a_minute_and_one_without_an_end_too() {
    let wall = leasehold_base::clock::now().wall;
    for end in [
        format!(r#", "expires_on": "{}""#, wall + 20),
        format!(r#", "expires_on": {}"#, wall - 3600),
        r#", "expires_in": "5""#.to_owned(),
        String::new(),
    ] {
        let service = Service::start(vec![token("short", &end), token("next", &end)]);
        let identity = identity(&service, AzureIdentity::default());
        let first = identity.token(&Http::default(), &challenge()).await.expect("a token");
        let again = identity.token(&Http::default(), &challenge()).await.expect("a token");
        assert_eq!((first.expose(), again.expose()), (&b"short"[..], &b"short"[..]), "{end}");
        // The vault does not take it any more.
        identity.forget(&again);
        let next = identity.token(&Http::default(), &challenge()).await.expect("a token");
        assert_eq!(next.expose(), b"next", "{end}");
    }
}

#[tokio::test]
async fn what_is_no_token_is_said_by_what_it_is_and_the_header_is_not_quoted() {
    let text = |text: &str| text.to_owned();
    let echo = format!(r#"{{"statusCode": 400, "message": "no identity for {HEADER}"}}"#);
    let escaped: String = HEADER.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let escaped = format!(r#"{{"message": "no identity for {escaped}"}}"#);
    let leads = format!("Location: http://{HEADER}.example/?{HEADER}\r\n").leak();
    for (status, headers, body, kind, words) in [
        (
            "400 Bad Request",
            "",
            text(r#"{"statusCode": 400, "message": "No managed identity found"}"#),
            FailureKind::Refused,
            "gives no token (No managed identity found); assign the identity to this machine",
        ),
        ("400 Bad Request", "", echo, FailureKind::Refused, "gives no token; assign the identity"),
        ("403 Forbidden", "", escaped, FailureKind::Refused, "gives no token; assign the identity"),
        ("401 Unauthorized", "", text("<html>no</html>"), FailureKind::Intercepted, "holds no token"),
        ("200 OK", "", text("<html>sign in</html>"), FailureKind::Intercepted, "holds no token"),
        ("200 OK", "", text(r#"{"access_token": ""}"#), FailureKind::Intercepted, "holds no token"),
        ("200 OK", "", text("[]"), FailureKind::Intercepted, "holds no token"),
        ("204 No Content", "", text(""), FailureKind::Intercepted, "holds no token"),
        ("302 Found", leads, text(""), FailureKind::Intercepted, "redirects to elsewhere"),
        ("500 Internal Server Error", "", text("<html>"), FailureKind::Unavailable, ": 500"),
        (
            "429 Too Many Requests",
            "Retry-After: 7\r\n",
            text(""),
            FailureKind::Overloaded(Some(std::time::Duration::from_secs(7))),
            "too many requests",
        ),
    ] {
        let service = Service::start(vec![(status, headers, body)]);
        let identity = identity(&service, AzureIdentity::default());
        let failure = identity.token(&Http::default(), &challenge()).await.expect_err("no token");
        assert_eq!(failure.kind, kind, "{status}: {failure}");
        assert!(failure.by_us && failure.why.contains(words), "{status}: {failure}");
        assert!(!failure.why.to_lowercase().contains(HEADER), "{failure}");
    }
}

#[tokio::test]
async fn an_app_service_elsewhere_gets_no_header() {
    let value = |name: &str| match name {
        "IDENTITY_ENDPOINT" => Some("http://192.0.2.1/msi/token".into()),
        "IDENTITY_HEADER" => Some(HEADER.into()),
        _ => None,
    };
    let asker = Asker::new(
        AzureIdentity::default(),
        Variables::of(crate::azure::NAMES, &value),
        crate::azure::PUBLIC,
    );
    let failure = Identity::new(asker).token(&Http::default(), &challenge()).await.expect_err("no TLS");
    assert_eq!(failure.kind, FailureKind::Unusable);
    assert!(failure.why.contains("is not asked without TLS"), "{failure}");
}

#[test]
fn an_endpoint_that_is_no_address_is_refused_by_name() {
    for endpoint in ["msi/token", "localhost:41000", "ftp://127.0.0.1/msi"] {
        let value = |name: &str| match name {
            "IDENTITY_ENDPOINT" => Some(Secret::from(endpoint)),
            "IDENTITY_HEADER" => Some(HEADER.into()),
            _ => None,
        };
        let variables = Variables::of(crate::azure::NAMES, &value);
        let failure = source(&AzureIdentity::default(), &variables).expect_err("no address");
        assert!(failure.why.starts_with("IDENTITY_ENDPOINT is no URL"), "{failure}");
    }
}

fn variables(all: &[(&str, &str)]) -> Variables {
    let of = |wanted: &str| all.iter().find(|(name, _)| *name == wanted);
    Variables::of(crate::azure::NAMES, &|name| of(name).map(|(_, value)| Secret::from(*value)))
}

#[test]
fn the_first_source_that_is_configured_is_the_one() {
    let all = [
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_CLIENT_SECRET", "s"),
        ("AZURE_FEDERATED_TOKEN_FILE", "/t"),
        ("IDENTITY_ENDPOINT", "http://127.0.0.1/msi"),
        ("IDENTITY_HEADER", "h"),
    ];
    let of = |settings: &AzureIdentity, from: usize| {
        let id = &all[..1];
        format!("{:?}", source(settings, &variables(&[id, &all[from..]].concat())).expect("one"))
    };
    let nothing = AzureIdentity::default();
    assert!(of(&nothing, 1).starts_with("Secret"));
    assert!(of(&nothing, 2).starts_with("Workload"));
    assert!(of(&nothing, 3).starts_with("AppService"));
    assert!(of(&nothing, 5).starts_with("Machine"));
    let own = AzureIdentity { managed_identity: Some(ManagedIdentity::System), ..AzureIdentity::default() };
    assert!(of(&own, 1).starts_with("AppService"), "it is asked for by name");
    let file = AzureIdentity { client_secret_file: Some("/s".into()), ..own };
    assert!(of(&file, 1).starts_with("Secret"));
    let lacks = source(&nothing, &variables(&all[1..2])).expect_err("no client id");
    assert!(lacks.why.contains("no client id"), "{lacks}");
    let arc = source(&nothing, &variables(&all[3..4])).expect_err("Arc");
    assert!(arc.why.contains("Azure Arc"), "{arc}");
}

#[test]
fn a_certificate_that_is_not_followed_is_named_beside_what_is() {
    let of = |settings: &AzureIdentity, name: &str| {
        let all = [("AZURE_CLIENT_CERTIFICATE_PATH", "/c"), ("AZURE_CLIENT_ID", "c"), (name, "x")];
        let variables = variables(&all);
        source::ignored(&source(settings, &variables).expect("one"), &variables).expect("it is named")
    };
    let own = AzureIdentity { managed_identity: Some(ManagedIdentity::System), ..AzureIdentity::default() };
    let file = AzureIdentity { client_secret_file: Some("/s".into()), ..AzureIdentity::default() };
    for (settings, name, used) in [
        (&AzureIdentity::default(), "AZURE_CLIENT_SECRET", "AZURE_CLIENT_SECRET"),
        (&AzureIdentity::default(), "AZURE_FEDERATED_TOKEN_FILE", "AZURE_FEDERATED_TOKEN_FILE"),
        (&own, "AZURE_TENANT_ID", "`managed_identity`"),
        (&file, "AZURE_TENANT_ID", "`client_secret_file`"),
    ] {
        let said = of(settings, name);
        assert!(said.starts_with("AZURE_CLIENT_CERTIFICATE_PATH") && said.ends_with(used), "{said}");
    }
    let variables = variables(&[("AZURE_CLIENT_ID", "c"), ("AZURE_CLIENT_SECRET", "s")]);
    let source = source(&AzureIdentity::default(), &variables).expect("one");
    assert_eq!(source::ignored(&source, &variables), None);
}

#[test]
fn entra_is_where_the_cloud_or_the_variable_has_it_and_never_where_the_vault_says() {
    let at = |all: &[(&str, &str)]| {
        let asker = Asker::new(AzureIdentity::default(), variables(all), "login.chinacloudapi.cn");
        let asked = Challenge { resource: "https://vault.azure.cn".into(), tenant: Some("theirs".into()) };
        asker.authority(&asked).expect("a URL").to_string()
    };
    assert_eq!(at(&[]), "https://login.chinacloudapi.cn/theirs/oauth2/v2.0/token");
    let ours = [("AZURE_TENANT_ID", "ours"), ("AZURE_AUTHORITY_HOST", "https://login.example/")];
    assert_eq!(at(&ours), "https://login.example/ours/oauth2/v2.0/token");
}

#[test]
fn a_client_id_of_the_environment_names_the_machines_identity_unless_the_configuration_does() {
    let named = |settings| {
        Asker::new(settings, variables(&[("AZURE_CLIENT_ID", "c")]), "login.microsoftonline.com").named()
    };
    assert_eq!(named(AzureIdentity::default()), Some(ManagedIdentity::Client("c".into())));
    let own = AzureIdentity { managed_identity: Some(ManagedIdentity::System), ..AzureIdentity::default() };
    assert_eq!(named(own), Some(ManagedIdentity::System));
}
