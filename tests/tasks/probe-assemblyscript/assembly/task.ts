// A task that does one thing the SDK promises something about. tests/e2e/languages.rs asks for each.

import { Value, context, fail, heartbeat, log, run } from "../sandstep";

export { cabi_realloc } from "../sandstep";

const kept: Uint8Array[] = [];

function tellContext(): Value {
  const attempt = context();
  return Value.object()
    .set("executionId", Value.string(attempt.executionId))
    .set("stateMachineId", Value.string(attempt.stateMachineId))
    .set("stateName", Value.string(attempt.stateName))
    .set("retryCount", Value.number(attempt.retryCount))
    .set("idempotencyKey", Value.string(attempt.idempotencyKey))
    .set("deadline", Value.number(<f64>attempt.deadline));
}

function probe(deed: Value): Value | null {
  const what = deed.get("do").asString();
  const number = <i32>deed.get("number").asNumber();
  const message = deed.get("message").asString();
  if (what == "echo") return deed.get("value");
  if (what == "fail") return fail(deed.get("error").asString(), deed.get("cause").asString());
  if (what == "crash") return [deed][number];
  if (what == "log") {
    log.debug(message);
    log.info(message);
    log.warn(message);
    log.error(message);
    return new Value();
  }
  if (what == "beat") {
    for (let beats = 0; beats < number; beats++) heartbeat();
    return Value.number(number);
  }
  if (what == "context") return tellContext();
  if (what == "spin") while (true) {}
  if (what == "allocate") {
    for (let piece = 0; piece < number; piece++) kept.push(new Uint8Array(1 << 20).fill(1));
    return Value.number(kept.length);
  }
  return fail("UnknownDeed", what);
}

export function handle(input: usize, length: usize): usize {
  return run(input, length, probe);
}
