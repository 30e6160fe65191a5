//! An engine for each size of stack: wasmtime gives all guests of an engine the same one.
//!
//! Most guests have the smallest, whose engine is made when the sandbox opens and compiles what is uploaded. The others
//! are made when a guest first asks for them, and run the code that was compiled then: the size of a stack is no part of it.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use engine::ports::STACKS;
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::attempt::Guest;
use crate::epoch::Ticker;
use crate::module_cache::ModuleCache;
use crate::{Error, grants, host_calls, wasm_config};

/// The modules of each engine.
pub(crate) struct Stacks {
    ordinary: Arc<ModuleCache>,
    deeper: [OnceLock<Option<Arc<ModuleCache>>>; STACKS.len() - 1],
    instances: u32,
    cache_dir: PathBuf,
    ticker: Arc<Ticker>,
}

impl Stacks {
    /// None but the ordinary ones are there yet.
    pub(crate) fn new(ordinary: Arc<ModuleCache>, instances: u32, cache_dir: PathBuf, ticker: Arc<Ticker>) -> Self {
        Self {
            ordinary,
            deeper: Default::default(),
            instances,
            cache_dir,
            ticker,
        }
    }

    /// Those whose guests have the largest stack of at most so many bytes.
    pub(crate) fn modules(&self, stack: Option<u64>) -> &Arc<ModuleCache> {
        let place = STACKS.iter().rposition(|size| Some(*size) <= stack).unwrap_or(0);
        let Some(deeper) = place.checked_sub(1) else {
            return &self.ordinary;
        };
        let modules = self.deeper[deeper].get_or_init(|| self.open(STACKS[place]));
        modules.as_ref().unwrap_or(&self.ordinary)
    }

    /// Those of every engine there is.
    pub(crate) fn each(&self) -> impl Iterator<Item = &ModuleCache> {
        let deeper = self.deeper.iter().filter_map(|modules| modules.get()?.as_deref());
        std::iter::once(&*self.ordinary).chain(deeper)
    }

    fn open(&self, stack: u64) -> Option<Arc<ModuleCache>> {
        let opened = wasm_config::engine(self.instances, stack).and_then(|(engine, _)| {
            let modules = ModuleCache::open(engine.clone(), linker(&engine)?, &self.cache_dir)?;
            Ok((engine, modules))
        });
        match opened {
            Ok((engine, modules)) if modules.has_code_of(&self.ordinary) => {
                self.ticker.add(engine);
                Some(Arc::new(modules))
            }
            Ok(_) => {
                tracing::warn!(
                    stack,
                    "this machine has no room for guests with such a stack; they run with an ordinary one"
                );
                None
            }
            Err(error) => {
                tracing::warn!(stack, %error, "guests can't have such a stack here; they run with an ordinary one");
                None
            }
        }
    }
}

/// What guests of an engine may call.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<Guest>, Error> {
    let mut linker = Linker::new(engine);
    grants::link(&mut linker)
        .and_then(|()| host_calls::link(&mut linker))
        .map_err(|error| Error::Link(format!("{error:#}")))?;
    Ok(linker)
}
