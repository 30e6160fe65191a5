//! What a Task's `Resource` means to AWS: which service answers, with which operation's answer.

use super::schema::Spelling;
use super::service_models::Service;

/// A `Resource`, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Integration<'a> {
    /// What is asked of whom; `None` for functions and activities, whose answers no model describes.
    request: Option<Request<'a>>,
    /// How the task ends.
    pub pattern: Pattern,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Request<'a> {
    service: &'a str,
    action: &'a str,
    spelling: Spelling,
}

/// How a task ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// With the request's answer.
    RequestResponse,
    /// With the job the request started: `.sync`, `.sync:2`.
    Sync,
    /// When somebody hands its token back: `.waitForTaskToken`.
    Callback,
    /// When a worker says so.
    Activity,
}

/// Whose answer a task's result is: the service's key in the table of models, the operation, the place of the result
/// in the answer, and how its fields are spelt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model<'a> {
    /// The service's key.
    pub service: &'a str,
    /// The operation.
    pub operation: String,
    /// Fields to follow from the answer to the result.
    pub place: &'static [&'static str],
    /// How fields are spelt.
    pub spelling: Spelling,
}

/// The services of optimised integrations as ARNs name them, the keys of their models, and their actions, as AWS
/// documents them. Two of them have no model, and Bedrock has two.
const OPTIMISED: [(&str, &str, &[&str]); 23] = [
    ("apigateway", "", &["invoke"]),
    (
        "athena",
        "athena",
        &[
            "startQueryExecution",
            "stopQueryExecution",
            "getQueryExecution",
            "getQueryResults",
        ],
    ),
    ("batch", "batch", &["submitJob"]),
    ("bedrock", "bedrockruntime", &["invokeModel"]),
    ("bedrock", "bedrock", &["createModelCustomizationJob"]),
    (
        "codebuild",
        "codebuild",
        &[
            "startBuild",
            "stopBuild",
            "batchDeleteBuilds",
            "batchGetReports",
            "startBuildBatch",
            "stopBuildBatch",
            "retryBuildBatch",
            "deleteBuildBatch",
        ],
    ),
    ("databrew", "databrew", &["startJobRun"]),
    (
        "dynamodb",
        "dynamodb",
        &["getItem", "putItem", "deleteItem", "updateItem"],
    ),
    ("ecs", "ecs", &["runTask"]),
    (
        "eks",
        "eks",
        &[
            "createCluster",
            "deleteCluster",
            "createFargateProfile",
            "deleteFargateProfile",
            "createNodegroup",
            "deleteNodegroup",
            "runJob",
            "call",
        ],
    ),
    (
        "elasticmapreduce",
        "emr",
        &[
            "createCluster",
            "setClusterTerminationProtection",
            "terminateCluster",
            "addStep",
            "cancelStep",
            "modifyInstanceFleetByName",
            "modifyInstanceGroupByName",
        ],
    ),
    (
        "emr-containers",
        "emrcontainers",
        &["createVirtualCluster", "deleteVirtualCluster", "startJobRun"],
    ),
    (
        "emr-serverless",
        "emrserverless",
        &[
            "createApplication",
            "startApplication",
            "stopApplication",
            "deleteApplication",
            "startJobRun",
            "cancelJobRun",
        ],
    ),
    ("events", "eventbridge", &["putEvents"]),
    ("glue", "glue", &["startJobRun"]),
    ("http", "", &["invoke"]),
    ("lambda", "lambda", &["invoke"]),
    ("mediaconvert", "mediaconvert", &["createJob"]),
    (
        "sagemaker",
        "sagemaker",
        &[
            "createEndpoint",
            "createEndpointConfig",
            "createHyperParameterTuningJob",
            "createLabelingJob",
            "createModel",
            "createProcessingJob",
            "createTrainingJob",
            "createTransformJob",
            "updateEndpoint",
        ],
    ),
    ("sns", "sns", &["publish"]),
    ("sqs", "sqs", &["sendMessage"]),
    ("states", "sfn", &["startExecution"]),
    // this server's own
    ("wasm", "", &["invoke"]),
];

/// What a `.sync` task returns: the answer of another operation, or a part of it.
const JOBS: [(&str, &str, &str, &[&str]); 9] = [
    ("states", "startExecution", "DescribeExecution", &[]),
    ("batch", "submitJob", "DescribeJobs", &["jobs", "[]"]),
    ("ecs", "runTask", "DescribeTasks", &["tasks", "[]"]),
    ("glue", "startJobRun", "GetJobRun", &["JobRun"]),
    ("athena", "startQueryExecution", "GetQueryExecution", &[]),
    ("codebuild", "startBuild", "StartBuild", &[]),
    ("codebuild", "startBuildBatch", "StartBuildBatch", &[]),
    ("databrew", "startJobRun", "DescribeJobRun", &[]),
    ("emr-serverless", "startJobRun", "GetJobRun", &["jobRun"]),
];

impl<'a> Integration<'a> {
    /// Reads a `Resource`.
    pub fn read(resource: &'a str) -> Self {
        let lone = |pattern| Self { request: None, pattern };
        let parts: Vec<&str> = resource.splitn(9, ':').collect();
        let (service, action, spelling) = match parts[..] {
            ["arn", _, "states", _, _, "activity", ..] => return lone(Pattern::Activity),
            ["arn", _, "states", "", "", "aws-sdk", service, action] => (service, action, Spelling::Sdk),
            ["arn", _, "states", "", "", service, action] | ["arn", _, "states", "", "", service, action, "2"] => {
                (service, action, Spelling::Optimised)
            }
            _ => return lone(Pattern::RequestResponse),
        };
        let (action, pattern) = match action.split_once('.') {
            None => (action, Pattern::RequestResponse),
            Some((action, "waitForTaskToken")) => (action, Pattern::Callback),
            Some((action, _)) => (action, Pattern::Sync),
        };
        let request = Request {
            service,
            action,
            spelling,
        };
        Self {
            request: Some(request),
            pattern,
        }
    }

    /// The model of the task's result. `None` where there is none: what somebody hands back with a token, what a
    /// function returns, what an endpoint answers.
    pub fn model(&self) -> Option<Model<'a>> {
        let Request {
            service,
            action,
            spelling,
        } = self.request?;
        let key = match spelling {
            Spelling::Sdk => service,
            Spelling::Optimised => optimised(service, action)?,
        };
        let model = |operation: String, place| {
            Some(Model {
                service: key,
                operation,
                place,
                spelling,
            })
        };
        match self.pattern {
            Pattern::RequestResponse => model(action.to_owned(), &[]),
            Pattern::Callback | Pattern::Activity => None,
            Pattern::Sync => {
                let mut jobs = JOBS.iter();
                if let Some((.., operation, place)) = jobs.find(|job| (job.0, job.1) == (service, action)) {
                    return model((*operation).to_owned(), place);
                }
                // SageMaker's jobs and EKS's clusters are described by what is named as they are
                let described = action
                    .strip_prefix("create")
                    .filter(|_| ["sagemaker", "eks"].contains(&service))?;
                model(format!("Describe{described}"), &[])
            }
        }
    }
}

/// The key of the model of an optimised integration.
fn optimised(service: &str, action: &str) -> Option<&'static str> {
    let mut known = OPTIMISED.iter();
    known
        .find(|(name, _, actions)| *name == service && actions.contains(&action))
        .map(|(_, key, _)| *key)
}

/// What AWS says of a service integration that there isn't.
pub fn refusal(resource: &str) -> Option<String> {
    let Request {
        service,
        action,
        spelling,
    } = Integration::read(resource).request?;
    let is_known = match spelling {
        Spelling::Optimised => optimised(service, action).is_some(),
        Spelling::Sdk => Service::named(service).is_some_and(|service| service.has(action)),
    };
    (!is_known).then(|| {
        format!(
            "The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the resource \
             is not available in this region."
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(resource: &str) -> Option<(String, String, Spelling)> {
        let model = Integration::read(resource).model()?;
        Some((model.service.to_owned(), model.operation, model.spelling))
    }

    #[test]
    fn resources_lead_to_the_operation_whose_answer_they_return() {
        use Spelling::{Optimised, Sdk};
        for (resource, found) in [
            (
                "arn:aws:states:::sqs:sendMessage",
                Some(("sqs", "sendMessage", Optimised)),
            ),
            ("arn:aws:states:::sqs:sendMessage.waitForTaskToken", None),
            (
                "arn:aws-cn:states:::events:putEvents",
                Some(("eventbridge", "putEvents", Optimised)),
            ),
            (
                "arn:aws:states:::states:startExecution.sync:2",
                Some(("sfn", "DescribeExecution", Optimised)),
            ),
            (
                "arn:aws:states:::aws-sdk:sfn:startExecution",
                Some(("sfn", "startExecution", Sdk)),
            ),
            ("arn:aws:states:::aws-sdk:sqs:sendMessage.waitForTaskToken", None),
            (
                "arn:aws:states:::sagemaker:createTrainingJob.sync",
                Some(("sagemaker", "DescribeTrainingJob", Optimised)),
            ),
            ("arn:aws:states:::eks:call", Some(("eks", "call", Optimised))),
            ("arn:aws:lambda:us-east-1:000000000000:function:f", None),
            ("arn:aws:states:us-east-1:000000000000:activity:a", None),
            ("wasm:f", None),
        ] {
            let found = found.map(|(service, operation, spelling): (&str, &str, _)| {
                (service.to_owned(), operation.to_owned(), spelling)
            });
            assert_eq!(model(resource), found, "{resource}");
        }
        assert_eq!(
            Integration::read("arn:aws:states:us-east-1:000000000000:activity:a").pattern,
            Pattern::Activity
        );
    }

    #[test]
    fn integrations_that_there_are_not_are_refused() {
        for known in [
            "arn:aws:states:::dynamodb:putItem",
            "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "arn:aws:states:::states:startExecution.sync:2",
            "arn:aws:states:::bedrock:createModelCustomizationJob.sync",
            "arn:aws:states:::aws-sdk:s3:deleteObject",
            "arn:aws:states:::aws-sdk:dynamodb:query",
            "arn:aws:states:::http:invoke",
            "arn:aws:lambda:us-east-1:000000000000:function:f",
            "wasm:f",
        ] {
            assert_eq!(refusal(known), None, "{known}");
        }
        for unknown in [
            "arn:aws:states:::dynamodb:query",
            "arn:aws:states:::nosuch:putItem",
            "arn:aws:states:::aws-sdk:nosuch:putItem",
            "arn:aws:states:::aws-sdk:s3:noSuchAction",
        ] {
            let refused = refusal(unknown).expect(unknown);
            assert!(
                refused.starts_with(&format!("The resource provided {unknown} is not recognized.")),
                "{refused}"
            );
        }
    }

    #[test]
    fn every_job_is_in_the_table_of_models() {
        for (service, action, ..) in JOBS {
            let resource = format!("arn:aws:states:::{service}:{action}.sync");
            let model = Integration::read(&resource)
                .model()
                .unwrap_or_else(|| panic!("{resource}"));
            let service = Service::named(model.service).unwrap_or_else(|| panic!("{resource}"));
            let mut shape = service.answer(&model.operation).unwrap_or_else(|| panic!("{resource}"));
            for field in model.place {
                shape = shape.inner(field).unwrap_or_else(|| panic!("{resource}: {field}"));
            }
        }
    }
}
