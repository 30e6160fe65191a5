"""A task that does one thing the SDK promises something about. tests/e2e/languages.rs asks for each."""

import logging
from dataclasses import dataclass
from typing import Any

from sandstep import TaskError, context, heartbeat, task


@dataclass
class Deed:
    do: str
    value: Any = None
    error: str = ""
    cause: str = ""
    message: str = ""
    number: int = 0


def probe(deed: Deed):
    if deed.do == "echo":
        return deed.value
    if deed.do == "fail":
        raise TaskError(deed.error, deed.cause)
    if deed.do == "crash":
        return [1][deed.number]
    if deed.do == "log":
        for write in (logging.debug, logging.info, logging.warning, logging.error):
            write(deed.message)
        return None
    if deed.do == "beat":
        for _ in range(deed.number):
            heartbeat()
        return deed.number
    if deed.do == "context":
        attempt = context()
        return {
            "executionId": attempt.execution_id,
            "stateMachineId": attempt.state_machine_id,
            "stateName": attempt.state_name,
            "retryCount": attempt.retry_count,
            "idempotencyKey": attempt.idempotency_key,
            "deadline": attempt.deadline,
        }
    if deed.do == "spin":
        while True:
            pass
    if deed.do == "allocate":
        return len([bytearray(b"\1") * (1 << 20) for _ in range(deed.number)])
    raise TaskError("UnknownDeed", deed.do)


Handler = task(probe)
