#!/usr/bin/python3
"""Verdicts on figures: met, missed and by how much, and never met where something was not measured."""
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "system")]
import goals
import harness
import report
from report import Row

MINE = ("gateway", "rate")
OTHER = ("store", "rate")
ROWS = (("records/s", (
    Row("the gateway", MINE, "count", goal=goals.least(100)),
    Row("the store", OTHER, "count", MINE, goals.least_ratio(0.6)),
    Row("the gateway, in another place", MINE, "count", OTHER, goals.most_ratio(2)))),)


def rounds(*pairs):
    """A round for each (gateway, store); None: not measured."""
    return [{name: {"rate": v} for name, v in zip(("gateway", "store"), pair) if v is not None} for pair in pairs]


class Verdicts(unittest.TestCase):
    def verdicts(self, *pairs):
        judged = report.judge(report.figures(rounds(*pairs), ROWS), ROWS)
        return [judged[row.name()]["verdict"] for row in ROWS[0][1]]

    def test_met_at_the_bound(self):
        self.assertEqual(self.verdicts((120, 200)), ["met"] * 3)
        self.assertEqual(self.verdicts((100, 50)), ["met"] * 3)

    def test_missed(self):
        self.assertEqual(self.verdicts((88, 176)), ["missed by 12 %", "missed by 17 %", "met"])
        self.assertEqual(self.verdicts((99.9, 99.9))[0], "missed by less than 1 %")

    def test_missed_by_too_much(self):
        self.assertEqual(self.verdicts((100, 300))[2], "missed by 50 %")

    def test_without_a_baseline(self):
        self.assertEqual(self.verdicts((500, None)), ["met", "no baseline", "not measured"])

    def test_with_the_baseline_alone(self):
        self.assertEqual(self.verdicts((None, 500)), ["not measured", "not measured", "no baseline"])

    def test_nothing_measured(self):
        self.assertNotIn("met", self.verdicts())

    def test_other_sizes(self):
        judged = report.judge(report.figures(rounds((120, 200)), ROWS), ROWS, sized=False)
        self.assertEqual({j["verdict"] for j in judged.values()}, {"other sizes"})

    def test_median_of_the_rounds(self):
        self.assertEqual(self.verdicts((200, 200), (90, 100), (80, 200))[:2], ["missed by 10 %", "met"])

    def test_a_baseline_of_zero_is_no_ratio(self):
        self.assertEqual(self.verdicts((100, 0))[1], "not measured")


class Table(unittest.TestCase):
    def test_each_row_has_a_name_of_its_own(self):
        names = [row.name() for row in report.rows()]
        self.assertEqual(len(set(names)), len(names))

    def test_a_goal_of_a_ratio_has_something_to_divide(self):
        for row in report.rows():
            if row.goal and row.goal.of == goals.RATIO:
                self.assertIsNotNone(row.over, row.label)

    def test_what_was_not_measured_is_listed(self):
        judged = report.judge({})
        self.assertEqual(len(judged), sum(row.goal is not None for row in report.rows()))
        self.assertFalse([n for n, j in judged.items() if j["verdict"] == "met"])


if __name__ == "__main__":
    harness.main()
