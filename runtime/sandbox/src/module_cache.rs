//! Compiled code: on disk beside the data, and the modules in use in memory.
//!
//! A directory for each engine (its version, settings and this machine's CPU features, as wasmtime's
//! own compatibility hash has them), in it `<digest>.cwasm` and `<digest>.sha256`. Anything missing,
//! torn or foreign is compiled again: nothing here is worth a backup.

mod files;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use engine::ids::Digest;
use engine::ports::{Sweep, Tally};
pub(crate) use files::{CODE, ENGINE};
use files::{CodeFiles, FileNames};
use rustc_hash::FxBuildHasher;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Engine, ResourcesRequired};

use crate::Error;
use crate::attempt::Guest;
use crate::entry::{Entries, NoEntry};

/// What is kept mapped for modules in use: 512 MiB of code (a Rust guest has 0.2 MB, a Python one 40)
/// in at most 4,096 modules. The least recently used one beyond is mapped again from disk when it is
/// called, which costs a millisecond or some.
const BOUNDS: Bounds = Bounds {
    bytes: 512 << 20,
    modules: 4096,
    disk: COMPILED_BYTES,
};

/// What compiled code may have of the disk: some thousand of the usual modules, two hundred of the largest. What was
/// loaded longest ago makes room, and is compiled again when it is called.
pub const COMPILED_BYTES: u64 = 8 << 30;

/// Why a module couldn't be compiled or loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// Its digest isn't one.
    #[error("`{0}` isn't a digest (`sha256:` and 64 hexadecimal digits)")]
    Digest(Digest),
    /// No compiled code of it, or damaged.
    #[error(
        "no compiled code of module `{0}` is at hand; upload it again, or restart the server, which compiles what is stored"
    )]
    Missing(Digest),
    /// The disk.
    #[error("couldn't {what} compiled code of module `{digest}`: {reason}")]
    Disk {
        /// Read or write.
        what: &'static str,
        /// Whose.
        digest: Digest,
        /// What the system said.
        reason: String,
    },
    /// Wasmtime refused the bytes.
    #[error("{0}")]
    Compile(String),
    /// Its imports don't fit.
    #[error("{0}")]
    Link(String),
    /// It can't be called.
    #[error("the component has no entry point: {0:?}")]
    Entry(NoEntry),
}

/// A module ready to be instantiated.
pub(crate) struct Loaded {
    pre: InstancePre<Guest>,
    entries: Entries,
    bytes: usize,
    last_used: AtomicU64,
}

impl Loaded {
    /// What instances are made from.
    pub(crate) fn pre(&self) -> &InstancePre<Guest> {
        &self.pre
    }

    /// How it is called.
    pub(crate) fn entries(&self) -> &Entries {
        &self.entries
    }

    /// What an instance begins with; `None` where that depends on its imports.
    pub(crate) fn resources(&self) -> Option<ResourcesRequired> {
        self.pre.component().resources_required()
    }
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    bytes: usize,
    modules: usize,
    disk: u64,
}

/// See the module's own words.
pub(crate) struct ModuleCache {
    engine: Engine,
    linker: Linker<Guest>,
    files: CodeFiles,
    /// Looked up for each attempt. Nobody can choose digests that collide here: they are hashes already.
    loaded: RwLock<HashMap<Digest, Arc<Loaded>, FxBuildHasher>>,
    bounds: Bounds,
    uses: AtomicU64,
    /// One at a time: Cranelift already uses every core and, for a large module, a gigabyte.
    compiling: Mutex<()>,
}

impl ModuleCache {
    /// Uses `root`, making it where it doesn't exist.
    pub(crate) fn open(engine: Engine, linker: Linker<Guest>, root: &Path) -> Result<Self, Error> {
        let files = CodeFiles::open(root, &engine)?;
        Ok(Self {
            engine,
            linker,
            files,
            loaded: RwLock::default(),
            bounds: BOUNDS,
            uses: AtomicU64::new(0),
            compiling: Mutex::new(()),
        })
    }

    /// The engine all modules belong to.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether code that the other one compiled runs here.
    pub(crate) fn has_code_of(&self, other: &Self) -> bool {
        self.files.path() == other.files.path()
    }

    /// Lets go of modules that are gone.
    pub(crate) fn forget(&self, keep: &[Digest]) {
        let keep: HashSet<&Digest> = keep.iter().collect();
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|digest, _| keep.contains(digest));
    }

    /// The module, from memory or from disk. Never compiles.
    pub(crate) fn loaded(&self, digest: &Digest) -> Result<Arc<Loaded>, LoadError> {
        if let Some(module) = self.loaded.read().unwrap_or_else(PoisonError::into_inner).get(digest) {
            module
                .last_used
                .store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
            return Ok(Arc::clone(module));
        }
        let module = Arc::new(self.load(digest)?);
        self.keep(digest, &module);
        Ok(module)
    }

    /// Whether the module can be called without compiling it, as far as a look at the disk tells.
    pub(crate) fn at_hand(&self, digest: &Digest) -> bool {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        let names = || FileNames::of(digest).is_ok_and(|names| self.files.is_complete(&names));
        loaded.contains_key(digest) || names()
    }

    /// Whether compiled code has about all of the disk that it may have: compiling more would take other code away.
    pub(crate) fn is_full(&self) -> bool {
        let held = self
            .files
            .list()
            .map(|files| files.iter().map(|file| file.bytes).sum::<u64>());
        held.is_ok_and(|held| held > self.bounds.disk / 10 * 9)
    }

    /// Compiles a component and keeps the code, on disk and in memory.
    pub(crate) fn compile(&self, digest: &Digest, component: &[u8]) -> Result<Arc<Loaded>, LoadError> {
        let _one = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(module) = self.loaded(digest) {
            return Ok(module);
        }
        let code = self
            .engine
            .precompile_component(component)
            .map_err(|error| LoadError::Compile(format!("{error:#}")))?;
        let names = FileNames::of(digest)?;
        self.files
            .write(&names, &code)
            .map_err(|error| disk("write", digest, error))?;
        drop(code);
        let room = self
            .files
            .make_room(self.bounds.disk, &names, |digits| self.is_loaded(digits));
        if let Err(error) = room {
            tracing::warn!(%error, "can't tell how much of the disk compiled code takes up, or delete what is too much");
        }
        self.loaded(digest).inspect_err(|_| {
            // Code that can't be linked or called is of no use to anybody.
            self.files.remove(&names);
        })
    }

    /// Keeps code that was compiled elsewhere, as if it had been compiled here.
    pub(crate) fn take_in(&self, digest: &Digest, code: &[u8]) -> Result<(), LoadError> {
        let _one = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        let names = FileNames::of(digest)?;
        self.files
            .write(&names, code)
            .map_err(|error| disk("write", digest, error))?;
        self.loaded(digest).map(drop).inspect_err(|_| self.files.remove(&names))
    }

    /// Waits for its turn to compile: one at a time.
    pub(crate) fn turn(&self) -> std::sync::MutexGuard<'_, ()> {
        self.compiling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[allow(unsafe_code)]
    fn load(&self, digest: &Digest) -> Result<Loaded, LoadError> {
        let names = FileNames::of(digest)?;
        match self.files.is_intact(&names) {
            Ok(true) => {}
            Ok(false) => return Err(LoadError::Missing(digest.clone())),
            Err(error) => return Err(disk("read", digest, error)),
        }
        // SAFETY: wasmtime wants the bytes to be what `precompile_component` wrote. The directory is
        // the server's own, written by nobody but `write` below; the name holds the component's digest
        // and the directory's the engine's settings; and the bytes were just found to have the checksum
        // recorded when they were written. Files are replaced by renaming, never written in place, so
        // a mapping never changes.
        let component = unsafe { Component::deserialize_file(&self.engine, self.files.code(&names)) }
            .map_err(|error| disk("load", digest, format!("{error:#}")))?;
        let entries = Entries::find(&component).map_err(LoadError::Entry)?;
        let image = component.image_range();
        let bytes = (image.end as usize).saturating_sub(image.start as usize);
        let pre = self
            .linker
            .instantiate_pre(&component)
            .map_err(|error| LoadError::Link(format!("{error:#}")))?;
        Ok(Loaded {
            pre,
            entries,
            bytes,
            last_used: AtomicU64::new(0),
        })
    }

    /// Deletes what is no code of these components for this engine, or counts it.
    pub(crate) fn sweep(&self, keep: &[Digest], sweep: Sweep) -> std::io::Result<Tally> {
        let _one = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        if sweep == Sweep::Delete {
            self.forget(keep);
        }
        self.files.sweep(&keep.iter().collect(), sweep)
    }

    fn is_loaded(&self, digits: &str) -> bool {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        loaded.contains_key(&Digest(format!("sha256:{digits}").into()))
    }

    fn keep(&self, digest: &Digest, module: &Arc<Loaded>) {
        module
            .last_used
            .store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        loaded.insert(digest.clone(), Arc::clone(module));
        let mut bytes: usize = loaded.values().map(|module| module.bytes).sum();
        while loaded.len() > 1 && (bytes > self.bounds.bytes || loaded.len() > self.bounds.modules) {
            let oldest = loaded
                .iter()
                .min_by_key(|(_, module)| module.last_used.load(Ordering::Relaxed));
            let Some((oldest, size)) = oldest.map(|(digest, module)| (digest.clone(), module.bytes)) else {
                break;
            };
            loaded.remove(&oldest);
            bytes = bytes.saturating_sub(size);
        }
    }
}

fn disk(what: &'static str, digest: &Digest, reason: impl ToString) -> LoadError {
    LoadError::Disk {
        what,
        digest: digest.clone(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use engine::ports::{Manifest, TaskLimits};

    use super::*;
    use crate::{grants, host_calls, prepare, wasm_config};

    #[test]
    fn the_least_recently_used_module_makes_room_and_comes_back_from_disk() {
        let directory = tempfile::TempDir::new().expect("temporary directory");
        let mut modules = cache(directory.path());
        modules.bounds.modules = 2;
        let digests = [1, 2, 3].map(|number| {
            if number == 3 {
                // The first is used after the second.
                upload(&modules, 1);
            }
            upload(&modules, number)
        });
        let kept = |digest| modules.loaded.read().expect("no panic").contains_key(digest);
        assert_eq!(digests.each_ref().map(kept), [true, false, true]);
        modules.loaded(&digests[1]).expect("still on disk");
        assert_eq!(digests.each_ref().map(kept), [false, true, true]);
    }

    #[test]
    fn the_disk_holds_so_much_code_and_what_was_loaded_longest_ago_goes() {
        let directory = tempfile::TempDir::new().expect("temporary directory");
        let mut modules = cache(directory.path());
        modules.bounds.modules = 1;
        let first = upload(&modules, 1);
        let each: u64 = modules.files.list().expect("lists").iter().map(|file| file.bytes).sum();
        modules.bounds.disk = each * 5 / 2;
        assert!(!modules.is_full());
        let second = upload(&modules, 2);
        modules.loaded(&first).expect("on disk");
        let third = upload(&modules, 3);
        let at_hand = |digest| modules.at_hand(digest);
        assert_eq!([&first, &second, &third].map(at_hand), [true, false, true]);
        assert!(matches!(modules.loaded(&second), Err(LoadError::Missing(_))));
        // It is compiled again, and another one goes.
        upload(&modules, 2);
        assert!(modules.at_hand(&second) && modules.files.list().expect("lists").len() == 2);
    }

    #[test]
    fn code_of_nothing_and_of_other_engines_is_swept_away() {
        let directory = tempfile::TempDir::new().expect("temporary directory");
        let modules = cache(directory.path());
        let [kept, gone] = [1, 2].map(|number| upload(&modules, number));
        let older = directory.path().join("engine-0123456789abcdef");
        fs::create_dir(&older).expect("creates");
        fs::write(older.join("0.cwasm"), "code").expect("writes");
        fs::write(modules.files.path().join("0.cwasm.77.tmp"), "half").expect("writes");
        fs::write(directory.path().join("README"), "somebody's").expect("writes");

        let counted = modules
            .sweep(std::slice::from_ref(&kept), Sweep::Count)
            .expect("counts");
        assert_eq!(counted.count, 2, "code of one module, and of one by another engine");
        modules.loaded(&gone).expect("is there");
        assert_eq!(
            modules
                .sweep(std::slice::from_ref(&kept), Sweep::Delete)
                .expect("sweeps"),
            counted
        );
        assert!(matches!(modules.loaded(&gone), Err(LoadError::Missing(_))));
        modules.loaded(&kept).expect("is there");
        assert!(!older.exists() && directory.path().join("README").exists());
        assert_eq!(fs::read_dir(modules.files.path()).expect("lists").count(), 2);
        assert_eq!(modules.sweep(&[kept], Sweep::Delete).expect("sweeps"), Tally::default());
    }

    fn cache(directory: &Path) -> ModuleCache {
        let (engine, _) = wasm_config::engine(1, engine::ports::STACKS[0]).expect("an engine");
        let mut linker = Linker::new(&engine);
        grants::link(&mut linker).expect("WASI");
        host_calls::link(&mut linker).expect("host");
        ModuleCache::open(engine, linker, directory).expect("a cache")
    }

    /// A task of so many pages, so that each is another module.
    fn upload(modules: &ModuleCache, pages: u32) -> Digest {
        let module = wat::parse_str(format!(
            r#"(module
                (memory (export "memory") {pages})
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
                (func (export "sandstep:task/handler@0.1.0#handle") (param i32 i32) (result i32) unreachable))"#
        ));
        let module = module.expect("valid WAT");
        prepare::prepare(modules, TaskLimits::default(), &module, Manifest::default())
            .expect("a task")
            .digest
    }
}
