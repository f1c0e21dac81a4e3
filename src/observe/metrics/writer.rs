//! Families of series, written in the words of OpenMetrics.

use std::fmt::Error;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Unit;

/// Labels of a series: names and values.
pub(super) type Labels<'v, const N: usize> = [(&'static str, &'v str); N];

pub(super) const SECONDS: Option<&Unit> = Some(&Unit::Seconds);
pub(super) const BYTES: Option<&Unit> = Some(&Unit::Bytes);

const NO_EXEMPLAR: Option<&Exemplar<NoLabelSet, u64>> = None;

/// A distribution: for each upper bound those above the bound before it, and the sum of all values.
#[derive(Debug)]
pub(super) struct Distribution {
    pub(super) buckets: Vec<(f64, u64)>,
    pub(super) sum: f64,
}

/// Writes families; one without values is left out.
pub(super) struct Writer<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self { encoder }
    }

    /// Facts that do not change.
    pub(super) fn info<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        facts: Labels<'_, N>,
    ) -> Result<(), Error> {
        self.encoder.encode_descriptor(name, help, None, MetricType::Info)?.encode_info(&facts)
    }

    /// Writes a gauge, if it has a value.
    pub(super) fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        value: Option<impl EncodeGaugeValue>,
    ) -> Result<(), Error> {
        let Some(value) = value else { return Ok(()) };
        self.encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?.encode_gauge(&value)
    }

    /// Writes a gauge for each set of labels.
    pub(super) fn gauges<'v, const N: usize, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        values: impl IntoIterator<Item = (Labels<'v, N>, V)>,
    ) -> Result<(), Error> {
        let one = |mut series: MetricEncoder<'_>, value: V| series.encode_gauge(&value);
        self.family((name, help, unit, MetricType::Gauge), values, one)
    }

    /// Writes a gauge that is 1 for the one of `all` that holds.
    pub(super) fn state(
        &mut self,
        name: &str,
        help: &str,
        all: &[&'static str],
        now: &str,
    ) -> Result<(), Error> {
        let states = all.iter().map(|state| ([("state", *state)], u32::from(*state == now)));
        self.gauges(name, help, None, states)
    }

    /// Writes a counter.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        let mut metric = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter(&value, NO_EXEMPLAR)
    }

    /// Writes a counter for each set of labels.
    pub(super) fn counters<'v, const N: usize, V: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'v, N>, V)>,
    ) -> Result<(), Error> {
        let one = |mut series: MetricEncoder<'_>, value: V| series.encode_counter(&value, NO_EXEMPLAR);
        self.family((name, help, None, MetricType::Counter), values, one)
    }

    /// Writes a histogram for each set of labels.
    pub(super) fn histograms<'v, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        values: impl IntoIterator<Item = (Labels<'v, N>, Distribution)>,
    ) -> Result<(), Error> {
        let one = |mut series: MetricEncoder<'_>, value: Distribution| {
            let count = value.buckets.iter().map(|(_, count)| count).sum();
            series.encode_histogram::<NoLabelSet>(value.sum, count, &value.buckets, None)
        };
        self.family((name, help, unit, MetricType::Histogram), values, one)
    }

    fn family<'v, const N: usize, V>(
        &mut self,
        (name, help, unit, kind): (&str, &str, Option<&Unit>, MetricType),
        values: impl IntoIterator<Item = (Labels<'v, N>, V)>,
        one: impl Fn(MetricEncoder<'_>, V) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return Ok(());
        }
        let mut family = self.encoder.encode_descriptor(name, help, unit, kind)?;
        values.try_for_each(|(labels, value)| one(family.encode_family(&labels)?, value))
    }
}
