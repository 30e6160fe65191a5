"""The tests of this SDK: `python3 -m unittest`."""

import enum
import logging
import unittest
from dataclasses import dataclass, field
from typing import Any, Literal, Optional
from unittest import mock

import sandstep
from sandstep import TaskError, host, task


class Speed(enum.Enum):
    SLOW = "slow"
    FAST = "fast"


@dataclass
class Line:
    quantity: int
    price: float = 1.0


@dataclass
class Order:
    id: str
    lines: list[Line]
    speed: Speed = Speed.SLOW
    gift: Optional[Line] = None
    tags: dict[str, bool] = field(default_factory=dict)
    kind: Literal["a", "b"] = "a"
    extra: Any = None


def total(order: Order):
    return sum(line.quantity * line.price for line in order.lines)


def call(function, text):
    return task(function)().handle(text)


class Tasks(unittest.TestCase):
    def failure(self, function, text="null"):
        with self.assertRaises(host.Failure) as raised:
            call(function, text)
        return raised.exception

    def test_a_task_is_json_in_and_json_out(self):
        self.assertEqual(call(total, '{"id":"A","lines":[{"quantity":2,"price":3},{"quantity":4}],"new":1}'), "10.0")
        self.assertEqual(call(lambda value: value, '{"a": ["ä"]}'), '{"a":["ä"]}')
        self.assertEqual(call(lambda _: Line(1), "1"), '{"quantity":1,"price":1.0}')
        self.assertEqual(call(lambda _: [Speed.FAST, None], "1"), '["fast",null]')

    def test_what_does_not_fit_says_where_and_what_was_expected(self):
        for text, cause in [
            ("[]", "`$`: expected an object, got a list"),
            ('{"id":"A"}', "`lines` is missing"),
            ('{"id":1,"lines":[]}', "`id`: expected a string, got a number"),
            ('{"id":"A","lines":[{"quantity":1},{"quantity":"two"}]}', "`lines[1].quantity`: expected an integer, got a string"),
            ('{"id":"A","lines":[{"quantity":true}]}', "`lines[0].quantity`: expected an integer, got a boolean"),
            ('{"id":"A","lines":[{"quantity":1.5}]}', "`lines[0].quantity`: expected an integer, got a number"),
            ('{"id":"A","lines":[],"speed":"warp"}', "`speed`: expected 'slow' or 'fast', got a string"),
            ('{"id":"A","lines":[],"gift":{}}', "`gift.quantity` is missing"),
            ('{"id":"A","lines":[],"tags":{"x":0}}', "`tags.x`: expected true or false, got a number"),
            ('{"id":"A","lines":[],"kind":"c"}', "`kind`: expected 'a' or 'b', got a string"),
            ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ]:
            failure = self.failure(total, text)
            self.assertEqual((failure.error, failure.cause), ("InvalidInput", cause), text)

    def test_a_task_error_is_a_failure_with_its_name(self):
        def declined(_):
            raise TaskError("CardDeclined", "no money")

        failure = self.failure(declined)
        self.assertEqual((failure.error, failure.cause), ("CardDeclined", "no money"))

    def test_any_other_exception_is_named_after_its_class_and_says_where(self):
        failure = self.failure(lambda value: {}["missing"])
        self.assertEqual(failure.error, "KeyError")
        self.assertRegex(failure.cause, r"^'missing'\n  at <lambda> \(.*test_sandstep\.py:\d+\)$")
        self.assertEqual(self.failure(lambda value: exit(3)).error, "SystemExit")

    def test_an_output_that_is_no_json_is_a_failure(self):
        self.assertEqual(self.failure(lambda _: {1, 2}).error, "InvalidOutput")
        self.assertEqual(self.failure(lambda _: float("nan")).error, "InvalidOutput")

    def test_logging_writes_lines(self):
        with mock.patch.object(host, "log") as log:
            logging.info("charging %d", 12)
            logging.getLogger("card").warning("slow")
        self.assertEqual(log.call_args_list, [mock.call(logging.INFO, "charging 12"), mock.call(logging.WARNING, "slow")])

    def test_a_stand_in_answers_for_the_host(self):
        sandstep.heartbeat()
        self.assertEqual(sandstep.context().retry_count, 0)


if __name__ == "__main__":
    unittest.main()
