//! A `Resource` that asks a service: `arn:<partition>:states:::<service>:<action>`.

/// The service and the action of a service integration, as histories and messages name them: `lambda` and `invoke`,
/// `states` and `startExecution.sync:2`, `aws-sdk:s3` and `getObject`. Nothing for a function, an activity or a module.
pub fn integration(resource: &str) -> Option<(&str, &str)> {
    let (_, asked) = resource.strip_prefix("arn:")?.split_once(":states:::")?;
    // a colon may stand in the action too
    let names = match asked.starts_with("aws-sdk:") {
        true => 2,
        false => 1,
    };
    let (at, _) = asked.match_indices(':').nth(names - 1)?;
    Some((&asked[..at], &asked[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_and_actions_are_told_apart() {
        for (resource, found) in [
            ("arn:aws:states:::lambda:invoke", Some(("lambda", "invoke"))),
            (
                "arn:aws-cn:states:::sqs:sendMessage.waitForTaskToken",
                Some(("sqs", "sendMessage.waitForTaskToken")),
            ),
            (
                "arn:aws:states:::states:startExecution.sync:2",
                Some(("states", "startExecution.sync:2")),
            ),
            (
                "arn:aws:states:::aws-sdk:sfn:startExecution",
                Some(("aws-sdk:sfn", "startExecution")),
            ),
            ("arn:aws:states:us-east-1:000000000000:activity:a", None),
            ("arn:aws:lambda:us-east-1:000000000000:function:f", None),
            ("arn:aws:states:::lambda", None),
            ("wasm:f#g", None),
            ("", None),
        ] {
            assert_eq!(integration(resource), found, "{resource}");
        }
    }
}
