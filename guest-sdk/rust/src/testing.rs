//! Tests of tasks, natively: what the host would answer, and what it would have been told.
//!
//! ```
//! use sandstep::TaskError;
//! use sandstep::testing::Host;
//!
//! #[sandstep::task]
//! fn flaky() -> Result<&'static str, TaskError> {
//!     match sandstep::context().retry_count {
//!         0 => Err(TaskError::new("GatewayUnavailable", "try again")),
//!         _ => Ok("charged"),
//!     }
//! }
//!
//! assert!(Host::new().run(flaky).is_err());
//! assert_eq!(Host::new().retry_count(1).run(flaky), Ok("charged"));
//! ```

use std::cell::RefCell;

use crate::context::Context;
use crate::log::Level;

thread_local! {
    /// The hosts in charge on this thread, innermost last.
    static HOSTS: RefCell<Vec<Host>> = const { RefCell::new(Vec::new()) };
}

/// A host for one call of a task. Outside of one, [`crate::context`] answers with [`Host::new`]'s and
/// log lines go to standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    context: Context,
    heartbeats: u32,
    lines: Vec<(Level, String)>,
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// A host whose attempt is the first one of a state called `Test`, without deadline.
    pub fn new() -> Self {
        let context = Context {
            execution_id: "test-execution".to_owned(),
            state_machine_id: "test-machine".to_owned(),
            state_name: "Test".to_owned(),
            retry_count: 0,
            idempotency_key: "test-key".to_owned(),
            deadline: None,
        };
        Self {
            context,
            heartbeats: 0,
            lines: Vec::new(),
        }
    }

    /// The same, for the attempt that follows `count` others.
    pub fn retry_count(mut self, count: u32) -> Self {
        self.context.retry_count = count;
        self
    }

    /// The same, with this context.
    pub fn context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// Calls `task` with this host in charge.
    pub fn run<T>(&mut self, task: impl FnOnce() -> T) -> T {
        /// Takes the host out again, also when the task panics.
        struct InCharge;
        impl Drop for InCharge {
            fn drop(&mut self) {
                HOSTS.with_borrow_mut(|hosts| hosts.pop());
            }
        }

        HOSTS.with_borrow_mut(|hosts| hosts.push(self.clone()));
        let in_charge = InCharge;
        let result = task();
        if let Some(host) = HOSTS.with_borrow(|hosts| hosts.last().cloned()) {
            *self = host;
        }
        drop(in_charge);
        result
    }

    /// How many heartbeats came.
    pub fn heartbeats(&self) -> u32 {
        self.heartbeats
    }

    /// The log lines that came, in order.
    pub fn lines(&self) -> &[(Level, String)] {
        &self.lines
    }
}

pub(crate) fn current_context() -> Context {
    HOSTS.with_borrow(|hosts| {
        hosts
            .last()
            .map_or_else(|| Host::new().context, |host| host.context.clone())
    })
}

pub(crate) fn count_heartbeat() {
    HOSTS.with_borrow_mut(|hosts| {
        if let Some(host) = hosts.last_mut() {
            host.heartbeats += 1;
        }
    });
}

pub(crate) fn keep_line(level: Level, message: &str) {
    HOSTS.with_borrow_mut(|hosts| match hosts.last_mut() {
        Some(host) => host.lines.push((level, message.to_owned())),
        None => eprintln!("{level:?}: {message}"),
    });
}
