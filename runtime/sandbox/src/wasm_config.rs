//! The one `wasmtime::Config` of the product.

use std::num::NonZeroUsize;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::Error;
use crate::limits::{CORE_INSTANCES, MAX_MEMORIES, MAX_TABLES};

/// Linear memory a pool slot keeps between guests, so that a small guest costs no page faults. Rust,
/// C, JavaScript (QuickJS) and Zig guests fit in whole.
const MEMORY_KEEP_RESIDENT: usize = 2 << 20;

/// The same for a table: 8,192 elements, more than any language's guest was seen to need.
const TABLE_KEEP_RESIDENT: usize = 64 << 10;

/// What all slots keep together: a slot that was used once keeps its pages while nothing runs in it. With the usual 256
/// slots each has [`MEMORY_KEEP_RESIDENT`], with a thousand half a mebibyte.
const ALL_KEEP_RESIDENT: usize = 512 << 20;

/// Slots that are taken afresh before used ones are taken again for another module: as many modules find their own
/// memory, already initialized.
const WARM_SLOTS: u32 = 32;

/// Smallest piece of memory that is kept or given back.
const PAGE: usize = 4 << 10;

/// Elements a pooled table can have; `StarlingMonkey`, the largest seen, wants 7,716.
pub(crate) const TABLE_ELEMENTS: usize = 1 << 16;

/// What host functions need of a stack behind the guest that calls them.
const HOST_STACK: usize = 512 << 10;

/// Frames of a trap's backtrace: enough to see where, bounded because it goes into the history.
const BACKTRACE_FRAMES: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not zero");

/// How instances get their memory, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// From a pool; only pages that were written are reset (Linux 6.7 and later).
    PoolWithPagemapScan,
    /// From a pool; everything kept resident is reset.
    Pool,
    /// Mapped afresh for each instance: where addresses are scarce.
    OnDemand,
}

impl Allocation {
    /// For log lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Allocation::PoolWithPagemapScan => "pool with pagemap scan",
            Allocation::Pool => "pool",
            Allocation::OnDemand => "on demand",
        }
    }
}

/// An engine for `instances` live at once, each with a stack of so many bytes, with the best allocation this machine
/// allows.
pub(crate) fn engine(instances: u32, stack: u64) -> Result<(Engine, Allocation), Error> {
    let best = [Allocation::PoolWithPagemapScan, Allocation::Pool];
    for allocation in best {
        match Engine::new(&config(allocation, instances, stack)) {
            Ok(engine) => return Ok((engine, allocation)),
            Err(error) => tracing::info!(
                allocation = allocation.as_str(),
                instances,
                reason = format!("{error:#}"),
                "this machine refuses an allocation for guests; trying the next one, which is slower"
            ),
        }
    }
    Engine::new(&config(Allocation::OnDemand, instances, stack))
        .map(|engine| (engine, Allocation::OnDemand))
        .map_err(|error| Error::Engine(format!("{error:#}")))
}

/// Fuel is the budget of an attempt and its price; epochs hand the thread on every millisecond, which
/// is what enforces clocks. Fuel alone could do both, yielding at intervals of fuel, and would save
/// computing guests nothing to a fifth of their time (`examples/instrumentation.rs`); but fuel knows
/// nothing of the time a host call takes, and a guest calling the host in a loop would outlive its
/// deadline.
pub(crate) fn config(allocation: Allocation, instances: u32, stack: u64) -> Config {
    let stack = usize::try_from(stack).unwrap_or(usize::MAX);
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_component_model_map(true)
        .wasm_component_model_fixed_length_lists(true)
        .relaxed_simd_deterministic(true)
        .max_wasm_stack(stack)
        .async_stack_size(stack.saturating_add(HOST_STACK))
        .wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES));
    match allocation {
        Allocation::PoolWithPagemapScan => pooled(&mut config, instances, Enabled::Yes),
        Allocation::Pool => pooled(&mut config, instances, Enabled::No),
        Allocation::OnDemand => {
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
        }
    }
    config
}

/// What each of so many slots keeps.
fn memory_keep_resident(instances: u32) -> usize {
    let each = ALL_KEEP_RESIDENT / usize::try_from(instances.max(1)).unwrap_or(usize::MAX);
    each.min(MEMORY_KEEP_RESIDENT) / PAGE * PAGE
}

fn pooled(config: &mut Config, instances: u32, pagemap_scan: Enabled) {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES))
        .max_core_instances_per_component(CORE_INSTANCES)
        .total_memories(instances.saturating_mul(MAX_MEMORIES))
        .max_memories_per_component(MAX_MEMORIES)
        .max_memories_per_module(MAX_MEMORIES)
        .total_tables(instances.saturating_mul(MAX_TABLES))
        .max_tables_per_component(MAX_TABLES)
        .max_tables_per_module(MAX_TABLES)
        .table_elements(TABLE_ELEMENTS)
        .total_stacks(instances)
        .max_unused_warm_slots(WARM_SLOTS)
        .linear_memory_keep_resident(memory_keep_resident(instances))
        .table_keep_resident(TABLE_KEEP_RESIDENT)
        .pagemap_scan(pagemap_scan);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
}
