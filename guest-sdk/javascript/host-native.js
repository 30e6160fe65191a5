// The host of a task that runs under Node, in its tests: a console and nobody to beat for.

export const heartbeat = () => {};

export const log = (level, message) => console[level](message);

export const context = () => ({
  executionId: "arn:aws:states:us-east-1:000000000000:execution:native:native",
  stateMachineId: "arn:aws:states:us-east-1:000000000000:stateMachine:native",
  stateName: "Native",
  retryCount: 0,
  idempotencyKey: "native",
  deadline: undefined,
});
