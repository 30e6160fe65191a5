"""What `examples/run` prints of a case, and whether it ended as expected.

outcome.py DESCRIPTION EXPECTED     compares the answer of DescribeExecution; exits 1 when they differ
outcome.py --history HISTORY        the history in short: one line for each state and attempt
"""

import difflib
import json
import sys

INDENT = "    "


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def pretty(value):
    return json.dumps(value, indent=2, ensure_ascii=False).splitlines()


def outcome(description):
    """The part of a description that `expected.json` holds."""
    end = {"status": description["status"]}
    if "output" in description:
        end["output"] = json.loads(description["output"])
    for key in ("error", "cause"):
        if key in description:
            end[key] = description[key]
    return end


def compare(description, expected):
    end = outcome(description)
    print(*(INDENT + line for line in pretty(end)), sep="\n")
    if end == expected:
        return 0
    print(f"{INDENT}differs from what was expected:")
    lines = difflib.unified_diff(pretty(expected), pretty(end), "expected", "got", lineterm="")
    print(*(INDENT + line for line in lines), sep="\n")
    return 1


def details_of(event):
    return next((value for key, value in event.items() if key.endswith("EventDetails") and isinstance(value, dict)), {})


def cost_of(details):
    used = details.get("sandstep", {})
    parts = []
    if "fuel" in used:
        parts.append(f"fuel {used['fuel']:,}")
    if "peakMemoryBytes" in used:
        parts.append(f"memory {used['peakMemoryBytes'] / 2**20:.1f} MiB")
    if "durationMicros" in used:
        parts.append(f"{used['durationMicros'] / 1000:.1f} ms")
    return ", ".join(parts)


def history(events):
    """Names come with the entering of a state; what happens inside it points back event by event."""
    state_of = {}
    print(f"{INDENT}history: {len(events)} events, of which")
    for event in events:
        kind, details = event["type"], details_of(event)
        state = details.get("name") if kind.endswith("StateEntered") else state_of.get(event.get("previousEventId"))
        state_of[event["id"]] = state
        if kind.endswith("Succeeded") and "sandstep" in details:
            print(f"{INDENT}  {state}: {cost_of(details)}")
        elif kind.endswith(("Failed", "TimedOut")) and "sandstep" in details:
            print(f"{INDENT}  {state}: {details.get('error')}: {details.get('cause')} ({cost_of(details)})")


if __name__ == "__main__":
    if sys.argv[1] == "--history":
        history(read(sys.argv[2])["events"])
    else:
        sys.exit(compare(read(sys.argv[1]), read(sys.argv[2])))
