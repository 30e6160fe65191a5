"""From JSON to the types that a task's author wrote: dataclasses, lists, dictionaries, unions, enums, literals."""

import dataclasses
import enum
import types
import typing


class Misfit(Exception):
    """The input isn't what the task's types say."""


def read(value, wanted, path=""):
    """The value as `wanted`. What isn't known here, a TypedDict say, takes the value as it is."""
    origin = typing.get_origin(wanted)
    if wanted is typing.Any:
        return value
    if wanted is None or wanted is type(None):
        return _need(value, value is None, "null", path)
    if origin in (typing.Union, types.UnionType):
        return _read_union(value, typing.get_args(wanted), path)
    if origin is typing.Literal:
        allowed = typing.get_args(wanted)
        return _need(value, value in allowed, " or ".join(map(repr, allowed)), path)
    if wanted is list or origin is list:
        _need(value, isinstance(value, list), "a list", path)
        (of,) = typing.get_args(wanted) or (typing.Any,)
        return [read(item, of, f"{path}[{index}]") for index, item in enumerate(value)]
    if wanted is dict or origin is dict:
        _need(value, isinstance(value, dict), "an object", path)
        _, of = typing.get_args(wanted) or (str, typing.Any)
        return {key: read(item, of, _below(path, key)) for key, item in value.items()}
    if dataclasses.is_dataclass(wanted):
        return _read_fields(value, wanted, path)
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        allowed = [member.value for member in wanted]
        return wanted(_need(value, value in allowed, " or ".join(map(repr, allowed)), path))
    return _read_plain(value, wanted, path)


def _read_plain(value, wanted, path):
    # A bool is an int to Python, not to JSON.
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if wanted is bool:
        return _need(value, isinstance(value, bool), "true or false", path)
    if wanted is int:
        return _need(value, is_number and isinstance(value, int), "an integer", path)
    if wanted is float:
        return float(_need(value, is_number, "a number", path))
    if wanted is str:
        return _need(value, isinstance(value, str), "a string", path)
    return value


def _read_union(value, choices, path):
    problems = []
    for choice in choices:
        try:
            return read(value, choice, path)
        except Misfit as problem:
            # For `Order | None` the order's own problem is the one to tell.
            if choice is not type(None):
                problems.append(problem)
    raise problems[0] if len(problems) == 1 else Misfit("; or ".join(map(str, problems)))


def _read_fields(value, wanted, path):
    _need(value, isinstance(value, dict), "an object", path)
    hints = typing.get_type_hints(wanted)
    found = {}
    for field in dataclasses.fields(wanted):
        if not field.init:
            continue
        if field.name in value:
            found[field.name] = read(value[field.name], hints[field.name], _below(path, field.name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise Misfit(f"`{_below(path, field.name)}` is missing")
    return wanted(**found)


def _below(path, key):
    return f"{path}.{key}" if path else key


def _need(value, fits, wanted, path):
    if fits:
        return value
    got = {type(None): "null", bool: "a boolean", str: "a string", list: "a list", dict: "an object"}
    raise Misfit(f"`{path or '$'}`: expected {wanted}, got {got.get(type(value), 'a number')}")
