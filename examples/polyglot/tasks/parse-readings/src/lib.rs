//! From a CSV's text to readings with types.

use sandstep::TaskError;
use serde::{Deserialize, Serialize};

const COLUMNS: [&str; 4] = ["time", "sensor", "temperature", "unit"];

#[derive(Deserialize)]
struct File {
    title: String,
    csv: String,
}

#[derive(Serialize)]
struct Parsed {
    title: String,
    readings: Vec<Reading>,
    dropped: Vec<Dropped>,
}

#[derive(Serialize, Debug, PartialEq)]
struct Reading {
    line: usize,
    /// Since midnight.
    minute: u32,
    sensor: String,
    temperature: f64,
    unit: Unit,
}

#[derive(Serialize, Debug, PartialEq, Clone, Copy)]
enum Unit {
    C,
    F,
}

#[derive(Serialize, Debug, PartialEq)]
struct Dropped {
    line: usize,
    reason: String,
}

#[sandstep::task]
fn parse(file: File) -> Result<Parsed, TaskError> {
    let mut lines = file.csv.lines().zip(1..);
    let header = lines.next().map(|(header, _)| header).unwrap_or_default();
    if !header.split(',').map(str::trim).eq(COLUMNS) {
        return Err(TaskError::new(
            "UnknownColumns",
            format!("the first line is `{header}`, expected `{}`", COLUMNS.join(",")),
        ));
    }
    let mut parsed = Parsed {
        title: file.title,
        readings: Vec::new(),
        dropped: Vec::new(),
    };
    for (text, line) in lines.filter(|(text, _)| !text.trim().is_empty()) {
        match reading(text, line) {
            Ok(reading) => parsed.readings.push(reading),
            Err(reason) => parsed.dropped.push(Dropped { line, reason }),
        }
    }
    sandstep::log::info!(
        "{} readings, {} lines set aside",
        parsed.readings.len(),
        parsed.dropped.len()
    );
    Ok(parsed)
}

fn reading(text: &str, line: usize) -> Result<Reading, String> {
    let fields: Vec<_> = text.split(',').map(str::trim).collect();
    let [time, sensor, temperature, unit] = fields[..] else {
        return Err(format!("{} fields instead of {}", fields.len(), COLUMNS.len()));
    };
    let temperature: f64 = temperature
        .parse()
        .map_err(|_| format!("`{temperature}` is no temperature"))?;
    Ok(Reading {
        line,
        minute: minute(time).ok_or_else(|| format!("`{time}` is no time"))?,
        sensor: sensor.to_owned(),
        temperature,
        unit: match unit {
            "C" => Unit::C,
            "F" => Unit::F,
            _ => return Err(format!("`{unit}` is no unit")),
        },
    })
}

fn minute(time: &str) -> Option<u32> {
    let (hours, minutes) = time.split_once(':')?;
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_a_reading() {
        let expected = Reading {
            line: 2,
            minute: 370,
            sensor: "north".to_owned(),
            temperature: 52.7,
            unit: Unit::F,
        };
        assert_eq!(reading("06:10, north, 52.7, F", 2), Ok(expected));
    }

    #[test]
    fn a_line_that_makes_no_sense_says_why() {
        for (text, reason) in [
            ("06:10,north,12", "3 fields instead of 4"),
            ("06:10,north,warm,C", "`warm` is no temperature"),
            ("24:00,north,12,C", "`24:00` is no time"),
            ("06:10,north,12,K", "`K` is no unit"),
        ] {
            assert_eq!(reading(text, 2), Err(reason.to_owned()));
        }
    }

    #[test]
    fn other_columns_are_refused() {
        let file = File {
            title: String::new(),
            csv: "when,what\n".to_owned(),
        };
        let failure = parse(file).err().expect("not our columns");
        assert_eq!(failure.error(), "UnknownColumns");
    }
}
