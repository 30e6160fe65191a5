//! Labels: names of versions that are moved. What one means is settled when an attempt begins.

use std::sync::PoisonError;

use asl::Timestamp;
use engine::ports::{CatalogueError, Expected, LabelRecord};

use super::Modules;

impl Modules {
    /// Points a label at a version. Blocks until that is durable.
    ///
    /// # Errors
    /// [`CatalogueError::NoSuchModuleVersion`], [`CatalogueError::LabelMoved`] where it isn't as expected, and
    /// [`CatalogueError::TooManyLabels`].
    pub fn put_label(
        &self,
        module: &str,
        label: &str,
        version: u32,
        expected: Expected,
        at: Timestamp,
    ) -> Result<LabelRecord, CatalogueError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let record = self.catalogue.put_label(module, label, version, expected, at)?;
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = by_name.get_mut(module) {
            kept.labels.insert(label.to_owned(), record.clone());
        }
        Ok(record)
    }

    /// Takes a label away. Blocks until that is durable.
    ///
    /// # Errors
    /// [`CatalogueError::NoSuchLabel`], and [`CatalogueError::LabelMoved`] where it isn't as expected.
    pub fn delete_label(&self, module: &str, label: &str, expected: Expected) -> Result<(), CatalogueError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.catalogue.delete_label(module, label, expected)?;
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = by_name.get_mut(module) {
            kept.labels.remove(label);
        }
        Ok(())
    }

    /// The labels of a module by name; `None` where it isn't uploaded.
    pub fn labels(&self, module: &str) -> Option<Vec<LabelRecord>> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        Some(by_name.get(module)?.labels.values().cloned().collect())
    }

    /// The names of the labels that point at a version.
    pub(super) fn labels_at(&self, module: &str, version: u32) -> Vec<String> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name
            .get(module)
            .map(|kept| kept.labels_at(version))
            .unwrap_or_default()
    }
}
