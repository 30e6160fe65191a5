// A task that does one thing the SDK promises something about. tests/e2e/languages.rs asks for each.

import { TaskError, context, heartbeat, task } from "#sandstep";

interface Deed {
  do: string;
  value: unknown;
  error: string;
  cause: string;
  message: string;
  number: number;
}

const kept: Uint8Array[] = [];

function allocate(pieces: number): number {
  for (let piece = 0; piece < pieces; piece++) kept.push(new Uint8Array(1 << 20).fill(1));
  return kept.length;
}

function probe(deed: Deed): unknown {
  switch (deed.do) {
    case "echo":
      return deed.value;
    case "fail":
      throw new TaskError(deed.error, deed.cause);
    case "crash":
      return (undefined as unknown as string[])[deed.number];
    case "log":
      console.debug(deed.message);
      console.info(deed.message);
      console.warn(deed.message);
      console.error(deed.message);
      return null;
    case "beat":
      for (let beats = 0; beats < deed.number; beats++) heartbeat();
      return deed.number;
    case "context":
      return context();
    case "spin":
      for (;;);
    case "allocate":
      return allocate(deed.number);
    default:
      throw new TaskError("UnknownDeed", deed.do);
  }
}

export const handler = task(probe);
