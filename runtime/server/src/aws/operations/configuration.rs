//! Logging, tracing and encryption of a machine: kept and shown as the caller gave them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::aws::constraints::Constraints;
use crate::aws::errors::{Answer, ApiError};

/// What the caller gave; absent where they gave nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Configuration {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging_configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing_configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption_configuration: Option<Value>,
}

impl Configuration {
    /// As stored.
    pub fn stored(value: &Value) -> Self {
        // What was stored was written by `to_stored`; anything else reads as nothing given.
        serde_json::from_value(value.clone()).unwrap_or_default()
    }

    /// For storing.
    pub fn to_stored(&self) -> Value {
        serde_json::to_value(self).unwrap_or_else(|_| json!({}))
    }

    /// Checks the service's constraints.
    pub fn check(&self, constraints: &mut Constraints) {
        let text = |value: &Option<Value>, field: &str| {
            value
                .as_ref()
                .and_then(|value| value.get(field))
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        constraints.one_of(
            "loggingConfiguration.level",
            text(&self.logging_configuration, "level").as_deref(),
            &["ALL", "ERROR", "FATAL", "OFF"],
        );
        constraints.one_of(
            "encryptionConfiguration.type",
            text(&self.encryption_configuration, "type").as_deref(),
            &["AWS_OWNED_KEY", "CUSTOMER_MANAGED_KMS_KEY"],
        );
    }

    /// Checks what the parts mean together.
    ///
    /// # Errors
    /// `InvalidLoggingConfiguration` for a level without a destination.
    pub fn check_meaning(&self) -> Answer<()> {
        let Some(logging) = &self.logging_configuration else {
            return Ok(());
        };
        let off = logging
            .get("level")
            .and_then(Value::as_str)
            .is_none_or(|level| level == "OFF");
        let destinations = logging
            .get("destinations")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        if !off && destinations != 1 {
            return Err(ApiError::invalid_logging_configuration(
                "Must specify exactly one Log Destination.",
            ));
        }
        Ok(())
    }

    /// Whether a second CreateStateMachine with `other` asks for the same.
    pub fn same_behaviour(&self, other: &Self) -> bool {
        self.logging() == other.logging()
            && self.tracing() == other.tracing()
            && self.encryption_configuration == other.encryption_configuration
    }

    /// Takes over what `update` gives.
    pub fn updated(mut self, update: Self) -> Self {
        self.logging_configuration = update.logging_configuration.or(self.logging_configuration);
        self.tracing_configuration = update.tracing_configuration.or(self.tracing_configuration);
        self.encryption_configuration = update.encryption_configuration.or(self.encryption_configuration);
        self
    }

    /// As shown, with the service's defaults.
    pub fn logging(&self) -> Value {
        with_defaults(
            self.logging_configuration.as_ref(),
            json!({"level": "OFF", "includeExecutionData": false}),
        )
    }

    /// As shown, with the service's defaults.
    pub fn tracing(&self) -> Value {
        with_defaults(self.tracing_configuration.as_ref(), json!({"enabled": false}))
    }
}

fn with_defaults(given: Option<&Value>, mut defaults: Value) -> Value {
    if let (Some(Value::Object(given)), Value::Object(shown)) = (given, &mut defaults) {
        shown.extend(
            given
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), value.clone())),
        );
    }
    defaults
}
