use std::fmt;

use crate::host;

#[doc(inline)]
pub use crate::{__debug as debug, __error as error, __info as info, __warn as warn};

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For the task's author.
    Debug,
    /// For the operator.
    Info,
    /// Went on, but somebody should look.
    Warn,
    /// Went wrong.
    Error,
}

/// Adds a line to the attempt's log. The macros of this module call it.
pub fn write(level: Level, message: fmt::Arguments<'_>) {
    match message.as_str() {
        Some(text) => host::log(level, text),
        None => host::log(level, &message.to_string()),
    }
}

/// Adds a line for the task's author to the attempt's log. Takes what `format!` takes.
#[doc(hidden)]
#[macro_export]
macro_rules! __debug {
    ($($message:tt)+) => { $crate::__private::write($crate::__private::Level::Debug, ::core::format_args!($($message)+)) };
}

/// Adds a line for the operator to the attempt's log. Takes what `format!` takes.
#[doc(hidden)]
#[macro_export]
macro_rules! __info {
    ($($message:tt)+) => { $crate::__private::write($crate::__private::Level::Info, ::core::format_args!($($message)+)) };
}

/// Adds a warning to the attempt's log. Takes what `format!` takes.
#[doc(hidden)]
#[macro_export]
macro_rules! __warn {
    ($($message:tt)+) => { $crate::__private::write($crate::__private::Level::Warn, ::core::format_args!($($message)+)) };
}

/// Adds an error to the attempt's log; the attempt goes on. Takes what `format!` takes.
#[doc(hidden)]
#[macro_export]
macro_rules! __error {
    ($($message:tt)+) => { $crate::__private::write($crate::__private::Level::Error, ::core::format_args!($($message)+)) };
}
