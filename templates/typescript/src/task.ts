import { TaskError, task } from "#sandstep";

interface Order {
  id: string;
  amount: number;
}

interface Receipt {
  order: string;
  charged: number;
}

const CARD_LIMIT = 100_000;

export function charge({ id, amount }: Order): Receipt {
  if (amount > CARD_LIMIT) throw new TaskError("CardDeclined", `${amount} is over the card's limit`);
  console.info("charging", amount);
  return { order: id, charged: amount };
}

export const handler = task(charge);
