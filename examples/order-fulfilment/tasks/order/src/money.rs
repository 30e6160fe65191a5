//! Money and value added tax.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// An amount in minor units: 1299 is 12.99.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(pub i64);

impl Money {
    /// The amount for so many, unless no order could be that large.
    pub fn times(self, quantity: u32) -> Option<Money> {
        self.0.checked_mul(i64::from(quantity)).map(Money)
    }
}

impl Add for Money {
    type Output = Money;
    fn add(self, other: Money) -> Money {
        Money(self.0.saturating_add(other.0))
    }
}

impl Sub for Money {
    type Output = Money;
    fn sub(self, other: Money) -> Money {
        Money(self.0.saturating_sub(other.0))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(amounts: I) -> Money {
        amounts.fold(Money(0), Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

/// Which of a country's rates an article has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VatRate {
    /// Most articles.
    Standard,
    /// Books and food.
    Reduced,
}

/// A country's rate in tenths of a percent; `None` where we don't sell.
pub fn vat_percentage(country: &str, postal_code: &str, rate: VatRate) -> Option<u32> {
    // The Canary Islands are Spain but not part of its VAT area.
    if country == "ES" && (postal_code.starts_with("35") || postal_code.starts_with("38")) {
        return Some(0);
    }
    let (standard, reduced) = match country {
        "AT" => (200, 100),
        "DE" => (190, 70),
        "ES" => (210, 100),
        "FR" => (200, 55),
        "NL" => (210, 90),
        "PL" => (230, 80),
        "SE" => (250, 120),
        _ => return None,
    };
    Some(match rate {
        VatRate::Standard => standard,
        VatRate::Reduced => reduced,
    })
}

/// The tax inside a gross amount, rounded half up to the minor unit. `per_mille` is the rate in tenths of
/// a percent.
pub fn vat_included(gross: Money, per_mille: u32) -> Money {
    let rate = i128::from(per_mille);
    let divisor = 1000 + rate;
    let tax = (i128::from(gross.0) * rate * 2 + divisor) / (divisor * 2);
    // Never more than the gross amount, which did fit.
    Money(i64::try_from(tax).unwrap_or(gross.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tax_is_taken_out_of_the_gross_price_and_rounded_half_up() {
        assert_eq!(vat_included(Money(11900), 190), Money(1900));
        assert_eq!(vat_included(Money(9999), 190), Money(1596)); // 1596.48
        assert_eq!(vat_included(Money(1), 250), Money(0)); // 0.2
        assert_eq!(vat_included(Money(3), 200), Money(1)); // 0.5
        assert_eq!(vat_included(Money(5000), 0), Money(0));
    }

    #[test]
    fn the_canary_islands_pay_no_spanish_tax() {
        assert_eq!(vat_percentage("ES", "28013", VatRate::Standard), Some(210));
        assert_eq!(vat_percentage("ES", "35003", VatRate::Standard), Some(0));
        assert_eq!(vat_percentage("XX", "1", VatRate::Standard), None);
    }

    #[test]
    fn amounts_read_like_prices() {
        assert_eq!(Money(129_905).to_string(), "1299.05");
        assert_eq!(Money(-5).to_string(), "-0.05");
    }
}
