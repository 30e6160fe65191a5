//! One run of one guest: a fresh instance, one call, gone.

use std::sync::Arc;

use asl::Failure;
use engine::ports::Outcome;
use wasmtime::{ResourceLimiterAsync, Store};

use crate::entry::{Answer, HOST_CALL_BYTES, Room};
use crate::granted::{self, Denials};
use crate::grants::Wasi;
use crate::guest_memory::GuestMemory;
use crate::guest_threads::{Finished, OpenAttempt};
use crate::limits::{Growing, MemoryBudget};
use crate::outbound::{Network, Outbound};
use crate::outcome::{self, Copied, Phase};
use crate::stacks::Stacks;
use crate::standard_streams::Written;

/// What all guests of a sandbox have in common, behind one pointer for each of them.
pub(crate) struct Host {
    /// The modules, by the stack they ask for.
    pub(crate) stacks: Stacks,
    /// Where their requests go.
    pub(crate) network: Arc<Network>,
    /// What they may hold together.
    pub(crate) memory: Arc<GuestMemory>,
    /// Bytes a task may answer.
    pub(crate) output_bytes: usize,
}

/// What host functions see of the guest that calls them.
pub(crate) struct Guest {
    attempt: Arc<OpenAttempt>,
    memory: MemoryBudget,
    wasi: Option<Box<Wasi>>,
    /// The answer of a guest that speaks on its standard streams.
    written: Option<Written>,
    denials: Denials,
    host: Arc<Host>,
    /// Its requests, from the first one on.
    outbound: Option<Box<Outbound>>,
}

impl Guest {
    /// The attempt it runs for.
    pub(crate) fn attempt(&self) -> &OpenAttempt {
        &self.attempt
    }

    /// Its WASI, made when it first asks: many a guest imports WASI for its language's sake and never
    /// calls it.
    pub(crate) fn wasi(&mut self) -> &mut Wasi {
        let (attempt, written) = (&self.attempt, &self.written);
        self.wasi
            .get_or_insert_with(|| Box::new(Wasi::new(attempt, written.as_ref())))
    }

    /// Its WASI, and what makes its requests.
    pub(crate) fn wasi_and_outbound(&mut self) -> (&mut Wasi, &mut Outbound) {
        let (attempt, written) = (&self.attempt, &self.written);
        let wasi = self
            .wasi
            .get_or_insert_with(|| Box::new(Wasi::new(attempt, written.as_ref())));
        let network = &self.host.network;
        let outbound = self
            .outbound
            .get_or_insert_with(|| Box::new(Outbound::new(attempt, network)));
        (wasi, outbound)
    }

    /// What it was refused.
    pub(crate) fn denials(&mut self) -> &mut Denials {
        &mut self.denials
    }

    /// Tells the attempt's log of something refused, and the line of the manifest that would allow it.
    pub(crate) fn deny(&mut self, what: &str, line: &str) {
        self.denials.tell(&self.attempt, what, line);
    }

    /// Ends what it left open.
    pub(crate) fn forget_wasi(&mut self) {
        self.wasi = None;
    }

    /// What it wrote to standard output, where that is its answer.
    pub(crate) fn answered(&self) -> Result<String, std::string::FromUtf8Error> {
        String::from_utf8(self.written.as_ref().map(Written::take).unwrap_or_default())
    }
}

/// Written out as wasmtime's macro would: a growth that needn't wait, and few must, then costs no state machine.
impl ResourceLimiterAsync for Guest {
    fn memory_growing<'life, 'growing>(
        &'life mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Growing<'growing>
    where
        'life: 'growing,
        Self: 'growing,
    {
        self.memory
            .memory_growing((current, desired), maximum, self.attempt.peak())
    }

    fn table_growing<'life, 'growing>(
        &'life mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Growing<'growing>
    where
        'life: 'growing,
        Self: 'growing,
    {
        self.memory
            .table_growing((current, desired), maximum, self.attempt.peak())
    }
}

/// Runs the attempt's guest. Clocks and cancelling are not looked at here: they drop this future.
pub(crate) async fn run(host: Arc<Host>, attempt: Arc<OpenAttempt>) -> Finished {
    let modules = host.stacks.modules(attempt.limits().stack);
    let module = match modules.loaded(&attempt.job().module) {
        Ok(module) => module,
        Err(error) => {
            return failed(outcome::MODULE_NOT_LOADED, error.to_string());
        }
    };
    let way = match module.entries().way(attempt.job().function.as_deref()) {
        Ok(way) => way,
        Err(why) => return failed(outcome::FUNCTION_NOT_FOUND, why),
    };
    if let Err(failure) = granted::check(&attempt) {
        return Finished {
            outcome: Outcome::Failed(failure),
            fuel: None,
        };
    }
    let limits = attempt.limits();
    let of_module = limits.output.and_then(|bytes| usize::try_from(bytes).ok());
    let output_bytes = of_module.map_or(host.output_bytes, |bytes| bytes.min(host.output_bytes));
    let room = Room {
        output: output_bytes,
        values: usize::try_from(limits.memory).unwrap_or(usize::MAX),
    };
    let guest = Guest {
        memory: MemoryBudget::new(limits.memory, host.memory.share()),
        wasi: None,
        written: way.speaks_on_streams().then(|| Written::at_most(output_bytes)),
        denials: Denials::default(),
        outbound: None,
        attempt: Arc::clone(&attempt),
        host: Arc::clone(&host),
    };
    let mut store = Store::new(modules.engine(), guest);
    store.limiter_async(|guest| guest);
    let in_one_call = output_bytes.max(HOST_CALL_BYTES);
    store.set_hostcall_fuel(in_one_call);
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);

    let mut phase = Phase::Instantiate;
    let answer = async {
        store.set_fuel(limits.fuel)?;
        let instance = module.pre().instantiate_async(&mut store).await?;
        phase = Phase::Call;
        way.call(&mut store, &instance, attempt.job().input.text(), room).await
    }
    .await;
    let outcome = match answer {
        Ok(Answer::Output(text)) if text.len() > room.output => {
            Outcome::Failed(Failure::new(outcome::OUTPUT_TOO_LARGE, outcome::too_large(room.output)))
        }
        Ok(answer) => outcome::of_answer(answer),
        Err(error) => {
            let copied = Copied {
                result: output_bytes,
                in_one_call,
            };
            Outcome::Failed(outcome::of_error(&error, phase, copied, &mut attempt.output()))
        }
    };
    if matches!(outcome, Outcome::Failed(_)) {
        store.data_mut().denials.tell_at_failure(&attempt);
    }
    let fuel = store.get_fuel().ok().map(|left| limits.fuel.saturating_sub(left));
    Finished { outcome, fuel }
}

fn failed(error: &str, cause: String) -> Finished {
    Finished {
        outcome: Outcome::Failed(Failure::new(error, cause)),
        fuel: None,
    }
}
