//! One verb a file. Each takes what was meant, talks to the server (or the language, for what needs none) and
//! shows the answer; none keeps state.

pub mod backup;
pub mod completions;
pub mod deploy;
pub mod describe;
mod download;
pub mod gc;
pub mod history;
pub mod keys;
pub mod list;
pub mod machines;
pub mod map_runs;
pub mod modules;
pub mod new;
pub mod objects;
pub mod reach;
pub mod redrive;
pub mod run;
pub mod start;
pub mod stop;
pub mod test_state;
pub mod validate;

use asl::Timestamp;
use serde_json::Value;

/// The name that stands for standard input or output.
const STREAM: &str = "-";

/// A text field of an answer; empty where it is absent.
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// A point in time of an answer, which AWS's protocol writes in seconds.
fn time_of(value: &Value, key: &str) -> Option<Timestamp> {
    value[key]
        .as_f64()
        .map(|seconds| Timestamp((seconds * 1000.0).round() as i64))
}

/// The same for people; empty where it is absent.
fn time(value: &Value, key: &str) -> String {
    time_of(value, key).map_or_else(String::new, |time| time.to_string())
}

/// Milliseconds for people.
fn duration(milliseconds: i64) -> String {
    let seconds = milliseconds as f64 / 1000.0;
    match milliseconds {
        ..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{seconds:.1} s"),
        60_000..3_600_000 => format!("{} min {:02} s", milliseconds / 60_000, milliseconds / 1000 % 60),
        _ => format!("{} h {:02} min", milliseconds / 3_600_000, milliseconds / 60_000 % 60),
    }
}

/// Bytes for people.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

/// `machine:name` of an execution's ARN, `machine:name:run` of an Express one's; anything else as it is.
fn short_name(arn: &str) -> &str {
    let named = arn.split_once(":execution:").or_else(|| arn.split_once(":express:"));
    named.map_or(arn, |(_, name)| name)
}

/// How often something was redriven, and when the last time; nothing where it never was.
fn redriven(answer: &Value) -> String {
    match answer["redriveCount"].as_u64() {
        None | Some(0) => String::new(),
        Some(1) => format!("once, {}", time(answer, "redriveDate")),
        Some(count) => format!("{count} times, last {}", time(answer, "redriveDate")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_well() {
        assert_eq!(
            [999, 1_000, 61_500, 3_600_000].map(duration),
            ["999 ms", "1.0 s", "1 min 01 s", "1 h 00 min"]
        );
        assert_eq!(
            [1023, 1024, 64 << 20, 3 << 30].map(size),
            ["1023 B", "1.0 KiB", "64.0 MiB", "3.0 GiB"]
        );
    }

    #[test]
    fn an_arn_is_shortened_to_what_commands_take() {
        assert_eq!(
            short_name("arn:aws:states:us-east-1:000000000000:execution:orders:a-1"),
            "orders:a-1"
        );
        assert_eq!(
            short_name("arn:aws:states:us-east-1:000000000000:express:orders:a-1:0b2e"),
            "orders:a-1:0b2e"
        );
        assert_eq!(short_name("orders:a-1"), "orders:a-1");
    }
}
