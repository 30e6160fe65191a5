// Makes a WebAssembly task of one function. The contract with the host is task.wit, spoken here in its canonical ABI.
//
// Nothing is freed: an instance lives for one call, and its memory goes with it.

import { Value, problem, read } from "./json";

export { Kind, Value } from "./json";

@external("sandstep:task/host@0.1.0", "heartbeat")
declare function hostHeartbeat(): void;

@external("sandstep:task/host@0.1.0", "log")
declare function hostLog(level: i32, text: usize, length: i32): void;

@external("sandstep:task/host@0.1.0", "context")
declare function hostContext(into: usize): void;

let error = "";
let cause = "";

/**
 * Fails with the error name that `Retry` and `Catch` match, and a cause for people: `return fail("CardDeclined", "…")`.
 * Names beginning with `States.` are the language's own; CamelCase is the custom.
 */
export function fail(name: string, reason: string): Value | null {
  error = name;
  cause = reason;
  return null;
}

/** Tells the host that the task is alive: the state's `HeartbeatSeconds` start again. */
export function heartbeat(): void {
  hostHeartbeat();
}

function write(level: i32, message: string): void {
  const text = String.UTF8.encode(message);
  hostLog(level, changetype<usize>(text), text.byteLength);
}

/** Lines in the attempt's log. */
export namespace log {
  export function debug(message: string): void {
    write(0, message);
  }
  export function info(message: string): void {
    write(1, message);
  }
  export function warn(message: string): void {
    write(2, message);
  }
  export function error(message: string): void {
    write(3, message);
  }
}

/** Where an attempt stands. */
export class Context {
  /** `$$.Execution.Id` */
  executionId: string = "";
  /** `$$.StateMachine.Id` */
  stateMachineId: string = "";
  stateName: string = "";
  /** 0 for the first attempt, 1 for the first retry. */
  retryCount: u32 = 0;
  /** The same for every run of this attempt, a run after a crash included: hand it to outside services that deduplicate. */
  idempotencyKey: string = "";
  /** Milliseconds since the Unix epoch after which the task is stopped; 0 where the state sets no `TimeoutSeconds`. */
  deadline: u64 = 0;
}

function stringAt(place: usize): string {
  return String.UTF8.decodeUnsafe(load<u32>(place), load<u32>(place, 4));
}

/** Asks the host where this attempt stands. */
export function context(): Context {
  const place = heap.alloc(56);
  hostContext(place);
  const found = new Context();
  found.executionId = stringAt(place);
  found.stateMachineId = stringAt(place + 8);
  found.stateName = stringAt(place + 16);
  found.retryCount = load<u32>(place, 24);
  found.idempotencyKey = stringAt(place + 28);
  found.deadline = load<u8>(place, 40) ? load<u64>(place, 48) : 0;
  return found;
}

function give(text: string, place: usize): void {
  const bytes = String.UTF8.encode(text);
  store<u32>(place, changetype<usize>(bytes));
  store<u32>(place, bytes.byteLength, 4);
}

/** One call. A task's file exports `handle`, which is this with the task's function. */
export function run(input: usize, length: usize, task: (input: Value) => Value | null): usize {
  const result = heap.alloc(20);
  const value = read(String.UTF8.decodeUnsafe(input, length));
  const output = value == null ? fail("InvalidInput", problem()) : task(value);
  store<u8>(result, output == null ? 1 : 0);
  if (output != null) {
    give(output.toString(), result + 4);
  } else {
    give(error.length ? error : "Error", result + 4);
    give(cause, result + 12);
  }
  return result;
}

/** What the host asks for memory; a task's file exports it, too. The host knows lengths, so nothing is ever grown. */
export function cabi_realloc(_old: usize, _size: usize, _align: usize, size: usize): usize {
  return heap.alloc(size);
}

/** What `throw` and failed assertions come to. The host takes the last line of this form as the cause of `Panic`. */
export function abort(message: string | null, file: string | null, line: u32, _column: u32): void {
  log.error(`panic: ${message == null ? "aborted" : message} at ${file == null ? "?" : file}:${line.toString()}`);
  unreachable();
}
