#!/usr/bin/python3
"""Descriptors run out while everything runs: who is connected is served as before, who comes waits, and when there are some
again everything goes on by itself. B must name a build with FAULT=1.
"""
import os
import resource
import unittest

import road  # first: it says where the harness is
import harness
import grpc
from plan import Plan


class Exhausted(unittest.TestCase):
    def setUp(self):
        self.plan = Plan()
        self.addCleanup(self.plan.close)
        self.road = road.Road(self.plan)
        self.addCleanup(self.road.close)
        self.road.begin()

    def roads(self, n=10):
        for _ in range(n):
            self.road.go()

    def descriptors(self):
        return os.listdir(f"/proc/{self.road.gateway.process.pid}/fd")

    def limit(self, soft):
        pid = self.road.gateway.process.pid
        return resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]))

    def whole(self):
        self.assertEqual(self.road.stop(), 0, self.road.gateway.log_tail())
        self.assertEqual(self.road.judge(), [])
        self.assertEqual(self.road.stopped, 0, "the daemon stopped by itself")

    def connects(self, seconds=2):
        with grpc.insecure_channel("unix:" + self.road.gateway.socket, options=road.OPTIONS) as channel:
            try:
                grpc.channel_ready_future(channel).result(timeout=seconds)
                return True
            except grpc.FutureTimeoutError:
                return False

    def test_descriptors(self):
        self.roads()
        self.assertTrue(self.connects())
        before = resource.prlimit(self.road.gateway.process.pid, resource.RLIMIT_NOFILE)[0]
        self.limit(3)  # below every number in use: nothing can be opened, accepted or doubled
        self.assertFalse(self.connects(), "somebody was let in without a descriptor")
        self.roads()  # who is in needs no new one: commits, publishes and hears as before
        self.assertEqual(self.road.cut, 0, "a call of somebody who is connected was cut off")
        self.limit(before)
        harness.until(lambda: self.connects(10), "somebody to be let in again")
        self.roads()
        self.whole()

    def test_descriptors_are_not_lost(self):
        """Hundreds of failures later the daemon holds as many as before."""
        self.roads()
        before = len(self.descriptors())
        for n in range(1, 200, 7):
            self.plan.arm("sqlite-file", n)
            self.road.go()
            self.plan.disarm()
        self.roads(3)
        harness.until(lambda: len(self.descriptors()) <= before + 2, f"{len(self.descriptors())} to become {before}")
        self.whole()


if __name__ == "__main__":
    harness.main()
