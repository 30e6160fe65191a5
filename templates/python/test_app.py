import unittest

from app import CARD_LIMIT, Order, Receipt, charge
from sandstep import TaskError


class Charging(unittest.TestCase):
    def test_an_order_is_charged(self):
        self.assertEqual(charge(Order("A-1", 1250)), Receipt("A-1", 1250))

    def test_a_large_amount_is_declined(self):
        with self.assertRaises(TaskError) as raised:
            charge(Order("A-2", CARD_LIMIT + 1))
        self.assertEqual(raised.exception.error, "CardDeclined")
