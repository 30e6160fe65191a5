//! Parts of an object, and dates, as HTTP writes them (RFC 9110).

use asl::Timestamp;

/// What a Range header asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// All of it; also where the header is one nobody has to understand, such as a list of ranges.
    Whole,
    /// From the one byte to the other, both included.
    Part { first: u64, last: u64 },
    /// Only bytes that aren't there.
    Nothing,
}

pub(super) fn asked(header: Option<&str>, size: u64) -> Asked {
    let Some((from, to)) = header
        .and_then(|header| header.trim().strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
    else {
        return Asked::Whole;
    };
    let end = size.saturating_sub(1);
    match (from.trim().parse::<u64>(), to.trim()) {
        (Ok(first), "") if first < size => Asked::Part { first, last: end },
        (Ok(_), "") => Asked::Nothing,
        (Ok(first), to) => match to.parse::<u64>() {
            Ok(last) if last < first => Asked::Whole,
            Ok(last) if first < size => Asked::Part {
                first,
                last: last.min(end),
            },
            Ok(_) => Asked::Nothing,
            Err(_) => Asked::Whole,
        },
        (Err(_), to) if from.trim().is_empty() => match to.parse::<u64>() {
            Ok(0) => Asked::Nothing,
            Ok(_) if size == 0 => Asked::Nothing,
            Ok(count) => Asked::Part {
                first: size.saturating_sub(count),
                last: end,
            },
            Err(_) => Asked::Whole,
        },
        (Err(_), _) => Asked::Whole,
    }
}

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `Sun, 06 Nov 1994 08:49:37 GMT`; empty for a time before 1970 or after 9999.
pub(super) fn http_date(at: Timestamp) -> String {
    let text = at.to_string();
    let parts: Vec<&str> = text.split(['-', 'T', '.']).collect();
    let [year, month, day, time, _] = parts[..] else {
        return String::new();
    };
    let weekday = usize::try_from(at.0.div_euclid(86_400_000).rem_euclid(7)).ok();
    let weekday = weekday.and_then(|day| DAYS.get(day));
    let month = month
        .parse::<usize>()
        .ok()
        .and_then(|month| MONTHS.get(month.checked_sub(1)?));
    match (weekday, month) {
        (Some(weekday), Some(month)) => format!("{weekday}, {day} {month} {year} {time} GMT"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_has_them() {
        let part = |first, last| Asked::Part { first, last };
        for (header, size, expected) in [
            ("bytes=0-", 10, part(0, 9)),
            ("bytes=3-5", 10, part(3, 5)),
            ("bytes=3-99", 10, part(3, 9)),
            ("bytes=-4", 10, part(6, 9)),
            ("bytes=-40", 10, part(0, 9)),
            ("bytes=10-", 10, Asked::Nothing),
            ("bytes=-0", 10, Asked::Nothing),
            ("bytes=0-", 0, Asked::Nothing),
            ("bytes=5-3", 10, Asked::Whole),
            ("bytes=1-2,4-5", 10, Asked::Whole),
            ("bytes=x", 10, Asked::Whole),
            ("lines=1-2", 10, Asked::Whole),
        ] {
            assert_eq!(asked(Some(header), size), expected, "{header}");
        }
        assert_eq!(asked(None, 1), Asked::Whole);
    }

    #[test]
    fn dates_are_those_of_http() {
        assert_eq!(http_date(Timestamp(784_111_777_000)), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(Timestamp(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(Timestamp::NEVER), "");
    }
}
