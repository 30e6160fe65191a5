//! Which JSON numbers fit which of WIT's.

use super::wit_type::Integer;

/// 2^63, the first number too large for an `s64`.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
/// 2^64, the first number too large for a `u64`.
const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

/// What JSON has no number for, as texts.
pub(super) const NOT_A_NUMBER: &str = "NaN";
pub(super) const INFINITY: &str = "Infinity";
pub(super) const MINUS_INFINITY: &str = "-Infinity";

impl Integer {
    /// The smallest and the largest.
    pub(super) fn range(self) -> (i128, i128) {
        match self {
            Self::S8 => (i8::MIN.into(), i8::MAX.into()),
            Self::U8 => (u8::MIN.into(), u8::MAX.into()),
            Self::S16 => (i16::MIN.into(), i16::MAX.into()),
            Self::U16 => (u16::MIN.into(), u16::MAX.into()),
            Self::S32 => (i32::MIN.into(), i32::MAX.into()),
            Self::U32 => (u32::MIN.into(), u32::MAX.into()),
            Self::S64 => (i64::MIN.into(), i64::MAX.into()),
            Self::U64 => (u64::MIN.into(), u64::MAX.into()),
        }
    }

    /// Whether a double can't hold all of them, so that a text may stand for one.
    pub(super) fn is_wide(self) -> bool {
        matches!(self, Self::S64 | Self::U64)
    }

    /// Its bytes in memory, the lowest first and behind them what they are filled up with, where it is in range.
    pub(super) fn bytes(self, number: i128) -> Option<[u8; 8]> {
        let (least, most) = self.range();
        // The lower half of a number in range is the number.
        (least..=most)
            .contains(&number)
            .then_some((number as u64).to_le_bytes())
    }

    /// The bytes of a number written with a point or an exponent, where it is whole: JSONata writes `1e9`.
    pub(super) fn whole(self, float: f64) -> Option<[u8; 8]> {
        let fits = float.fract() == 0.0 && (-TWO_TO_63..TWO_TO_64).contains(&float);
        fits.then(|| self.bytes(float as i128)).flatten()
    }
}

/// A double as an `f32`; `None` where it is finite and the `f32` isn't.
pub(super) fn single(double: f64) -> Option<f32> {
    let single = double as f32;
    (single.is_finite() || !double.is_finite()).then_some(single)
}

/// The floats that are texts in JSON.
pub(super) fn special(text: &str) -> Option<f64> {
    match text {
        NOT_A_NUMBER => Some(f64::NAN),
        INFINITY => Some(f64::INFINITY),
        MINUS_INFINITY => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// The text of a float that is no number in JSON.
pub(super) fn text(float: f64) -> &'static str {
    if float.is_nan() {
        NOT_A_NUMBER
    } else if float > 0.0 {
        INFINITY
    } else {
        MINUS_INFINITY
    }
}
