//! Compiled code as a file: made here for another machine, taken in there.
//!
//! The file says in a few lines of text what it is code of and for, and the code follows. Whoever takes one in trusts
//! whoever gave it: it is native code. So nothing of this is reachable from outside of a machine; what is checked (the
//! engine, the target, that the code is whole) finds mistakes, not malice.

use std::str::FromStr as _;

use engine::ids::Digest;
use engine::ports::ModuleError;
use target_lexicon::{Architecture, Triple};
use wasmtime::component::Component;
use wasmtime::{Config, Engine};

use crate::prepare::{digest, refuse};
use crate::wasm_config;

/// What the file begins with; the number rises when the lines change.
const OPENING: &str = "sandstep compiled module 1\n";
/// Longest header of a file, in bytes: its lines have some 400.
const HEADER_BYTES: usize = 4 << 10;
/// Machines that code is made for, where this build's compiler knows their architecture.
const TARGETS: [&str; 8] = [
    "x86_64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "x86_64-pc-windows-msvc",
    "aarch64-unknown-linux-gnu",
    "aarch64-unknown-linux-musl",
    "aarch64-apple-darwin",
    "riscv64gc-unknown-linux-gnu",
];

/// What a file says of itself.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    component: Digest,
    target: String,
    code: Digest,
}

impl Header {
    fn write(&self) -> String {
        let Self {
            component,
            target,
            code,
        } = self;
        format!("{OPENING}component: {component}\ntarget: {target}\ncode: {code}\n\n")
    }

    /// The header, and the code behind it.
    fn read(file: &[u8]) -> Option<(Self, &[u8])> {
        let head = &file[..file.len().min(HEADER_BYTES)];
        let end = head.windows(2).position(|bytes| bytes == b"\n\n")?;
        let text = std::str::from_utf8(&file[..=end]).ok()?;
        let mut lines = text.strip_prefix(OPENING)?.lines();
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned);
        let header = Self {
            component: Digest(field("component")?.into()),
            target: field("target")?,
            code: Digest(field("code")?.into()),
        };
        Some((header, &file[end + 2..]))
    }
}

/// An engine of this product's settings for another machine, and for every CPU of its architecture: none of this one's
/// features are taken for granted there.
fn engine_for(target: &str) -> Option<Engine> {
    let mut config: Config = wasm_config::config(wasm_config::Allocation::OnDemand, 1, engine::ports::STACKS[0]);
    config.target(target).ok()?;
    Engine::new(&config).ok()
}

/// The targets this build compiles for.
pub(crate) fn targets() -> Vec<String> {
    let known = TARGETS.into_iter().filter(|target| is_known(target));
    known.map(str::to_owned).collect()
}

/// Whether this build's compiler knows an architecture: its own, and with the feature `cross` others.
fn is_known(target: &str) -> bool {
    let host = Triple::host().architecture;
    let Ok(Triple { architecture, .. }) = Triple::from_str(target) else {
        return false;
    };
    let same = match (host, architecture) {
        (Architecture::Aarch64(_), Architecture::Aarch64(_)) | (Architecture::Riscv64(_), Architecture::Riscv64(_)) => {
            true
        }
        (host, architecture) => host == architecture,
    };
    same || cfg!(feature = "cross")
}

/// A component's code for a target, as a file.
pub(crate) fn compile(component_digest: &Digest, component: &[u8], target: &str) -> Result<Vec<u8>, ModuleError> {
    let engine = targets()
        .iter()
        .any(|known| known == target)
        .then(|| engine_for(target))
        .flatten();
    let engine = engine.ok_or_else(|| unknown_target(target))?;
    let code = engine.precompile_component(component).map_err(|error| {
        refuse(
            "CompilationFailed",
            format!("the component can't be compiled for `{target}`: {error:#}"),
            "this is a limit of the compiler for that target; fetch the component and compile it there",
        )
    })?;
    let header = Header {
        component: component_digest.clone(),
        target: target.to_owned(),
        code: digest(&code),
    };
    let mut file = header.write().into_bytes();
    file.extend_from_slice(&code);
    Ok(file)
}

/// A target that isn't among those there are.
pub(crate) fn unknown_target(target: &str) -> ModuleError {
    let listed: Vec<String> = targets().iter().map(|target| format!("`{target}`")).collect();
    let more = if cfg!(feature = "cross") {
        ""
    } else {
        "; one built with `--features cross` does for x86-64, ARM64 and RISC-V"
    };
    refuse(
        "UnknownTarget",
        format!("this server compiles nothing for `{target}`"),
        &format!("it does for {}{more}", listed.join(", ")),
    )
}

/// The code in a file, if it is whole and this machine's engine takes it, and whose it is.
#[allow(unsafe_code)]
pub(crate) fn open<'f>(engine: &Engine, file: &'f [u8]) -> Result<(Digest, &'f [u8]), ModuleError> {
    let unfit = |message: String| {
        let hint =
            "fetch one for this machine from a server of this version: `sandstep modules compile NAME --target TARGET`";
        refuse("UnfitArtefact", message, hint)
    };
    let (header, code) =
        Header::read(file).ok_or_else(|| unfit("this is no compiled module of a Sandstep server".to_owned()))?;
    if digest(code) != header.code {
        return Err(unfit(
            "the code is damaged: it hasn't the digest the file says".to_owned(),
        ));
    }
    let host = Triple::host();
    let is_this =
        |target: &Triple| target.architecture == host.architecture && target.operating_system == host.operating_system;
    if !Triple::from_str(&header.target).is_ok_and(|target| is_this(&target)) {
        let message = format!("the code is for `{}`, and this machine is `{host}`", header.target);
        return Err(unfit(message));
    }
    // SAFETY: wasmtime wants the bytes to be what `precompile_component` wrote. That they are is the word of whoever made
    // the file: the one caller of this is a command that an operator runs on the machine, with rights to its data
    // directory, and with those could replace the code there anyway. The digest in the header finds what was torn.
    let component = unsafe { Component::deserialize(engine, code) };
    component.map_err(|error| unfit(format!("this machine's engine doesn't take the code: {error:#}")))?;
    Ok((header.component, code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_and_what_is_none_is_told() {
        let header = Header {
            component: digest(b"component"),
            target: "aarch64-unknown-linux-gnu".to_owned(),
            code: digest(b"\n\ncode"),
        };
        let mut file = header.write().into_bytes();
        file.extend_from_slice(b"\n\ncode");
        assert_eq!(Header::read(&file), Some((header, &b"\n\ncode"[..])));
        for other in [
            &b""[..],
            b"\0asm",
            b"sandstep compiled module 1\n\n",
            b"sandstep compiled module 2\na: b\n\n",
        ] {
            assert_eq!(Header::read(other), None);
        }
    }
}
