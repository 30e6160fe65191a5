import { TaskError, task } from "#sandstep";

const CARD_LIMIT = 100_000;

export function charge({ id, amount }) {
  if (amount > CARD_LIMIT) throw new TaskError("CardDeclined", `${amount} is over the card's limit`);
  console.info("charging", amount);
  return { order: id, charged: amount };
}

export const handler = task(charge);
