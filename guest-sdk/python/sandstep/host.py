"""The host: the functions of task.wit in a component, and stand-ins anywhere else."""

import logging
import sys
from dataclasses import dataclass
from typing import Optional


@dataclass
class Context:
    """Where an attempt stands."""

    #: `$$.Execution.Id`
    execution_id: str
    #: `$$.StateMachine.Id`
    state_machine_id: str
    state_name: str
    #: 0 for the first attempt, 1 for the first retry.
    retry_count: int
    #: The same for every run of this attempt, a run after a crash included: hand it to outside services that deduplicate.
    idempotency_key: str
    #: Milliseconds since the Unix epoch after which the task is stopped; None where the state sets no `TimeoutSeconds`.
    deadline: Optional[int]


try:
    # What componentize-py writes for task.wit.
    from componentize_py_types import Err
    from wit_world.imports import host as wit
    from wit_world.imports.types import TaskError as WireError
except ImportError:
    wit = None


if wit:

    def heartbeat() -> None:
        wit.heartbeat()

    def log(level: int, message: str) -> None:
        if level < logging.INFO:
            wit.log(wit.Level.DEBUG, message)
        elif level < logging.WARNING:
            wit.log(wit.Level.INFO, message)
        elif level < logging.ERROR:
            wit.log(wit.Level.WARN, message)
        else:
            wit.log(wit.Level.ERROR, message)

    def context() -> Context:
        found = wit.context()
        return Context(
            execution_id=found.execution_id,
            state_machine_id=found.state_machine_id,
            state_name=found.state_name,
            retry_count=found.retry_count,
            idempotency_key=found.idempotency_key,
            deadline=found.deadline,
        )

    def failure(error: str, cause: str) -> Exception:
        return Err(WireError(error, cause))

else:

    class Failure(Exception):
        """How a task failed, in its tests."""

        def __init__(self, error: str, cause: str):
            super().__init__(f"{error}: {cause}")
            self.error = error
            self.cause = cause

    failure = Failure

    def heartbeat() -> None:
        pass

    def log(level: int, message: str) -> None:
        print(f"{logging.getLevelName(level).lower()}: {message}", file=sys.stderr)

    def context() -> Context:
        return Context(
            execution_id="arn:aws:states:us-east-1:000000000000:execution:native:native",
            state_machine_id="arn:aws:states:us-east-1:000000000000:stateMachine:native",
            state_name="Native",
            retry_count=0,
            idempotency_key="native",
            deadline=None,
        )
