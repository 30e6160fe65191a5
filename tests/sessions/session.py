"""Plays `session.json`: every operation of the API, one step after the other.

A step calls an operation `with` parameters, `expect`s an answer that holds at least this, `keep`s parts of it, or
`fails` with a named error. With `until` it is called again until the answer holds that too. `${name}` is what was
kept, `{"$json": ...}` a text that holds this JSON, `<text>`, `<number>` and `<time>` any value of the kind.
"""

import json
import pathlib
import re
import time

STEPS = json.loads(pathlib.Path(__file__).with_name("session.json").read_text())
# Generous: debug builds on loaded machines are slow.
PATIENCE_S = 120


class Refused(Exception):
    """An error the service names."""


def filled(value, kept):
    if isinstance(value, dict):
        if "$json" in value:
            return json.dumps(filled(value["$json"], kept))
        return {key: filled(one, kept) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, kept) for one in value]
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)\}", lambda found: kept[found[1]], value)
    return value


def holds(actual, wanted, kept, is_time):
    """Whether an answer holds at least what is wanted; lists hold it one by one."""
    if isinstance(wanted, dict):
        if "$json" in wanted:
            return isinstance(actual, str) and json.loads(actual) == filled(wanted["$json"], kept)
        return isinstance(actual, dict) and all(
            key in actual and holds(actual[key], one, kept, is_time) for key, one in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(actual, list)
            and len(actual) == len(wanted)
            and all(holds(one, other, kept, is_time) for one, other in zip(actual, wanted))
        )
    if wanted == "<text>":
        return isinstance(actual, str) and actual != ""
    if wanted == "<number>":
        return isinstance(actual, (int, float))
    if wanted == "<time>":
        return is_time(actual)
    return actual == filled(wanted, kept)


def part(answer, path):
    for key in path.split("."):
        answer = answer[int(key) if isinstance(answer, list) else key]
    return answer


def play(client, call, operations, is_time):
    """`call(operation, parameters)` answers or raises Refused; `operations` are all that the client knows."""
    kept, called, calls = {}, set(), 0
    for number, step in enumerate(STEPS, 1):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            calls += 1
            try:
                answer, refusal = call(step["call"], filled(step["with"], kept)), None
            except Refused as error:
                answer, refusal = None, str(error)
            where = f"{client}, step {number}, {step['call']}: {refusal or json.dumps(answer, default=str)}"
            if refusal != step.get("fails"):
                raise SystemExit(f"{where}\ninstead of {step.get('fails') or 'an answer'}")
            if refusal or holds(answer, step.get("until", {}), kept, is_time):
                break
            if time.monotonic() > deadline:
                raise SystemExit(f"{where}\nand never {step['until']}")
            time.sleep(0.01)
        if not refusal and not holds(answer, step.get("expect", {}), kept, is_time):
            raise SystemExit(f"{where}\ndoesn't hold {step['expect']}")
        for name, path in step.get("keep", {}).items():
            kept[name] = part(answer, path)
        called.add(step["call"])
    missing = set(operations) - called
    if missing:
        raise SystemExit(f"{client} knows operations that no step calls: {sorted(missing)}")
    print(f"{client}: {len(called)} operations in {calls} calls")
