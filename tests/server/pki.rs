//! Certificates of a real PKI engine in files of one set: the key always belongs to the certificate.

use std::fs;
use std::path::Path;

use crate::support::{SOON, Stage, wait_for};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{KeyPair, PublicKeyData as _};

/// Three files of one call, and one that asks for another name.
fn files(ttl: &str) -> String {
    let call = |name: &str, field: &str| {
        format!(
            "{{{{ with pkiCert \"pki/issue/web\" \"common_name={name}\" \"ttl={ttl}\" \
             \"private_key_format=pkcs8\" }}}}{{{{ .{field} }}}}{{{{ end }}}}"
        )
    };
    [
        ("cert.pem", "a.test", "Cert"),
        ("key.pem", "a.test", "Key"),
        ("ca.pem", "a.test", "CA"),
        ("b.pem", "b.test", "Data.Cert"),
    ]
    .map(|(path, name, field)| format!("- {{path: {path}, template: '{}'}}\n", call(name, field)))
    .concat()
}

/// Certificate and key of the generation that is published now; nothing while it is being replaced.
fn pair(stage: &Stage) -> Option<(String, String)> {
    let generation = fs::canonicalize(stage.space.join("secrets/..data")).ok()?;
    let read = |name: &str| fs::read_to_string(generation.join(name)).ok();
    Some((read("cert.pem")?, read("key.pem")?))
}

/// Whether the certificate is for this key: it holds the key's public half.
fn belong_together((certificate, key): &(String, String)) -> bool {
    let key = KeyPair::from_pem(key).expect("a key in PKCS 8");
    let body: String = certificate.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(body).expect("a certificate in PEM");
    let public = key.der_bytes();
    der.windows(public.len()).any(|window| window == public)
}

#[test]
fn one_issue_serves_every_file_of_the_set() {
    let stage = Stage::new();
    stage.init(&stage.config(&format!("files:\n{}", files("1h")))).expect_code(0);
    let pair = pair(&stage).expect("published");
    assert!(belong_together(&pair), "key and certificate are of one issue");
    assert!(stage.read("ca.pem").is_some_and(|ca| ca.starts_with("-----BEGIN CERTIFICATE-----")));
    let other = (stage.read("b.pem").expect("published"), pair.1);
    assert!(!belong_together(&other), "another name is another certificate");
    assert_eq!(stage.server.requests("pki/issue/web"), 2, "one for each name");
    assert!(Path::new(&stage.space.join("handoff/state")).exists(), "the sidecar would go on with it");
}

#[test]
fn a_certificate_is_replaced_with_its_key_before_it_expires() {
    let stage = Stage::new();
    let mut sidecar = stage.sidecar(&stage.config(&format!("files:\n{}", files("8s"))));
    let first = pair(&stage).expect("published");
    assert!(belong_together(&first));
    let second = wait_for("another certificate", SOON, || {
        assert!(sidecar.runs(), "the sidecar ended: {}", sidecar.stderr());
        pair(&stage).filter(|pair| pair.0 != first.0)
    });
    assert!(stage.ready(), "nothing has expired in between");
    assert_ne!(second.1, first.1, "with a key of its own");
    assert!(belong_together(&second), "key and certificate are of one issue");
    sidecar.stop().expect_code(0);
}

#[test]
fn a_certificate_in_an_absolute_file_is_kept_over_an_orderly_end_although_there_is_a_handoff() {
    let stage = Stage::new();
    let path = stage.space.join("alone/tls.pem");
    let template = "{{ with pkiCert \"pki/issue/web\" \"common_name=web.test\" \"ttl=30m\" }}{{ .Cert }}{{ .Key }}{{ end }}";
    let config = stage.config(&format!("files: [{{path: '{}', template: '{template}'}}]\n", path.display()));
    let run = || {
        stage.sidecar(&config).stop().expect_code(0);
        std::fs::read(&path).expect("published")
    };
    let first = run();
    assert!(Path::new(&stage.space.join("handoff/state")).exists(), "it lists the file");
    assert!(run() == first, "another start issues no other certificate");
    assert_eq!(stage.server.requests("pki/issue/web"), 1);
    stage.assert_nothing_left();
}
