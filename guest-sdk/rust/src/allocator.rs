//! The guest's memory: what it starts with is used before any is asked for.
//!
//! A fresh instance that never grows its memory costs the host a third of one that does: growing changes
//! the address space's protection, which stops the host's other threads for a moment. Rust's own
//! allocator grows at the first allocation. This one starts with a reserve that is part of the initial
//! memory, in zeroed pages that cost nothing until they are touched.

use std::alloc::Layout;
use std::arch::wasm32::memory_grow;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use talc::base::Talc;
use talc::base::binning::Binning;
use talc::cell::TalcSyncCell;
use talc::source::Source;
use talc::wasm::WasmBinning;

/// Room for a payload of 128 KiB, half of the largest the language allows, its parsed form and the output.
/// With the stack before it (1 MiB) it stays under what the host keeps resident for a slot (2 MiB).
const RESERVE: usize = 896 * 1024;

/// WebAssembly's page.
const PAGE: usize = 64 * 1024;

/// Memory grows by at least this many pages: each growth is a system call in the host.
const GROWTH_PAGES: usize = 16;

/// More than the allocator's own bookkeeping takes of a new region: a chunk header and two ends.
const BOOKKEEPING: usize = 64;

static mut RESERVE_BYTES: [MaybeUninit<u8>; RESERVE] = [MaybeUninit::uninit(); RESERVE];

#[global_allocator]
static ALLOCATOR: TalcSyncCell<ReserveThenGrow, WasmBinning> = TalcSyncCell::new_wasm(ReserveThenGrow {
    reserve_given: false,
    end: None,
});

#[derive(Debug)]
struct ReserveThenGrow {
    reserve_given: bool,
    /// End of the grown region, while nobody else has grown the memory beyond it.
    end: Option<NonNull<u8>>,
}

#[allow(unsafe_code, reason = "allocates nothing itself, which is what the trait asks for")]
unsafe impl Source for ReserveThenGrow {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        if !talc.source.reserve_given {
            talc.source.reserve_given = true;
            #[allow(unsafe_code, reason = "the array is named nowhere else, and given away once")]
            // SAFETY: `reserve_given` makes this the only use of the array.
            unsafe {
                talc.claim((&raw mut RESERVE_BYTES).cast(), RESERVE);
            }
            return Ok(());
        }

        let bytes = layout.size().saturating_add(layout.align()).saturating_add(BOOKKEEPING);
        let pages = bytes.div_ceil(PAGE).max(GROWTH_PAGES);
        let before = memory_grow::<0>(pages);
        if before == usize::MAX {
            return Err(());
        }
        let start = (before * PAGE) as *mut u8;
        // The last byte of the address space stays unused: a pointer past it would wrap to null.
        let size = (pages * PAGE).min(usize::MAX - before * PAGE);

        if let Some(end) = talc.source.end.take_if(|end| end.as_ptr() == start) {
            #[allow(unsafe_code, reason = "the new pages follow the region")]
            // SAFETY: the pages just came from the host, begin where the region ends and belong to nobody.
            let end = unsafe { talc.extend(end, start.wrapping_add(size)) };
            talc.source.end = Some(end);
        } else {
            #[allow(unsafe_code, reason = "the new pages are a region of their own")]
            // SAFETY: the pages just came from the host and belong to nobody.
            let end = unsafe { talc.claim(start, size) };
            talc.source.end = end;
        }
        Ok(())
    }
}
