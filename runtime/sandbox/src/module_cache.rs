//! Compiled code: on disk beside the data, and the modules in use in memory.
//!
//! A directory for each engine (its version, settings and this machine's CPU features, as wasmtime's
//! own compatibility hash has them), in it `<digest>.cwasm` and `<digest>.sha256`. Anything missing,
//! torn or foreign is compiled again: nothing here is worth a backup.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use engine::ids::Digest;
use engine::ports::{Sweep, Tally};
use rustc_hash::FxBuildHasher;
use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Engine, ResourcesRequired};

use crate::attempt::Guest;
use crate::entry::{Entries, NoEntry};
use crate::{Error, sweep};

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

/// What the name of a file of code ends with.
pub(crate) const CODE: &str = ".cwasm";
/// What the name of its checksum's file ends with.
const CHECKSUM: &str = ".sha256";
/// What the name of an engine's directory begins with.
pub(crate) const ENGINE: &str = "engine-";

/// Bytes read at once while checking a file.
const READ_BYTES: usize = 64 << 10;

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
    root: PathBuf,
    path: PathBuf,
    directory: Dir,
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
        let path = root.join(engine_key(&engine));
        let directory = open_directory(&path).map_err(|source| Error::Cache {
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            engine,
            linker,
            root: root.to_owned(),
            path,
            directory,
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
        self.path == other.path
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
        let names = || FileNames::of(digest).is_ok_and(|names| self.directory.exists(names.checksum));
        loaded.contains_key(digest) || names()
    }

    /// Whether compiled code has about all of the disk that it may have: compiling more would take other code away.
    pub(crate) fn is_full(&self) -> bool {
        let held = self
            .on_disk()
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
        self.write(&names, &code)
            .map_err(|error| disk("write", digest, error))?;
        drop(code);
        if let Err(error) = self.make_room(&names) {
            tracing::warn!(%error, "can't tell how much of the disk compiled code takes up, or delete what is too much");
        }
        self.loaded(digest).inspect_err(|_| {
            // Code that can't be linked or called is of no use to anybody.
            let _ = self.directory.remove_file(&names.code);
            let _ = self.directory.remove_file(&names.checksum);
        })
    }

    /// Keeps code that was compiled elsewhere, as if it had been compiled here.
    pub(crate) fn take_in(&self, digest: &Digest, code: &[u8]) -> Result<(), LoadError> {
        let _one = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        let names = FileNames::of(digest)?;
        self.write(&names, code).map_err(|error| disk("write", digest, error))?;
        self.loaded(digest).map(drop).inspect_err(|_| {
            let _ = self.directory.remove_file(&names.code);
            let _ = self.directory.remove_file(&names.checksum);
        })
    }

    /// Waits for its turn to compile: one at a time.
    pub(crate) fn turn(&self) -> std::sync::MutexGuard<'_, ()> {
        self.compiling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[allow(unsafe_code)]
    fn load(&self, digest: &Digest) -> Result<Loaded, LoadError> {
        let names = FileNames::of(digest)?;
        match self.is_intact(&names) {
            Ok(true) => {}
            Ok(false) => return Err(LoadError::Missing(digest.clone())),
            Err(error) => return Err(disk("read", digest, error)),
        }
        // SAFETY: wasmtime wants the bytes to be what `precompile_component` wrote. The directory is
        // the server's own, written by nobody but `write` below; the name holds the component's digest
        // and the directory's the engine's settings; and the bytes were just found to have the checksum
        // recorded when they were written. Files are replaced by renaming, never written in place, so
        // a mapping never changes.
        let component = unsafe { Component::deserialize_file(&self.engine, self.path.join(&names.code)) }
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
        let keep: HashSet<&Digest> = keep.iter().collect();
        let mut swept = sweep::files(&self.directory, &|name| is_code_of(name, &keep), sweep)?;
        swept += sweep::other_directories(&self.root, self.path.file_name().unwrap_or_default(), sweep)?;
        Ok(swept)
    }

    /// Deletes the code that was loaded longest ago where there is more than may be. What is in memory counts as used
    /// now, and the newest stays.
    fn make_room(&self, newest: &FileNames) -> std::io::Result<()> {
        let mut files = self.on_disk()?;
        let mut held: u64 = files.iter().map(|file| file.bytes).sum();
        if held <= self.bounds.disk {
            return Ok(());
        }
        files.sort_by_key(|file| (self.is_loaded(&file.digits), file.used));
        for file in files {
            if held <= self.bounds.disk {
                break;
            }
            let code = format!("{}{CODE}", file.digits);
            if code == newest.code {
                continue;
            }
            // Without its checksum it is no code any more, whatever happens in between.
            self.directory.remove_file(format!("{}{CHECKSUM}", file.digits))?;
            self.directory.remove_file(code)?;
            held = held.saturating_sub(file.bytes);
        }
        Ok(())
    }

    fn is_loaded(&self, digits: &str) -> bool {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        loaded.contains_key(&Digest(format!("sha256:{digits}").into()))
    }

    fn on_disk(&self) -> std::io::Result<Vec<OnDisk>> {
        let mut files = Vec::new();
        for entry in self.directory.entries()? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(digits) = name.to_str().and_then(|name| name.strip_suffix(CODE)) else {
                continue;
            };
            let metadata = entry.metadata()?;
            files.push(OnDisk {
                digits: digits.to_owned(),
                bytes: metadata.len(),
                used: metadata.modified()?.into_std(),
            });
        }
        Ok(files)
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

    fn is_intact(&self, names: &FileNames) -> std::io::Result<bool> {
        let found = |result: std::io::Result<_>| match result {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        };
        let Some(mut code) = found(self.directory.open(&names.code))? else {
            return Ok(false);
        };
        let Some(checksum) = found(self.directory.open(&names.checksum))? else {
            return Ok(false);
        };
        let mut recorded = Vec::new();
        checksum.take(READ_BYTES as u64).read_to_end(&mut recorded)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match code.read(&mut buffer)? {
                0 => {
                    // When it was loaded last. A disk that can't say it has the code deleted sooner than it might be.
                    let _ = code.into_std().set_modified(SystemTime::now());
                    return Ok(hash.finalize().as_slice() == recorded);
                }
                read => hash.update(&buffer[..read]),
            }
        }
    }

    fn write(&self, names: &FileNames, code: &[u8]) -> std::io::Result<()> {
        self.replace(&names.code, code)?;
        self.replace(&names.checksum, &Sha256::digest(code))
    }

    /// Not synced: what a power cut tears is found by its checksum and compiled again.
    fn replace(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let fresh = format!("{name}.{}.tmp", std::process::id());
        let mut file = self.directory.create(&fresh)?;
        file.write_all(bytes)?;
        drop(file);
        self.directory.rename(&fresh, &self.directory, name)
    }
}

fn open_directory(path: &Path) -> std::io::Result<Dir> {
    Dir::create_ambient_dir_all(path, ambient_authority())?;
    Dir::open_ambient_dir(path, ambient_authority())
}

fn disk(what: &'static str, digest: &Digest, reason: impl ToString) -> LoadError {
    LoadError::Disk {
        what,
        digest: digest.clone(),
        reason: reason.to_string(),
    }
}

/// One module's code on disk.
struct OnDisk {
    digits: String,
    bytes: u64,
    used: SystemTime,
}

struct FileNames {
    code: String,
    checksum: String,
}

impl FileNames {
    /// Only a digest's own digits ever reach the file system.
    fn of(digest: &Digest) -> Result<Self, LoadError> {
        let digits = digest.0.strip_prefix("sha256:").filter(|digits| {
            digits.len() == 64 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        });
        let Some(digits) = digits else {
            return Err(LoadError::Digest(digest.clone()));
        };
        Ok(Self {
            code: format!("{digits}{CODE}"),
            checksum: format!("{digits}{CHECKSUM}"),
        })
    }
}

/// Whether a file is whole and of one of these components.
fn is_code_of(name: &str, keep: &HashSet<&Digest>) -> bool {
    let digits = name.strip_suffix(CODE).or_else(|| name.strip_suffix(CHECKSUM));
    digits.is_some_and(|digits| keep.contains(&Digest(format!("sha256:{digits}").into())))
}

/// Names the directory of an engine's code. Hashed with SHA-256 because the standard library's hasher
/// may change between the compilers two releases are built with.
fn engine_key(engine: &Engine) -> String {
    struct Sha(Sha256);
    impl Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            let digest = self.0.clone().finalize();
            digest
                .iter()
                .take(8)
                .fold(0, |number, byte| (number << 8) | u64::from(*byte))
        }
    }
    let mut hasher = Sha(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{ENGINE}{:016x}", hasher.finish())
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
        let each: u64 = modules.on_disk().expect("lists").iter().map(|file| file.bytes).sum();
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
        assert!(modules.at_hand(&second) && modules.on_disk().expect("lists").len() == 2);
    }

    #[test]
    fn code_of_nothing_and_of_other_engines_is_swept_away() {
        let directory = tempfile::TempDir::new().expect("temporary directory");
        let modules = cache(directory.path());
        let [kept, gone] = [1, 2].map(|number| upload(&modules, number));
        let older = directory.path().join("engine-0123456789abcdef");
        fs::create_dir(&older).expect("creates");
        fs::write(older.join("0.cwasm"), "code").expect("writes");
        fs::write(modules.path.join("0.cwasm.77.tmp"), "half").expect("writes");
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
        assert_eq!(fs::read_dir(&modules.path).expect("lists").count(), 2);
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
