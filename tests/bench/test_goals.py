#!/usr/bin/python3
"""Verdicts on figures: met, missed and by how much, and never met where something was not measured."""
import contextlib
import importlib.machinery
import importlib.util
import io
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

    def test_a_row_says_how_often_it_was_measured(self):
        settings = {"rounds": 0, "large_persons": 5000000}
        found = report.figures([{"scale": {"province": {"start_s": 1.5, "verify": {"rate": 400000}}}},
                                {"scale": {"province": {"verify": {"rate": 200000}}}}])
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            report.table({"settings": settings, "figures": found, "goals": report.judge(found), "skipped": {}, "versions": {}})
        self.assertRegex(shown.getvalue(), r"log verify, entries/s +300,000 +\(200,000 … 400,000\) of 2 +≥ 300,000 +met\n")
        self.assertRegex(shown.getvalue(), r"  start +1\.5 s +once +≤ 2\.0 s +met\n")

    def test_a_megabyte_is_a_million_bytes(self):
        bounds = sorted(row.goal.bound() for row in report.rows() if row.goal and row.how == "bytes")
        self.assertEqual(bounds, [64_000_000, 256_000_000, 256_000_000])


class Sizes(unittest.TestCase):
    """Verdicts are for the sizes that the goals are for."""

    @classmethod
    def setUpClass(cls):
        loader = importlib.machinery.SourceFileLoader("run_bench", os.path.join(HERE, "run-bench"))
        cls.bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("run_bench", loader))
        loader.exec_module(cls.bench)

    def sized(self, given):
        return self.bench.arguments(given.split()).sized

    def test_as_they_are_left_out_or_longer(self):
        for given in ("", "--rounds 0 --scale-persons 0", "--rounds 0 --list-persons 0", "--large-persons 0",
                      "--rounds 7 --seconds 20 --marks 400", "--no-kafka --no-postgres"):
            with self.subTest(given):
                self.assertTrue(self.sized(given))

    def test_others(self):
        for given in ("--persons 1000", "--rate 100", "--rate 0", "--list-persons 3000", "--scale-persons 3000",
                      "--large-persons 6000", "--seconds 1", "--marks 5", "--rounds 1", "--smoke"):
            with self.subTest(given):
                self.assertFalse(self.sized(given))


if __name__ == "__main__":
    harness.main()
