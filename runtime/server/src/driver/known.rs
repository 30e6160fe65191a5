//! What the engine asks of the world before it schedules or runs a task.

use std::sync::Arc;

use asl::Payload;
use engine::ports::{Beginning, Resources};

use crate::activities::Activities;
use crate::aws::lambda;
use crate::aws::resource::{self, Asked};
use crate::aws::wasm;
use crate::modules::Modules;

/// The activities and modules of this server.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) activities: Arc<Activities>,
    pub(super) modules: Arc<Modules>,
}

impl Resources for Known {
    fn refusal(&self, resource: &str) -> Option<String> {
        self.activities.refusal(resource)
    }

    /// Of what isn't a module, or can't be found, nothing runs in the sandbox.
    fn beginning(&self, resource: &str, parameters: &Payload) -> Beginning {
        let beginning = match resource::parse(resource) {
            Ok(Asked::Module(asked)) => Some(self.modules.beginning(asked.module)),
            Ok(Asked::WasmInvoke { .. }) => self.of_invocation(parameters),
            Ok(Asked::LambdaInvoke { .. }) => self.of_function(parameters),
            Ok(Asked::StartExecution(_) | Asked::Sdk(_) | Asked::Http | Asked::Activity(_)) | Err(_) => None,
        };
        beginning.unwrap_or(Beginning::REPEATABLE)
    }
}

impl Known {
    fn of_invocation(&self, parameters: &Payload) -> Option<Beginning> {
        let invocation = wasm::Invocation::read(parameters).ok()?;
        Some(self.modules.beginning(invocation.module().ok()?.module))
    }

    fn of_function(&self, parameters: &Payload) -> Option<Beginning> {
        let invocation = lambda::Invocation::read(parameters).ok()?;
        Some(self.modules.beginning(invocation.module("").ok()?.module))
    }
}
