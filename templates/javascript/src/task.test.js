import assert from "node:assert/strict";
import { test } from "node:test";

import { charge } from "./task.js";

test("an order is charged", () => {
  assert.deepEqual(charge({ id: "A-1", amount: 1250 }), { order: "A-1", charged: 1250 });
});

test("a large amount is declined", () => {
  assert.throws(() => charge({ id: "A-2", amount: 100_001 }), { name: "CardDeclined" });
});
