//! Objects: in a directory, and in RAM.

#[cfg(feature = "sqlite")]
mod directory;
#[cfg(feature = "sqlite")]
mod file_name;
#[cfg(feature = "sqlite")]
mod listing;
mod memory;

#[cfg(feature = "sqlite")]
pub use directory::ObjectDirectory;
#[cfg(feature = "sqlite")]
pub(crate) use directory::STAGING;
pub use memory::Objects;
