//! What an upload must be to become a module, and what people are told where it isn't.

use engine::ids::Digest;
use engine::ports::{Manifest, ModuleDescription, ModuleError, Prepared, TaskLimits};
use sha2::{Digest as _, Sha256};
use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType};
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

use crate::componentize::{Kind, Refusal, componentize};
use crate::entry::NoEntry;
use crate::grants;
use crate::limits::{MAX_MEMORIES, MAX_TABLES};
use crate::module_cache::{LoadError, Loaded, ModuleCache};
use crate::module_sizes::ModuleSizes;
use crate::wasm_config::TABLE_ELEMENTS;
use crate::wit;

/// Largest upload: three times the largest guest seen, a Python interpreter with libraries.
pub const UPLOAD_BYTES: usize = 64 << 20;

/// What WebAssembly counts memory in.
const WASM_PAGE_BYTES: u64 = 64 << 10;

/// Names listed in one message.
const NAMES_LISTED: usize = 50;

/// Checks, componentises and compiles an upload.
pub(crate) fn prepare(
    modules: &ModuleCache,
    limits: TaskLimits,
    upload: &[u8],
    manifest: Manifest,
) -> Result<Prepared, ModuleError> {
    if upload.len() > UPLOAD_BYTES {
        return Err(refuse(
            "TooLarge",
            format!(
                "the upload has `{}` bytes, at most `{UPLOAD_BYTES}` are taken",
                upload.len()
            ),
            "strip debug information (`strip = true`, `-s`) and build with size optimisation",
        ));
    }
    let Some(kind) = Kind::of(upload) else {
        return Err(refuse(
            "NotWasm",
            "the upload doesn't begin like a WebAssembly component or core module".to_owned(),
            "upload the binary (`.wasm`), not its source, text form or an archive",
        ));
    };
    let component = match kind {
        Kind::Component => upload.to_vec(),
        Kind::CoreModule => componentize(upload).map_err(refusal)?,
    };
    let names = Names::of(&component).map_err(invalid)?;
    names.check()?;
    check_modules(&component)?;
    let digest = digest(&component);
    let module = compile(modules, &digest, &component)?;
    let limits = manifest.limits.over(limits);
    check_size(&module, limits)?;
    Ok(Prepared {
        description: ModuleDescription {
            signature: None,
            entry: module.entries().default_name().to_owned(),
            ways: module.entries().described(),
            wit: wit::of(&component),
            exports: names.exports,
            imports: names.imports,
            limits,
            uploaded_as: kind.as_str().to_owned(),
            manifest,
        },
        component,
        digest,
    })
}

/// Compiles a component unless that was done before.
pub(crate) fn compile(
    modules: &ModuleCache,
    digest: &Digest,
    component: &[u8],
) -> Result<std::sync::Arc<Loaded>, ModuleError> {
    match modules.loaded(digest) {
        Ok(module) => Ok(module),
        Err(_) => modules.compile(digest, component).map_err(load_error),
    }
}

/// The content address of a component.
pub(crate) fn digest(component: &[u8]) -> Digest {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(component) {
        text.push_str(&format!("{byte:02x}"));
    }
    Digest(text.into())
}

/// A refusal with its stable code.
pub(crate) fn refuse(code: &str, message: String, hint: &str) -> ModuleError {
    ModuleError {
        code: code.to_owned(),
        message,
        hint: hint.to_owned(),
    }
}

fn invalid(reason: impl std::fmt::Display) -> ModuleError {
    refuse(
        "InvalidModule",
        format!("the upload isn't valid WebAssembly: {reason}"),
        "build it again and upload the whole file; `wasm-tools validate` says the same",
    )
}

fn refusal(refusal: Refusal) -> ModuleError {
    match refusal {
        Refusal::Invalid(reason) => invalid(reason),
        Refusal::UnknownImports(imports) => unknown_imports(&imports),
        Refusal::NoHandler(exports) => no_entry_point(&exports),
    }
}

fn unknown_imports(imports: &[String]) -> ModuleError {
    let mut advice: Vec<&str> = Vec::new();
    for import in imports {
        let text = grants::advice(import);
        if !advice.contains(&text) {
            advice.push(text);
        }
    }
    refuse(
        "UnknownImport",
        format!("the upload imports what no task is given: {}", listed(imports)),
        &advice.join("; "),
    )
}

fn no_entry_point(exports: &[String]) -> ModuleError {
    refuse(
        "NoEntryPoint",
        format!(
            "the upload exports nothing that a task can call; it exports {}",
            listed(exports)
        ),
        "build against the world `task` in `wit/task.wit`, best through a guest SDK, or export a function whose types JSON can say, or a program's `main` (`_start`); a core module without a main exports `sandstep:task/handler@0.1.0#handle`, `cabi_realloc` and `memory`",
    )
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let mut text = names
        .iter()
        .take(NAMES_LISTED)
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > NAMES_LISTED {
        text.push_str(&format!(" and {} more", names.len() - NAMES_LISTED));
    }
    text
}

pub(crate) fn load_error(error: LoadError) -> ModuleError {
    match error {
        LoadError::Compile(reason) => invalid(reason),
        LoadError::Link(reason) => refuse(
            "UnknownImport",
            format!("an import differs from what tasks are given: {reason}"),
            "build against the package in `wit/`, version 0.1, and WASI 0.2",
        ),
        LoadError::Entry(NoEntry::Missing(functions)) => no_entry_point(&functions),
        LoadError::Entry(NoEntry::WrongType(what)) => refuse(
            "NoEntryPoint",
            format!("{what} is exported, but not as `func(input: string) -> result<string, task-error>`"),
            "build against the world `task` in `wit/task.wit`",
        ),
        other => refuse(
            "CacheFailed",
            other.to_string(),
            "see the server's log; the upload itself may be fine",
        ),
    }
}

/// Refuses at upload what could never be instantiated.
fn check_size(module: &Loaded, limits: TaskLimits) -> Result<(), ModuleError> {
    let Some(needs) = module.resources() else {
        return Err(invalid("it instantiates modules it imports"));
    };
    let checks = [
        ("memories", u64::from(needs.num_memories), u64::from(MAX_MEMORIES)),
        ("tables", u64::from(needs.num_tables), u64::from(MAX_TABLES)),
        (
            "bytes of initial memory",
            needs
                .max_initial_memory_size
                .unwrap_or(0)
                .saturating_mul(WASM_PAGE_BYTES),
            limits.memory,
        ),
        (
            "initial table elements",
            needs.max_initial_table_size.unwrap_or(0),
            TABLE_ELEMENTS as u64,
        ),
    ];
    within(checks)
}

/// The same of each core module by itself, before it is compiled.
fn check_modules(component: &[u8]) -> Result<(), ModuleError> {
    let most = ModuleSizes::of(component).map_err(invalid)?;
    within([
        ("memories", most.memories, u64::from(MAX_MEMORIES)),
        ("tables", most.tables, u64::from(MAX_TABLES)),
        ("initial table elements", most.table_elements, TABLE_ELEMENTS as u64),
    ])
}

fn within(checks: impl IntoIterator<Item = (&'static str, u64, u64)>) -> Result<(), ModuleError> {
    for (what, needed, allowed) in checks {
        if needed > allowed {
            return Err(refuse(
                "TooLarge",
                format!("the component needs `{needed}` {what}, a task may have `{allowed}`"),
                "build it smaller; C and Zig reserve a large stack unless told otherwise (`-z stack-size=65536`)",
            ));
        }
    }
    Ok(())
}

/// Interfaces whose functions are told apart: which of ours a task calls says what it expects of its states; and the
/// types of a clock alone, which whoever has files imports, tell nobody the time.
const BY_FUNCTION: [&str; 3] = ["sandstep:task/host@", "wasi:clocks/", "wasi:random/"];

/// What a component imports and exports, by name; imports of some interfaces with each function, too.
struct Names {
    imports: Vec<String>,
    exports: Vec<String>,
    unknown: Vec<String>,
}

impl Names {
    fn of(component: &[u8]) -> wasmparser::Result<Self> {
        let types = Validator::new_with_features(WasmFeatures::all()).validate_all(component)?;
        let mut names = Names {
            imports: Vec::new(),
            exports: Vec::new(),
            unknown: Vec::new(),
        };
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(component) {
            match payload? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        let name = import?.name.name;
                        let item = types.as_ref().component_item_for_import(name);
                        let needed = item.is_none_or(|item| needs_host(&types, &item.ty));
                        if needed && !grants::is_granted(name) {
                            names.unknown.push(name.to_owned());
                        }
                        names.imports.push(name.to_owned());
                        if BY_FUNCTION.iter().any(|interface| name.starts_with(interface)) {
                            let functions = item.map(|item| functions_of(&types, &item.ty)).unwrap_or_default();
                            names
                                .imports
                                .extend(functions.iter().map(|function| format!("{name}#{function}")));
                        }
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        names.exports.push(export?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(names)
    }

    fn check(&self) -> Result<(), ModuleError> {
        if !self.unknown.is_empty() {
            return Err(unknown_imports(&self.unknown));
        }
        if self.exports.is_empty() {
            return Err(no_entry_point(&self.exports));
        }
        Ok(())
    }
}

/// The functions of an interface that a component imports: only those it may call.
fn functions_of(types: &wasmparser::types::Types, item: &ComponentEntityType) -> Vec<String> {
    let ComponentEntityType::Instance(instance) = item else {
        return Vec::new();
    };
    let functions = types[*instance]
        .exports
        .iter()
        .filter(|(_, export)| matches!(export.ty, ComponentEntityType::Func(_)));
    functions.map(|(name, _)| name.clone()).collect()
}

/// Interfaces of nothing but types ask nothing of the host.
fn needs_host(types: &wasmparser::types::Types, item: &ComponentEntityType) -> bool {
    match item {
        ComponentEntityType::Instance(instance) => types[*instance]
            .exports
            .values()
            .any(|export| needs_host(types, &export.ty)),
        ComponentEntityType::Type { created, .. } => matches!(created, ComponentAnyTypeId::Resource(_)),
        ComponentEntityType::Module(_)
        | ComponentEntityType::Func(_)
        | ComponentEntityType::Value(_)
        | ComponentEntityType::Component(_) => true,
    }
}
