//! Amounts with units, as people write them: `64MiB`, `30s`, `2G`.

use std::fmt;

use serde::de::value::{Error as Refused, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// Bytes: a whole number, or a text with `KiB`, `MiB`, `GiB`, `kB`, `MB` or `GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) u64);

/// Milliseconds: a text with `ms`, `s`, `m` or `h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Millis(pub(super) u64);

/// Units of fuel: a whole number, or a text with `k`, `M`, `G` or `T`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fuel(pub(super) u64);

type Units = &'static [(&'static str, u64)];

const BYTES: Units = &[
    ("", 1),
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];
const MILLIS: Units = &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
const FUEL: Units = &[
    ("", 1),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
];

/// Reads an amount; it must be more than nothing.
struct Amount {
    units: Units,
    what: &'static str,
    /// Whether a bare number has a unit.
    bare: bool,
}

impl Visitor<'_> for Amount {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        if !self.bare {
            return Err(E::custom(format!("`{number}` has no unit; write {}", self.what)));
        }
        match number {
            0 => Err(E::custom(format!("`0` is no amount; write {}", self.what))),
            number => Ok(number),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::custom(format!("`{number}` is no amount; write {}", self.what))),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        let wrong = || E::custom(format!("`{text}` is no amount; write {}", self.what));
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let unit = unit.trim_start();
        let (_, factor) = self.units.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        number
            .checked_mul(*factor)
            .filter(|amount| *amount > 0)
            .ok_or_else(wrong)
    }
}

/// Bytes as a file would have them: `"64MiB"`, or the bare number where no unit divides it.
pub(super) fn written_bytes(amount: u64) -> String {
    written(amount, &BYTES[..5])
}

/// Milliseconds as a file would have them: `"5m"`.
pub(super) fn written_millis(amount: u64) -> String {
    written(amount, MILLIS)
}

/// Fuel as a file would have it: `"2G"`.
pub(super) fn written_fuel(amount: u64) -> String {
    written(amount, FUEL)
}

/// An amount in the largest unit that divides it, as TOML.
fn written(amount: u64, units: &[(&str, u64)]) -> String {
    let fits = |(_, factor): &&(&str, u64)| amount.is_multiple_of(*factor);
    match units.iter().rfind(fits) {
        Some((unit, factor)) if *factor > 1 || !units.iter().any(|(unit, _)| unit.is_empty()) => {
            format!("\"{}{unit}\"", amount / factor)
        }
        _ => amount.to_string(),
    }
}

/// Bytes as people write them: `64MiB`.
///
/// # Errors
/// A text that is no such amount, in words.
pub fn bytes(text: &str) -> Result<u64, String> {
    let Bytes(bytes) = Bytes::deserialize(StrDeserializer::<Refused>::new(text)).map_err(|error| error.to_string())?;
    Ok(bytes)
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let amount = Amount {
            units: BYTES,
            what: "bytes like 65536 or \"64MiB\"",
            bare: true,
        };
        deserializer.deserialize_any(amount).map(Self)
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let amount = Amount {
            units: MILLIS,
            what: "a time with its unit like \"500ms\", \"30s\", \"5m\" or \"1h\"",
            bare: false,
        };
        deserializer.deserialize_any(amount).map(Self)
    }
}

impl<'de> Deserialize<'de> for Fuel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let amount = Amount {
            units: FUEL,
            what: "units of fuel like 5000000 or \"10G\"",
            bare: true,
        };
        deserializer.deserialize_any(amount).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_as_they_are_written() {
        let shown = [
            written_bytes(256 << 20),
            written_bytes(3 << 30),
            written_bytes(65_537),
            written_bytes(64_000),
            written_millis(300_000),
            written_millis(90_000),
            written_millis(1_500),
            written_fuel(2_000_000_000),
            written_fuel(7),
        ];
        let wanted = [
            "\"256MiB\"",
            "\"3GiB\"",
            "65537",
            "64000",
            "\"5m\"",
            "\"90s\"",
            "\"1500ms\"",
            "\"2G\"",
            "7",
        ];
        assert_eq!(shown, wanted);
    }
}
