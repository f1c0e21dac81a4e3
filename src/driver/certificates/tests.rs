use super::*;

#[test]
fn texts_without_a_pair_hold_no_certificate() {
    let pem = |label: &str| format!("-----BEGIN {label}-----\nAAEC\n-----END {label}-----\n");
    for text in [
        String::new(),
        "hunter2".to_owned(),
        pem("CERTIFICATE"),
        pem("PRIVATE KEY"),
        pem("CERTIFICATE") + &pem("PRIVATE KEY"),
    ] {
        let request = Request::write("pki/issue/web", Default::default()).expect("a good path");
        assert!(certificate_in(&request, [Secret::from(text.as_str())].iter(), 0).is_none(), "{text}");
    }
}
