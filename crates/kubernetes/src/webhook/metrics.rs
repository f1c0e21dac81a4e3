//! The metrics: under the names of vault-k8s' injector, and ours.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::review::{Decision, Record};

/// Further namespaces are counted as `other`: a caller that is not the API server can name any.
const NAMESPACES: usize = 2000;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Injected {
    namespace: String,
    injection_type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failed {
    namespace: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reviewed {
    decision: &'static str,
}

/// All metrics of the webhook.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    queue: Gauge,
    duration: Histogram,
    injections: Family<Injected, Counter>,
    failures: Family<Failed, Counter>,
    reviews: Family<Reviewed, Counter>,
    warnings: Counter,
    certificate_end: Gauge,
    leader: Gauge,
    namespaces: RefCell<BTreeSet<String>>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::default();
        let duration = Histogram::new(exponential_buckets(0.0625, 2.0, 14));
        let metrics =
            (Gauge::default(), Family::default(), Family::default(), Family::default(), Counter::default());
        let (queue, injections, failures, reviews, warnings) = metrics;
        let name = "vault_agent_injector_request_queue_length";
        registry.register(name, "Reviews that are under way", Gauge::clone(&queue));
        let name = "vault_agent_injector_request_processing_duration_ms";
        registry.register(name, "How long a review takes, in milliseconds", duration.clone());
        let name = "vault_agent_injector_injections_by_namespace";
        registry.register(name, "Injected pods", Family::clone(&injections));
        let name = "vault_agent_injector_failed_injections_by_namespace";
        registry.register(name, "Refused pods", Family::clone(&failures));
        let name = "leasehold_kubernetes_reviews";
        registry.register(name, "Reviews by decision", Family::clone(&reviews));
        let name = "leasehold_kubernetes_warnings";
        registry.register(name, "Warnings that were returned with injected pods", Counter::clone(&warnings));
        let (certificate_end, leader) = (Gauge::default(), Gauge::default());
        let name = "leasehold_kubernetes_certificate_end_timestamp_seconds";
        registry.register(name, "When the certificate that is served ends", Gauge::clone(&certificate_end));
        let name = "leasehold_kubernetes_leader";
        registry.register(name, "Whether this replica renews the certificates", Gauge::clone(&leader));
        let namespaces = RefCell::default();
        Self {
            registry,
            queue,
            duration,
            injections,
            failures,
            reviews,
            warnings,
            certificate_end,
            leader,
            namespaces,
        }
    }

    /// Records when the certificate ends, and whether this replica renews it.
    pub(super) fn certificate(&self, end: i64, leads: bool) {
        self.certificate_end.set(end);
        self.leader.set(i64::from(leads));
    }

    /// Records that a review begins.
    pub(super) fn begin(&self) {
        self.queue.inc();
    }

    /// Records that it ends.
    pub(super) fn end(&self, record: &Record, took: Duration) {
        self.queue.dec();
        self.duration.observe(took.as_secs_f64() * 1000.0);
        self.reviews.get_or_create(&Reviewed { decision: record.decision.word() }).inc();
        self.warnings.inc_by(record.warnings as u64);
        match &record.decision {
            Decision::Injected { kind } => {
                let namespace = self.namespace(&record.namespace);
                self.injections.get_or_create(&Injected { namespace, injection_type: kind }).inc();
            }
            Decision::Refused => {
                let namespace = self.namespace(&record.namespace);
                self.failures.get_or_create(&Failed { namespace }).inc();
            }
            Decision::Untouched => {}
        }
    }

    /// Records a request that was no review.
    pub(super) fn spoiled(&self, took: Duration) {
        self.queue.dec();
        self.duration.observe(took.as_secs_f64() * 1000.0);
    }

    fn namespace(&self, name: &str) -> String {
        let mut known = self.namespaces.borrow_mut();
        if !known.contains(name) && known.len() >= NAMESPACES {
            return "other".to_owned();
        }
        known.insert(name.to_owned());
        name.to_owned()
    }

    /// Returns the text that Prometheus reads.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string does not fail.
        let _written = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}
