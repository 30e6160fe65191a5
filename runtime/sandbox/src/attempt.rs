//! One run of one guest: a fresh instance, one call, gone.

use std::sync::Arc;

use asl::Failure;
use engine::ports::Outcome;
use wasmtime::{ResourceLimiter, Store};

use crate::entry::Room;
use crate::grants::Wasi;
use crate::guest_threads::{Finished, OpenAttempt};
use crate::limits::MemoryBudget;
use crate::module_cache::ModuleCache;
use crate::outcome::{self, Phase};
use crate::standard_streams::Written;

/// What host functions see of the guest that calls them.
pub(crate) struct Guest {
    attempt: Arc<OpenAttempt>,
    memory: MemoryBudget,
    wasi: Option<Box<Wasi>>,
    /// The answer of a guest that speaks on its standard streams.
    written: Option<Written>,
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
            .get_or_insert_with(|| Box::new(Wasi::granting_nothing(attempt, written.as_ref())))
    }

    /// What it wrote to standard output, where that is its answer.
    pub(crate) fn answered(&self) -> Result<String, std::string::FromUtf8Error> {
        String::from_utf8(self.written.as_ref().map(Written::take).unwrap_or_default())
    }
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.memory.memory_growing(current, desired, maximum)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.memory.table_growing(current, desired, maximum)
    }
}

/// Runs the attempt's guest. Clocks and cancelling are not looked at here: they drop this future.
pub(crate) async fn run(modules: Arc<ModuleCache>, attempt: Arc<OpenAttempt>, output_bytes: usize) -> Finished {
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
    let limits = attempt.limits();
    let room = Room {
        output: output_bytes,
        values: usize::try_from(limits.memory).unwrap_or(usize::MAX),
    };
    let copied = way.copied(room);
    let guest = Guest {
        memory: MemoryBudget::new(limits.memory, Arc::clone(attempt.peak())),
        wasi: None,
        written: way.speaks_on_streams().then(|| Written::at_most(output_bytes)),
        attempt: Arc::clone(&attempt),
    };
    let mut store = Store::new(modules.engine(), guest);
    store.limiter(|guest| guest);
    store.set_hostcall_fuel(copied);
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
        Ok(answer) => outcome::of_answer(answer),
        Err(error) => Outcome::Failed(outcome::of_error(&error, phase, copied, &mut attempt.output())),
    };
    let fuel = store.get_fuel().ok().map(|left| limits.fuel.saturating_sub(left));
    Finished { outcome, fuel }
}

fn failed(error: &str, cause: String) -> Finished {
    Finished {
        outcome: Outcome::Failed(Failure::new(error, cause)),
        fuel: None,
    }
}
