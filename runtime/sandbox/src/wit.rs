//! A component's types and functions as WIT text.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wit_component::WitPrinter;
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{PackageId, Resolve};

use crate::guest_output::cut;

/// Bytes of WIT kept in a module's description.
const WIT_BYTES: usize = 64 << 10;

/// Packages left out: every guest's world is full of them, and they are the same for all.
const LEFT_OUT: &str = "wasi";

/// The WIT of a component: its world, and the packages it names but WASI's. `None` where it can't be told, which
/// keeps nobody from calling it.
pub(crate) fn of(component: &[u8]) -> Option<String> {
    // The decoder asserts what it expects of encoders; a component may be valid and still not what it expects.
    let text = catch_unwind(AssertUnwindSafe(|| print(component))).ok()??;
    Some(cut(&text, WIT_BYTES))
}

fn print(component: &[u8]) -> Option<String> {
    let DecodedWasm::Component(resolve, world) = decode(component).ok()? else {
        return None;
    };
    let package = resolve.worlds[world].package?;
    let others: Vec<PackageId> = resolve.packages.iter().map(|(id, _)| id).collect();
    let others: Vec<PackageId> = others
        .into_iter()
        .filter(|id| *id != package && is_shown(&resolve, *id))
        .collect();
    let mut printer = WitPrinter::default();
    printer.print(&resolve, package, &others).ok()?;
    Some(printer.output.to_string())
}

fn is_shown(resolve: &Resolve, package: PackageId) -> bool {
    let package = &resolve.packages[package];
    package.name.namespace != LEFT_OUT
}
