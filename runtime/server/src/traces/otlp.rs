//! OpenTelemetry's protocol: spans as an `ExportTraceServiceRequest` of OTLP 1, in Protocol Buffers' binary form.
//!
//! Written here because it is one message with a dozen fields, fixed for good since version 1, and the usual crates
//! bring some twenty others.

use asl::Timestamp;

use super::span::{Attribute, Span, SpanKind};

/// What spans say they were made by.
const SCOPE: &str = "sandstep";
/// `SPAN_KIND_INTERNAL`.
const INTERNAL: u64 = 1;
/// `SPAN_KIND_SERVER`.
const SERVER: u64 = 2;
/// `STATUS_CODE_ERROR`.
const ERROR: u64 = 2;
/// Flags of a span: its trace is wanted, and it is known whether its parent is somebody else's.
const FLAGS: u32 = 0x101;
/// The flag that says it is.
const REMOTE_PARENT: u32 = 0x200;
/// Nanoseconds in a millisecond.
const NANOS: u64 = 1_000_000;

/// The body of a request that hands these over. `resource` says who made them: `service.name` and the like.
pub fn request(spans: &[Span], resource: &[(String, String)]) -> Vec<u8> {
    written(spans, resource, env!("CARGO_PKG_VERSION"))
}

fn written(spans: &[Span], resource: &[(String, String)], version: &str) -> Vec<u8> {
    let mut request = Message::default();
    request.message(1, |resource_spans| {
        resource_spans.message(1, |message| {
            for (key, value) in resource {
                message.attribute(1, key, &Attribute::Text(value.clone()));
            }
        });
        resource_spans.message(2, |scope_spans| {
            scope_spans.message(1, |scope| {
                scope.text(1, SCOPE);
                scope.text(2, version);
            });
            for span in spans {
                scope_spans.message(2, |message| message.span(span));
            }
        });
    });
    request.0
}

/// A message that is being written.
#[derive(Default)]
struct Message(Vec<u8>);

/// How a field is written.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
    Fixed32 = 5,
}

impl Message {
    fn span(&mut self, span: &Span) {
        self.bytes(1, &span.trace);
        self.bytes(2, &span.id);
        if let Some(parent) = &span.parent {
            self.bytes(4, parent);
        }
        self.text(5, &span.name);
        self.number(
            6,
            match span.kind {
                SpanKind::Execution => SERVER,
                SpanKind::State | SpanKind::Attempt => INTERNAL,
            },
        );
        self.fixed64(7, nanos(span.started));
        self.fixed64(8, nanos(span.ended));
        for (key, value) in &span.attributes {
            self.attribute(9, key, value);
        }
        if let Some(error) = &span.error {
            self.attribute(9, "error.type", &Attribute::Text(error.clone()));
            self.message(15, |status| {
                status.text(2, error);
                status.number(3, ERROR);
            });
        }
        let remote = if span.parent_is_remote { REMOTE_PARENT } else { 0 };
        self.tag(16, Wire::Fixed32);
        self.0.extend_from_slice(&(FLAGS | remote).to_le_bytes());
    }

    fn attribute(&mut self, field: u64, key: &str, value: &Attribute) {
        self.message(field, |pair| {
            pair.text(1, key);
            pair.message(2, |any| match value {
                Attribute::Text(text) => any.text(1, text),
                // Negative ones as two's complement, in ten bytes.
                Attribute::Number(number) => any.number(3, *number as u64),
            });
        });
    }

    fn message(&mut self, field: u64, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        self.bytes(field, &inner.0);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.tag(field, Wire::Length);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, field: u64, number: u64) {
        self.tag(field, Wire::Varint);
        self.varint(number);
    }

    fn fixed64(&mut self, field: u64, number: u64) {
        self.tag(field, Wire::Fixed64);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn tag(&mut self, field: u64, wire: Wire) {
        self.varint(field << 3 | wire as u64);
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more come.
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.0).unwrap_or_default().saturating_mul(NANOS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As OpenTelemetry's own Python package writes the same request.
    const WRITTEN: &str = "\
        0ada030a180a160a0c736572766963652e6e616d6512060a0473686f7012bd030a110a0873616e64737465701205302e312e\
        3012a3010a10abababababababababababababababab1208cdcdcdcdcdcdcdcd2208efefefefefefefef2a066f7264657273\
        30023900002a36fe9c971741c0d47e3dfe9c97174a090a016112040a02c3bc4a100a016e120b18ffffffffffffffffff014a\
        080a016d120318ac024a1e0a0a6572726f722e7479706512100a0e5374617465732e54696d656f75747a12120e5374617465\
        732e54696d656f757418028501010300001281020a10abababababababababababababababab120801010101010101012ac8\
        0178787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878\
        7878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878\
        7878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878\
        7878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878\
        7830013940420f00000000004180841e0000000000850101010000";

    #[test]
    fn a_request_is_written_as_opentelemetry_writes_it() {
        let spans = [
            Span {
                trace: [0xab; 16],
                id: [0xcd; 8],
                parent: Some([0xef; 8]),
                parent_is_remote: true,
                kind: SpanKind::Execution,
                name: "orders".into(),
                started: Timestamp(1_700_000_000_000),
                ended: Timestamp(1_700_000_000_123),
                attributes: vec![("a", "ü".into()), ("n", Attribute::Number(-1)), ("m", 300u64.into())],
                error: Some("States.Timeout".into()),
            },
            Span {
                trace: [0xab; 16],
                id: [1; 8],
                parent: None,
                parent_is_remote: false,
                kind: SpanKind::Attempt,
                name: "x".repeat(200),
                started: Timestamp(1),
                ended: Timestamp(2),
                attributes: Vec::new(),
                error: None,
            },
        ];
        let resource = [("service.name".to_owned(), "shop".to_owned())];
        let bytes = written(&spans, &resource, "0.1.0");
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, WRITTEN);
    }
}
