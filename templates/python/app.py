import logging
from dataclasses import dataclass

from sandstep import TaskError, task

CARD_LIMIT = 100_000


@dataclass
class Order:
    id: str
    amount: int


@dataclass
class Receipt:
    order: str
    charged: int


def charge(order: Order) -> Receipt:
    if order.amount > CARD_LIMIT:
        raise TaskError("CardDeclined", f"{order.amount} is over the card's limit")
    logging.info("charging %d", order.amount)
    return Receipt(order=order.id, charged=order.amount)


Handler = task(charge)
