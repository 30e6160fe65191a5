//! What a component exports, sorted into ways of calling it.

use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex};

use super::command::CommandEntry;
use super::function::FunctionEntry;
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

    /// The task world, else a program, else the only function, else the one named for it.
    fn choose_default(&mut self) {
        let find = |wanted: &dyn Fn(&(String, Way)) -> bool| self.ways.iter().position(wanted);
        let mut functions = self
            .ways
            .iter()
            .enumerate()
            .filter(|(_, (_, way))| matches!(way, Way::Function(_)))
            .map(|(index, _)| index);
        let only = functions.next().filter(|_| functions.next().is_none());
        let named = |(name, way): &(String, Way)| {
            let function = name.rsplit_once('.').map_or(&**name, |(_, function)| function);
            matches!(way, Way::Function(_)) && function == DEFAULT_FUNCTION
        };
        self.default = find(&|(_, way)| matches!(way, Way::Task(_)))
            .or_else(|| find(&|(_, way)| matches!(way, Way::Command(_))))
            .or(only)
            .or_else(|| find(&named));
    }
}

/// Interfaces that are called in a way of their own.
fn has_own_way(interface: &str) -> bool {
    let name = interface.split_once('@').map_or(interface, |(name, _)| name);
    matches!(name, "sandstep:task/handler" | "wasi:cli/run")
}
