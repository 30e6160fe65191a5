import assert from "node:assert/strict";
import { test } from "node:test";

import { draw, grid } from "./task";

test("levels are full steps around the values", () => {
  assert.deepEqual(grid([-1, 12]), [-5, 0, 5, 10, 15]);
  assert.deepEqual(grid([5]), [5]);
});

test("each sensor has a line, and titles can't break out of theirs", () => {
  const points = [
    { minute: 0, celsius: 10 },
    { minute: 60, celsius: 15 },
  ];
  const svg = draw({ title: "<a>", sensors: [{ name: "north", points }] });
  assert.match(svg, /<polyline points="40,280 600,40"/);
  assert.match(svg, /&#60;a&#62;/);
});
