//! Numbers that grow, and how Prometheus reads them.

use std::fmt::{Display, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

/// Something that is counted.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How something measured is distributed. Measured in whole units, shown in those the bounds are in.
#[derive(Debug)]
pub(crate) struct Histogram {
    /// Upper bounds, rising, in the unit shown.
    bounds: &'static [f64],
    /// Units measured in one unit shown.
    scale: f64,
    /// How many lie in each bucket and, last, beyond them.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    pub(crate) fn new(bounds: &'static [f64], scale: f64) -> Self {
        Self {
            bounds,
            scale,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    pub(crate) fn observe(&self, measured: u64) {
        let shown = measured as f64 / self.scale;
        let bucket = self.bounds.partition_point(|bound| *bound < shown);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(measured, Ordering::Relaxed);
    }
}

/// A page in the text format, version 0.0.4.
#[derive(Default)]
pub(crate) struct Page(String);

impl Page {
    /// Says what a metric is; its series follow.
    pub(crate) fn metric(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One series. Labels are names and values of ours, without anything that would need escaping.
    pub(crate) fn series(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        self.labels(labels, None);
        let _ = writeln!(self.0, " {value}");
    }

    /// A metric with one series and no labels.
    pub(crate) fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.metric(name, kind, help);
        self.series(name, &[], value);
    }

    /// The series of a histogram.
    pub(crate) fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        let mut below = 0;
        for (index, count) in histogram.counts.iter().enumerate() {
            below += count.load(Ordering::Relaxed);
            let bound = histogram.bounds.get(index).copied().unwrap_or(f64::INFINITY);
            let bound = if bound.is_infinite() {
                "+Inf".to_owned()
            } else {
                bound.to_string()
            };
            let _ = write!(self.0, "{name}_bucket");
            self.labels(labels, Some(&bound));
            let _ = writeln!(self.0, " {below}");
        }
        let sum = histogram.sum.load(Ordering::Relaxed) as f64 / histogram.scale;
        let _ = write!(self.0, "{name}_sum");
        self.labels(labels, None);
        let _ = write!(self.0, " {sum}\n{name}_count");
        self.labels(labels, None);
        let _ = writeln!(self.0, " {below}");
    }

    fn labels(&mut self, labels: &[(&str, &str)], bound: Option<&str>) {
        let labels = labels.iter().copied().chain(bound.map(|bound| ("le", bound)));
        let mut before = '{';
        for (name, value) in labels {
            let _ = write!(self.0, "{before}{name}=\"{value}\"");
            before = ',';
        }
        if before == ',' {
            self.0.push('}');
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_are_cumulative_and_in_the_unit_of_their_bounds() {
        let histogram = Histogram::new(&[0.001, 1.0], 1e6);
        for micros in [1_000, 1_001, 5_000_000] {
            histogram.observe(micros);
        }
        let mut page = Page::default();
        page.histogram("x_seconds", &[("a", "b")], &histogram);
        assert_eq!(
            page.into_text(),
            "x_seconds_bucket{a=\"b\",le=\"0.001\"} 1\n\
             x_seconds_bucket{a=\"b\",le=\"1\"} 2\n\
             x_seconds_bucket{a=\"b\",le=\"+Inf\"} 3\n\
             x_seconds_sum{a=\"b\"} 5.002001\n\
             x_seconds_count{a=\"b\"} 3\n"
        );
    }

    #[test]
    fn series_without_labels_have_no_braces() {
        let mut page = Page::default();
        page.single("x_total", "counter", "Of x.", 3);
        assert_eq!(
            page.into_text(),
            "# HELP x_total Of x.\n# TYPE x_total counter\nx_total 3\n"
        );
    }
}
