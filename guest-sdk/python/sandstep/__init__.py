"""Makes a WebAssembly task of one function:

    @dataclass
    class Order:
        id: str
        amount: int

    def charge(order: Order) -> dict:
        if order.amount > 100_000:
            raise TaskError("CardDeclined", f"{order.amount} is over the card's limit")
        logging.info("charging %d", order.amount)
        return {"order": order.id, "charged": order.amount}

    Handler = task(charge)

The state's input is read into the type of the argument, what the function returns is the output. A raised TaskError is a
failure with its name, any other exception is named after its class. `logging` writes into the attempt's log.

Modules are imported when the component is built, not when it runs: import at the top of a file.
"""

import dataclasses
import enum
import json
import logging
import traceback
import typing

from . import host
from .typed import Misfit, read

__all__ = ["Context", "TaskError", "context", "heartbeat", "task"]

Context = host.Context


class TaskError(Exception):
    """A failure that `Retry` and `Catch` match by its error name.

    Names beginning with `States.` are the language's own; CamelCase is the custom. The cause is for people.
    """

    def __init__(self, error: str, cause: str = ""):
        super().__init__(cause)
        self.error = error
        self.cause = cause


def heartbeat() -> None:
    """Tells the host that the task is alive: the state's `HeartbeatSeconds` start again."""
    host.heartbeat()


def context() -> Context:
    """Asks the host where this attempt stands."""
    return host.context()


def task(function):
    """The class that the host looks for: a module exports it as `Handler`."""
    wanted = _argument_type(function)

    class Handler:
        def handle(self, input: str) -> str:
            try:
                return _call(function, wanted, input)
            except TaskError as failure:
                raise host.failure(failure.error, failure.cause) from None
            # SystemExit, too: there is nobody to exit to.
            except BaseException as raised:
                raise host.failure(type(raised).__name__, _cause(raised)) from None

    return Handler


def _argument_type(function):
    hints = typing.get_type_hints(function)
    hints.pop("return", None)
    # A function without annotations takes what JSON makes of it.
    return next(iter(hints.values()), typing.Any)


def _call(function, wanted, text: str) -> str:
    try:
        value = read(json.loads(text), wanted)
    except (Misfit, ValueError) as error:
        raise TaskError("InvalidInput", str(error)) from None
    output = function(value)
    try:
        return json.dumps(output, default=_plain, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise TaskError("InvalidOutput", str(error)) from None


def _plain(value):
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    raise TypeError(f"a {type(value).__name__} can't be written as JSON")


def _cause(raised: BaseException) -> str:
    # The first frame is this file's.
    frames = traceback.extract_tb(raised.__traceback__)[2:]
    places = [f"  at {frame.name} ({frame.filename}:{frame.lineno})" for frame in reversed(frames)]
    return "\n".join([str(raised), *places])


class _AttemptLog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        host.log(record.levelno, self.format(record))


logging.basicConfig(level=logging.DEBUG, handlers=[_AttemptLog()], format="%(message)s", force=True)
