import assert from "node:assert/strict";
import { test } from "node:test";

import { consoleOf } from "./console.js";
import { TaskError, context, task } from "./index.js";
import { randomFrom } from "./random.js";

/** What a task throws at the host. */
function failure(run, input = "null") {
  try {
    task(run).handle(input);
  } catch (thrown) {
    return thrown;
  }
  assert.fail("it should have failed");
}

test("a task is JSON in and JSON out", () => {
  const double = task(({ number }) => ({ number: 2 * number }));
  assert.equal(double.handle('{"number": 21}'), '{"number":42}');
  assert.equal(task(() => undefined).handle("null"), "null");
});

test("a TaskError is a failure with its name", () => {
  const declined = failure(() => {
    throw new TaskError("CardDeclined", "no money");
  });
  assert.deepEqual(declined, { error: "CardDeclined", cause: "no money" });
  // As plain as it has to be: an Error thrown at the host is a trap.
  assert.equal(declined instanceof Error, false);
});

test("any other error is named after itself and says where", () => {
  const { error, cause } = failure((order) => order.lines.length);
  assert.equal(error, "TypeError");
  assert.match(cause, /^Cannot read properties of null.*\n\s*at .*sdk\.test\.js/);

  class GatewayDown extends Error {
    name = "GatewayDown";
  }
  const chained = failure(() => {
    throw new GatewayDown("no answer", { cause: new Error("timed out") });
  });
  assert.equal(chained.error, "GatewayDown");
  assert.match(chained.cause, /^no answer: timed out\n/);
});

test("what is thrown needn't be an error", () => {
  const thrower = (value) => () => {
    throw value;
  };
  assert.deepEqual(failure(thrower("just text")), { error: "Error", cause: "just text" });
  assert.deepEqual(failure(thrower({ a: 1 })), { error: "Error", cause: '{"a":1}' });
  assert.deepEqual(failure(thrower(undefined)), { error: "Error", cause: "undefined" });
});

test("input and output have to be JSON", () => {
  assert.equal(failure(() => 1, "{").error, "InvalidInput");
  assert.equal(failure(() => 1n).error, "InvalidOutput");
  assert.match(failure(async () => 1).cause, /returned a promise/);
});

test("the console writes lines of four levels", () => {
  const lines = [];
  const console = consoleOf((level, text) => lines.push([level, text]));
  console.debug("a", 1, { b: [2] });
  console.log("plain");
  console.info(undefined, 3n);
  console.warn("careful");
  console.error(null);
  assert.deepEqual(lines, [
    ["debug", 'a 1 {"b":[2]}'],
    ["info", "plain"],
    ["info", "undefined 3"],
    ["warn", "careful"],
    ["error", "null"],
  ]);
});

test("random numbers depend on the attempt and on nothing else", () => {
  const draw = (key) => Array.from({ length: 1000 }, randomFrom(key));
  assert.deepEqual(draw("a"), draw("a"));
  assert.notDeepEqual(draw("a"), draw("b"));
  const mean = draw("a").reduce((sum, number) => sum + number) / 1000;
  assert.ok(mean > 0.45 && mean < 0.55, `${mean}`);
});

test("under Node a stand-in answers for the host", () => {
  assert.equal(context().retryCount, 0);
});
