use std::time::Duration;

use super::*;
use crate::core::view::{BreakerView, Fault, FileView, Health, Outage, Readiness};
use crate::observe::sample;
use leasehold_base::time::Moment;

fn has(text: &str, line: &str) {
    assert!(text.lines().any(|one| one == line), "{line} is not in:\n{text}");
}

#[test]
fn a_scrape_has_a_series_for_each_file_and_notifier() {
    let text = render(sample::view(), sample::besides());
    for line in [
        "leasehold_ready 1",
        "leasehold_state{state=\"ready\"} 1",
        "leasehold_state{state=\"expired\"} 0",
        "leasehold_server_up 1",
        "leasehold_server_down_seconds 0",
        "leasehold_token_ttl_seconds 1800",
        "leasehold_file_generation{file=\"db.env\"} 4",
        "leasehold_file_expiry_seconds{file=\"db.env\"} 600",
        "leasehold_file_age_seconds{file=\"db.env\"} 100",
        "leasehold_file_renders_total{file=\"db.env\"} 5",
        "leasehold_file_published{file=\"api-key\"} 1",
        "leasehold_secrets 2",
        "leasehold_secrets_untold 0",
        "leasehold_renewals_total 3",
        "leasehold_secret_renewals_total{file=\"db.env\",secret=\"1\"} 3",
        "leasehold_secret_expiry_seconds{file=\"db.env\",secret=\"1\"} 600",
        "leasehold_secret_age_seconds{file=\"api-key\",secret=\"1\"} 5",
        "leasehold_secret_version{file=\"api-key\",secret=\"1\"} 7",
        "leasehold_secret_next_seconds{file=\"db.env\",secret=\"1\",action=\"renew\"} 300",
        "leasehold_file_next_seconds{file=\"api-key\",action=\"read\"} 25",
        "leasehold_file_size_bytes{file=\"db.env\"} 42",
        "leasehold_token_next_seconds{action=\"renew\"} 900",
        "leasehold_breaker{state=\"closed\"} 1",
        "leasehold_breaker{state=\"open\"} 0",
        "leasehold_sandbox{state=\"whole\"} 1",
        "leasehold_notifier_age_seconds{notifier=\"app\"} 99",
        "leasehold_request_results_total{operation=\"read\",class=\"ok\"} 3",
        "leasehold_request_duration_seconds_count{operation=\"read\"} 3",
        "leasehold_request_duration_seconds_bucket{le=\"0.0025\",operation=\"read\"} 2",
        "leasehold_request_duration_seconds_bucket{le=\"+Inf\",operation=\"read\"} 3",
        "leasehold_notifier_error{notifier=\"app\"} 1",
        "leasehold_notification_failures_total{notifier=\"app\"} 1",
        "leasehold_requests_total 12",
        "# TYPE leasehold_requests counter",
        "# UNIT leasehold_file_expiry_seconds seconds",
    ] {
        has(&text, line);
    }
    assert!(!text.contains("file_expiry_seconds{file=\"api-key\"}"), "what does not end has no expiry");
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn neither_paths_nor_leases_nor_accessors_become_series() {
    let text = render(sample::view(), sample::besides());
    for word in ["database/creds", "secret/data", "AbC", "acc\""] {
        assert!(!text.contains(word), "{word} in:\n{text}");
    }
}

#[test]
fn an_outage_and_an_expiry_show() {
    let mut view = sample::view();
    view.now = view.now.after(Duration::from_secs(700));
    view.outage = Some(Outage { since: Moment::new(Duration::from_secs(10_000)), why: "refused".into() });
    view.readiness = Readiness::Expired { file: "db.env".into(), why: String::new() };
    let text = render(view, sample::besides());
    has(&text, "leasehold_ready 0");
    has(&text, "leasehold_state{state=\"expired\"} 1");
    has(&text, "leasehold_server_up 0");
    has(&text, "leasehold_server_down_seconds 700");
    has(&text, "leasehold_file_expiry_seconds{file=\"db.env\"} -100");
}

#[test]
fn a_name_cannot_break_out_of_its_label() {
    let mut view = sample::view();
    view.files[0].name = "a\"} 1\nforged 2\\".into();
    let text = render(view, sample::besides());
    has(&text, "leasehold_file_renders_total{file=\"a\\\"} 1\\nforged 2\\\\\"} 5");
    assert!(!text.lines().any(|line| line.starts_with("forged")));
}

#[test]
fn what_fails_shows_its_class() {
    let mut view = sample::view();
    let fault = Fault { class: "denied", text: "could not read secret/data/web: permission denied".into() };
    view.secrets[1].error = Some(fault.clone());
    view.files[1].error = Some(fault);
    view.breaker = BreakerView::Open;
    let text = render(view, sample::besides());
    has(&text, "leasehold_file_error{file=\"api-key\"} 1");
    has(&text, "leasehold_file_error_class{file=\"api-key\",class=\"denied\"} 1");
    has(&text, "leasehold_secret_error_class{file=\"api-key\",secret=\"1\",class=\"denied\"} 1");
    has(&text, "leasehold_breaker{state=\"open\"} 1");
    assert!(!text.contains("secret/data"), "{text}");
}

#[test]
fn a_secret_goes_by_the_first_file_that_uses_it_and_its_place_there() {
    let mut view = sample::view();
    // Both files use both, and the first has them in another order.
    view.files[0].secrets = vec![1, 0];
    view.files[1].secrets = vec![0, 1];
    let text = render(view, sample::besides());
    has(&text, "leasehold_secret_reads_total{file=\"db.env\",secret=\"1\"} 1");
    has(&text, "leasehold_secret_reads_total{file=\"db.env\",secret=\"2\"} 9");
    assert!(!text.contains("secret_reads_total{file=\"api-key\""), "{text}");
}

#[test]
fn however_many_secrets_a_template_reads_the_series_are_bounded() {
    let series = |secrets: usize| {
        let mut view = sample::view();
        view.secrets = vec![view.secrets[0].clone(); secrets];
        view.files[0].secrets = (0..secrets).collect();
        view.files[1].secrets.clear();
        let text = render(view, sample::besides());
        has(&text, &format!("leasehold_secrets {secrets}"));
        has(&text, &format!("leasehold_secrets_untold {}", secrets.saturating_sub(secrets::MOST)));
        text.lines().filter(|line| line.starts_with("leasehold_secret_reads_total{")).count()
    };
    assert_eq!(series(10), 10);
    assert_eq!(series(20_000), secrets::MOST);
}

#[test]
fn the_series_of_files_are_bounded_and_no_file_in_trouble_goes_without() {
    let series = |files: usize, troubled: std::ops::Range<usize>| {
        let mut view = sample::view();
        let named = |index| FileView { name: format!("f{index}"), ..view.files[0].clone() };
        view.files = (0..files).map(named).collect();
        for index in troubled.clone() {
            view.files[index].health = Health::Missing;
        }
        let text = render(view, sample::besides());
        has(&text, &format!("leasehold_files {files}"));
        has(&text, &format!("leasehold_files_failing {}", troubled.len()));
        let count = text.lines().filter(|line| line.starts_with("leasehold_file_state{")).count();
        has(&text, &format!("leasehold_files_untold {}", files - count));
        for index in troubled.take(files::MOST) {
            has(&text, &format!("leasehold_file_state{{file=\"f{index}\",state=\"missing\"}} 1"));
        }
        count
    };
    assert_eq!(series(10, 0..0), 10);
    assert_eq!(series(3_000, 0..0), files::MOST);
    assert_eq!(series(3_000, 2_990..2_992), files::MOST + 2);
    assert_eq!(series(4_000, 1_500..3_900), 2 * files::MOST, "a server that is away troubles all of them");
}
