//! What an attempt may use, and the counting of its memory.

use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::ports::{AskedLimits, TaskLimits};

use crate::guest_memory::Share;

/// The most an attempt may be given, whatever a module asks for: a tera-unit of fuel is some five
/// minutes of computing, 1 GiB is what a small server can spare for one guest.
pub const DEFAULT_CEILING: TaskLimits = TaskLimits {
    fuel: 1_000_000_000_000,
    memory: 1 << 30,
    time_millis: None,
    output: None,
    stack: None,
};

/// What all guests may hold together unless told otherwise: what a machine of 8 GiB can spare beside its database.
pub const GUEST_MEMORY: u64 = 4 << 30;

/// Largest result unless told otherwise, eight times what the language lets a state hand on: larger ones are refused before
/// the host allocates room for them. Bounds every other text a guest hands over in one call, too.
pub const OUTPUT_BYTES: usize = 2 << 20;

/// Linear memories a component may have. Components in use have one, a JavaScript one three; each
/// pooled one reserves 4 GiB of addresses.
pub const MAX_MEMORIES: u32 = 4;

/// Tables a component may have; components in use have up to three.
pub const MAX_TABLES: u32 = 8;

/// Core instances inside a component. A Python component, linked from shared libraries, has the most.
pub(crate) const CORE_INSTANCES: u32 = 64;

/// Bytes of one table element: a pointer.
const TABLE_ELEMENT_BYTES: u64 = 8;

/// The error that ends a guest asking for more memory than its limit.
#[derive(Debug)]
pub(crate) struct MemoryExceeded {
    wanted: u64,
    limit: u64,
}

impl fmt::Display for MemoryExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the task wanted `{}` bytes in all its memories and tables, its limit is `{}`; raise the module's memory limit or work on less at a time",
            self.wanted, self.limit
        )
    }
}

impl std::error::Error for MemoryExceeded {}

/// All memories and tables of one instance, summed. A limit for each would let a component with four
/// memories take four times its limit.
pub(crate) struct MemoryBudget {
    limit: u64,
    used: u64,
    share: Share,
}

/// The most a budget ever held, readable while the guest runs.
#[derive(Debug, Default)]
pub(crate) struct Peak(AtomicU64);

impl Peak {
    /// In bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether a guest may grow, once it may; wasmtime's own type.
pub(crate) type Growing<'a> = Pin<Box<dyn Future<Output = wasmtime::Result<bool>> + Send + 'a>>;

impl MemoryBudget {
    /// A budget nothing is taken from yet, out of a share of what all guests have.
    pub(crate) fn new(limit: u64, share: Share) -> Self {
        Self { limit, used: 0, share }
    }

    /// A memory wants to grow from `current` to `desired`, the most it held is kept in `peak`; waits where other guests have what it wants.
    pub(crate) fn memory_growing<'a>(
        &'a mut self,
        (current, desired): (usize, usize),
        maximum: Option<usize>,
        peak: &'a Peak,
    ) -> Growing<'a> {
        self.growing((current, desired), maximum, 1, peak)
    }

    /// The same of a table.
    pub(crate) fn table_growing<'a>(
        &'a mut self,
        (current, desired): (usize, usize),
        maximum: Option<usize>,
        peak: &'a Peak,
    ) -> Growing<'a> {
        self.growing((current, desired), maximum, TABLE_ELEMENT_BYTES, peak)
    }

    fn growing<'a>(
        &'a mut self,
        (current, desired): (usize, usize),
        maximum: Option<usize>,
        bytes: u64,
        peak: &'a Peak,
    ) -> Growing<'a> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Box::pin(ready(Ok(false)));
        }
        let more = (desired.saturating_sub(current) as u64).saturating_mul(bytes);
        let wanted = self.used.saturating_add(more);
        if wanted > self.limit {
            let limit = self.limit;
            return Box::pin(ready(Err(wasmtime::Error::new(MemoryExceeded { wanted, limit }))));
        }
        if self.share.take(more) {
            self.count(wanted, peak);
            return Box::pin(ready(Ok(true)));
        }
        Box::pin(async move {
            self.share.wait_for(more).await;
            self.count(wanted, peak);
            Ok(true)
        })
    }

    fn count(&mut self, used: u64, peak: &Peak) {
        self.used = used;
        peak.0.fetch_max(used, Ordering::Relaxed);
    }
}

/// The smaller of both, field by field.
pub(crate) fn within(limits: TaskLimits, ceiling: TaskLimits) -> TaskLimits {
    AskedLimits {
        fuel: Some(ceiling.fuel),
        memory: Some(ceiling.memory),
        time_millis: ceiling.time_millis,
        output: ceiling.output,
        stack: ceiling.stack,
    }
    .cap(limits)
}
