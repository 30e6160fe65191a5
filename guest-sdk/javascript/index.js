// Makes a WebAssembly task of one function. What an author sees is described in index.d.ts; the contract with the host
// is task.wit.

import * as host from "#host";
import { installConsole } from "./console.js";
import { installRandom } from "./random.js";

installConsole(host.log);
installRandom(() => host.context().idempotencyKey);

export class TaskError extends Error {
  constructor(error, cause = "") {
    super(cause);
    this.name = error;
  }
}

export function task(run) {
  return {
    handle(input) {
      try {
        return write(run(read(input)));
      } catch (thrown) {
        throw failureOf(thrown);
      }
    },
  };
}

export const heartbeat = () => host.heartbeat();

export function context() {
  const attempt = host.context();
  // A u64 arrives as a BigInt; a time in milliseconds fits a number.
  return { ...attempt, deadline: attempt.deadline === undefined ? undefined : Number(attempt.deadline) };
}

export const log = {
  debug: (message) => host.log("debug", message),
  info: (message) => host.log("info", message),
  warn: (message) => host.log("warn", message),
  error: (message) => host.log("error", message),
};

function read(input) {
  try {
    return JSON.parse(input);
  } catch (error) {
    throw new TaskError("InvalidInput", error.message);
  }
}

function write(output) {
  if (typeof output?.then === "function") {
    throw new TaskError("InvalidOutput", "the task returned a promise: nothing here has to be waited for, return a value");
  }
  let text;
  try {
    text = JSON.stringify(output);
  } catch (error) {
    throw new TaskError("InvalidOutput", error.message);
  }
  // JSON has no word for undefined and for functions.
  return text ?? "null";
}

/** The task-error of task.wit: thrown as a plain object it is a result, thrown as an Error it would be a trap. */
function failureOf(thrown) {
  if (thrown instanceof TaskError) return { error: thrown.name, cause: thrown.message };
  if (!(thrown instanceof Error)) return { error: "Error", cause: typeof thrown === "string" ? thrown : show(thrown) };
  let cause = thrown.message;
  for (let inner = thrown.cause; inner instanceof Error; inner = inner.cause) cause += `: ${inner.message}`;
  // Where V8's stack begins with the message, it is said once.
  const stack = (thrown.stack ?? "").split("\n").filter((line) => /^\s*at /.test(line));
  return { error: thrown.name, cause: [cause, ...stack].join("\n").trimEnd() };
}

function show(value) {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
