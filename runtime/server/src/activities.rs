//! Activities: who exists, whose tasks wait for a worker, and which workers wait for a task.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use asl::Payload;
use engine::ids::TaskId;
use engine::ports::{ActivityRecord, Catalogue, CatalogueError, Resources, Tag};
use tokio::sync::oneshot;

use crate::aws::arn::Namespace;
use crate::clock;

/// How long a worker's poll waits for a task: the service's own long poll.
pub const LONG_POLL: Duration = Duration::from_secs(60);

/// A task that waits for a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Which attempt.
    pub task: TaskId,
    /// What the worker is given.
    pub input: Payload,
}

/// The activities of a server.
pub struct Activities {
    catalogue: Arc<dyn Catalogue>,
    namespace: Namespace,
    /// By creation.
    known: RwLock<Vec<ActivityRecord>>,
    queues: Mutex<HashMap<String, Queue>>,
}

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Queued>,
    workers: VecDeque<oneshot::Sender<Queued>>,
}

impl std::fmt::Debug for Activities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Activities")
    }
}

impl Activities {
    /// Reads every activity. Blocks while the store reads.
    ///
    /// # Errors
    /// [`CatalogueError`] when they can't be read.
    pub fn open(catalogue: Arc<dyn Catalogue>, namespace: Namespace) -> Result<Self, CatalogueError> {
        let known = RwLock::new(catalogue.activities()?);
        Ok(Self {
            catalogue,
            namespace,
            known,
            queues: Mutex::default(),
        })
    }

    /// The activity of this name.
    pub fn get(&self, name: &str) -> Option<ActivityRecord> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|activity| activity.name == name).cloned()
    }

    /// Every activity, by creation.
    pub fn list(&self) -> Vec<ActivityRecord> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stores an activity, or answers the one that has the name. Blocks until that is durable.
    ///
    /// # Errors
    /// [`CatalogueError`] when it can't be written.
    pub fn create(&self, name: &str, tags: Vec<Tag>) -> Result<ActivityRecord, CatalogueError> {
        let record = self.catalogue.create_activity(name, tags, clock::now())?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if !known.iter().any(|activity| activity.name == name) {
            known.push(record.clone());
        }
        Ok(record)
    }

    /// Takes an activity away. Tasks that wait for its workers go on waiting until their time is over.
    /// Blocks until that is durable.
    ///
    /// # Errors
    /// [`CatalogueError`] when that can't be written.
    pub fn delete(&self, name: &str) -> Result<(), CatalogueError> {
        self.catalogue.delete_activity(name)?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|activity| activity.name != name);
        Ok(())
    }

    /// Hands a task to the worker that has waited longest, or keeps it for the next one. One that waits
    /// already goes on waiting.
    pub fn put(&self, name: &str, queued: Queued) {
        let mut queues = self.queues();
        let queue = queues.entry(name.to_owned()).or_default();
        if queue.tasks.iter().any(|waiting| waiting.task == queued.task) {
            return;
        }
        queue.give(queued, VecDeque::push_back);
    }

    /// Takes a task back that nobody wants any more.
    pub fn withdraw(&self, task: TaskId) {
        let mut queues = self.queues();
        for queue in queues.values_mut() {
            queue.tasks.retain(|queued| queued.task != task);
        }
        queues.retain(|_, queue| !queue.is_idle());
    }

    /// The next task of an activity; `None` when none came within `patience`.
    pub async fn poll(&self, name: &str, patience: Duration) -> Option<Queued> {
        let mut worker = {
            let mut queues = self.queues();
            let queue = queues.entry(name.to_owned()).or_default();
            if let Some(queued) = queue.tasks.pop_front() {
                return Some(queued);
            }
            let (sender, receiver) = oneshot::channel();
            queue.workers.retain(|worker| !worker.is_closed());
            queue.workers.push_back(sender);
            Worker {
                activities: self,
                name,
                receiver,
            }
        };
        match tokio::time::timeout(patience, &mut worker.receiver).await {
            Ok(queued) => queued.ok(),
            // a task that came this moment goes to the next worker
            Err(_) => None,
        }
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<String, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn give(&mut self, mut queued: Queued, keep: impl FnOnce(&mut VecDeque<Queued>, Queued)) {
        while let Some(worker) = self.workers.pop_front() {
            match worker.send(queued) {
                Ok(()) => return,
                Err(returned) => queued = returned,
            }
        }
        keep(&mut self.tasks, queued);
    }

    fn is_idle(&self) -> bool {
        self.tasks.is_empty() && self.workers.iter().all(oneshot::Sender::is_closed)
    }
}

/// A worker that waits. When it goes away with a task in its hands, the task goes back to the front.
struct Worker<'a> {
    activities: &'a Activities,
    name: &'a str,
    receiver: oneshot::Receiver<Queued>,
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        self.receiver.close();
        let returned = self.receiver.try_recv();
        let mut queues = self.activities.queues();
        if let Ok(queued) = returned {
            let queue = queues.entry(self.name.to_owned()).or_default();
            queue.give(queued, VecDeque::push_front);
        }
        if queues.get(self.name).is_some_and(Queue::is_idle) {
            queues.remove(self.name);
        }
    }
}

impl Resources for Activities {
    fn refusal(&self, resource: &str) -> Option<String> {
        let name = crate::aws::resource::activity(resource)?;
        let is_known = self.namespace.parse_activity(resource).is_ok() && self.get(name).is_some();
        (!is_known).then(|| format!("The activity {resource} does not exist."))
    }
}

#[cfg(test)]
mod tests {
    use engine::ids::ExecutionId;

    use super::*;

    fn activities() -> Activities {
        let store = store::memory::Store::new().expect("a store");
        Activities::open(Arc::new(store), Namespace::new("aws", "us-east-1", "000000000000")).expect("opens")
    }

    const SHORT: Duration = Duration::from_millis(1);

    fn queued(number: u64) -> Queued {
        Queued {
            task: TaskId {
                execution: ExecutionId(number),
                scheduled_at: 2,
            },
            input: Payload::empty_object(),
        }
    }

    #[tokio::test]
    async fn tasks_are_handed_out_in_order_and_once() {
        let activities = activities();
        for number in [1, 2, 1] {
            activities.put("pack", queued(number));
        }
        activities.put("pack", queued(3));
        activities.withdraw(queued(2).task);
        assert_eq!(activities.poll("pack", SHORT).await, Some(queued(1)));
        assert_eq!(activities.poll("pack", SHORT).await, Some(queued(3)));
        assert!(activities.queues().values().all(Queue::is_idle));
    }

    #[tokio::test]
    async fn a_poll_without_a_task_ends() {
        let activities = activities();
        assert_eq!(activities.poll("pack", SHORT).await, None);
        assert!(activities.queues().is_empty(), "nothing is kept of it");
    }

    #[tokio::test]
    async fn a_worker_that_went_away_loses_no_task() {
        let activities = activities();
        {
            let mut gone = Box::pin(activities.poll("pack", LONG_POLL));
            let waits =
                std::future::poll_fn(|context| std::task::Poll::Ready(gone.as_mut().poll(context).is_pending()));
            assert!(waits.await);
            activities.put("pack", queued(1));
        }
        assert_eq!(activities.poll("pack", SHORT).await, Some(queued(1)));
    }
}
