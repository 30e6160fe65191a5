//! Which variables each state reads: DescribeStateMachine's variableReferences.

use std::collections::{BTreeMap, BTreeSet};

use super::state_machine::*;
use crate::expression::{Path, Selector, Template};

impl StateMachine {
    /// For each state that reads variables, by its name: their names, without the `$`.
    pub fn variable_references(&self) -> BTreeMap<&str, BTreeSet<String>> {
        let states = self.flows.iter().flat_map(|flow| &flow.states);
        states
            .map(|state| (state.name.as_str(), References::of(state)))
            .filter(|(_, names)| !names.is_empty())
            .collect()
    }
}

#[derive(Default)]
struct References(BTreeSet<String>);

impl References {
    fn of(state: &State) -> BTreeSet<String> {
        let mut found = Self::default();
        for path in [&state.input_path, &state.output_path] {
            if let PayloadPath::Path(path) = path {
                found.path(path);
            }
        }
        found.template(state.assign.as_ref());
        found.template(state.output.as_ref());
        if let Some(outcome) = state.outcome() {
            found.template(outcome.result_selector.as_ref());
            for catcher in &outcome.catch {
                found.template(catcher.assign.as_ref());
                found.template(catcher.output.as_ref());
            }
        }
        found.kind(&state.kind);
        found.0
    }

    fn kind(&mut self, kind: &Kind) {
        match kind {
            Kind::Pass(pass) => self.template(pass.parameters.as_ref()),
            Kind::Task(task) => {
                self.template(task.parameters.as_ref());
                self.template(task.credentials.as_ref());
                self.dynamic(task.timeout.as_ref());
                self.dynamic(task.heartbeat.as_ref());
            }
            Kind::Choice(choice) => {
                for rule in &choice.rules {
                    self.condition(&rule.condition);
                    self.template(rule.assign.as_ref());
                    self.template(rule.output.as_ref());
                }
            }
            Kind::Wait(wait) => match wait {
                Wait::SecondsPath(path) | Wait::TimestampPath(path) => self.path(path),
                Wait::SecondsExpression(expression) | Wait::TimestampExpression(expression) => {
                    expression.variables(&mut |name| self.name(name))
                }
                Wait::Seconds(_) | Wait::Timestamp(_) => {}
            },
            Kind::Succeed => {}
            Kind::Fail(fail) => [&fail.error, &fail.cause]
                .into_iter()
                .flatten()
                .for_each(|text| self.text(text)),
            Kind::Parallel(parallel) => self.template(parallel.parameters.as_ref()),
            Kind::Map(map) => {
                match &map.items {
                    Items::Input => {}
                    Items::Path(path) => self.path(path),
                    Items::Template(template) => self.template(Some(template)),
                }
                self.template(map.item_selector.as_ref());
                self.dynamic(map.max_concurrency.as_ref());
                self.dynamic(map.tolerated_count.as_ref());
                self.dynamic(map.tolerated_percentage.as_ref());
                if let Some(distributed) = &map.distributed {
                    self.distributed(distributed);
                }
            }
        }
    }

    fn distributed(&mut self, distributed: &Distributed) {
        if let Some(reader) = &distributed.reader {
            self.template(reader.parameters.as_ref());
            self.template(Some(&reader.config));
            self.dynamic(reader.max_items.as_ref());
        }
        if let Some(batcher) = &distributed.batcher {
            self.template(batcher.input.as_ref());
            self.dynamic(batcher.max_items.as_ref());
            self.dynamic(batcher.max_bytes.as_ref());
        }
        if let Some(writer) = &distributed.writer {
            self.template(writer.parameters.as_ref());
            self.template(writer.config.as_ref());
        }
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::And(all) | Condition::Or(all) => all.iter().for_each(|condition| self.condition(condition)),
            Condition::Not(condition) => self.condition(condition),
            Condition::Compare(comparison) => comparison.paths().for_each(|path| self.path(path)),
            Condition::Expression(expression) => expression.variables(&mut |name| self.name(name)),
        }
    }

    fn name(&mut self, name: &str) {
        self.0.insert(name.to_owned());
    }

    fn path(&mut self, path: &Path) {
        self.0.extend(path.variable().map(str::to_owned));
    }

    fn template(&mut self, template: Option<&Template>) {
        if let Some(template) = template {
            template.variables(&mut |name| self.name(name));
        }
    }

    fn dynamic<T>(&mut self, value: Option<&Dynamic<T>>) {
        match value {
            None | Some(Dynamic::Literal(_)) => {}
            Some(Dynamic::Path(path)) => self.path(path),
            Some(Dynamic::Expression(expression)) => expression.variables(&mut |name| self.name(name)),
        }
    }

    fn text(&mut self, text: &DynamicText) {
        match text {
            DynamicText::Literal(_) => {}
            DynamicText::Selector(selector) => self.selector(selector),
            DynamicText::Expression(expression) => expression.variables(&mut |name| self.name(name)),
        }
    }

    fn selector(&mut self, selector: &Selector) {
        selector.paths().into_iter().for_each(|path| self.path(path));
    }
}
