import unittest

from app import Dropped, Figures, Findings, trend, write
from sandstep import TaskError


def figures(**changes):
    return Figures(**{**dict(sensor="a", count=2, minimum=1, maximum=3, mean=2, deviation=1, trend=0), **changes})


class Reports(unittest.TestCase):
    def test_the_warmest_sensor_is_named_and_what_was_dropped_is_told(self):
        report = write(Findings("May", [figures(), figures(sensor="b", mean=9)], [Dropped(4, "a spike")]))
        self.assertIn("**b**, 9.0 °C", report)
        self.assertIn("- line 4: a spike\n", report)

    def test_a_trend_is_a_word(self):
        self.assertEqual([trend(figures(trend=t)) for t in (0.1, 1, -2)], ["steady", "rising by 1.0 °C/h", "falling by 2.0 °C/h"])

    def test_no_figures_are_no_report(self):
        with self.assertRaises(TaskError):
            write(Findings("May", [], []))
