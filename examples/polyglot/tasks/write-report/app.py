"""The report, in Markdown."""

import logging
from dataclasses import dataclass

from sandstep import TaskError, heartbeat, task

# Degrees an hour below which the temperature is called steady.
STEADY = 0.25


@dataclass
class Figures:
    sensor: str
    count: int
    minimum: float
    maximum: float
    mean: float
    deviation: float
    trend: float


@dataclass
class Dropped:
    line: int
    reason: str


@dataclass
class Findings:
    title: str
    figures: list[Figures]
    dropped: list[Dropped]


def trend(figures: Figures) -> str:
    if abs(figures.trend) < STEADY:
        return "steady"
    return f"{'rising' if figures.trend > 0 else 'falling'} by {abs(figures.trend):.1f} °C/h"


def write(findings: Findings) -> str:
    if not findings.figures:
        raise TaskError("NothingToReport", "there are no figures")
    warmest = max(findings.figures, key=lambda figures: figures.mean)
    lines = [
        f"# {findings.title}",
        "",
        f"Warmest on average: **{warmest.sensor}**, {warmest.mean:.1f} °C.",
        "",
        "| sensor | readings | lowest | mean | highest | trend |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for f in findings.figures:
        lines.append(
            f"| {f.sensor} | {f.count} | {f.minimum:.1f} | {f.mean:.1f} ± {f.deviation:.1f} | {f.maximum:.1f} | {trend(f)} |"
        )
        heartbeat()
    if findings.dropped:
        lines += ["", f"Left out, {len(findings.dropped)} of the file's lines:", ""]
        lines += [f"- line {dropped.line}: {dropped.reason}" for dropped in findings.dropped]
    logging.info("%d lines of Markdown", len(lines))
    return "\n".join(lines) + "\n"


Handler = task(write)
