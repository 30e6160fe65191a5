//! What Map Runs need of the disk: items to read, results to put together, how far a run had come.

use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use asl::{EventKind, Failure, ItemSource, MapItem, Payload, Status};
use engine::ids::{ExecutionId, TaskId};
use engine::input::{Input, ItemsRead};
use engine::output::MapRunRequest;
use engine::ports::{ExecutionRecord, MapRunStanding, Reader, SharedObjects, StoreError};

use super::{Mailbox, Message};
use crate::aws::arn::Namespace;
use crate::items::{self, ChildResult, Item, Items, ReadRequest, WriteRequest};

/// Bytes of items after which a read ends early, so that a few runs with large items fit in memory. One more item may
/// go beyond.
const READ_BYTES: usize = 1 << 20;

/// Children read at once when results are put together.
const RESULTS_A_PAGE: usize = 500;

/// Threads that put results together and say how far runs have come. One run's results may take minutes.
const FINISHERS: usize = 2;

/// Where Map Runs are handed in; the engine has at most one question under way for each.
pub(crate) struct MapRuns {
    reading: Sender<Reading>,
    standing: Sender<Standing>,
}

/// For the thread that reads items. There is one, so that what it has open is its own.
enum Reading {
    Read {
        run: TaskId,
        redrives: u32,
        source: ItemSource,
        from: u64,
        limit: usize,
    },
    Over(TaskId),
}

/// For the threads that look at children.
enum Standing {
    Load(MapRunRequest),
    FindToRedrive {
        run: TaskId,
        redrives: u32,
        after: Option<ExecutionId>,
        limit: usize,
    },
    Finish {
        request: MapRunRequest,
        failure: Option<Failure>,
        result_bytes: usize,
    },
}

/// What the threads work with.
struct World {
    reader: Arc<dyn Reader>,
    objects: SharedObjects,
    namespace: Namespace,
    mailbox: Mailbox,
}

impl MapRuns {
    /// Starts the threads; they end with the driver.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn spawn(
        reader: Arc<dyn Reader>,
        objects: SharedObjects,
        namespace: Namespace,
        mailbox: &Mailbox,
    ) -> io::Result<Self> {
        let world = Arc::new(World {
            reader,
            objects,
            namespace,
            mailbox: mailbox.clone(),
        });
        let (reading, to_read) = channel();
        let reading_world = Arc::clone(&world);
        std::thread::Builder::new()
            .name("item-reader".into())
            .spawn(move || reading_world.read_items(&to_read))?;
        let (standing, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..FINISHERS {
            let (world, queue) = (Arc::clone(&world), Arc::clone(&queue));
            std::thread::Builder::new()
                .name(format!("map-run-{number}"))
                .spawn(move || {
                    while let Some(standing) = next(&queue) {
                        world.answer(standing);
                    }
                })?;
        }
        Ok(Self { reading, standing })
    }

    // The threads hold the other ends as long as this lives, so nothing sent is lost.

    pub(super) fn read(&self, run: TaskId, redrives: u32, source: ItemSource, from: u64, limit: usize) {
        let _ = self.reading.send(Reading::Read {
            run,
            redrives,
            source,
            from,
            limit,
        });
    }

    pub(super) fn over(&self, run: TaskId) {
        let _ = self.reading.send(Reading::Over(run));
    }

    pub(super) fn load(&self, request: MapRunRequest) {
        let _ = self.standing.send(Standing::Load(request));
    }

    pub(super) fn find_to_redrive(&self, run: TaskId, redrives: u32, after: Option<ExecutionId>, limit: usize) {
        let _ = self.standing.send(Standing::FindToRedrive {
            run,
            redrives,
            after,
            limit,
        });
    }

    pub(super) fn finish(&self, request: MapRunRequest, failure: Option<Failure>, result_bytes: usize) {
        let _ = self.standing.send(Standing::Finish {
            request,
            failure,
            result_bytes,
        });
    }
}

fn next(queue: &Mutex<Receiver<Standing>>) -> Option<Standing> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// A data set being read.
struct OpenItems {
    items: Items,
    /// Number of the next item.
    next: u64,
}

impl World {
    fn read_items(&self, queue: &Receiver<Reading>) {
        let mut open: HashMap<TaskId, OpenItems> = HashMap::new();
        while let Ok(reading) = queue.recv() {
            match reading {
                Reading::Over(run) => drop(open.remove(&run)),
                Reading::Read {
                    run,
                    redrives,
                    source,
                    from,
                    limit,
                } => {
                    let begun = open.remove(&run).filter(|begun| begun.next == from);
                    let result = match begun {
                        Some(begun) => Ok(begun),
                        None => self.open_items(source, from),
                    };
                    let result = result.and_then(|mut items| {
                        let read = read_some(&mut items, limit)?;
                        if !read.last {
                            open.insert(run, items);
                        }
                        Ok(read)
                    });
                    self.mailbox.send(Message::Input(Input::ItemsRead {
                        run,
                        redrives,
                        from,
                        result,
                    }));
                }
            }
        }
    }

    fn open_items(&self, source: ItemSource, from: u64) -> Result<OpenItems, Failure> {
        let request = ReadRequest {
            resource: source.resource,
            parameters: source.parameters,
            config: source.config,
        };
        let mut items = items::open(&self.objects, &request)?;
        for _ in 0..from {
            if items.next().transpose()?.is_none() {
                break;
            }
        }
        Ok(OpenItems { items, next: from })
    }

    fn answer(&self, standing: Standing) {
        let input = match standing {
            Standing::FindToRedrive {
                run,
                redrives,
                after,
                limit,
            } => Input::ChildrenToRedrive {
                run,
                redrives,
                after,
                result: self.reader.children_to_redrive(run, redrives, after, limit),
            },
            Standing::Load(request) => Input::MapRunLoaded {
                run: request.run,
                redrives: request.redrives,
                result: self.load(&request),
            },
            Standing::Finish {
                request,
                failure,
                result_bytes,
            } => Input::MapRunFinished {
                run: request.run,
                redrives: request.redrives,
                result: self.finish(&request, failure, result_bytes),
            },
        };
        self.mailbox.send(Message::Input(input));
    }

    fn load(&self, request: &MapRunRequest) -> Result<Result<MapRunStanding, Failure>, StoreError> {
        if let Some(write) = self.write_request(request)
            && let Err(failure) = items::check_destination(&self.objects, &write)
        {
            return Ok(Err(failure));
        }
        self.reader.map_run(request.run, request.redrives).map(Ok)
    }

    fn finish(
        &self,
        request: &MapRunRequest,
        failure: Option<Failure>,
        result_bytes: usize,
    ) -> Result<Result<Payload, Failure>, StoreError> {
        let mut children = Children {
            world: self,
            run: request.run,
            page: Vec::new().into_iter(),
            after: None,
            done: false,
            damage: None,
        };
        let result = match self.write_request(request) {
            Some(write) => items::write_results(&self.objects, &write, &mut children),
            None => outputs(&mut children, &request.state, result_bytes),
        };
        if let Some(damage) = children.damage {
            return Err(damage);
        }
        Ok(match failure {
            Some(failure) => Err(failure),
            None => result,
        })
    }

    fn write_request(&self, request: &MapRunRequest) -> Option<WriteRequest> {
        let writer = request.writer.as_ref()?;
        Some(WriteRequest {
            resource: writer.resource.clone(),
            parameters: writer.parameters.clone(),
            config: writer.config.clone(),
            map_run_arn: self
                .namespace
                .map_run(&request.machine_name, &request.label, request.run),
        })
    }
}

fn read_some(open: &mut OpenItems, limit: usize) -> Result<ItemsRead, Failure> {
    let mut read = ItemsRead::default();
    let mut bytes = 0;
    while read.items.len() < limit && bytes < READ_BYTES {
        match open.items.next().transpose()? {
            Some(Item { value, key, source }) => {
                bytes += value.len();
                read.items.push(MapItem {
                    value,
                    key: key.map(Into::into),
                    source,
                });
            }
            None => {
                read.last = true;
                break;
            }
        }
    }
    open.next += read.items.len() as u64;
    Ok(read)
}

/// `[output,…]` of the children that succeeded. Ends early where it gets larger than anybody may read.
fn outputs(children: &mut Children<'_>, state: &str, result_bytes: usize) -> Result<Payload, Failure> {
    let mut found = Vec::new();
    let mut bytes = "[]".len();
    for child in children {
        let Some(output) = child?.output else {
            continue;
        };
        bytes += output.len() + usize::from(!found.is_empty());
        if bytes > result_bytes {
            return Err(asl::execution::too_large(state));
        }
        found.push(output);
    }
    Ok(Payload::array_of(&found))
}

/// The closed children of a run, in the order of their items, read page by page.
struct Children<'w> {
    world: &'w World,
    run: TaskId,
    page: std::vec::IntoIter<(ExecutionRecord, asl::Event, asl::Event)>,
    after: Option<ExecutionId>,
    done: bool,
    /// Why the store couldn't say more.
    damage: Option<StoreError>,
}

impl Iterator for Children<'_> {
    type Item = Result<ChildResult, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((record, first, last)) = self.page.next() {
                self.after = Some(record.id);
                return Some(Ok(self.world.result(&record, first.kind, last.kind)));
            }
            if self.done {
                return None;
            }
            match self.world.reader.closed_children(self.run, self.after, RESULTS_A_PAGE) {
                Ok(page) => {
                    self.done = page.len() < RESULTS_A_PAGE;
                    self.page = page.into_iter();
                }
                Err(damage) => {
                    self.done = true;
                    // whoever reads the results must not take them for whole
                    let failure = Failure::new("States.ResultWriterFailed", damage.to_string());
                    self.damage = Some(damage);
                    return Some(Err(failure));
                }
            }
        }
    }
}

impl World {
    fn result(&self, record: &ExecutionRecord, first: EventKind, last: EventKind) -> ChildResult {
        let (input, id, machine_id) = match first {
            EventKind::ExecutionStarted {
                input, id, machine_id, ..
            } => (input, id, machine_id),
            _ => (Payload::null(), String::new(), String::new()),
        };
        let (output, failure) = match last {
            EventKind::ExecutionSucceeded { output } => (Some(output), None),
            EventKind::ExecutionFailed { failure }
            | EventKind::ExecutionAborted { failure }
            | EventKind::ExecutionTimedOut { failure } => (None, Some(failure)),
            _ => (None, None),
        };
        ChildResult {
            execution_arn: id,
            name: record.name.clone(),
            state_machine_arn: machine_id,
            status: record.status,
            input,
            output: output.filter(|_| record.status == Status::Succeeded),
            failure,
            started: Some(record.started),
            stopped: record.stopped,
            redrive_count: 0,
        }
    }
}
