#!/usr/bin/python3
"""Want of memory is told as that, and passes, in places where it was taken for something else: a caller nobody knows, a list
that is too large, that has no end or no sender, a row of the store that is damaged. B must name a build with FAULT=1.
"""
import unittest

import road  # first: it says where the harness is
import harness
import ways
from plan import Plan

MOST = 8  # allocations below a function that are failed, one after the other


class Told(unittest.TestCase):
    def below(self, function):
        plan = Plan()
        self.addCleanup(plan.close)
        way = ways.Ways(plan)
        self.addCleanup(way.close)
        way.begin()
        nth = 0
        while nth < MOST:
            plan.arm("memory", nth + 1, below=function)
            way.go()  # goes wrong where a refusal does not say that it passes, or it does not
            if not plan.hit:
                break
            nth += 1
        plan.disarm()
        self.assertGreater(nth, 0, f"nothing is allocated below {function}")
        self.assertEqual(way.stopped, 0, "the daemon stopped by itself")
        self.assertEqual(way.stop(), 0, way.gateway.log_tail())
        self.assertEqual(way.judge(), [])


for name in ("rpc_peer", "eg_grpc_call_completed", "eg_list_begin", "run_chunk", "eg_listed_load", "eg_compare", "take_row",
             "eg_list_apply", "eg_lists_keep"):
    setattr(Told, f"test_below_{name}", lambda self, name=name: self.below(name))


if __name__ == "__main__":
    harness.main()
