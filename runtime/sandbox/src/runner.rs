//! The sandbox as the engine's shell sees it.

use std::path::PathBuf;
use std::sync::Arc;

use engine::ids::{Digest, ExecutionId, TaskId};
use engine::ports::{
    CallProblem, CallSketch, Job, Manifest, ModuleError, Prepared, STACKS, StoreError, Sweep, Tally, TaskLimits,
    TaskRunner, UnderWay,
};

use crate::attempt::Host;
use crate::guest_memory::GuestMemory;
use crate::guest_threads::{Done, GuestThreads};
use crate::limits::{DEFAULT_CEILING, GUEST_MEMORY, OUTPUT_BYTES, within};
use crate::module_cache::ModuleCache;
use crate::outbound::Network;
use crate::stacks::{self, Stacks};
use crate::wasm_config::{self, Allocation};
use crate::{Error, artefact, attempt, componentize, prepare};

/// Attempts at once unless told otherwise.
const DEFAULT_SLOTS: usize = 256;

/// How a sandbox is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where compiled code is kept. Made where it doesn't exist; nobody else may write there.
    pub cache_dir: PathBuf,
    /// Attempts at once. Each reserves addresses, not memory.
    pub slots: usize,
    /// Threads that guests run on.
    pub threads: usize,
    /// Bytes that all guests may hold together, in memories and tables. Whoever wants more waits for others to end. No
    /// guest gets more than half of it.
    pub guest_memory: u64,
    /// The most any attempt is given, whatever its module asks for.
    pub ceiling: TaskLimits,
    /// What a module's attempts may use where its upload doesn't say.
    pub limits: TaskLimits,
    /// Bytes a task may answer.
    pub output_bytes: usize,
}

impl Options {
    /// 256 slots, a thread for each core, and the default limits.
    pub fn new(cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            cache_dir: cache_dir.into(),
            slots: DEFAULT_SLOTS,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            guest_memory: GUEST_MEMORY,
            ceiling: DEFAULT_CEILING,
            limits: TaskLimits::default(),
            output_bytes: OUTPUT_BYTES,
        }
    }
}

/// Runs tasks in WebAssembly. Dropping it stops every guest, without reports.
pub struct Sandbox {
    modules: Arc<ModuleCache>,
    host: Arc<Host>,
    threads: GuestThreads,
    slots: usize,
    ceiling: TaskLimits,
    limits: TaskLimits,
    allocation: Allocation,
}

impl Sandbox {
    /// Sets up the engine, the guest threads and the directory for compiled code.
    ///
    /// # Errors
    /// [`Error`] where the machine refuses one of them.
    pub fn open(options: Options) -> Result<Self, Error> {
        let slots = options.slots.max(1);
        // A cancelled guest that computes holds its instance to the end of its turn while its slot is
        // given out again; no more than one on each thread.
        let instances = slots.saturating_add(options.threads.max(1));
        let instances = u32::try_from(instances).unwrap_or(u32::MAX);
        let (engine, allocation) = wasm_config::engine(instances, STACKS[0])?;
        let modules = ModuleCache::open(engine.clone(), stacks::linker(&engine)?, &options.cache_dir)?;
        let modules = Arc::new(modules);
        let threads = GuestThreads::start(engine, options.threads)?;
        let ticker = Arc::clone(threads.ticker());
        let stacks = Stacks::new(Arc::clone(&modules), instances, options.cache_dir, ticker);
        let memory = GuestMemory::new(options.guest_memory, options.ceiling.memory);
        let ceiling = TaskLimits {
            memory: options.ceiling.memory.min(memory.largest()),
            ..options.ceiling
        };
        tracing::info!(
            allocation = allocation.as_str(),
            slots,
            threads = options.threads,
            memory = options.guest_memory,
            "guests can run"
        );
        Ok(Self {
            modules,
            host: Arc::new(Host {
                stacks,
                network: Arc::new(Network::new()),
                memory,
                output_bytes: options.output_bytes,
            }),
            threads,
            slots,
            ceiling,
            limits: within(options.limits, ceiling),
            allocation,
        })
    }

    /// Takes compiled code in that another server made for this machine, and says which component it is of. What is in
    /// the file is native code: only for files that the machine's operator trusts like the program itself.
    ///
    /// # Errors
    /// [`ModuleError`] where it is damaged, for another machine or by another version.
    pub fn take_in(&self, file: &[u8]) -> Result<Digest, ModuleError> {
        let (digest, code) = artefact::open(self.modules.engine(), file)?;
        self.modules.take_in(&digest, code).map_err(prepare::load_error)?;
        Ok(digest)
    }

    /// How guests get their memory on this machine.
    pub fn allocation(&self) -> Allocation {
        self.allocation
    }
}

impl TaskRunner for Sandbox {
    fn prepare_with(&self, upload: &[u8], manifest: Manifest) -> Result<Prepared, ModuleError> {
        prepare::prepare(&self.modules, self.limits, upload, manifest)
    }

    fn uploaded(&self, component: &[u8]) -> Option<Vec<u8>> {
        componentize::uploaded(component)
    }

    fn ensure(&self, digest: &Digest, component: &dyn Fn() -> Result<Vec<u8>, StoreError>) -> Result<(), ModuleError> {
        if self.modules.loaded(digest).is_ok() {
            return Ok(());
        }
        let component = stored(digest, component)?;
        prepare::compile(&self.modules, digest, &component).map(|_| ())
    }

    fn targets(&self) -> Vec<String> {
        artefact::targets()
    }

    fn compiled(
        &self,
        digest: &Digest,
        component: &dyn Fn() -> Result<Vec<u8>, StoreError>,
        target: &str,
    ) -> Result<Vec<u8>, ModuleError> {
        let component = stored(digest, component)?;
        let _one = self.modules.turn();
        artefact::compile(digest, &component, target)
    }

    fn at_hand(&self, digest: &Digest) -> bool {
        self.modules.at_hand(digest)
    }

    fn is_full(&self) -> bool {
        self.modules.is_full()
    }

    fn run(&self, job: Job, done: Done) {
        let limits = within(job.limits, self.ceiling);
        let host = Arc::clone(&self.host);
        self.threads
            .run(job, limits, done, move |attempt| attempt::run(host, attempt));
    }

    fn cancel(&self, task: TaskId) {
        self.threads.cancel(task);
    }

    fn under_way(&self, execution: ExecutionId) -> Vec<UnderWay> {
        self.threads.under_way(execution)
    }

    fn sweep(&self, keep: &[Digest], sweep: Sweep) -> Result<Tally, StoreError> {
        if sweep == Sweep::Delete {
            self.host.stacks.each().for_each(|modules| modules.forget(keep));
        }
        self.modules
            .sweep(keep, sweep)
            .map_err(|error| StoreError(format!("can't delete compiled code nobody runs any more: {error}")))
    }

    fn slots(&self) -> usize {
        self.slots
    }

    fn check_call(&self, module: &Digest, call: CallSketch<'_>) -> Result<(), CallProblem> {
        match self.modules.loaded(module) {
            Ok(module) => module.entries().check(call),
            // Nothing is known of it now; the call will say.
            Err(_) => Ok(()),
        }
    }
}

/// The bytes of a stored component, which are still those they were.
fn stored(digest: &Digest, component: &dyn Fn() -> Result<Vec<u8>, StoreError>) -> Result<Vec<u8>, ModuleError> {
    let component = component().map_err(|error| {
        prepare::refuse(
            "CacheFailed",
            format!("couldn't read the stored component `{digest}`: {error}"),
            "upload the module again",
        )
    })?;
    let found = prepare::digest(&component);
    if found != *digest {
        return Err(prepare::refuse(
            "InvalidModule",
            format!("the stored component `{digest}` is damaged: its bytes have the digest `{found}`"),
            "upload the module again",
        ));
    }
    Ok(component)
}
