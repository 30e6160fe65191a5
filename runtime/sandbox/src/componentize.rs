//! From what people upload to a component.
//!
//! A core module becomes a component here, so that nobody needs a component tool chain: one without a
//! `component-type` section gets our own WIT, one that imports WASI preview 1 gets the adapter, for programs where it
//! has a `_start`.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::entry::HANDLER;
use crate::exit_code;
use crate::grants;
use crate::prepare::UPLOAD_BYTES;

/// Custom section of a component made here: the core module it was made of, as it was uploaded, compressed with LZ4.
const UPLOADED: &str = "sandstep:uploaded";
/// What a custom section begins with.
const CUSTOM_SECTION: u8 = 0;

const WIT: &str = include_str!("../../../wit/task.wit");
const WORLD: &str = "task";

/// Name prefix of the custom section in which guest tool chains leave a module's WIT.
const COMPONENT_TYPE: &str = "component-type";

/// What a program of WASI preview 1 exports.
const START: &str = "_start";

/// What the first eight bytes of an upload say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A component.
    Component,
    /// A core module.
    CoreModule,
}

impl Kind {
    /// Reads the header; `None` where it isn't WebAssembly of a version we know.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let header = bytes.strip_prefix(b"\0asm")?;
        match header.get(..4)? {
            [0x0d, 0, 1, 0] => Some(Kind::Component),
            [1, 0, 0, 0] => Some(Kind::CoreModule),
            _ => None,
        }
    }

    /// As module descriptions show it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Component => "component",
            Kind::CoreModule => "core module",
        }
    }
}

/// Why a core module can't become a component.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It isn't a valid module, or breaks the canonical ABI.
    Invalid(String),
    /// It imports what no task has.
    UnknownImports(Vec<String>),
    /// It lacks the function tasks are called by. Holds its exports.
    NoHandler(Vec<String>),
}

/// Makes a component of a core module. It holds the module: [`uploaded`] has it back.
pub(crate) fn componentize(module: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut component = made_of(module)?;
    let compressed = lz4_flex::block::compress_prepend_size(module);
    component.push(CUSTOM_SECTION);
    let name = length(UPLOADED.len());
    component.extend(length(name.len() + UPLOADED.len() + compressed.len()));
    component.extend(name);
    component.extend(UPLOADED.as_bytes());
    component.extend(compressed);
    Ok(component)
}

/// The core module that a component was made of here. `None` for one that was made before the module was kept.
pub(crate) fn uploaded(component: &[u8]) -> Option<Vec<u8>> {
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload.ok()? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) if depth > 0 => depth -= 1,
            // What is in a module within is its author's.
            Payload::CustomSection(section) if depth == 0 && section.name() == UPLOADED => {
                let (bytes, compressed) = lz4_flex::block::uncompressed_size(section.data()).ok()?;
                if bytes > UPLOAD_BYTES {
                    return None;
                }
                return lz4_flex::block::decompress(compressed, bytes).ok();
            }
            _ => {}
        }
    }
    None
}

/// A length as WebAssembly writes it, in LEB128.
fn length(mut length: usize) -> Vec<u8> {
    let mut written = Vec::new();
    loop {
        let bits = (length & 0x7f) as u8;
        length >>= 7;
        if length == 0 {
            written.push(bits);
            return written;
        }
        written.push(bits | 0x80);
    }
}

fn made_of(module: &[u8]) -> Result<Vec<u8>, Refusal> {
    let found = Found::in_module(module).map_err(|error| Refusal::Invalid(error.to_string()))?;
    let unknown = found.unknown_imports();
    if !unknown.is_empty() {
        return Err(Refusal::UnknownImports(unknown));
    }
    let mut module = module.to_vec();
    let is_program = found.exports.iter().any(|export| export == START);
    if !found.has_wit && !is_program {
        let handle = format!("{HANDLER}#handle");
        if !found.exports.contains(&handle) {
            return Err(Refusal::NoHandler(found.exports));
        }
        embed_our_wit(&mut module).map_err(Refusal::Invalid)?;
    }
    let adapted = found
        .imports
        .iter()
        .any(|(namespace, _)| namespace == WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME);
    let adapter = match (is_program, adapted) {
        (true, _) => Some(WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER),
        (false, true) => Some(WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER),
        (false, false) => None,
    };
    let exits = is_program && exit_code::redirect(&mut module, found.import_section);
    encode(&module, adapter, exits).map_err(Refusal::Invalid)
}

fn embed_our_wit(module: &mut Vec<u8>) -> Result<(), String> {
    let mut resolve = Resolve::default();
    let package = resolve
        .push_str("task.wit", WIT)
        .map_err(|error| format!("{error:#}"))?;
    let world = resolve
        .select_world(&[package], Some(WORLD))
        .map_err(|error| format!("{error:#}"))?;
    embed_component_metadata(module, &resolve, world, StringEncoding::UTF8).map_err(|error| format!("{error:#}"))
}

fn encode(module: &[u8], adapter: Option<&[u8]>, exits: bool) -> Result<Vec<u8>, String> {
    let text = |error| format!("{error:#}");
    let mut encoder = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .map_err(text)?;
    if let Some(adapter) = adapter {
        encoder = encoder
            .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter)
            .map_err(text)?;
    }
    if exits {
        encoder = encoder
            .adapter(exit_code::ADAPTER_NAME, &exit_code::adapter()?)
            .map_err(text)?;
    }
    encoder.encode().map_err(text)
}

struct Found {
    has_wit: bool,
    imports: Vec<(String, String)>,
    import_section: std::ops::Range<usize>,
    exports: Vec<String>,
}

impl Found {
    fn in_module(module: &[u8]) -> wasmparser::Result<Self> {
        wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all()).validate_all(module)?;
        let mut found = Found {
            has_wit: false,
            imports: Vec::new(),
            import_section: 0..0,
            exports: Vec::new(),
        };
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::CustomSection(section) => found.has_wit |= section.name().starts_with(COMPONENT_TYPE),
                Payload::ImportSection(section) => {
                    found.import_section = section.range();
                    for import in section.into_imports() {
                        let import = import?;
                        found.imports.push((import.module.to_owned(), import.name.to_owned()));
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        found.exports.push(export?.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// Imports nothing here can satisfy. What a module with WIT of its own imports is checked on the
    /// component made of it.
    fn unknown_imports(&self) -> Vec<String> {
        self.imports
            .iter()
            .filter(|(namespace, _)| {
                namespace != WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME
                    && !(self.has_wit && namespace.contains(':'))
                    && !(self.has_wit && namespace.starts_with('$'))
                    && !(namespace.starts_with("sandstep:task/") && grants::is_granted(namespace))
            })
            .map(|(namespace, name)| format!("{namespace}#{name}"))
            .collect()
    }
}
