//! An execution whose history is logged.

use std::collections::BTreeSet;
use std::sync::Arc;

use asl::{Event, EventKind};
use engine::ids::ExecutionId;

use crate::aws::arn::Namespace;
use crate::aws::history::{Entry, Events, LogEvent, Origin, Timeline, render};
use crate::execution_logs::{Lines, Logging};

/// Events kept beyond those that are needed before they are looked through: looking costs as much as there are.
const SLACK: usize = 64;

/// What the next lines of an execution's log depend on. As large as what goes on in it, not as its history.
pub(super) struct Logged {
    logging: Logging,
    execution: ExecutionId,
    arn: String,
    machine: String,
    timeline: Timeline,
    /// Those the next entries take names from, and some more.
    events: Events,
    /// So many were needed at the last look.
    needed: usize,
    redrives: u32,
}

impl Logged {
    /// Of an execution of which nothing has been heard.
    pub(super) fn new(logging: Logging, execution: ExecutionId, arn: &str, machine: &str) -> Self {
        Self {
            logging,
            execution,
            arn: arn.to_owned(),
            machine: machine.to_owned(),
            timeline: Timeline::new(),
            events: Events::default(),
            needed: 0,
            redrives: 0,
        }
    }

    /// Learns what was logged before.
    pub(super) fn learn(&mut self, event: Event) {
        if let EventKind::ExecutionRedriven { count, .. } = event.kind {
            self.redrives = count;
        }
        let index = self.timeline.length();
        self.timeline.push_event(&event);
        self.timeline.forget();
        self.events.push(index, event);
        self.tidy();
    }

    /// The lines of what has happened now.
    pub(super) fn tell(&mut self, events: &[Event], namespace: &Namespace) -> Option<Lines> {
        for (index, event) in (self.timeline.length()..).zip(events) {
            self.events.push(index, event.clone());
        }
        self.timeline.extend(events);
        let mut lines = Lines {
            group: Arc::clone(&self.logging.group),
            text: String::new(),
            count: 0,
        };
        let entries: Vec<_> = (self.timeline.first_id()..)
            .zip(self.timeline.entries().iter().copied())
            .collect();
        for (id, entry) in entries {
            self.write(id, &entry, namespace, &mut lines);
        }
        self.timeline.forget();
        self.tidy();
        (lines.count > 0).then_some(lines)
    }

    fn write(&mut self, id: u32, entry: &Entry, namespace: &Namespace, lines: &mut Lines) {
        let Some(event) = self.events.get(entry.event) else {
            return;
        };
        if let EventKind::ExecutionRedriven { count, .. } = event.kind {
            self.redrives = count;
        }
        let origin = Origin {
            namespace,
            machine: &self.machine,
            execution: self.execution,
        };
        let Some(rendered) = render(entry, id, &self.events, &origin, self.logging.data) else {
            return;
        };
        if !self.logging.takes(rendered.kind()) {
            return;
        }
        let event = LogEvent {
            entry: &rendered,
            at: event.at,
            execution: &self.arn,
            redrives: self.redrives,
        };
        // Texts and numbers always make a line.
        if let Ok(line) = serde_json::to_string(&event) {
            lines.text.push_str(&line);
            lines.text.push('\n');
            lines.count += 1;
        }
    }

    /// Drops the events that no entry will name any more, now and then.
    fn tidy(&mut self) {
        if self.events.len() <= 2 * self.needed + SLACK {
            return;
        }
        let needed: BTreeSet<u32> = self.timeline.contexts().collect();
        self.needed = needed.len();
        self.events.keep_names(needed.into_iter());
    }
}
