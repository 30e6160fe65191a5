//! Traces: a span for each execution, each state it entered and each attempt of a task.
//!
//! Spans are made from an execution's events, behind the disk and beside the engine, and handed to an exporter that is
//! never waited for. Their ids follow from the execution's ARN and the position of the event that began them, so
//! a trace goes on after a restart as if there had been none.

mod caller;
mod execution;
pub mod otlp;
mod parent;
mod span;
mod writer;

pub(crate) use caller::{carry, current, on_behalf_of};
pub(crate) use execution::Traced;
pub(crate) use parent::{Lineage, TraceParent};
pub use span::{Attribute, Span, SpanKind};
pub(crate) use writer::{Counts, Writer};
pub use writer::{ExportError, Sampler, SpanExporter, Traces};
