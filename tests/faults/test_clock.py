#!/usr/bin/python3
"""The wall clock jumps a day, forth and back, while everything runs: nothing stands still, nothing raises a false alarm.

The clock is that of the program, of SQLite, of librdkafka and of libcrypto (planted_clock.c); B must name a build with FAULT=1.
"""
import itertools
import os
import sqlite3
import time
import unittest

import road  # first: it says where the harness is
import harness
import observe
import secure
import grpc
from eldergate.v1 import admin_pb2, admin_pb2_grpc, exchange_pb2 as x, exchange_pb2_grpc
from plan import Plan

DAY = 86400
SOON = 8  # seconds in which a road must be whole; a day's wait, or a wait until a day is over, is none of it


class Clock(unittest.TestCase):
    def setUp(self):
        self.plan = Plan()
        self.addCleanup(self.plan.close)
        self.port = observe.free_port()
        self.road = road.Road(self.plan, {"listen.metrics": f"127.0.0.1:{self.port}", "datasets.look": "200ms"})
        self.addCleanup(self.road.close)

    def roads(self, n=5):
        for _ in range(n):
            began = time.monotonic()
            self.road.go()
            self.assertLess(time.monotonic() - began, SOON, "a road stood still")

    def jump(self, seconds):
        self.plan.shift_clock(seconds)
        self.roads()
        self.look()

    def look(self):
        """Ages and lags are none that could not be."""
        metrics = observe.parse(observe.fetch(self.port)[1])
        for family in metrics.values():
            for (name, labels), value in family.samples.items():
                self.assertGreaterEqual(value, 0, (name, labels))
        status = admin_pb2_grpc.AdminServiceStub(self.road.channel).GetStatus(admin_pb2.GetStatusRequest(), timeout=10)
        for d in status.datasets:
            self.assertGreaterEqual(d.lag.ToTimedelta().total_seconds(), 0)
        # The rhythm is a day, its tolerance more: a day's jump makes nobody late who was heard just now.
        self.assertNotIn('"event":"dataset.silent"', self.road.gateway.log_text())

    def times(self):
        with sqlite3.connect(os.path.join(self.road.gateway.data, "eldergate.db")) as db:
            return [t for t, in db.execute("select time from checkpoint order by size")]

    def whole(self):
        self.assertEqual(self.road.stop(), 0, self.road.gateway.log_tail())
        self.assertEqual(self.road.judge(), [])
        self.assertEqual(self.road.stopped, 0, "the daemon stopped by itself")
        self.assertEqual(self.road.cut, 0, "a call was cut off")

    def test_forth_and_back(self):
        self.road.begin()
        self.jump(DAY)
        self.jump(0)
        self.jump(-DAY)
        self.jump(DAY)
        self.whole()
        times = self.times()
        self.assertEqual(times, sorted(times), "the log's time went back")
        self.assertGreater(times[-1] - times[0], 0.9 * DAY * 1_000_000, "the clock that was to jump did not")

    def test_started_a_day_early(self):
        """What is in the log lies in the future then: its time stands still until the clock is there."""
        self.road.begin()
        self.roads()
        self.assertEqual(self.road.stop(), 0)
        self.plan.shift_clock(-DAY)
        self.assertTrue(self.road.start())
        self.roads()
        self.look()
        self.whole()

    def test_set_back_while_waiting(self):
        """Who waits when the clock goes back does not wait for a day."""
        self.road.begin()
        for shift in (-DAY, 0, -DAY, 0):
            self.plan.shift_clock(shift)
            time.sleep(0.3)  # all are idle: the jump meets them in their waits
            self.roads(2)
        self.whole()


class Certificates(unittest.TestCase):
    """Whether a certificate is valid is asked of the clock when somebody connects, and not of who is connected."""

    def setUp(self):
        self.plan = Plan()
        self.addCleanup(self.plan.close)
        self.gateway = g = secure.Gateway(authority=secure.Authority(hours=(-72, 72)))
        self.addCleanup(g.__exit__)
        self.long = g.agency("long", issued=g.authority.issue("long", hours=(-48, 48)))
        self.short = g.agency("short", issued=g.authority.issue("short", hours=(-1, 12)))
        g.start(env=self.plan.env)
        self.versions = itertools.count(1)

    def connect(self, who):
        channel = self.gateway.to(who, [("grpc.use_local_subchannel_pool", 1)])
        return exchange_pb2_grpc.ExchangeServiceStub(channel)

    def submit(self, stub):
        request = x.SubmitRequest(batch_id="b", dataset="household",
                                  records=[secure.registration(1, version=next(self.versions), source_key="H")])
        return next(iter(stub.Submit(iter([request]), timeout=10))).receipt.status.code

    def test_a_day_on_and_back(self):
        connected = self.connect(self.short)
        self.assertEqual(self.submit(connected), 0)
        for shift in (DAY, -DAY):
            self.plan.shift_clock(shift)
            self.assertEqual(self.submit(connected), 0, "who is connected")
            self.assertEqual(self.submit(self.connect(self.long)), 0, "a certificate that is valid by either clock")
            with self.assertRaises(grpc.RpcError) as caught:
                self.submit(self.connect(self.short))
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
        self.plan.shift_clock(0)
        self.assertEqual(self.submit(self.connect(self.short)), 0, "the clock is right again")
        self.assertEqual(self.gateway.stop(), 0, self.gateway.log_tail())


if __name__ == "__main__":
    harness.main()
