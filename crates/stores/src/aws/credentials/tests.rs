//! Whose credentials are taken under which variables and profiles. The expectations are those of botocore.

use super::*;
use crate::aws::variables::NAMES;

const ENVIRONMENT: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "ENV"), ("AWS_SECRET_ACCESS_KEY", "s")];
const CONTAINER: (&str, &str) = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x");

/// Returns the source under this configuration file and these variables, from the last role to the first keys.
fn taken(config: &str, more: &[(&str, &str)]) -> Result<String, Failure> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("config");
    std::fs::write(&path, config).expect("a file");
    let value = |name: &str| match name {
        "AWS_CONFIG_FILE" => path.to_str().map(Secret::from),
        _ => more.iter().find(|(key, _)| *key == name).map(|(_, value)| Secret::from(*value)),
    };
    source(&Variables::of(NAMES, &value), &Files::default()).map(|source| way(&source))
}

fn way(source: &Source) -> String {
    match source {
        Source::Given(keys) => keys.id.clone(),
        Source::WebIdentity { role_arn, .. } => format!("web {role_arn}"),
        Source::Assumed { base, role } => format!("{} by {}", role.arn, way(base)),
        Source::Container { .. } => "container".to_owned(),
        Source::Instance => "instance".to_owned(),
    }
}

/// Asserts that the profile `x` of this configuration file is refused, and says why.
#[track_caller]
fn is_refused(config: &str, words: &str) {
    let failure = taken(config, &[("AWS_PROFILE", "x")]).expect_err("refused");
    assert_eq!(failure.kind, FailureKind::Unusable, "{failure}");
    assert!(failure.why.contains(words), "{failure}");
}

#[test]
fn a_profile_that_is_named_has_to_be_there_whatever_else_is() {
    let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "arn:web")];
    for others in [&[][..], &ENVIRONMENT, &web, &[CONTAINER]] {
        for name in ["absent", "default"] {
            let all = [others, &[("AWS_PROFILE", name)]].concat();
            let failure = taken("[profile x]\nregion=eu-west-1\n", &all).expect_err("refused");
            assert_eq!(failure.kind, FailureKind::Unusable, "{failure}");
            let words = format!("no file has the profile {name} of AWS_PROFILE");
            assert!(failure.why.contains(&words) && failure.why.contains("unset AWS_PROFILE"), "{failure}");
        }
    }
    let keys = "[profile x]\naws_access_key_id=X\naws_secret_access_key=s\n";
    let all = [&ENVIRONMENT[..], &[("AWS_PROFILE", "x")]].concat();
    assert_eq!(taken(keys, &all).as_deref(), Ok("ENV"), "the environment's keys come before the profile's");
}

#[test]
fn keys_of_the_environment_need_no_file_if_no_profile_is_named() {
    let all = [&ENVIRONMENT[..], &[("AWS_SHARED_CREDENTIALS_FILE", "/")]].concat();
    assert_eq!(taken("", &all).as_deref(), Ok("ENV"));
}

#[test]
fn a_profile_without_credentials_leaves_the_others_to_be_found() {
    let config = "[profile x]\nregion=eu-west-1\n[default]\noutput=json\n";
    assert_eq!(taken(config, &[("AWS_PROFILE", "x"), CONTAINER]).as_deref(), Ok("container"));
    assert_eq!(taken(config, &[("AWS_PROFILE", "x")]).as_deref(), Ok("instance"));
    assert_eq!(taken(config, &[]).as_deref(), Ok("instance"));
    for half in ["aws_access_key_id=X", "aws_secret_access_key=s"] {
        is_refused(&format!("[profile x]\n{half}\n"), "the profile x has only half a key");
    }
}

/// Writes a profile that assumes a role of its own name.
fn role(name: &str, more: &str) -> String {
    format!("[profile {name}]\nrole_arn=arn:{name}\n{more}\n")
}

fn keys(name: &str) -> String {
    format!("[profile {name}]\naws_access_key_id={name}\naws_secret_access_key=s\n")
}

#[test]
fn roles_are_assumed_one_after_the_other() {
    let x = [("AWS_PROFILE", "x")];
    let chain = [role("x", "source_profile=y"), role("y", "source_profile=z"), keys("z")].concat();
    assert_eq!(taken(&chain, &x).as_deref(), Ok("arn:x by arn:y by z"));
    let web = [role("x", "source_profile=y"), role("y", "web_identity_token_file=/t")].concat();
    assert_eq!(taken(&web, &x).as_deref(), Ok("arn:x by web arn:y"));
    let sourced = [role("x", "source_profile=y"), role("y", "credential_source=EcsContainer")].concat();
    assert_eq!(taken(&sourced, &[x[0], CONTAINER]).as_deref(), Ok("arn:x by arn:y by container"));
    // Keys of a source profile come before its role, and a profile may assume its role with its own keys.
    let own = [role("x", "source_profile=y"), format!("{}{}", keys("y"), "role_arn=arn:y\n")].concat();
    assert_eq!(taken(&own, &x).as_deref(), Ok("arn:x by y"));
    let itself = format!("{}role_arn=arn:x\nsource_profile=x\n", keys("x"));
    assert_eq!(taken(&itself, &x).as_deref(), Ok("arn:x by x"));
}

#[test]
fn a_credential_source_is_followed() {
    let of = |source: &str, more: &[(&str, &str)]| {
        let all = [&[("AWS_PROFILE", "x")], more].concat();
        taken(&role("x", &format!("credential_source={source}")), &all)
    };
    assert_eq!(of("EcsContainer", &[CONTAINER]).as_deref(), Ok("arn:x by container"));
    assert_eq!(of("Ec2InstanceMetadata", &[]).as_deref(), Ok("arn:x by instance"));
    for (source, more, words) in [
        ("Environment", &[][..], "and the environment has no AWS_ACCESS_KEY_ID"),
        ("EcsContainer", &[], "and no AWS_CONTAINER_CREDENTIALS_"),
        (
            "Ec2InstanceMetadata",
            &[("AWS_EC2_METADATA_DISABLED", "true")],
            "and AWS_EC2_METADATA_DISABLED is set",
        ),
        ("Somewhere", &[], "use Environment, EcsContainer or Ec2InstanceMetadata"),
    ] {
        let failure = of(source, more).expect_err("refused");
        assert!(failure.why.contains(words), "{failure}");
    }
}

#[test]
fn a_chain_that_leads_to_no_credentials_says_where_it_ends() {
    is_refused(&role("x", "source_profile=y"), "its source_profile y is in no file");
    let empty = [role("x", "source_profile=y"), "[profile y]\nregion=r\n".to_owned()].concat();
    is_refused(&empty, "its source_profile y has neither keys nor a role");
    let half = [role("x", "source_profile=y"), "[profile y]\naws_access_key_id=a\n".to_owned()].concat();
    is_refused(&half, "the profile y has only half a key");
    let process = [role("x", "source_profile=y"), "[profile y]\ncredential_process=p\n".to_owned()].concat();
    is_refused(&process, "the profile y has credential_process, which Leasehold does not follow");
    let code = [role("x", "source_profile=y"), role("y", "source_profile=z\nmfa_serial=m"), keys("z")];
    is_refused(&code.concat(), "the profile y has mfa_serial");
    is_refused(&role("x", ""), "and neither source_profile, credential_source nor web_identity_token_file");
    let both = role("x", "source_profile=y\ncredential_source=Environment");
    is_refused(&[both, keys("y")].concat(), "has both source_profile and credential_source");
}

#[test]
fn profiles_that_lead_in_a_circle_are_named_in_order() {
    let circle =
        [role("x", "source_profile=y"), role("y", "source_profile=z"), role("z", "source_profile=y")];
    is_refused(&circle.concat(), "lead in a circle: x, y, z, y");
    is_refused(&role("x", "source_profile=x"), "lead in a circle: x, x");
    // Its keys would come before its role, so that nothing assumes the role a second time.
    let back = [format!("{}role_arn=arn:x\nsource_profile=y\n", keys("x")), role("y", "source_profile=x")];
    is_refused(&back.concat(), "lead in a circle: x, y, x");
}

#[tokio::test]
async fn the_files_are_read_once_for_a_login_and_again_for_the_next() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let write = |id: &str| {
        let text = format!("[x]\naws_access_key_id={id}\naws_secret_access_key=s\n");
        std::fs::write(at("next"), text).expect("a file");
        std::fs::rename(at("next"), at("credentials")).expect("a rename");
    };
    write("A");
    std::fs::write(at("config"), "[profile x]\nregion=eu-west-1\n").expect("a file");
    let value = |name: &str| match name {
        "AWS_SHARED_CREDENTIALS_FILE" => Some(at("credentials").into()),
        "AWS_CONFIG_FILE" => Some(at("config").into()),
        "AWS_PROFILE" => Some("x".into()),
        _ => None,
    };
    let credentials = Credentials::new(Variables::of(NAMES, &value), None);
    let reads = || credentials.files.reads.load(std::sync::atomic::Ordering::Relaxed);
    let http = Http::default();
    assert_eq!(credentials.region(None), Ok(Some("eu-west-1".to_owned())));
    let keys = credentials.keys(&http, "eu-west-1").await.expect("keys");
    assert_eq!((keys.id.as_str(), reads()), ("A", 1));
    credentials.keys(&http, "eu-west-1").await.expect("they are kept");
    assert_eq!(reads(), 1);
    write("B");
    let others = credentials.read_again(&http, "eu-west-1", &keys).await.expect("others");
    assert_eq!((others.id.as_str(), reads()), ("B", 2));
}

#[test]
fn a_token_at_the_end_of_a_chain_is_a_file_that_is_needed() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("config");
    let chain = [role("x", "source_profile=y"), role("y", "web_identity_token_file=/t\nsource_profile=x")];
    std::fs::write(&path, chain.concat()).expect("a file");
    let value = |name: &str| match name {
        "AWS_CONFIG_FILE" => path.to_str().map(Secret::from),
        "AWS_PROFILE" => Some("x".into()),
        _ => None,
    };
    let files = needed_files(&Variables::of(NAMES, &value));
    assert!(files.contains(std::path::Path::new("/t")), "{files:?}");
}

fn chosen(variables: &[(&str, &str)]) -> Result<String, Failure> {
    let of = |wanted: &str| variables.iter().find(|(name, _)| *name == wanted);
    let variables = Variables::of(NAMES, &|name| of(name).map(|(_, value)| Secret::from(*value)));
    let source = source(&variables, &Files::default())?;
    Ok(match source {
        Source::Given(keys) => keys.from,
        Source::WebIdentity { role_arn, .. } => role_arn,
        Source::Assumed { role, .. } => format!("assumed {}", role.arn),
        Source::Container { url, .. } => url.to_string(),
        Source::Instance => "instance".to_owned(),
    })
}

#[test]
fn the_first_source_that_is_configured_is_the_one() {
    let keys = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "arn:role")];
    let container = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x")];
    let all = [&keys[..], &web, &container].concat();
    assert_eq!(chosen(&all).as_deref(), Ok("AWS_ACCESS_KEY_ID"));
    assert_eq!(chosen(&all[2..]).as_deref(), Ok("arn:role"));
    assert_eq!(chosen(&all[4..]).as_deref(), Ok("http://169.254.170.2/v2/x"));
    assert_eq!(chosen(&[]).as_deref(), Ok("instance"));
}

#[test]
fn half_a_key_and_a_token_for_anybody_are_refused() {
    for (variables, words) in [
        (&[("AWS_ACCESS_KEY_ID", "AKIA")][..], "AWS_SECRET_ACCESS_KEY is not"),
        (&[("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")], "AWS_ROLE_ARN is not"),
        (&[("AWS_EC2_METADATA_DISABLED", "True")], "AWS_EC2_METADATA_DISABLED"),
        (&[("AWS_PROFILE", "x")], "no file has the profile x"),
        (&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com/x")], "no token was sent"),
        (&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "ftp://127.0.0.1/x")], "_FULL_URI is no URL; write one"),
        (&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "localhost:80/x")], "_FULL_URI is no URL; write one"),
        (&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@example.com/x")], "does not begin with /"),
    ] {
        let failure = chosen(variables).expect_err("refused");
        assert_eq!(failure.kind, FailureKind::Unusable);
        assert!(failure.why.contains(words), "{failure}");
    }
}

#[test]
fn what_is_no_answer_of_a_metadata_service_is_said_so() {
    let failure = answer(b"<html>sign in</html>", "it").expect_err("no JSON");
    assert_eq!(failure.kind, FailureKind::Intercepted);
    assert!(answer(b"{\"AccessKeyId\": \"AKIA\"}", "it").is_err());
    assert!(answer(b"{\"AccessKeyId\": \"A\\nB\", \"SecretAccessKey\": \"s\"}", "it").is_err());
    let good = b"{\"Code\":\"Success\",\"AccessKeyId\":\"AKIA\",\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"Expiration\":\"2026-11-29T13:56:30Z\"}";
    let found = answer(good, "it").expect("good");
    assert!(found.life.is_some() && found.it.token.is_some());
    let strange = b"{\"AccessKeyId\":\"AKIA\",\"SecretAccessKey\":\"s\",\"Expiration\":\"tomorrow\"}";
    let found = answer(strange, "it").expect("good");
    assert!(found.life.is_some(), "an end that is not understood is no reason to keep them for ever");
    let never = answer(b"{\"AccessKeyId\":\"AKIA\",\"SecretAccessKey\":\"s\"}", "it").expect("good");
    assert_eq!(never.life, None);
}
