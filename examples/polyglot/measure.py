"""What a task costs in each language: measure.py BINARY

Pushes every module to a server of its own, so that each is compiled, runs the example a few times and prints a table.
Times are this machine's in this minute; sizes, memory and fuel are the same everywhere.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 20
EXAMPLE = pathlib.Path(__file__).parent
CASE = EXAMPLE / "cases/greenhouse/input.json"
LANGUAGES = {
    "parse-readings": "Rust",
    "clean-readings": "Go",
    "summarise": "C",
    "draw-chart": "TypeScript",
    "write-report": "Python",
}


def sandstep(binary, *arguments):
    done = subprocess.run([binary, *map(str, arguments), "--output", "json"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"`sandstep {' '.join(map(str, arguments))}` failed: {done.stderr}")
    return json.loads(done.stdout)


def compile_times(binary):
    """Milliseconds from upload to answer, which is compiling and little else."""
    times = {}
    for name in LANGUAGES:
        since = time.monotonic()
        sandstep(binary, "modules", "push", name, EXAMPLE / "modules" / f"{name}.wasm")
        times[name] = (time.monotonic() - since) * 1000
    return times


def attempts(events):
    """What each task's attempt cost; the event that says so has the state's name further up its line."""
    by_id = {event["id"]: event for event in events}

    def state_of(event):
        while not event["type"].endswith("StateEntered"):
            event = by_id[event["previousEventId"]]
        return event["stateEnteredEventDetails"]["name"]

    for event in events:
        for details in event.values():
            if isinstance(details, dict) and "sandstep" in details:
                yield state_of(event), details["sandstep"]


def measure(binary):
    compiled = compile_times(binary)
    sandstep(binary, "deploy", EXAMPLE)
    definition = json.loads((EXAMPLE / "workflow.asl.json").read_text())
    module_of = {name: state.get("Resource", "")[5:] for name, state in definition["States"].items()}
    costs = {name: [] for name in LANGUAGES}
    for run in range(RUNS):
        sandstep(binary, "start", "polyglot", "--name", f"run-{run}", "--input", CASE, "--wait")
        for state, cost in attempts(sandstep(binary, "history", f"polyglot:run-{run}")["events"]):
            costs[module_of[state]].append(cost)

    print(f"    {'task':16}{'language':12}{'size':>9}{'compile':>10}{'warm call':>11}{'memory':>10}{'fuel':>12}")
    for name, language in LANGUAGES.items():
        size = os.path.getsize(EXAMPLE / "modules" / f"{name}.wasm")
        middle = {key: statistics.median(cost[key] for cost in costs[name]) for key in costs[name][0] if key != "log"
                  and isinstance(costs[name][0][key], (int, float))}
        print(
            f"    {name:16}{language:12}{size / 1e6:6.2f} MB{compiled[name]:7.0f} ms{middle['durationMicros'] / 1000:8.2f} ms"
            f"{middle['peakMemoryBytes'] / 2**20:6.1f} MiB{middle['fuel']:12,.0f}"
        )


def main():
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory() as data:
        server = subprocess.Popen(
            [binary, "serve", "--listen", "127.0.0.1:0", "--data", f"{data}/store"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        try:
            line = server.stdout.readline()
            if not line.startswith("listening on "):
                sys.exit("the server didn't start")
            os.environ["SANDSTEP_ENDPOINT"] = line.removeprefix("listening on ").split(",")[0]
            measure(binary)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
