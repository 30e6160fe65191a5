//! How much each core module of a component begins with, read before anything is compiled: what no slot of the pool could
//! hold would compile, and only then not load.

use wasmparser::{Parser, Payload};

/// The most that one core module of a component begins with.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ModuleSizes {
    /// Memories of its own.
    pub(crate) memories: u64,
    /// Tables of its own.
    pub(crate) tables: u64,
    /// Elements of its largest table.
    pub(crate) table_elements: u64,
}

impl ModuleSizes {
    /// Of the largest module in each respect.
    ///
    /// # Errors
    /// When the component isn't valid.
    pub(crate) fn of(component: &[u8]) -> wasmparser::Result<Self> {
        let mut most = Self::default();
        for payload in Parser::new(0).parse_all(component) {
            match payload? {
                // each module has at most one section of either
                Payload::MemorySection(section) => most.memories = most.memories.max(u64::from(section.count())),
                Payload::TableSection(section) => {
                    most.tables = most.tables.max(u64::from(section.count()));
                    for table in section {
                        most.table_elements = most.table_elements.max(table?.ty.initial);
                    }
                }
                _ => {}
            }
        }
        Ok(most)
    }
}
