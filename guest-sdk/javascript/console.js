// The engine brings no console; this one writes into the attempt's log.

const LEVELS = { debug: "debug", trace: "debug", log: "info", info: "info", warn: "warn", error: "error" };

/** Where there is a console already, as under Node, it stays. */
export function installConsole(write) {
  if (globalThis.console === undefined) globalThis.console = consoleOf(write);
}

export function consoleOf(write) {
  const line =
    (level) =>
    (...values) =>
      write(level, values.map(format).join(" "));
  return Object.fromEntries(Object.entries(LEVELS).map(([method, level]) => [method, line(level)]));
}

function format(value) {
  if (typeof value === "string") return value;
  if (value instanceof Error) return `${value.name}: ${value.message}\n${value.stack ?? ""}`.trimEnd();
  try {
    // What JSON leaves out, undefined say, has a name all the same; so has a BigInt.
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
