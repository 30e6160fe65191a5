//! What a component exports, sorted into ways of calling it.

use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex};

use super::command::CommandEntry;
use super::function::FunctionEntry;
use super::http::HttpEntry;
use super::task::{self, TaskEntry};
use super::{Entries, NoEntry, Way};

/// Functions of one component that can be called. Interfaces in use have some dozens.
const FUNCTIONS: usize = 1000;

/// The function that is the default among several.
const DEFAULT_FUNCTION: &str = "handler";

impl Entries {
    /// Every way into a component.
    ///
    /// # Errors
    /// [`NoEntry`] where there is none.
    pub(crate) fn find(component: &Component) -> Result<Self, NoEntry> {
        let mut entries = Entries {
            ways: Vec::new(),
            default: None,
        };
        if let Some(entry) = TaskEntry::find(component)? {
            entries.ways.push((task::NAME.to_owned(), Way::Task(entry)));
        }
        if let Some(entry) = CommandEntry::find(component) {
            entries.ways.push((CommandEntry::NAME.to_owned(), Way::Command(entry)));
        }
        if let Some(entry) = HttpEntry::find(component) {
            entries.ways.push((HttpEntry::NAME.to_owned(), Way::Http(entry)));
        }
        let engine = component.engine();
        for (name, export) in component.component_type().exports(engine) {
            match export.ty {
                ComponentItem::ComponentFunc(function) => {
                    let index = component.get_export_index(None, name);
                    entries.add(name.to_owned(), index, &function);
                }
                ComponentItem::ComponentInstance(interface) if !has_own_way(name) => {
                    let instance = component.get_export_index(None, name);
                    for (function_name, export) in interface.exports(engine) {
                        let ComponentItem::ComponentFunc(function) = export.ty else {
                            continue;
                        };
                        let index = component.get_export_index(instance.as_ref(), function_name);
                        entries.add(format!("{name}.{function_name}"), index, &function);
                    }
                }
                _ => {}
            }
        }
        entries.choose_default();
        if entries.ways.iter().all(|(_, way)| matches!(way, Way::Refused(_))) {
            let why = entries.ways.into_iter().map(|(name, way)| match way {
                Way::Refused(why) => format!("`{name}`: {why}"),
                _ => name,
            });
            return Err(NoEntry::Missing(why.collect()));
        }
        Ok(entries)
    }

    fn add(&mut self, name: String, index: Option<ComponentExportIndex>, function: &ComponentFunc) {
        let Some(index) = index else { return };
        if self.ways.len() >= FUNCTIONS {
            return;
        }
        let way = match FunctionEntry::new(index, function) {
            Ok(entry) => Way::Function(entry),
            Err(unsupported) => Way::Refused(unsupported.0),
        };
        self.ways.push((name, way));
    }

    /// The task world, else a program, else a handler of requests, else the only function, else the only one in an interface (tool chains add
    /// functions of their own outside), else the one named for it.
    fn choose_default(&mut self) {
        let is_task = |(_, way): &(String, Way)| matches!(way, Way::Task(_));
        let is_program = |(_, way): &(String, Way)| matches!(way, Way::Command(_));
        let is_handler = |(_, way): &(String, Way)| matches!(way, Way::Http(_));
        let is_function = |(_, way): &(String, Way)| matches!(way, Way::Function(_));
        let in_interface = |way: &(String, Way)| is_function(way) && way.0.contains('/');
        let is_named = |way: &(String, Way)| {
            let name = way.0.rsplit_once('.').map_or(&*way.0, |(_, function)| function);
            is_function(way) && name == DEFAULT_FUNCTION
        };
        self.default = self
            .only(is_task)
            .or_else(|| self.only(is_program))
            .or_else(|| self.only(is_handler))
            .or_else(|| self.only(is_function))
            .or_else(|| self.only(in_interface))
            .or_else(|| self.only(is_named));
    }

    /// The place of the one way that is as wanted; `None` where there are more.
    fn only(&self, wanted: impl Fn(&(String, Way)) -> bool) -> Option<usize> {
        let mut found = (0..self.ways.len()).filter(|index| wanted(&self.ways[*index]));
        found.next().filter(|_| found.next().is_none())
    }
}

/// Interfaces that are called in a way of their own.
fn has_own_way(interface: &str) -> bool {
    let name = interface.split_once('@').map_or(interface, |(name, _)| name);
    matches!(
        name,
        "sandstep:task/handler" | "wasi:cli/run" | "wasi:http/incoming-handler"
    )
}
