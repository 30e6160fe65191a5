// The session by @aws-sdk/client-sfn, against the endpoint given as argument. See session.py for what a step says.
//
// Its host prefix stays on: the name it asks for, `sync-localhost`, is made to lead here.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { lookup } from "node:dns";
import { Agent } from "node:https";
import { isDeepStrictEqual } from "node:util";
import { setTimeout } from "node:timers/promises";

// Where `npm ci` put the packages; they aren't beside this file.
const require = createRequire(`${process.env.SANDSTEP_NODE_MODULES}/`);
const sfn = require("@aws-sdk/client-sfn");

// Generous: debug builds on loaded machines are slow.
const PATIENCE_MS = 120_000;
const steps = JSON.parse(readFileSync(new URL("session.json", import.meta.url)));
const endpoint = process.argv[2];

const hosts = new Set();
const agent = new Agent({
  keepAlive: true,
  lookup: (host, options, done) => {
    hosts.add(host);
    lookup(host.replace(/^sync-/, ""), options, done);
  },
});
const client = new sfn.SFNClient({ endpoint, requestHandler: { httpsAgent: agent } });

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function filled(value, kept) {
  if (Array.isArray(value)) return value.map((one) => filled(one, kept));
  if (isObject(value)) {
    if ("$json" in value) return JSON.stringify(filled(value.$json, kept));
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, filled(one, kept)]));
  }
  if (typeof value === "string") return value.replace(/\$\{(\w+)\}/g, (_, name) => kept[name]);
  return value;
}

function holds(actual, wanted, kept) {
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(actual) &&
      actual.length === wanted.length &&
      wanted.every((one, at) => holds(actual[at], one, kept))
    );
  }
  if (isObject(wanted)) {
    if ("$json" in wanted) {
      return typeof actual === "string" && isDeepStrictEqual(JSON.parse(actual), filled(wanted.$json, kept));
    }
    return isObject(actual) && Object.entries(wanted).every(([key, one]) => holds(actual[key], one, kept));
  }
  if (wanted === "<text>") return typeof actual === "string" && actual !== "";
  if (wanted === "<number>") return typeof actual === "number";
  if (wanted === "<time>") return actual instanceof Date && !Number.isNaN(actual.getTime());
  return actual === filled(wanted, kept);
}

async function call(operation, parameters) {
  try {
    const { $metadata, ...answer } = await client.send(new sfn[`${operation}Command`](parameters));
    if (!$metadata.requestId) throw new Error(`${operation} has no request id`);
    return { answer };
  } catch (error) {
    if (!(error instanceof sfn.SFNServiceException) || !error.message) throw error;
    // The errors an operation may have are classes of the package's.
    if (sfn[error.name] && !(error instanceof sfn[error.name])) throw error;
    return { refusal: error.name };
  }
}

const kept = {};
const called = new Set();
let calls = 0;
for (const [at, step] of steps.entries()) {
  const deadline = Date.now() + PATIENCE_MS;
  let answer, refusal;
  for (;;) {
    calls += 1;
    ({ answer, refusal } = await call(step.call, filled(step.with, kept)));
    const where = `client-sfn, step ${at + 1}, ${step.call}: ${refusal ?? JSON.stringify(answer)}`;
    if (refusal !== step.fails) throw new Error(`${where}\ninstead of ${step.fails ?? "an answer"}`);
    if (refusal || holds(answer, step.until ?? {}, kept)) {
      if (!refusal && !holds(answer, step.expect ?? {}, kept)) {
        throw new Error(`${where}\ndoesn't hold ${JSON.stringify(step.expect)}`);
      }
      break;
    }
    if (Date.now() > deadline) throw new Error(`${where}\nand never ${JSON.stringify(step.until)}`);
    await setTimeout(10);
  }
  for (const [name, path] of Object.entries(step.keep ?? {})) {
    kept[name] = path.split(".").reduce((value, key) => value[key], answer);
  }
  called.add(step.call);
}

const known = Object.keys(sfn)
  .filter((name) => /^[A-Z]\w*Command$/.test(name))
  .map((name) => name.slice(0, -"Command".length));
const missing = known.filter((operation) => !called.has(operation));
if (known.length === 0 || missing.length > 0) throw new Error(`client-sfn knows operations that no step calls: ${missing}`);
if (![...hosts].some((host) => host.startsWith("sync-"))) throw new Error("it asked for no host with a prefix");

const plain = new sfn.SFNClient({ endpoint, disableHostPrefix: true });
await plain.send(new sfn.TestStateCommand({ definition: '{"Type": "Succeed"}' }));
console.log(`client-sfn: ${called.size} operations in ${calls} calls`);
