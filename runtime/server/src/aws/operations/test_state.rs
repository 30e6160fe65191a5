//! TestState.

use crate::aws::errors::Answer;
use crate::aws::test_state::{Answered, Asked, LIMIT_SECONDS, Progress};
use crate::clock;
use crate::handle::Handle;

pub async fn call(handle: &Handle, asked: Asked) -> Answer<Answered> {
    asked.check(&handle.inner().limits)?;
    let inspects = asked.inspects();
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
            let outcome = handle.inner().lone_tasks.run(handle, task, LIMIT_SECONDS).await;
            let finished = handle.blocking(move |inner| {
                let verdict = subject.finish(outcome, inner.limits, clock::now());
                (subject, verdict)
            });
            finished.await?
        }
    };
    let seen = inspects.then(|| (subject.input.clone(), subject.trial.inspection()));
    Ok(Answered::new(verdict, seen))
}
