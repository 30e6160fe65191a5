//! Amazon Resource Names of machines and executions.

use std::fmt;

use asl::expression::context::ExecutionContext;
use engine::ChildName;
use engine::ids::TaskId;

use super::errors::{Answer, ApiError};

/// What stands before the resource in every ARN this server gives out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// `arn:<partition>:states:<region>:<account>:`.
    prefix: String,
    region: String,
}

/// A state machine's ARN, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineArn<'a> {
    /// The machine's name.
    pub name: &'a str,
    /// A version's number or an alias, where the ARN has one.
    pub qualifier: Option<&'a str>,
}

/// An execution's ARN, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutionArn<'a> {
    /// The machine's name.
    pub machine: &'a str,
    /// The execution's name.
    pub name: &'a str,
}

/// The ARN of something that can have tags, taken apart. What follows the type need not be a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaggedArn<'a> {
    /// A machine's.
    Machine(&'a str),
    /// An activity's.
    Activity(&'a str),
}

/// A Map Run's ARN, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapRunArn<'a> {
    /// The machine's name.
    pub machine: &'a str,
    /// The Map state's label.
    pub label: &'a str,
    /// Which run.
    pub run: TaskId,
}

/// The part of an ARN after the account, where it is one of ours.
enum Resource<'a> {
    /// `<type>:<rest>`, in this namespace.
    Ours(&'a str, &'a str),
    /// Well-formed, of another account, region or service.
    Elsewhere,
}

impl Namespace {
    /// For this partition, region and account.
    pub fn new(partition: &str, region: &str, account: &str) -> Self {
        Self {
            prefix: format!("arn:{partition}:states:{region}:{account}:"),
            region: region.into(),
        }
    }

    /// The region, as task events name it.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The ARN of a machine.
    pub fn machine(&self, name: &str) -> String {
        format!("{}stateMachine:{name}", self.prefix)
    }

    /// The ARN of a version or an alias of a machine.
    pub fn qualified(&self, machine: &str, qualifier: impl fmt::Display) -> String {
        format!("{}stateMachine:{machine}:{qualifier}", self.prefix)
    }

    /// The ARN of an execution.
    pub fn execution(&self, machine: &str, name: &str) -> String {
        let mut arn = String::with_capacity(self.prefix.len() + 11 + machine.len() + name.len());
        arn.push_str(&self.prefix);
        arn.push_str("execution:");
        arn.push_str(machine);
        arn.push(':');
        arn.push_str(name);
        arn
    }

    /// The ARN of a Map Run. `machine` may be the name of a child's machine, `NAME/LABEL`: labels are unique in
    /// the whole definition.
    pub fn map_run(&self, machine: &str, label: &str, run: TaskId) -> String {
        format!(
            "{}mapRun:{}/{label}:{}",
            self.prefix,
            unlabelled(machine),
            run.to_uuid()
        )
    }

    /// Reads a Map Run's ARN.
    ///
    /// # Errors
    /// `InvalidArn` for a text that is no Map Run's ARN, `ResourceNotFound` for one this server never gave out.
    pub fn parse_map_run<'a>(&self, arn: &'a str) -> Answer<MapRunArn<'a>> {
        let (kind, rest) = match self.resource(arn)? {
            Resource::Ours(kind, rest) => (kind, rest),
            Resource::Elsewhere => return Err(ApiError::resource_not_found(arn)),
        };
        if kind != "mapRun" {
            return Err(wrong_type(kind));
        }
        let parts = rest.split_once('/').and_then(|(machine, rest)| {
            let (label, run) = rest.split_once(':')?;
            (!machine.is_empty() && !label.is_empty() && !run.is_empty()).then_some((machine, label, run))
        });
        let Some((machine, label, run)) = parts else {
            return Err(ApiError::invalid_arn(format_args!("Invalid map run ARN: {arn}")));
        };
        match TaskId::from_uuid(run) {
            Some(run) => Ok(MapRunArn { machine, label, run }),
            None => Err(ApiError::resource_not_found(arn)),
        }
    }

    /// The ARN of an execution of an Express machine. `run` tells it from others of the same name.
    pub fn express(&self, machine: &str, name: &str, run: impl fmt::Display) -> String {
        format!("{}express:{machine}:{name}:{run}", self.prefix)
    }

    /// The machine in the ARN of an execution of an Express machine, and its name with what tells it from others. No
    /// operation of AWS's takes such an ARN.
    pub fn parse_express<'a>(&self, arn: &'a str) -> Option<(&'a str, &'a str)> {
        match self.resource(arn).ok()? {
            Resource::Ours("express", rest) => rest.split_once(':'),
            Resource::Ours(..) | Resource::Elsewhere => None,
        }
    }

    /// The ARN of an execution of an Express machine whose name is `name` and what tells it from others, or the name
    /// alone, as the context object of a test shows it.
    pub fn express_execution(&self, machine: &str, name: &str) -> String {
        format!("{}express:{machine}:{name}", self.prefix)
    }

    /// Reads a machine's ARN, with or without a version or alias.
    ///
    /// # Errors
    /// `InvalidArn` for a text that is no machine's ARN, `ValidationException` for that of the inside of a distributed
    /// Map, `StateMachineDoesNotExist` for one of another account.
    pub fn parse_machine<'a>(&self, arn: &'a str) -> Answer<MachineArn<'a>> {
        let (kind, rest) = match self.resource(arn)? {
            Resource::Ours(kind, rest) => (kind, rest),
            Resource::Elsewhere => return Err(ApiError::state_machine_does_not_exist(arn)),
        };
        if kind != "stateMachine" {
            return Err(wrong_type(kind));
        }
        let (name, qualifier) = match rest.split_once(':') {
            Some((name, qualifier)) => (name, Some(qualifier)),
            None => (rest, None),
        };
        if name.is_empty() || qualifier.is_some_and(|text| text.is_empty() || text.contains(':')) {
            return Err(ApiError::invalid_arn(format_args!("Invalid state machine ARN: {arn}")));
        }
        if name.contains('/') {
            return Err(ApiError::validation(format!(
                "A Distributed Map state is not supported by this operation. Received: {arn}"
            )));
        }
        Ok(MachineArn { name, qualifier })
    }

    /// The ARN of an activity.
    pub fn activity(&self, name: &str) -> String {
        format!("{}activity:{name}", self.prefix)
    }

    /// Reads an activity's ARN: its name.
    ///
    /// # Errors
    /// `InvalidArn` for a text that is no activity's ARN, `ActivityDoesNotExist` for one of another account.
    pub fn parse_activity<'a>(&self, arn: &'a str) -> Answer<&'a str> {
        match self.resource(arn)? {
            Resource::Ours("activity", name) if !name.is_empty() && !name.contains(':') => Ok(name),
            Resource::Ours("activity", _) => Err(ApiError::invalid_arn(format_args!("Invalid activity ARN: {arn}"))),
            Resource::Ours(kind, _) => Err(wrong_type(kind)),
            Resource::Elsewhere => Err(ApiError::activity_does_not_exist(arn)),
        }
    }

    /// Reads an execution's ARN.
    ///
    /// # Errors
    /// `InvalidArn` for a text that is no execution's ARN, `ExecutionDoesNotExist` for one of another account.
    pub fn parse_execution<'a>(&self, arn: &'a str) -> Answer<ExecutionArn<'a>> {
        let (kind, rest) = match self.resource(arn)? {
            Resource::Ours(kind, rest) => (kind, rest),
            Resource::Elsewhere => return Err(ApiError::execution_does_not_exist(arn)),
        };
        if kind != "execution" {
            return Err(wrong_type(kind));
        }
        match rest.split_once(':') {
            Some((machine, name)) if !machine.is_empty() && !name.is_empty() && !name.contains(':') => {
                Ok(ExecutionArn { machine, name })
            }
            _ => Err(ApiError::invalid_arn(format_args!("Invalid execution ARN: {arn}"))),
        }
    }

    /// Reads the ARN of something that can have tags.
    ///
    /// # Errors
    /// `InvalidArn` for a text that is no such ARN, `ResourceNotFound` for one of another account.
    pub fn parse_tagged<'a>(&self, arn: &'a str) -> Answer<TaggedArn<'a>> {
        match self.resource(arn)? {
            Resource::Elsewhere => Err(ApiError::resource_not_found(arn)),
            Resource::Ours("stateMachine", rest) => Ok(TaggedArn::Machine(rest)),
            Resource::Ours("activity", rest) => Ok(TaggedArn::Activity(rest)),
            Resource::Ours(kind, _) => Err(wrong_type(kind)),
        }
    }

    /// The name of the state machine or activity that an ARN of ours is of, or belongs to. Says nothing about whether the
    /// ARN is well-formed otherwise.
    pub fn name_in<'a>(&self, arn: &'a str) -> Option<&'a str> {
        let (_, rest) = arn.strip_prefix(&*self.prefix)?.split_once(':')?;
        rest.split([':', '/']).next().filter(|name| !name.is_empty())
    }

    /// The ARN of a user, which is what keys are called in refusals.
    pub fn user(&self, name: &str) -> String {
        let mut parts = self.prefix.split(':').skip(1);
        let partition = parts.next().unwrap_or_default();
        let account = parts.nth(2).unwrap_or_default();
        format!("arn:{partition}:iam::{account}:user/{name}")
    }

    fn resource<'a>(&self, arn: &'a str) -> Answer<Resource<'a>> {
        if let Some((kind, rest)) = arn
            .strip_prefix(&*self.prefix)
            .and_then(|resource| resource.split_once(':'))
        {
            return Ok(Resource::Ours(kind, rest));
        }
        if !arn.starts_with("arn:") {
            return Err(ApiError::invalid_arn(format_args!("Invalid ARN prefix: {arn}")));
        }
        // arn:partition:service:region:account:type:rest
        if arn.splitn(7, ':').count() < 7 {
            return Err(ApiError::invalid_arn(format_args!("Invalid ARN: {arn}")));
        }
        Ok(Resource::Elsewhere)
    }
}

/// The name of a machine without the label of a Map state in it.
pub fn unlabelled(machine: &str) -> &str {
    machine.split_once('/').map_or(machine, |(name, _)| name)
}

/// Names a child execution as AWS does: `execution:NAME/LABEL:UUID`, of the machine `NAME/LABEL`.
pub fn child_names(parent: &ExecutionContext, label: &str, name: &str) -> ChildName {
    let machine = unlabelled(&parent.machine_name);
    // `arn:…:stateMachine:NAME`, of a child `NAME/LABEL`, of a version `NAME:1`
    let prefix = parent
        .machine_id
        .split_once(":stateMachine:")
        .map_or("", |(prefix, _)| prefix);
    ChildName {
        id: format!("{prefix}:execution:{machine}/{label}:{name}"),
        machine_id: format!("{prefix}:stateMachine:{machine}/{label}"),
        machine_name: format!("{machine}/{label}"),
    }
}

fn wrong_type(kind: &str) -> ApiError {
    ApiError::invalid_arn(format_args!("Resource type not valid in this context: {kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Namespace {
        Namespace::new("aws", "us-east-1", "000000000000")
    }

    #[test]
    fn what_is_given_out_reads_back() {
        let arn = ours().execution("orders", "one");
        assert_eq!(arn, "arn:aws:states:us-east-1:000000000000:execution:orders:one");
        assert_eq!(
            ours().parse_execution(&arn),
            Ok(ExecutionArn {
                machine: "orders",
                name: "one"
            })
        );
        let arn = ours().machine("orders");
        assert_eq!(
            ours().parse_machine(&arn),
            Ok(MachineArn {
                name: "orders",
                qualifier: None
            })
        );
        let versioned = format!("{arn}:3");
        assert_eq!(
            ours().parse_machine(&versioned),
            Ok(MachineArn {
                name: "orders",
                qualifier: Some("3")
            })
        );
    }

    #[test]
    fn users_are_of_the_same_account() {
        assert_eq!(ours().user("ci"), "arn:aws:iam::000000000000:user/ci");
    }

    #[test]
    fn refusals_carry_the_services_own_words() {
        let message = |arn: &str| ours().parse_execution(arn).expect_err("not an execution").message;
        assert_eq!(message("nonsense"), "Invalid Arn: 'Invalid ARN prefix: nonsense'");
        assert_eq!(
            message("arn:aws:states:us-east-1:000000000000:express:a:b:c"),
            "Invalid Arn: 'Resource type not valid in this context: express'"
        );
        let elsewhere = "arn:aws:states:eu-west-1:123456789012:execution:a:b";
        assert_eq!(message(elsewhere), format!("Execution Does Not Exist: '{elsewhere}'"));
        assert_eq!(
            ours().parse_machine("arn:aws:states").expect_err("too short").kind,
            "InvalidArn"
        );
        let inside = format!("{}/label", ours().machine("a"));
        assert_eq!(
            ours().parse_machine(&inside).expect_err("a Map's inside").kind,
            "ValidationException"
        );
    }
}
