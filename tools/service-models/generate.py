#!/usr/bin/env python3
"""Writes the table of what AWS's services answer, from botocore's models of them.

    pip install botocore
    pip install --no-deps --target older botocore==1.41.5
    tools/service-models/generate.py older/botocore/data runtime/server/src/aws/test_state/service_models.bin

TestState checks the mocked result of a service integration against the service's own model. The table holds, for
every operation of every service, the shape of its answer: names, types, required fields, enumerations and ranges.
Nothing else of the models is in it. botocore is Apache-2.0 (c) Amazon.com, Inc.; see NOTICE beside this script.

Step Functions' own models are older than the services'. Numbers are bound as they were in November 2025, when what it
answers was recorded: it refuses a function's MemorySize above 10240, which Lambda by now knows up to 32768. What is
new since then, fields and services and enumerations, is taken as it is now.

The file: the lengths of the index and of the dictionary as four bytes each (little endian), both of them, and the
chunks. A line of the index is a service: `<key> <first byte of its chunk> <bytes> <bytes once inflated>`, the chunks
counted from where they begin. A chunk is raw deflate, with the dictionary as what came before it. Its lines are the
service's shapes, numbered from 0, and then its operations:

    {Name*:<shape>,Other:<shape>   a structure; `*` marks a required field
    [<shape>  and  <<shape>        a list and a map, of these
    =<operation>:<shape>           an operation and its answer; `.` where it has none

where a shape within a line is the number of one or, for what needs no line of its own, itself: `$` a text, `#` a
number, `?` a boolean, `~` a time, `!` bytes, `.` any JSON, `$A|B` one of these texts. `(min;max)` after a shape bounds
it: a number's value, a text's or a list's length; either may be empty. Fields are separated by commas: no name and no
text of an enumeration has one.
"""

import gzip
import json
import re
import sys
import zlib
from collections import Counter
from pathlib import Path

import botocore

SCALARS = {
    "string": "$",
    "character": "$",
    "blob": "!",
    "boolean": "?",
    "timestamp": "~",
    "integer": "#",
    "long": "#",
    "short": "#",
    "byte": "#",
    "float": "#",
    "double": "#",
    "bigdecimal": "#",
    "biginteger": "#",
}
# Deflate reaches back 32 KiB.
DICTIONARY = 32_000
# An enumeration with a text the table can't hold is taken for any text.
PLAIN = re.compile(r"[^,|()\n]+")


NUMBERS = {kind for kind, letter in SCALARS.items() if letter == "#"}


def bounds(shape):
    low, high = shape.get("min"), shape.get("max")
    # bounds that bind nothing
    if low == 0 and shape["type"] in ("string", "list", "map", "blob"):
        low = None
    if low is None and high is None:
        return ""
    return f"({'' if low is None else low};{'' if high is None else high})"


class Service:
    def __init__(self, model, older):
        self.shapes = model["shapes"]
        self.older = older["shapes"]
        self.lines = []
        self.numbers = {}
        operations = []
        for name, operation in sorted(model["operations"].items()):
            answer = self.shape(operation["output"]["shape"]) if "output" in operation else "."
            operations.append(f"={name}:{answer}")
        self.text = "\n".join(self.lines + operations)

    def shape(self, name):
        shape = self.shapes[name]
        kind = shape["type"]
        if shape.get("document"):
            return "."
        if kind in SCALARS:
            values = shape.get("enum", [])
            if values and all(PLAIN.fullmatch(value) for value in values):
                # long enumerations are worth a line of their own
                text = "$" + "|".join(values)
                return text if len(values) < 3 else self.line(name, lambda: text)
            older = self.older.get(name, shape)
            bound = older if kind in NUMBERS and older["type"] in NUMBERS else shape
            return SCALARS[kind] + bounds(bound)
        return self.line(name, lambda: getattr(self, kind)(shape))

    def line(self, name, text):
        if name not in self.numbers:
            number = self.numbers[name] = len(self.lines)
            # taken first: shapes may hold themselves
            self.lines.append(None)
            self.lines[number] = text()
        return str(self.numbers[name])

    def structure(self, shape):
        required = shape.get("required", [])
        fields = (
            f"{name}{'*' if name in required else ''}:{self.shape(member['shape'])}"
            for name, member in shape.get("members", {}).items()
        )
        return "{" + ",".join(fields)

    def list(self, shape):
        return f"[{self.shape(shape['member']['shape'])}{bounds(shape)}"

    def map(self, shape):
        return f"<{self.shape(shape['value']['shape'])}{bounds(shape)}"


def newest(folder):
    versions = sorted(path for path in folder.iterdir() if path.is_dir())
    for version in reversed(versions):
        if (version / "service-2.json.gz").exists():
            return version / "service-2.json.gz"
        if (version / "service-2.json").exists():
            return version / "service-2.json"
    return None


def read(path):
    opened = gzip.open(path) if path.suffix == ".gz" else open(path, "rb")
    with opened as file:
        return json.load(file)


def dictionary(texts):
    """What many services say, the commonest last: deflate reaches back to near text more cheaply."""
    counts = Counter()
    for text in texts:
        counts.update(set(re.findall(rb"[{,\n][^,\n]{4,}", text)))
    found = b""
    for piece, count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])):
        if count < 3 or len(found) + len(piece) > DICTIONARY:
            break
        found = piece + found
    return found


def main(older, target):
    services = {}
    for folder in sorted((Path(botocore.__file__).parent / "data").iterdir()):
        path = newest(folder) if folder.is_dir() else None
        if path is None:
            continue
        model = read(path)
        past = Path(older) / folder.name
        past = newest(past) if past.is_dir() else None
        # ARNs of SDK integrations name a service by its id in lower case, without what isn't a letter or a digit
        key = re.sub("[^a-z0-9]", "", model["metadata"]["serviceId"].lower())
        services[key] = Service(model, read(past) if past else model).text.encode()
    before = dictionary(services.values())
    index, chunks, at = [], [], 0
    for key, text in sorted(services.items()):
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, before)
        chunk = deflate.compress(text) + deflate.flush()
        index.append(f"{key} {at} {len(chunk)} {len(text)}")
        chunks.append(chunk)
        at += len(chunk)
    head = "\n".join(index).encode()
    lengths = len(head).to_bytes(4, "little") + len(before).to_bytes(4, "little")
    whole = lengths + head + before + b"".join(chunks)
    Path(target).write_bytes(whole)
    inflated = sum(map(len, services.values()))
    print(f"botocore {botocore.__version__}: {len(services)} services, {inflated} bytes as text, {len(whole)} written")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
