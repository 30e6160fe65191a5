//! How values become bytes: one row of events, and the small codes of enums.
//!
//! A row of events is one version byte and what it announces. Rows are for ever: a new form takes a new byte, and
//! every byte ever written stays readable.

use asl::{Event, Status};
use engine::ports::MachineType;

/// Version byte: a JSON array of events follows.
const JSON: u8 = 1;
/// Version byte: the same array as an LZ4 block follows, after its length as four little-endian bytes.
const JSON_LZ4: u8 = 2;

/// Shorter arrays are stored plain: compressing them costs more time than the bytes it saves are worth.
const COMPRESS_FROM: usize = 512;

/// An LZ4 block can't grow more than this, by its format; a length beyond it is damage, not a reason to allocate.
const LZ4_MOST: usize = 255;

/// Why a row of events couldn't be made or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncodingError {
    #[error("the events can't be written as JSON: {0}")]
    Unwritable(serde_json::Error),
    #[error("the row is empty")]
    Empty,
    #[error("its format is `{0}`, which this version doesn't know: it was written by a newer one, or is damaged")]
    UnknownFormat(u8),
    #[error("it doesn't decompress: {0}")]
    Compression(String),
    #[error("it doesn't hold events: {0}")]
    NotEvents(serde_json::Error),
}

/// The bytes of a row. Events of one commit repeat a payload's text (input of a state, output of the one before),
/// which is what compressing the row as a whole saves.
pub(crate) fn encode(events: &[Event]) -> Result<Vec<u8>, EncodingError> {
    let mut row = Vec::with_capacity(COMPRESS_FROM);
    row.push(JSON);
    serde_json::to_writer(&mut row, events).map_err(EncodingError::Unwritable)?;
    let text = &row[1..];
    if text.len() < COMPRESS_FROM {
        return Ok(row);
    }
    let Ok(length) = u32::try_from(text.len()) else {
        return Ok(row);
    };
    let mut compressed = vec![0; 5 + lz4_flex::block::get_maximum_output_size(text.len())];
    compressed[0] = JSON_LZ4;
    compressed[1..5].copy_from_slice(&length.to_le_bytes());
    match lz4_flex::block::compress_into(text, &mut compressed[5..]) {
        Ok(written) if written + 5 < row.len() => {
            compressed.truncate(5 + written);
            Ok(compressed)
        }
        Ok(_) | Err(_) => Ok(row),
    }
}

/// The events of a row.
pub(crate) fn decode(row: &[u8]) -> Result<Vec<Event>, EncodingError> {
    let (&format, rest) = row.split_first().ok_or(EncodingError::Empty)?;
    match format {
        JSON => serde_json::from_slice(rest).map_err(EncodingError::NotEvents),
        JSON_LZ4 => serde_json::from_slice(&decompress(rest)?).map_err(EncodingError::NotEvents),
        unknown => Err(EncodingError::UnknownFormat(unknown)),
    }
}

fn decompress(rest: &[u8]) -> Result<Vec<u8>, EncodingError> {
    let (length, block) = rest
        .split_first_chunk::<4>()
        .ok_or_else(|| EncodingError::Compression("it is cut off".to_owned()))?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > block.len().saturating_mul(LZ4_MOST) {
        return Err(EncodingError::Compression(format!(
            "{} bytes can't hold `{length}`",
            block.len()
        )));
    }
    let text =
        lz4_flex::block::decompress(block, length).map_err(|error| EncodingError::Compression(error.to_string()))?;
    if text.len() != length {
        return Err(EncodingError::Compression(format!(
            "it holds {} bytes, not `{length}`",
            text.len()
        )));
    }
    Ok(text)
}

/// Every status, in the order of its code in the `status` column.
pub(crate) const STATUSES: [Status; 5] = [
    Status::Running,
    Status::Succeeded,
    Status::Failed,
    Status::Aborted,
    Status::TimedOut,
];

/// The code of a running execution.
pub(crate) const RUNNING: i64 = 0;

/// The number in the `status` column.
pub(crate) fn status_code(status: Status) -> i64 {
    match status {
        Status::Running => RUNNING,
        Status::Succeeded => 1,
        Status::Failed => 2,
        Status::Aborted => 3,
        Status::TimedOut => 4,
    }
}

/// The status with this code.
pub(crate) fn status_of(code: i64) -> Option<Status> {
    STATUSES.get(usize::try_from(code).ok()?).copied()
}

/// The number in the `machine_type` column.
pub(crate) fn machine_type_code(machine_type: MachineType) -> i64 {
    match machine_type {
        MachineType::Standard => 0,
        MachineType::Express => 1,
    }
}

/// The machine type with this code.
pub(crate) fn machine_type_of(code: i64) -> Option<MachineType> {
    match code {
        0 => Some(MachineType::Standard),
        1 => Some(MachineType::Express),
        _ => None,
    }
}

/// SQLite's integers are signed. Ids and positions count up from 0 and never come near the end; a caller's
/// "as high as possible" does, and means the highest there is.
pub(crate) fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use asl::{EventKind, Payload, Timestamp};

    use super::*;

    fn output(text: &str) -> Event {
        let output = Payload::from_text(text).expect("valid JSON");
        Event {
            at: Timestamp(7),
            kind: EventKind::ExecutionSucceeded { output },
        }
    }

    #[test]
    fn long_rows_are_compressed_and_short_ones_are_not() {
        let short = vec![output("[1, 2]")];
        let long: Vec<Event> = (0..10)
            .map(|_| output(&format!("\"{}\"", "order 66, ".repeat(40))))
            .collect();
        let (short_row, long_row) = (encode(&short).expect("encodes"), encode(&long).expect("encodes"));
        assert_eq!((short_row[0], long_row[0]), (JSON, JSON_LZ4));
        assert!(
            long_row.len() < 300,
            "ten times the same text takes {} bytes",
            long_row.len()
        );
        assert_eq!(decode(&short_row).expect("decodes"), short);
        assert_eq!(decode(&long_row).expect("decodes"), long);
    }

    #[test]
    fn a_damaged_row_is_an_error_and_allocates_nothing_it_claims() {
        let long = encode(&[output(&format!("\"{}\"", "a".repeat(1000)))]).expect("encodes");
        assert_eq!(long[0], JSON_LZ4);
        for cut in 0..long.len() {
            assert!(decode(&long[..cut]).is_err(), "cut at {cut}");
        }
        let mut huge = long.clone();
        huge[1..5].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(decode(&huge), Err(EncodingError::Compression(_))));
        let mut newer = long;
        newer[0] = 9;
        assert!(decode(&newer).expect_err("unknown").to_string().contains("`9`"));
    }

    #[test]
    fn codes_read_back() {
        for status in STATUSES {
            assert_eq!(status_of(status_code(status)), Some(status));
        }
        for machine_type in [MachineType::Standard, MachineType::Express] {
            assert_eq!(machine_type_of(machine_type_code(machine_type)), Some(machine_type));
        }
        assert_eq!((status_of(-1), status_of(5), machine_type_of(2)), (None, None, None));
    }
}
