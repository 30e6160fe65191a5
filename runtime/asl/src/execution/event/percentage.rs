//! Percentages that can be compared.

use serde::{Deserialize, Serialize};

/// A percentage between 0 and 100, in millionths so that it can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Percentage(pub u32);

impl Percentage {
    /// A number between 0 and 100.
    pub fn from_number(number: f64) -> Option<Self> {
        (0.0..=100.0)
            .contains(&number)
            .then(|| Self((number * 1e6).round() as u32))
    }

    /// The number it stands for.
    pub fn as_number(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}
