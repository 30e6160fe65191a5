//! TestState.

use crate::aws::errors::Answer;
use crate::aws::test_state::{Answered, Asked, LIMIT_SECONDS, Progress};
use crate::clock;
use crate::handle::Handle;
use crate::http_task::{Trace, Watch};

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    asked.check(&handle.inner().limits)?;
    let (inspects, traces, secrets) = (asked.inspects(), asked.traces(), asked.secrets());
    let mut trace = Trace::default();
    let started = handle.blocking(move |inner| {
        let now = clock::now();
        let mut subject = asked.subject(&inner.namespace, &inner.limits, now)?;
        let progress = subject.start(inner.limits, now)?;
        Answer::Ok((subject, progress))
    });
    let (mut subject, progress) = started.await??;
    let (subject, verdict) = match progress {
        Progress::Ended(verdict) => (subject, verdict),
        Progress::Task(task) => {
            let watch = traces.then_some(Watch {
                secrets,
                trace: &mut trace,
            });
            let tasks = &handle.inner().lone_tasks;
            let outcome = tasks.run(handle, task, LIMIT_SECONDS, watch).await;
            let finished = handle.blocking(move |inner| {
                let verdict = subject.finish(outcome, inner.limits, clock::now());
                (subject, verdict)
            });
            finished.await?
        }
    };
    let seen = inspects.then(|| (subject.input.clone(), subject.trial.inspection()));
    Ok(Answered::new(verdict, seen, trace))
}
