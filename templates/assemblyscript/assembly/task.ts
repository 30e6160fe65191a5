import { Kind, Value, fail, log, run } from "../sandstep";

export { cabi_realloc } from "../sandstep";

const CARD_LIMIT: i64 = 100_000;

function charge(order: Value): Value | null {
  if (order.get("amount").kind != Kind.Number) return fail("InvalidInput", "`amount`: expected a number");
  const amount = <i64>order.get("amount").asNumber();
  if (amount > CARD_LIMIT) return fail("CardDeclined", `${amount.toString()} is over the card's limit`);
  log.info(`charging ${amount.toString()}`);
  return Value.object().set("order", order.get("id")).set("charged", Value.number(<f64>amount));
}

export function handle(input: usize, length: usize): usize {
  return run(input, length, charge);
}
