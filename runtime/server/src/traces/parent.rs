//! Where a trace comes from.

use std::fmt;

use asl::EventKind;
use engine::ids::{ExecutionId, TaskId};
use engine::ports::{Reader, StoreError};
use sha2::{Digest as _, Sha256};

/// Nested executions that are followed up to the first: distributed Map states in distributed Map states.
const DEEPEST: u32 = 64;
/// Bit of the flags that says the trace is wanted.
const SAMPLED: u8 = 1;

/// What a span is a part of, as W3C's trace context says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceParent {
    pub(crate) trace: [u8; 16],
    pub(crate) span: [u8; 8],
    pub(crate) sampled: bool,
}

impl TraceParent {
    /// Reads a `traceparent`; of versions to come, what this one knows.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let [version] = hex(version)?;
        let [flags] = hex(flags)?;
        if version == u8::MAX || (version == 0 && parts.next().is_some()) {
            return None;
        }
        Self::of(hex(trace)?, hex(span)?, flags & SAMPLED != 0)
    }

    /// Reads an X-Ray header: `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`.
    pub(crate) fn parse_xray(text: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut fields = text.split(';').filter_map(|field| field.trim().split_once('='));
            fields.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let (time, random) = field("Root")?.strip_prefix("1-")?.split_once('-')?;
        let trace = hex(&format!("{time}{random}"))?;
        Self::of(trace, hex(field("Parent")?)?, field("Sampled") == Some("1"))
    }

    fn of(trace: [u8; 16], span: [u8; 8], sampled: bool) -> Option<Self> {
        (trace != [0; 16] && span != [0; 8]).then_some(Self { trace, span, sampled })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        self.trace.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-")?;
        self.span.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, "-{:02x}", u8::from(self.sampled))
    }
}

/// Lower-case hexadecimal digits, exactly as many as are asked for.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = digit(digits[0])? << 4 | digit(digits[1])?;
    }
    Some(bytes)
}

/// The id of a trace that begins with the execution of this ARN.
pub(super) fn trace_of(arn: &str) -> [u8; 16] {
    first(&[arn.as_bytes()])
}

/// The id of the span of an execution, the `redrives` time it runs.
pub(super) fn execution_span(arn: &str, redrives: u32) -> [u8; 8] {
    first(&[arn.as_bytes(), &redrives.to_le_bytes()])
}

/// The id of the span that the event at this position begins.
pub(super) fn span_at(arn: &str, redrives: u32, position: u64) -> [u8; 8] {
    first(&[arn.as_bytes(), &redrives.to_le_bytes(), &position.to_le_bytes()])
}

fn first<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut id = [0; N];
    id.copy_from_slice(&digest[..N]);
    // All zeros would be no id.
    id[0] |= 1;
    id
}

/// Which trace an execution belongs to, by what is on disk.
pub(crate) struct Lineage<'a> {
    pub(crate) reader: &'a dyn Reader,
}

impl Lineage<'_> {
    /// What a child of this execution is a part of: the execution. Blocks while the store reads.
    ///
    /// # Errors
    /// [`StoreError`] when it can't be read.
    pub(crate) fn of_execution(&self, execution: ExecutionId) -> Result<Option<TraceParent>, StoreError> {
        let Some((arn, above)) = self.above(execution, DEEPEST)? else {
            return Ok(None);
        };
        Ok(Some(within(above, &arn, execution_span(&arn, 0))))
    }

    /// What an execution is a part of that this attempt starts: the attempt. Blocks while the store reads.
    ///
    /// # Errors
    /// [`StoreError`] when it can't be read.
    pub(crate) fn of_attempt(&self, task: TaskId) -> Result<Option<TraceParent>, StoreError> {
        let Some((arn, above)) = self.above(task.execution, DEEPEST)? else {
            return Ok(None);
        };
        let redrives = self
            .reader
            .redrives(task.execution)?
            .map_or(0, |redrives| redrives.count);
        Ok(Some(within(above, &arn, span_at(&arn, redrives, task.scheduled_at))))
    }

    /// An execution's ARN, and what it is a part of.
    fn above(&self, execution: ExecutionId, depth: u32) -> Result<Option<(String, Option<TraceParent>)>, StoreError> {
        let Some((first, _)) = self.reader.first_and_last(execution)? else {
            return Ok(None);
        };
        let EventKind::ExecutionStarted {
            id,
            trace_parent,
            child_of,
            ..
        } = first.kind
        else {
            return Ok(None);
        };
        let mut above = trace_parent.as_deref().and_then(TraceParent::parse);
        if let Some(child_of) = child_of
            && depth > 0
            && let Some((arn, further)) = self.above(ExecutionId(child_of.execution), depth - 1)?
        {
            above = Some(within(further, &arn, execution_span(&arn, 0)));
        }
        Ok(Some((id, above)))
    }
}

/// A span of an execution, in the trace the execution belongs to.
fn within(above: Option<TraceParent>, arn: &str, span: [u8; 8]) -> TraceParent {
    TraceParent {
        trace: above.map_or_else(|| trace_of(arn), |above| above.trace),
        span,
        sampled: above.is_none_or(|above| above.sampled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn trace_parents_read_back_and_nothing_else_is_read() {
        let parent = TraceParent::parse(KNOWN).expect("reads");
        assert_eq!(parent.to_string(), KNOWN);
        let later = TraceParent::parse("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-what-will-be");
        assert_eq!(
            later,
            Some(TraceParent {
                sampled: false,
                ..parent
            })
        );
        for wrong in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319ü-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceParent::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_x_ray_header_names_the_same_ids() {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793; Parent=53995c3f42cd8ad8;Sampled=1";
        let parent = TraceParent::parse_xray(header).expect("reads");
        assert_eq!(
            parent.to_string(),
            "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"
        );
        assert_eq!(
            TraceParent::parse_xray("Root=1-5759e988-bd862e3fe1be46a994272793"),
            None
        );
        assert_eq!(TraceParent::parse_xray("Root=2-a;Parent=b"), None);
    }

    #[test]
    fn ids_follow_from_what_they_name() {
        assert_eq!(span_at("arn", 0, 7), span_at("arn", 0, 7));
        assert_ne!(span_at("arn", 0, 7), span_at("arn", 1, 7));
        assert_ne!(span_at("arn", 0, 7), span_at("arn", 0, 8));
        assert_ne!(span_at("arn", 0, 7), execution_span("arn", 0));
        assert_ne!(trace_of("a"), trace_of("b"));
    }
}
