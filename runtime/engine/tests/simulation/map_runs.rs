//! Map Runs: the data sets they read, the results they leave, and what must hold of their children.

use std::collections::BTreeSet;

use asl::{EventKind, Failure, MapItem, Payload, ScopeId, Status};
use engine::Input;
use engine::batch::{Child, Start};
use engine::ids::{ExecutionId, TaskId};
use engine::input::{ItemsRead, MapRunBounds};
use engine::output::MapRunRequest;
use engine::ports::{ChildCount, MapRunStanding, StoreError, is_unsuccessful};
use serde_json::{Value, json};

use crate::disk::{Disk, Stored};
use crate::rng::hash;
use crate::world::{Happening, MayCancel, World};

/// A bucket whose objects end in garbage.
pub const BROKEN: &str = "broken";
/// A bucket nothing can be written to.
pub const FULL: &str = "full";

/// The items an ItemReader finds, and whether it fails behind them.
pub fn data_set(seed: u64, bucket: &str, key: &str) -> (Vec<Value>, bool) {
    let roll = hash(seed, &format!("{bucket}/{key}"));
    let items = (0..roll % 9).map(|index| json!((roll / 9 + index) % 6)).collect();
    (items, bucket == BROKEN)
}

/// A question of the engine about a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    Items { run: TaskId, redrives: u32, from: u64 },
    Standing(TaskId, u32),
    Results(TaskId),
    Earlier(TaskId),
}

impl World {
    pub fn read_items(&mut self, run: TaskId, redrives: u32, from: u64, limit: usize) {
        assert!(
            self.asked.insert(Question::Items { run, redrives, from }),
            "{run} reads the same items twice at once"
        );
        let after = self.rng.between(0, 200);
        self.plan(
            after,
            Happening::ItemsRead {
                run,
                redrives,
                from,
                limit,
            },
        );
    }

    pub fn load_map_run(&mut self, request: MapRunRequest) {
        assert!(
            self.asked.insert(Question::Standing(request.run, request.redrives)),
            "{} is asked after twice at once",
            request.run
        );
        let after = self.rng.between(0, 100);
        self.plan(after, Happening::LookAtMapRun(request));
    }

    pub fn finish_map_run(&mut self, request: MapRunRequest, failure: Option<Failure>) {
        self.asked.insert(Question::Results(request.run));
        let after = self.rng.between(0, 100);
        self.plan(after, Happening::Results(request, failure));
    }

    /// Some of the items, seldom as many as were asked for.
    pub fn items_read(&mut self, run: TaskId, redrives: u32, from: u64, limit: usize) -> Input {
        self.asked.remove(&Question::Items { run, redrives, from });
        let (items, broken) = self.disk.items_of(run);
        let from_index = from as usize;
        assert!(from_index <= items.len(), "{run} reads beyond its last item");
        let most = 1 + self.rng.below(limit.min(5) as u64) as usize;
        let chunk: Vec<MapItem> = items[from_index..]
            .iter()
            .take(most)
            .map(|value| MapItem {
                value: Payload::from_value(value.clone()),
                key: None,
                source: "S3://bucket/key".into(),
            })
            .collect();
        let at_end = from_index + chunk.len() == items.len();
        let result = if broken && chunk.is_empty() {
            Err(Failure::new("States.ItemReaderFailed", "garbage"))
        } else {
            // a reader may notice its end with the last item, or only when asked again
            let last = at_end && !broken && (chunk.is_empty() || self.rng.percent(50));
            Ok(ItemsRead { items: chunk, last })
        };
        Input::ItemsRead {
            run,
            redrives,
            from,
            result,
        }
    }

    /// What the disk says of a run now; the engine hears it later.
    pub fn look_at_map_run(&mut self, request: &MapRunRequest) {
        let run = request.run;
        let result = if self.rng.below(100) == 0 {
            self.bad_sector(run);
            Err(StoreError("a bad sector".into()))
        } else if writes_to(request) == Some(FULL) {
            Ok(Err(Failure::new("States.ResultWriterFailed", "it is full")))
        } else {
            Ok(Ok(self.disk.standing(run, request.redrives)))
        };
        let after = self.rng.between(0, 100);
        self.plan(after, Happening::MapRunSeen(run, request.redrives, Box::new(result)));
    }

    /// Puts the results of a run together, by what is on disk now.
    pub fn results(&mut self, request: &MapRunRequest, failure: Option<Failure>) -> Input {
        let run = request.run;
        self.asked.remove(&Question::Results(run));
        let result = if self.rng.below(100) == 0 {
            self.bad_sector(run);
            self.may_cancel = MayCancel::Anything;
            Err(StoreError("a bad sector".into()))
        } else {
            let outputs = self.disk.outputs(run);
            Ok(match failure {
                Some(failure) => Err(failure),
                None if request.writer.is_some() => Ok(Payload::from_value(json!({"written": outputs}))),
                None => Ok(Payload::from_value(Value::Array(outputs))),
            })
        };
        Input::MapRunFinished {
            run,
            redrives: request.redrives,
            result,
        }
    }

    pub fn find_children_to_redrive(&mut self, run: TaskId, redrives: u32, after: Option<ExecutionId>, limit: usize) {
        self.asked.insert(Question::Earlier(run));
        let when = self.rng.between(0, 100);
        self.plan(
            when,
            Happening::Earlier {
                run,
                redrives,
                after,
                limit,
            },
        );
    }

    /// A page of the children that a redrive of their run has not come to, by what is on disk now.
    pub fn children_to_redrive(
        &mut self,
        run: TaskId,
        redrives: u32,
        after: Option<ExecutionId>,
        limit: usize,
    ) -> Input {
        self.asked.remove(&Question::Earlier(run));
        let result = if self.rng.below(100) == 0 {
            self.bad_sector(run);
            self.may_cancel = MayCancel::Anything;
            Err(StoreError("a bad sector".into()))
        } else {
            let earlier = self
                .disk
                .children(run)
                .filter(|(id, stored)| stored.is_earlier(redrives) && after.is_none_or(|after| *id > after));
            let earlier = earlier.map(|(id, stored)| (id, stored.as_child().expect("it is one")));
            Ok(earlier.take(limit).collect())
        };
        Input::ChildrenToRedrive {
            run,
            redrives,
            after,
            result,
        }
    }

    /// Now and then somebody redrives an execution, whether it can be redriven or not.
    pub fn redrive_some(&mut self) {
        if self.redrives >= MOST_REDRIVES {
            return;
        }
        // at its most inconvenient: children of its run are still being stopped
        let executions = &self.disk.executions;
        let stopping = executions.values().find_map(|stored| {
            let parent = stored.start.child?.run.execution;
            let goes_on = stored.fold.status() == Status::Running;
            (goes_on && executions[&parent].fold.is_redrivable()).then_some(parent)
        });
        if let Some(parent) = stopping
            && self.rng.percent(10)
        {
            self.plan_redrive(parent, 3);
            return;
        }
        if self.rng.below(60) != 0 {
            return;
        }
        let standard = |(_, stored): &(&ExecutionId, &Stored)| {
            stored.start.child.is_none() && stored.fold.mode().is_standard() && !stored.events.is_empty()
        };
        let known: Vec<ExecutionId> = self
            .disk
            .executions
            .iter()
            .filter(standard)
            .map(|(id, _)| *id)
            .collect();
        if let Some(id) = known.get(self.rng.below(known.len() as u64) as usize).copied() {
            self.plan_redrive(id, 300);
        }
    }

    pub fn plan_redrive(&mut self, id: ExecutionId, longest: i64) {
        if self.redrives < MOST_REDRIVES {
            self.redrives += 1;
            let after = self.rng.between(0, longest);
            self.plan(after, Happening::Redrive(id));
        }
    }

    /// The parent is put away for it.
    fn bad_sector(&mut self, run: TaskId) {
        if self.is_running(run.execution) {
            self.faults = true;
            self.seen.quarantines += 1;
            self.quarantined.insert(run.execution);
            self.plan(5_000, Happening::Restart);
        }
    }

    fn is_running(&self, id: ExecutionId) -> bool {
        let stored = self.disk.executions.get(&id);
        stored.is_some_and(|stored| stored.fold.status() == Status::Running)
    }

    /// Now and then somebody stops a child, or changes the bounds of a run.
    pub fn meddle(&mut self) {
        if self.rng.below(400) != 0 {
            return;
        }
        let children: Vec<ExecutionId> = self
            .disk
            .executions
            .iter()
            .filter(|(_, stored)| stored.start.child.is_some() && stored.fold.status() == Status::Running)
            .map(|(id, _)| *id)
            .collect();
        if let Some(child) = children.get(self.rng.below(children.len() as u64) as usize).copied() {
            if self.rng.percent(50) {
                self.plan(0, Happening::Stop(child));
            } else if let Some(child) = self.disk.executions[&child].start.child {
                let bounds = MapRunBounds {
                    max_concurrency: Some(self.rng.between(0, 3) as u32),
                    ..MapRunBounds::default()
                };
                self.plan(0, Happening::UpdateMapRun(child.run, bounds));
            }
        }
    }

    /// Holds whenever all that has happened is on disk and done with: the children that run are those of open runs,
    /// and no run has more of them than it may.
    pub fn check_children(&self) {
        for (id, stored) in &self.disk.executions {
            if stored.fold.status().is_closed() || self.quarantined.contains(id) {
                continue;
            }
            let Some(child) = stored.start.child else { continue };
            let parent = &self.disk.executions[&child.run.execution];
            let Some(open) = parent.fold.open_map_run(child.run.scheduled_at) else {
                panic!("{id:?} runs though {} is over", child.run);
            };
            let siblings = self.disk.children(child.run);
            let running = siblings.filter(|(_, sibling)| sibling.fold.status() == Status::Running);
            let most = match open.max_concurrency {
                // it may have been more before it was changed
                _ if self.updated.contains(&child.run) => usize::MAX,
                0 => self.children_at_once(),
                bound => bound as usize,
            };
            assert!(running.count() <= most, "{} has too many children", child.run);
        }
    }

    /// Whether somebody stopped a child, or a child's child, of an execution: what it comes to is nobody's promise.
    pub fn was_meddled_with(&self, id: ExecutionId) -> bool {
        self.disk.executions.iter().any(|(child_id, stored)| {
            let Some(child) = stored.start.child.filter(|child| child.run.execution == id) else {
                return false;
            };
            let run_is_over = self.disk.executions[&child.run.execution]
                .events
                .iter()
                .any(|event| matches!(event.kind, EventKind::MapRunSucceeded { .. }));
            (stored.fold.status() == Status::Aborted && run_is_over)
                || self.asked_to_stop.contains(child_id)
                || self.was_meddled_with(*child_id)
        })
    }
}

/// Redrives in one case, at most.
const MOST_REDRIVES: u32 = 5;

fn count(counts: &mut Vec<ChildCount>, one: ChildCount) {
    match counts.iter_mut().find(|known| known.status == one.status) {
        Some(known) => {
            known.executions += one.executions;
            known.items += one.items;
        }
        None => counts.push(one),
    }
}

impl Stored {
    /// What it is to its Map Run now.
    pub fn as_child(&self) -> Option<Child> {
        let round = self.fold.child_of().map_or(0, |child| child.round);
        self.start.child.map(|child| Child { round, ..child })
    }

    /// Whether it didn't succeed, and the redrive of its run with this number has not come to it.
    fn is_earlier(&self, redrives: u32) -> bool {
        is_unsuccessful(self.fold.status()) && self.as_child().is_some_and(|child| child.round < redrives)
    }
}

fn writes_to(request: &MapRunRequest) -> Option<&str> {
    request.writer.as_ref()?.parameters.value()["Bucket"].as_str()
}

impl Disk {
    /// The children of a run that are on disk, in the order of items.
    pub fn children(&self, run: TaskId) -> impl Iterator<Item = (ExecutionId, &Stored)> {
        self.executions.iter().filter_map(move |(id, stored)| {
            let child = stored.start.child?;
            (child.run == run).then_some((*id, stored))
        })
    }

    pub fn standing(&self, run: TaskId, redrives: u32) -> MapRunStanding {
        let mut standing = MapRunStanding::default();
        for (id, stored) in self.children(run) {
            let child = stored.start.child.expect("it is one");
            let status = stored.fold.status();
            standing.next_item = child.item + child.items;
            let one = ChildCount {
                status,
                executions: 1,
                items: child.items,
            };
            count(&mut standing.counts, one);
            if stored.is_earlier(redrives) {
                count(&mut standing.pending_redrive, one);
            }
            if status == Status::Running {
                standing.running.push(id);
            }
        }
        standing
    }

    fn outputs(&self, run: TaskId) -> Vec<Value> {
        let outputs = self.children(run).filter_map(|(_, child)| child.fold.output());
        outputs.map(|output| output.value().clone()).collect()
    }

    /// The items of a run, and whether reading fails behind them.
    pub fn items_of(&self, run: TaskId) -> (Vec<Value>, bool) {
        let parent = &self.executions[&run.execution];
        let started = &parent.events[run.scheduled_at as usize].kind;
        let EventKind::MapRunStarted { scope, reader, .. } = started else {
            panic!("{run} never started");
        };
        if let Some(reader) = reader {
            let parameters = reader.parameters.value();
            let text = |name: &str| parameters[name].as_str().unwrap_or_default().to_owned();
            return data_set(self.seed, &text("Bucket"), &text("Key"));
        }
        let before = parent.events[..run.scheduled_at as usize].iter().rev();
        let mut items = before.filter_map(|event| match &event.kind {
            EventKind::MapStarted { scope: of, items, .. } if of == scope => Some(items.value().clone()),
            _ => None,
        });
        let items = items.next().expect("a run begins with its Map state");
        (items.as_array().cloned().unwrap_or_default(), false)
    }

    /// A child may be written when its run is on disk, and is the next by its items: none is left out, none has two.
    pub fn check_child(&self, start: &Start, first: &EventKind) {
        let EventKind::ExecutionStarted { child_of, .. } = first else {
            panic!("a journal that doesn't begin with its start");
        };
        let Some(child) = start.child else {
            assert_eq!(*child_of, None);
            return;
        };
        let said = child_of.as_ref().expect("a child's journal says that it is one");
        assert_eq!(
            (said.item, said.items, said.round),
            (child.item, child.items, child.round)
        );
        self.check_round(child.run, child.round);
        assert_eq!(
            (ExecutionId(said.execution), said.position),
            (child.run.execution, child.run.scheduled_at)
        );
        let parent = self.executions.get(&child.run.execution);
        let parent = parent.expect("a child is on disk before its parent");
        let begun = parent.events.get(child.run.scheduled_at as usize);
        assert!(
            matches!(begun.map(|event| &event.kind), Some(EventKind::MapRunStarted { .. })),
            "a child is on disk before its run"
        );
        assert_eq!(
            child.item,
            self.standing(child.run, 0).next_item,
            "an item of {} is lost or doubled",
            child.run
        );
    }

    /// How often a run was redriven, by its parent's journal.
    fn redrives_of(&self, run: TaskId) -> u32 {
        let parent = &self.executions[&run.execution];
        let EventKind::MapRunStarted { scope, .. } = &parent.events[run.scheduled_at as usize].kind else {
            panic!("{run} never started");
        };
        let since = &parent.events[run.scheduled_at as usize + 1..];
        let of_run = since
            .iter()
            .take_while(|event| !matches!(&event.kind, EventKind::MapRunStarted { scope: of, .. } if of == scope));
        let redrives = of_run.filter_map(|event| match &event.kind {
            EventKind::MapRunRedriven { scope: of, count } if of == scope => Some(*count),
            _ => None,
        });
        redrives.last().unwrap_or(0)
    }

    /// A child may be started or redriven by a redrive of its run that is on disk.
    pub fn check_round(&self, run: TaskId, round: u32) {
        assert!(
            round <= self.redrives_of(run),
            "a child of {run} is part of a redrive that isn't on disk"
        );
    }

    /// A run ends when its children have, and says what they came to.
    pub fn check_run_end(&self, id: ExecutionId, position: usize, scope: ScopeId, result: Option<&Payload>) {
        let stored = &self.executions[&id];
        let started = stored.events[..position]
            .iter()
            .rposition(|event| matches!(&event.kind, EventKind::MapRunStarted { scope: of, .. } if *of == scope));
        let run = TaskId {
            execution: id,
            scheduled_at: started.expect("a run that ends has begun") as u64,
        };
        let left: BTreeSet<ExecutionId> = self
            .children(run)
            .filter(|(child, stored)| !stored.fold.status().is_closed() && !self.put_away.contains(child))
            .map(|(child, _)| child)
            .collect();
        assert!(left.is_empty(), "{run} ends before its children: {left:?}");
        let Some(result) = result else { return };
        let redrives = self.redrives_of(run);
        let left: Vec<ExecutionId> = self
            .children(run)
            .filter(|(_, stored)| stored.is_earlier(redrives))
            .map(|(child, _)| child)
            .collect();
        assert!(left.is_empty(), "{run} succeeds without having redriven {left:?}");
        let (items, broken) = self.items_of(run);
        assert!(!broken, "{run} succeeds with items that can't be read");
        assert_eq!(
            self.standing(run, 0).next_item,
            items.len() as u64,
            "{run} leaves items out"
        );
        let outputs = self.outputs(run);
        assert!(
            *result.value() == json!(outputs) || *result.value() == json!({"written": outputs}),
            "{run} came to {result}, its children to {outputs:?}"
        );
    }
}
