//! Medians and percentiles.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Times of one thing, done again and again, in microseconds.
#[derive(Default, Clone)]
pub struct Series(Vec<f64>);

impl FromIterator<f64> for Series {
    fn from_iter<I: IntoIterator<Item = f64>>(times: I) -> Self {
        Self(times.into_iter().collect())
    }
}

impl Series {
    /// Adds what `work` takes.
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.add(start.elapsed());
        result
    }

    pub fn add(&mut self, took: Duration) {
        self.0.push(took.as_secs_f64() * 1e6);
    }

    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub fn p10(&self) -> f64 {
        self.quantile(0.1)
    }

    pub fn p90(&self) -> f64 {
        self.quantile(0.9)
    }

    pub fn p99(&self) -> f64 {
        self.quantile(0.99)
    }

    pub fn most(&self) -> f64 {
        self.quantile(1.0)
    }

    fn quantile(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        #[allow(clippy::cast_precision_loss, clippy::cast_sign_loss, clippy::cast_possible_truncation)] // an index
        let index = (sorted.len() as f64 * part) as usize;
        sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
    }

    pub fn json(&self) -> Value {
        json!({ "count": self.count(), "median_us": round(self.median()), "p99_us": round(self.p99()) })
    }
}

/// To one decimal.
pub fn round(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// A time for people.
pub fn shown(microseconds: f64) -> String {
    match microseconds {
        short if short.abs() < 1000.0 => format!("{short:.0} µs"),
        long => format!("{:.2} ms", long / 1000.0),
    }
}

/// A number with commas.
pub fn commas(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
