//! A strict reader of the text format of Prometheus, version 0.0.4: what a scraper would take, and the conventions for
//! names besides. https://prometheus.io/docs/instrumenting/exposition_formats/

use std::collections::{BTreeMap, BTreeSet};

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

type Labels = BTreeMap<String, String>;

/// All metrics of a text.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    kinds: BTreeMap<String, Kind>,
    samples: Vec<(String, Labels, f64)>,
}

impl Metrics {
    /// Reads a text, or says what is wrong with it.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut metrics = Self::default();
        let mut helped = BTreeSet::new();
        let mut current = None;
        let lines = text.strip_suffix('\n').ok_or("the last line has no end")?;
        for line in lines.split('\n') {
            let wrong = |why: &str| Err(format!("{why}: {line}"));
            if let Some(help) = line.strip_prefix("# HELP ") {
                let Some((name, words)) = help.split_once(' ') else { return wrong("no help") };
                if !is_name(name) || words.is_empty() || !helped.insert(name.to_owned()) {
                    return wrong("bad or second help");
                }
                current = Some(name.to_owned());
            } else if let Some(said) = line.strip_prefix("# TYPE ") {
                let (name, kind) = match said.split_once(' ') {
                    Some((name, "counter")) => (name, Kind::Counter),
                    Some((name, "gauge")) => (name, Kind::Gauge),
                    Some((name, "histogram")) => (name, Kind::Histogram),
                    _ => return wrong("no type"),
                };
                let is_counter = name.ends_with("_total");
                if current.as_deref() != Some(name) || metrics.kinds.insert(name.to_owned(), kind).is_some() {
                    return wrong("a type that does not follow its help, or a second one");
                }
                if is_counter != (kind == Kind::Counter) {
                    return wrong("counters, and only those, end in _total");
                }
                if ["_ms", "_kb", "_mb", "_kilobytes", "_milliseconds"].iter().any(|unit| name.ends_with(unit)) {
                    return wrong("not a base unit");
                }
            } else {
                let (name, labels, value) = sample(line).map_err(|why| format!("{why}: {line}"))?;
                let family = current.as_deref().filter(|family| metrics.kinds.contains_key(*family));
                let Some(family) = family else { return wrong("no type before it") };
                let is_histogram = metrics.kinds.get(family) == Some(&Kind::Histogram);
                let is_own = match name.strip_prefix(family) {
                    Some("_bucket") => is_histogram && labels.contains_key("le"),
                    Some("_sum" | "_count") => is_histogram,
                    Some("") => !is_histogram,
                    _ => false,
                };
                if !is_own {
                    return wrong("it does not belong to the type before it");
                }
                if metrics.samples.iter().any(|known| (&known.0, &known.1) == (&name, &labels)) {
                    return wrong("twice");
                }
                metrics.samples.push((name, labels, value));
            }
        }
        metrics.check_histograms()?;
        Ok(metrics)
    }

    /// Buckets hold all that is below them, and the last holds all.
    fn check_histograms(&self) -> Result<(), String> {
        for (family, _) in self.kinds.iter().filter(|(_, kind)| **kind == Kind::Histogram) {
            let bucket = format!("{family}_bucket");
            let mut last = (f64::NEG_INFINITY, 0.0);
            for (_, labels, count) in self.samples.iter().filter(|(name, ..)| *name == bucket) {
                let bound = number(labels.get("le").map_or("", String::as_str))?;
                if bound <= last.0 || *count < last.1 {
                    return Err(format!("the buckets of {family} do not grow"));
                }
                last = (bound, *count);
            }
            if last.0 != f64::INFINITY || self.value(&format!("{family}_count"), &[]) != Some(last.1) {
                return Err(format!("the last bucket of {family} does not hold all"));
            }
        }
        Ok(())
    }

    /// The value of a sample.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels: Labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.samples.iter().find(|sample| sample.0 == name && sample.1 == labels).map(|sample| sample.2)
    }

    /// The values that a label has.
    pub(crate) fn labelled(&self, name: &str, label: &str) -> Vec<&str> {
        let samples = self.samples.iter().filter(|sample| sample.0 == name);
        samples.filter_map(|sample| sample.1.get(label)).map(String::as_str).collect()
    }

    pub(crate) fn kind(&self, name: &str) -> Option<Kind> {
        self.kinds.get(name).copied()
    }
}

/// `name{label="value",…} number`.
fn sample(line: &str) -> Result<(String, Labels, f64), String> {
    let end = line.find(['{', ' ']).ok_or("no value")?;
    let (name, rest) = line.split_at(end);
    if !is_name(name) {
        return Err("a bad name".to_owned());
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Labels::new(), rest),
    };
    let value = rest.strip_prefix(' ').ok_or("no space before the value")?;
    Ok((name.to_owned(), labels, number(value)?))
}

/// Labels up to their closing brace, and what follows it.
fn labels(mut rest: &str) -> Result<(Labels, &str), String> {
    let mut labels = Labels::new();
    loop {
        let (name, quoted) = rest.split_once("=\"").ok_or("a label without a value")?;
        if !is_name(name) || name.contains(':') {
            return Err(format!("a bad label {name}"));
        }
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        let end = loop {
            match characters.next().ok_or("a value without an end")? {
                (at, '"') => break at,
                (_, '\\') => match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, escaped @ ('\\' | '"'))) => value.push(escaped),
                    _ => return Err("a bad escape".to_owned()),
                },
                (_, character) => value.push(character),
            }
        };
        if labels.insert(name.to_owned(), value).is_some() {
            return Err(format!("a second label {name}"));
        }
        rest = quoted.get(end + 1..).unwrap_or_default();
        match rest.strip_prefix('}') {
            Some(rest) => return Ok((labels, rest)),
            None => rest = rest.strip_prefix(',').ok_or("no comma between labels")?,
        }
    }
}

fn number(text: &str) -> Result<f64, String> {
    match text {
        "+Inf" => Ok(f64::INFINITY),
        "-Inf" => Ok(f64::NEG_INFINITY),
        text if text.starts_with(|first: char| first.is_ascii_digit() || first == '-') => {
            text.parse().map_err(|_| format!("no number: {text}"))
        }
        text => Err(format!("no number: {text}")),
    }
}

fn is_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte == b':';
    let first_is_letter = name.bytes().next().is_some_and(is_letter);
    first_is_letter && name.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit())
}

#[test]
fn what_a_scraper_refuses_is_refused() {
    let head = "# HELP a_total what\n# TYPE a_total counter\n";
    assert!(Metrics::read(&format!("{head}a_total{{b=\"c\\\"\\n\"}} 1\n")).is_ok());
    for (text, why) in [
        ("a_total 1\n", "no type"),
        ("# HELP a_total what\n# TYPE a_total counter\na_total 1", "no end"),
        ("# HELP a what\n# TYPE a counter\na 1\n", "_total"),
        ("# HELP a_ms what\n# TYPE a_ms gauge\na_ms 1\n", "base unit"),
        ("# HELP a_total what\n# TYPE a_total counter\na_total 1\na_total 2\n", "twice"),
        ("# HELP a_total what\n# TYPE a_total counter\na_total{b=\"\n", "without an end"),
        ("# HELP a_total what\n# TYPE a_total counter\na_total{b=\"\\x\"} 1\n", "escape"),
        ("# HELP a_total what\n# TYPE a_total counter\nb_total 1\n", "belong"),
        ("# HELP a what\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_count 1\n", "grow"),
        ("# HELP a what\n# TYPE a histogram\na_bucket{le=\"1\"} 1\na_count 1\n", "hold all"),
    ] {
        let wrong = Metrics::read(text).unwrap_err();
        assert!(wrong.contains(why), "{text}: {wrong}");
    }
}
