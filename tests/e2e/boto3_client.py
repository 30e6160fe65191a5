"""What a program written for AWS Step Functions does, against the endpoint given as argument.

Expects the modules `echo` (answers with its input) and `declined` (fails with CardDeclined).
"""

import datetime
import json
import sys
import time

import boto3

ROLE = "arn:aws:iam::000000000000:role/test"
# Generous: debug builds on loaded machines are slow.
PATIENCE_S = 120


def one_task(resource):
    return json.dumps(
        {"StartAt": "Only", "States": {"Only": {"Type": "Task", "Resource": resource, "End": True}}}
    )


def end_of(client, arn):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        answer = client.describe_execution(executionArn=arn)
        if answer["status"] != "RUNNING":
            return answer
        time.sleep(0.01)
    raise AssertionError(f"{arn} did not end")


def refused(error, call, **arguments):
    try:
        call(**arguments)
    except error as caught:
        assert caught.response["Error"]["Message"], caught.response
        return caught.response
    raise AssertionError(f"{call.__name__}({arguments}) was not refused with {error.__name__}")


def main():
    client = boto3.client("stepfunctions", endpoint_url=sys.argv[1])
    errors = client.exceptions

    made = client.create_state_machine(name="echoes", definition=one_task("wasm:echo"), roleArn=ROLE)
    machine = made["stateMachineArn"]
    assert machine == "arn:aws:states:us-east-1:000000000000:stateMachine:echoes", machine
    assert isinstance(made["creationDate"], datetime.datetime), made
    again = client.create_state_machine(name="echoes", definition=one_task("wasm:echo"), roleArn=ROLE)
    assert again["stateMachineArn"] == machine and again["creationDate"] == made["creationDate"], again
    refused(
        errors.StateMachineAlreadyExists,
        client.create_state_machine,
        name="echoes",
        definition=one_task("wasm:declined"),
        roleArn=ROLE,
    )
    described = client.describe_state_machine(stateMachineArn=machine)
    assert described["status"] == "ACTIVE" and described["type"] == "STANDARD", described
    assert json.loads(described["definition"])["StartAt"] == "Only", described
    assert machine in [m["stateMachineArn"] for m in client.list_state_machines()["stateMachines"]]
    assert client.validate_state_machine_definition(definition=one_task("wasm:echo"))["result"] == "OK"

    text = '{"order": 7,  "lines": [1, 2]}'
    started = client.start_execution(stateMachineArn=machine, name="first", input=text)
    execution = started["executionArn"]
    ended = end_of(client, execution)
    assert ended["status"] == "SUCCEEDED", ended
    assert ended["input"] == text and ended["output"] == text, ended
    assert ended["stopDate"] >= ended["startDate"] == started["startDate"], ended
    refused(
        errors.ExecutionAlreadyExists, client.start_execution, stateMachineArn=machine, name="first", input="{}"
    )

    events = client.get_execution_history(executionArn=execution)["events"]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1)), events
    assert events[0]["type"] == "ExecutionStarted", events
    assert events[-1]["type"] == "ExecutionSucceeded", events
    assert events[-1]["executionSucceededEventDetails"]["output"] == text, events
    backwards = client.get_execution_history(executionArn=execution, reverseOrder=True)["events"]
    assert backwards == events[::-1], backwards
    pages = client.get_paginator("get_execution_history").paginate(
        executionArn=execution, PaginationConfig={"PageSize": 2}
    )
    paged = [event for page in pages for event in page["events"]]
    assert paged == events, paged

    client.update_state_machine(stateMachineArn=machine, definition=one_task("wasm:declined"))
    failed = end_of(client, client.start_execution(stateMachineArn=machine)["executionArn"])
    assert failed["status"] == "FAILED", failed
    assert (failed["error"], failed["cause"]) == ("CardDeclined", "no money"), failed

    wait = json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 86400, "End": True}}})
    waits = client.create_state_machine(name="waits", definition=wait, roleArn=ROLE)["stateMachineArn"]
    waiting = client.start_execution(stateMachineArn=waits)["executionArn"]
    running = client.list_executions(stateMachineArn=waits, statusFilter="RUNNING")["executions"]
    assert [one["executionArn"] for one in running] == [waiting], running
    client.stop_execution(executionArn=waiting, error="Enough", cause="tired")
    stopped = client.describe_execution(executionArn=waiting)
    assert (stopped["status"], stopped["error"], stopped["cause"]) == ("ABORTED", "Enough", "tired"), stopped

    counts = client.get_paginator("list_executions").paginate(
        stateMachineArn=machine, PaginationConfig={"PageSize": 1}
    )
    assert [len(page["executions"]) for page in counts if page["executions"]] == [1, 1]

    nowhere = machine.replace("echoes", "nowhere")
    refused(errors.StateMachineDoesNotExist, client.describe_state_machine, stateMachineArn=nowhere)
    refused(errors.ExecutionDoesNotExist, client.describe_execution, executionArn=execution + "-not")
    refused(errors.InvalidArn, client.describe_execution, executionArn="not-an-arn")
    refused(errors.InvalidName, client.create_state_machine, name="a b", definition=wait, roleArn=ROLE)
    refused(errors.InvalidDefinition, client.create_state_machine, name="bad", definition="{}", roleArn=ROLE)

    client.delete_state_machine(stateMachineArn=waits)
    names = [m["name"] for m in client.list_state_machines()["stateMachines"]]
    assert names == ["echoes"], names
    print("all good")


if __name__ == "__main__":
    main()
