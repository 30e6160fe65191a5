//! Calendar days, from the timestamps of the order document.

use std::fmt;

/// A text that begins with no date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDate(String);

impl fmt::Display for InvalidDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` doesn't begin with a date; write `2025-11-03` or `2025-11-03T09:41:00Z`",
            self.0
        )
    }
}

impl std::error::Error for InvalidDate {}

/// Days from one date to another; negative when the other is earlier.
///
/// # Errors
/// [`InvalidDate`] when one of them isn't a date.
pub fn days_between(from: &str, to: &str) -> Result<i64, InvalidDate> {
    Ok(day_number(to)? - day_number(from)?)
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar. The year begins in March here, so that the
/// leap day is its last.
fn day_number(text: &str) -> Result<i64, InvalidDate> {
    let invalid = || InvalidDate(text.to_owned());
    let mut parts = text.get(..10).ok_or_else(invalid)?.split('-').map(str::parse::<i64>);
    let mut part = || parts.next().and_then(Result::ok).ok_or_else(invalid);
    let (year, month, day) = (part()?, part()?, part()?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return Err(invalid());
    }
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    Ok(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leap_days_count() {
        assert_eq!(day_number("1970-01-01"), Ok(0));
        assert_eq!(day_number("2000-03-01T00:00:00Z"), Ok(11_017));
        assert_eq!(days_between("2024-02-28", "2024-03-01"), Ok(2));
        assert_eq!(days_between("2025-02-28", "2025-03-01"), Ok(1));
        assert_eq!(days_between("2025-11-03", "2025-10-31"), Ok(-3));
    }

    #[test]
    fn what_is_no_date_says_so() {
        for text in ["", "2025-13-01", "yesterday morning", "2025-1-1", "2025-00-10"] {
            assert!(day_number(text).is_err(), "{text}");
        }
    }
}
