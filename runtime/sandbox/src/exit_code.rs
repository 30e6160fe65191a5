//! Exit codes of WASI preview 1 programs.
//!
//! The preview 1 adapter knows only that a program failed, although WASI has had `exit-with-code` since 0.2.12. So a
//! program's `proc_exit` gets an adapter of its own.

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// As long as the name it replaces, so that a module is changed in place.
pub(crate) const ADAPTER_NAME: &str = "sandstep_preview1_exit";

const WIT: &str = "
package wasi:cli@0.2.12;

interface exit {
  exit: func(status: result);
  exit-with-code: func(status-code: u8);
}

world adapter {
  import exit;
}
";

/// ```wat
/// (module
///   (import \"wasi:cli/exit@0.2.12\" \"exit-with-code\" (func $exit (param i32)))
///   (func (export \"proc_exit\") (param i32) (call $exit (local.get 0)) unreachable))
/// ```
const MODULE: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x05\x01\x60\x01\x7f\0\
    \x02\x27\x01\x14wasi:cli/exit@0.2.12\x0eexit-with-code\0\0\
    \x03\x02\x01\0\
    \x07\x0d\x01\x09proc_exit\0\x01\
    \x0a\x09\x01\x07\0\x20\0\x10\0\0\x0b";

/// The import of `proc_exit` as a module has it, lengths included.
const IMPORT: &[u8] = b"\x16wasi_snapshot_preview1\x09proc_exit";

/// The adapter.
pub(crate) fn adapter() -> Result<Vec<u8>, String> {
    let text = |error| format!("{error:#}");
    let mut resolve = Resolve::default();
    let package = resolve.push_str("exit.wit", WIT).map_err(text)?;
    let world = resolve.select_world(&[package], None).map_err(text)?;
    let mut module = MODULE.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(text)?;
    Ok(module)
}

/// Leads a module's `proc_exit`, which is imported somewhere in `imports`, to the adapter. Answers whether there is one.
pub(crate) fn redirect(module: &mut [u8], imports: std::ops::Range<usize>) -> bool {
    let Some(section) = module.get_mut(imports) else {
        return false;
    };
    let Some(place) = section.windows(IMPORT.len()).position(|window| window == IMPORT) else {
        return false;
    };
    // Behind the byte that says how long the name is.
    section[place + 1..][..ADAPTER_NAME.len()].copy_from_slice(ADAPTER_NAME.as_bytes());
    true
}
