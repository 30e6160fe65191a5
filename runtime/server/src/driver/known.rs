//! What the engine asks of the world before it schedules or runs a task.

use std::sync::Arc;

use asl::Payload;
use engine::ports::Resources;

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
    fn may_repeat(&self, resource: &str, parameters: &Payload) -> bool {
        match resource::parse(resource) {
            Ok(Asked::Module(asked)) => self.modules.may_repeat(asked.module),
            Ok(Asked::WasmInvoke { .. }) => wasm::Invocation::read(parameters).is_ok_and(|invocation| {
                invocation
                    .module()
                    .is_ok_and(|asked| self.modules.may_repeat(asked.module))
            }),
            Ok(Asked::LambdaInvoke { .. }) => self.may_repeat_function(parameters),
            Ok(Asked::StartExecution(_) | Asked::Sdk(_) | Asked::Http | Asked::Activity(_)) | Err(_) => true,
        }
    }
}

impl Known {
    fn may_repeat_function(&self, parameters: &Payload) -> bool {
        let invocation = lambda::Invocation::read(parameters);
        invocation.is_ok_and(|invocation| {
            let asked = invocation.module("");
            asked.is_ok_and(|asked| self.modules.may_repeat(asked.module))
        })
    }
}
