/** What {@link task} makes of a function; a module exports it as `handler`. */
export interface Handler {
  /** One call as the host makes it: JSON in, JSON out, or a thrown `{error, cause}`. */
  handle(input: string): string;
}

/**
 * Makes a task of a function: the state's input is its argument, what it returns is the output.
 *
 * A thrown {@link TaskError} is a failure with its name; any other error is named after itself (`TypeError`), and its
 * cause is the message and the stack. `console` writes into the attempt's log.
 */
export function task<Input, Output>(run: (input: Input) => Output): Handler;

/** A failure that `Retry` and `Catch` match by its error name. */
export class TaskError extends Error {
  /**
   * @param error what `ErrorEquals` lists; names beginning with `States.` are the language's own, CamelCase is the custom
   * @param cause for people
   */
  constructor(error: string, cause?: string);
}

/** Tells the host that the task is alive: the state's `HeartbeatSeconds` start again. */
export function heartbeat(): void;

/** Where an attempt stands. */
export interface Context {
  /** `$$.Execution.Id` */
  executionId: string;
  /** `$$.StateMachine.Id` */
  stateMachineId: string;
  stateName: string;
  /** 0 for the first attempt, 1 for the first retry. */
  retryCount: number;
  /**
   * The same for every run of this attempt, a run after a crash included: hand it to outside services that deduplicate.
   */
  idempotencyKey: string;
  /** Milliseconds since the Unix epoch after which the task is stopped; absent where the state sets no `TimeoutSeconds`. */
  deadline?: number;
}

/** Asks the host where this attempt stands. */
export function context(): Context;

/** Lines in the attempt's log, for those who'd rather not use `console`. */
export const log: Record<"debug" | "info" | "warn" | "error", (message: string) => void>;

declare global {
  /** Writes into the attempt's log. */
  var console: Record<"debug" | "log" | "info" | "warn" | "error", (...values: unknown[]) => void>;
}
