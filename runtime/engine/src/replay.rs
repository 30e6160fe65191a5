//! Reading an execution back event by event, so that whoever reads a journal need not hold it: a long one
//! takes far more room than the execution it amounts to.

use std::ops::ControlFlow;
use std::sync::Arc;

use asl::Event;
use asl::definition::StateMachine;
use asl::execution::Execution;

use crate::ids::{Digest, MachineId};
use crate::quarantine::guarded;

/// The machine an execution belongs to and the definition it is pinned to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// The machine.
    pub machine: MachineId,
    /// The definition.
    pub definition: Digest,
    /// The version of the machine it was started through, if any.
    pub version: Option<u32>,
}

/// An execution being read back. Takes its events in order.
#[derive(Debug)]
pub struct Replay {
    execution: Execution,
    pinned: Pinned,
    refused: Option<String>,
}

/// An execution as read back from the store, or why its journal makes none.
#[derive(Debug)]
pub struct Loaded(pub(crate) Result<Settled, String>);

/// An execution as its whole journal describes it.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) execution: Box<Execution>,
    pub(crate) pinned: Pinned,
}

impl Replay {
    /// Before the first event.
    pub fn new(machine: Arc<StateMachine>, pinned: Pinned) -> Self {
        Self {
            execution: Execution::new(machine),
            pinned,
            refused: None,
        }
    }

    /// The next event. Breaks off where the journal can't be the execution's.
    pub fn push(&mut self, event: &Event) -> ControlFlow<()> {
        if self.refused.is_some() {
            return ControlFlow::Break(());
        }
        let execution = &mut self.execution;
        self.refused = match guarded(|| execution.apply(event)) {
            Ok(Ok(())) => return ControlFlow::Continue(()),
            Ok(Err(error)) => Some(format!("its journal does not replay: {error}")),
            Err(panic) => Some(panic),
        };
        ControlFlow::Break(())
    }

    /// After the last event.
    pub fn finish(self) -> Loaded {
        if let Some(reason) = self.refused {
            return Loaded(Err(reason));
        }
        if self.execution.context().is_none() {
            return Loaded(Err("its journal is empty".to_owned()));
        }
        Loaded(Ok(Settled {
            execution: Box::new(self.execution),
            pinned: self.pinned,
        }))
    }
}

impl Loaded {
    /// What a whole journal amounts to.
    pub fn replay<'e>(machine: Arc<StateMachine>, pinned: Pinned, events: impl IntoIterator<Item = &'e Event>) -> Self {
        let mut replay = Replay::new(machine, pinned);
        for event in events {
            if replay.push(event).is_break() {
                break;
            }
        }
        replay.finish()
    }
}
