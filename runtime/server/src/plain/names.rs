//! Executions as people name them.

use crate::aws::arn::Namespace;
use crate::http::Problem;

/// What stands before `MACHINE:EXECUTION` in an execution's ARN.
const IN_ARN: &str = ":execution:";
/// The same in that of an Express execution, where what tells it from others follows.
const IN_EXPRESS_ARN: &str = ":express:";

/// The ARN of an execution that is named `MACHINE:EXECUTION` or by its ARN.
pub(super) fn execution_arn(namespace: &Namespace, id: &str) -> Result<String, Problem> {
    if id.starts_with("arn:") {
        return Ok(id.to_owned());
    }
    match id.split_once(':') {
        Some((machine, name)) if !machine.is_empty() && !name.is_empty() && !name.contains(':') => {
            Ok(namespace.execution(machine, name))
        }
        // What an Express execution is called, and what tells it from others.
        Some((machine, name)) if !machine.is_empty() && is_run(name) => Ok(namespace.express_execution(machine, name)),
        _ => Err(Problem::new(
            400,
            "InvalidExecutionId",
            format!("`{id}` names no execution"),
            "an execution is named MACHINE:NAME or by its ARN; `GET /v1/state-machines/MACHINE/executions` lists them",
        )),
    }
}

fn is_run(name: &str) -> bool {
    let parts = name.split_once(':');
    parts.is_some_and(|(name, run)| !name.is_empty() && !run.is_empty() && !run.contains(':'))
}

/// `MACHINE:EXECUTION` of an ARN, or `MACHINE:EXECUTION:RUN` of an Express one.
pub(super) fn short(arn: &str) -> &str {
    let named = arn.split_once(IN_ARN).or_else(|| arn.split_once(IN_EXPRESS_ARN));
    named.map_or(arn, |(_, name)| name)
}

/// Whether an ARN is that of an Express execution.
pub(super) fn is_express(arn: &str) -> bool {
    arn.contains(IN_EXPRESS_ARN)
}

/// The machine in `MACHINE:EXECUTION`, without the Map state of a child's.
pub(super) fn machine(id: &str) -> &str {
    let machine = id.split_once(':').map_or(id, |(machine, _)| machine);
    crate::aws::arn::unlabelled(machine)
}

/// The machine of an execution that is named as people do, as far as it names one.
pub(crate) fn machine_of(id: &str) -> &str {
    machine(short(id))
}

/// A text that may stand in a path, percent-encoded but for RFC 3986's unreserved characters and the colon.
pub(super) fn in_path(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_lead_to_the_arn_and_back() {
        let namespace = Namespace::new("aws", "us-east-1", "000000000000");
        let arn = execution_arn(&namespace, "orders:one").expect("a name");
        assert_eq!(arn, "arn:aws:states:us-east-1:000000000000:execution:orders:one");
        assert_eq!(execution_arn(&namespace, &arn).expect("an ARN"), arn);
        assert_eq!((short(&arn), machine(short(&arn))), ("orders:one", "orders"));
        assert_eq!(machine("orders/Each:1"), "orders");
        let arn = execution_arn(&namespace, "orders:one:4f").expect("an Express execution");
        assert_eq!(arn, "arn:aws:states:us-east-1:000000000000:express:orders:one:4f");
        assert_eq!((short(&arn), machine(short(&arn))), ("orders:one:4f", "orders"));
        for wrong in ["orders", ":one", "orders:", "a:b:c:d", "a::c", "a:b:", ""] {
            assert!(execution_arn(&namespace, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_cannot_leave_their_segment() {
        assert_eq!(in_path("a/b:ü?"), "a%2Fb:%C3%BC%3F");
    }
}
