//! Bytes of a data set: an object, decompressed where it is compressed.

use std::io::{self, BufRead, BufReader, Read};

use asl::Failure;
use engine::ports::SharedObjects;
use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use super::s3;

/// Largest item in bytes, as AWS has it. It also bounds what a reader holds in memory.
pub(super) const ITEM_LIMIT: usize = 8 << 20;
/// Bytes asked of an object at a time.
const BUFFER: usize = 64 << 10;
/// What gzip files begin with.
const GZIP: &[u8] = &[0x1f, 0x8b];
/// What Zstandard files begin with.
const ZSTANDARD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// What some programs write before UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A data set's text.
pub(super) type Text = Box<dyn BufRead + Send>;

/// Why the text of a data set can't be read on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The bytes don't come.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// They aren't what they should be.
    #[error("{0}")]
    Malformed(String),
    /// They are JSON, and neither an array nor an object.
    #[error("Attempting to map over non-iterable node.")]
    NotIterable,
    /// One item is too large.
    #[error("an item has more than {ITEM_LIMIT} bytes; split it into smaller ones")]
    TooLarge,
}

/// Opens an object as a text.
pub(super) fn text(objects: &SharedObjects, bucket: &str, key: &str) -> Result<Text, Failure> {
    let opened = objects.open(bucket, key, 0);
    let opened = opened.map_err(|error| s3::unreadable(s3::message(&error)))?;
    decompressed(opened.content).map_err(|error| s3::unreadable(format!("can't read `s3://{bucket}/{key}`: {error}")))
}

fn decompressed(content: Box<dyn Read + Send>) -> io::Result<Text> {
    let (begins, content) = first_bytes(content)?;
    let mut text: Text = if begins.starts_with(GZIP) {
        Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(content)))
    } else if begins.starts_with(ZSTANDARD) {
        Box::new(BufReader::with_capacity(BUFFER, Frames(Some(Frame::Next(content)))))
    } else {
        content
    };
    if text.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
        text.consume(BYTE_ORDER_MARK.len());
    }
    Ok(text)
}

/// The first four bytes of a stream, and the stream from its beginning.
fn first_bytes(mut content: Box<dyn Read + Send>) -> io::Result<(Vec<u8>, Text)> {
    let mut begins = Vec::new();
    content.by_ref().take(ZSTANDARD.len() as u64).read_to_end(&mut begins)?;
    let whole = io::Cursor::new(begins.clone()).chain(content);
    Ok((begins, Box::new(BufReader::with_capacity(BUFFER, whole))))
}

/// A Zstandard file is one frame after the other.
struct Frames(Option<Frame>);

enum Frame {
    Next(Text),
    Open(Box<StreamingDecoder<Text, ruzstd::decoding::FrameDecoder>>),
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.take() {
                None => return Ok(0),
                Some(Frame::Next(mut rest)) => {
                    if rest.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    let decoder = StreamingDecoder::new(rest).map_err(io::Error::other)?;
                    self.0 = Some(Frame::Open(Box::new(decoder)));
                }
                Some(Frame::Open(mut decoder)) => {
                    let read = decoder.read(buffer)?;
                    if read == 0 && !buffer.is_empty() {
                        self.0 = Some(Frame::Next(decoder.into_inner()));
                        continue;
                    }
                    self.0 = Some(Frame::Open(decoder));
                    return Ok(read);
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;

    use super::*;

    /// A text to read items from.
    pub fn text_of(text: &str) -> Text {
        Box::new(io::Cursor::new(text.as_bytes().to_vec()))
    }

    fn read(content: Vec<u8>) -> io::Result<String> {
        let mut text = String::new();
        decompressed(Box::new(io::Cursor::new(content)))?.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn compressed_texts_are_read_as_they_were() {
        let long = "line\n".repeat(50_000);
        for text in ["", "a", "abc", "\u{feff}[1]", &long] {
            let plain = text.trim_start_matches('\u{feff}');
            assert_eq!(read(text.as_bytes().to_vec()).expect("plain"), plain);
            // Two members, as inventories have them.
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(text.as_bytes()).expect("compresses");
            let mut gzip = gzip.finish().expect("compresses");
            gzip.extend(gzip.clone());
            assert_eq!(read(gzip).expect("gzip").len(), plain.len() + text.len());
            let level = ruzstd::encoding::CompressionLevel::Fastest;
            let mut zstd = ruzstd::encoding::compress_to_vec(text.as_bytes(), level);
            zstd.extend(zstd.clone());
            assert_eq!(read(zstd).expect("zstd").len(), plain.len() + text.len());
        }
        assert!(read(vec![0x1f, 0x8b, 8, 0, 0]).is_err(), "cut off");
    }
}
