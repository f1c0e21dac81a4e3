//! `leasehold render`: one template offline, with data and secrets from files.

use crate::support::{CANARY, Finished, Leasehold, Workspace};

const SECRETS: &str = r#"
secret/web: {data: {password: canary-4f1d, port: 5432}}
old/web: {ratio: 1.50, big: 1e3}
"pki/issue/web common_name=web.test": {certificate: CERT}
database/creds/web: {lease_id: database/creds/web/1, lease_duration: 60, data: {username: u-1}}
azure/api-key: hunter2
gcp/login: '{"username": "web"}'
aws/prod: {keys: [api, db]}
aws/api-key stage=AWSPREVIOUS: before
"#;

fn render(template: &str, more: &[&str]) -> Finished {
    let space = Workspace::new();
    let template = space.file("template", template).to_string_lossy().into_owned();
    let secrets = space.file("secrets.yaml", SECRETS).to_string_lossy().into_owned();
    let data = space.file("data.json", r#"{"name": "web", "replicas": 3, "tags": ["a", "b"]}"#);
    let data = data.to_string_lossy().into_owned();
    let given = ["render", "--template", &template, "--secrets", &secrets, "--data", &data];
    Leasehold::new(&space).run(&[&given, more].concat())
}

#[track_caller]
fn assert_renders(template: &str, expected: &str) {
    let finished = render(template, &[]).expect_code(0);
    assert_eq!(finished.stdout, expected);
}

#[test]
fn data_and_secrets_meet_in_the_template() {
    assert_renders(
        "{{ range .tags }}{{ $.name }}-{{ . }} {{ end }}{{ printf \"%d\" .replicas }}\n\
         {{ with secret \"secret/web\" }}{{ .Data.data.password }}:{{ .Data.data.port }}{{ end }}\n",
        "web-a web-b 3\ncanary-4f1d:5432\n",
    );
}

#[test]
fn a_secret_is_found_by_its_path_and_arguments() {
    assert_renders(
        "{{ with secret \"pki/issue/web\" \"common_name=web.test\" }}{{ .Data.certificate }}{{ end }}",
        "CERT",
    );
    let finished =
        render("{{ with secret \"pki/issue/web\" \"common_name=other\" }}{{ end }}", &[]).expect_code(66);
    assert!(finished.last_line().contains("pki/issue/web"), "{}", finished.stderr);
}

#[test]
fn stores_of_the_clouds_are_served_without_them() {
    let template = "{{ with secret \"azure/api-key\" }}{{ .Data.value }}{{ end }} {{ with secret \"gcp/login\" }}{{ .Data.username }}{{ end }} \
        {{ range secrets \"aws/prod\" }}{{ . }} {{ end }}{{ with secret \"aws/api-key\" \"stage=AWSPREVIOUS\" }}{{ .Data.value }}{{ end }}";
    assert_renders(template, "hunter2 web api db before");
}

#[test]
fn a_whole_response_has_its_lease() {
    let template = "{{ with secret \"database/creds/web\" }}{{ .LeaseID }} {{ .LeaseDuration }} {{ .Data.username }}{{ end }}";
    assert_renders(template, "database/creds/web/1 60 u-1");
}

#[test]
fn numbers_keep_their_spelling() {
    assert_renders("{{ with secret \"old/web\" }}{{ .Data.ratio }} {{ .Data.big }}{{ end }}", "1.50 1e3");
}

#[test]
fn a_missing_key_stops_unless_it_is_asked_not_to() {
    let template = "{{ with secret \"secret/web\" }}[{{ .Data.data.pasword }}]{{ end }}";
    let finished = render(template, &[]).expect_code(65);
    assert!(finished.last_line().contains("pasword"), "{}", finished.stderr);
    finished.assert_silent_about(CANARY);
    assert_eq!(finished.stdout, "", "nothing is printed of what failed");
    assert_eq!(render(template, &["--missing-key", "default"]).expect_code(0).stdout, "[<no value>]");
}

#[test]
fn other_delimiters_leave_the_usual_ones_alone() {
    let more = ["--left-delimiter", "[[", "--right-delimiter", "]]"];
    assert_eq!(render("[[ .name ]] {{ .name }}", &more).expect_code(0).stdout, "web {{ .name }}");
}

#[test]
fn a_template_that_does_not_parse_is_refused_with_its_place() {
    let finished = render("one\n{{ if .name }}two\n", &[]).expect_code(78);
    assert!(finished.last_line().contains("template:"), "{}", finished.stderr);
}
