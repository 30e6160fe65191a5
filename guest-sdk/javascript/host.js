// The host of a component.
export { context, heartbeat, log } from "sandstep:task/host@0.1.0";
