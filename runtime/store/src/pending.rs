//! The promise that whoever hands in a batch is answered exactly once.

use std::panic::{AssertUnwindSafe, catch_unwind};

use engine::ports::{CommitResult, StoreError};

/// A caller's `done`. Answered by the writer; where the writer can't (it was closed, it panicked), dropping the
/// value answers that nothing was written.
pub(crate) struct Pending(Option<Box<dyn FnOnce(CommitResult) + Send>>);

impl Pending {
    pub(crate) fn new(done: Box<dyn FnOnce(CommitResult) + Send>) -> Self {
        Self(Some(done))
    }

    pub(crate) fn answer(mut self, result: CommitResult) {
        self.call(result);
    }

    fn call(&mut self, result: CommitResult) {
        let Some(done) = self.0.take() else { return };
        // A panic in one caller's code must not take the writer, and so everybody's journal, with it.
        if catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
            tracing::error!("the callback of a commit panicked; the commit itself stands");
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.call(Err(closed()));
    }
}

/// What everybody is told whose work can't be taken any more.
pub(crate) fn closed() -> StoreError {
    StoreError("the store is closed, nothing was written: start the server again".to_owned())
}
