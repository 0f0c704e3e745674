#!/usr/bin/python3
"""SIGHUP: everything of the new configuration, or nothing of it; no call is dropped, but of those who are gone."""
import os
import signal
import threading
import unittest

import harness
import manager
import secure
import grpc
from eldergate.v1 import exchange_pb2 as x, exchange_pb2_grpc, feed_pb2 as f, feed_pb2_grpc


class Load:
    """One Submit stream that never stops by itself, one record a batch; how many receipts came, and how it ended."""

    def __init__(self, channel, dataset, first, make):
        self.receipts, self.error, self.ending = 0, None, threading.Event()
        self.room = threading.Semaphore(4)
        self.call = exchange_pb2_grpc.ExchangeServiceStub(channel).Submit(self.requests(dataset, first, make))
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def requests(self, dataset, n, make):
        while not self.ending.is_set():
            self.room.acquire()
            yield x.SubmitRequest(batch_id=f"b{n}", dataset=dataset, records=[make(n)])
            n += 1

    def read(self):
        try:
            for response in self.call:
                if response.receipt.HasField("status") or response.receipt.results[0].outcome != x.OUTCOME_APPLIED:
                    self.error = response.receipt
                self.receipts += 1
                self.room.release()
        except grpc.RpcError as e:
            self.error = e

    def end(self):
        self.ending.set()
        self.room.release()
        self.thread.join(harness.PATIENCE)
        return self.error


class Following:
    """A subscriber; which persons it heard of, and how it ended."""

    def __init__(self, channel):
        self.events, self.error = 0, None
        start = f.FeedStart(snapshot=f.SnapshotStart())
        self.call = feed_pb2_grpc.FeedServiceStub(channel).Subscribe(f.SubscribeRequest(start=start, purpose="care"))
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for response in self.call:
                self.events += sum(item.WhichOneof("item") in ("change", "snapshot") for item in response.items)
        except grpc.RpcError as e:
            self.error = e


class Reloading(unittest.TestCase):
    def gateway(self, settings=None):
        g = secure.Gateway(settings)
        self.addCleanup(g.__exit__, None, None, None)
        self.police = g.agency("police")
        self.platform = g.identity("platform", ["subscriber"], grants={"care": []})
        return g

    def configure(self, g, text):
        with open(g.config, "w", encoding="utf-8") as file:
            file.write(text)

    def refused(self, g, *words):
        g.process.send_signal(signal.SIGHUP)
        told = g.wait_event("policy.reload_refused")
        for word in words:
            self.assertIn(word, told["reason"])
        return told

    def submit(self, g, who, dataset, record):
        request = x.SubmitRequest(batch_id="b", dataset=dataset, records=[record])
        return next(iter(exchange_pb2_grpc.ExchangeServiceStub(g.to(who)).Submit(iter([request]), timeout=20))).receipt

    def test_twenty_reloads_under_load(self):
        g = self.gateway()
        home = g.agency("home", {"remains": "funeral"})
        g.start()
        load = Load(g.to(self.police), "household", 0, secure.registration)
        gone = Load(g.to(home), "remains", 10 ** 5, secure.funeral)
        following = Following(g.to(self.platform))
        late = None
        for n in range(20):
            before = load.receipts, gone.receipts, following.events
            self.configure(g, f"limits: {{query_timeout: {5 + n}s}}\nlog: {{level: {('debug', 'info')[n % 2]}}}\n")
            if n == 7:
                late = g.agency("late", {"moved": "registration"})
                with self.assertRaises(grpc.RpcError) as caught:
                    self.submit(g, late, "moved", secure.registration(10 ** 6))
                self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAUTHENTICATED)
            if n == 13:
                g.forget("home")
            g.reload()
            if n == 7:
                self.assertFalse(self.submit(g, late, "moved", secure.registration(10 ** 6)).HasField("status"))
            if n == 13:
                harness.until(lambda: gone.error, "the end of the one that is gone")
                self.assertEqual(gone.error.code(), grpc.StatusCode.UNAUTHENTICATED)
                with self.assertRaises(grpc.RpcError) as caught:
                    self.submit(g, home, "remains", secure.funeral(10 ** 7))
                self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAUTHENTICATED)
            # whatever the reload might have broken shows now, not in the end
            harness.until(lambda: load.error or load.receipts > before[0] + 2, "receipts")
            harness.until(lambda: following.error or following.events > before[2] + 2, "events")
            if n < 13:
                harness.until(lambda: gone.error or gone.receipts > before[1], "receipts of the other")
                self.assertIsNone(gone.error)
            self.assertIsNone(load.error)
            self.assertIsNone(following.error)
        self.assertIsNone(load.end())
        total = load.receipts + gone.receipts + 1
        harness.until(lambda: following.error or following.events >= total, "the rest of the events")
        self.assertIsNone(following.error)
        following.call.cancel()
        self.assertEqual(g.stop(), 0)

    def test_log_level(self):
        g = self.gateway()
        self.configure(g, "log: {level: error}\n")
        g.start(wait=False)
        harness.until(lambda: os.path.exists(g.socket), "the socket")
        self.configure(g, "log: {level: debug}\n")
        harness.until(lambda: g.process.send_signal(signal.SIGHUP) or "policy.reloaded" in g.log_text(), "the reload")
        self.assertNotIn("daemon.ready", g.log_text())
        self.assertEqual(g.stop(), 0)
        self.assertIn("daemon.draining", g.log_text())

    def test_limit_of_subscribers(self):
        g = self.gateway()
        self.configure(g, "limits: {subscribers: 1}\n")
        g.start()
        self.submit(g, self.police, "household", secure.registration(1))
        first = Following(g.to(self.platform))
        harness.until(lambda: first.events, "the first one's events")
        second = Following(g.to(self.platform))
        harness.until(lambda: second.error, "the limit")
        self.assertEqual(second.error.code(), grpc.StatusCode.UNAVAILABLE, second.error)
        self.configure(g, "limits: {subscribers: 2}\n")
        g.reload()
        third = Following(g.to(self.platform))
        harness.until(lambda: third.error or third.events, "the third one's events")
        self.assertEqual((first.error, third.error), (None, None))

    def test_another_folder_of_identities(self):
        g = self.gateway()
        g.start()
        os.mkdir(g.path("others"))
        for name in ("police", "platform"):
            os.rename(g.path(f"identities.d/{name}.yaml"), g.path(f"others/{name}.yaml"))
        self.configure(g, f"identities: {{directory: {g.path('others')}}}\n")
        g.reload()
        self.assertFalse(self.submit(g, self.police, "household", secure.registration(1)).HasField("status"))

    def test_what_needs_a_restart_is_named(self):
        g = self.gateway({"kafka.transactional_id": "set-on-the-command-line"})
        self.configure(g, "grpc: {workers: 4}\n")
        g.start()
        self.configure(g, "grpc: {workers: 3}\nstore: {cache: 8MiB}\nlog: {level: debug}\n"
                          "kafka: {transactional_id: other, fields: [registration.registration_status], settings: {client.id: me}}\n")
        g.reload()
        told = g.wait_event("conf.restart_needed")
        self.assertEqual(told["level"], "warn")
        self.assertEqual(told["settings"], "grpc.workers, store.cache, kafka.settings, kafka.fields")
        self.configure(g, "grpc: {workers: 4}\nlog: {level: debug}\n")
        g.reload()
        self.assertFalse(self.submit(g, self.police, "household", secure.registration(1)).HasField("status"))
        self.assertEqual(g.log_text().count("conf.restart_needed"), 1, "what is as at the start waits for nothing")

    def test_a_mistake_changes_nothing(self):
        """Each names file, line and setting; with each comes a change that would be good by itself."""
        g = self.gateway({"listen.bus": "tcp://127.0.0.1:*"})
        self.configure(g, "log: {level: info}\n")
        m = manager.Manager(g.path("notify"))
        self.addCleanup(m.close)
        g.start(env=m.env())
        load = Load(g.to(self.police), "household", 0, secure.registration)
        at, _, _ = m.wait("READY")
        g.forget("platform")
        for text, words in (("log:\n  level: loud\n", (":2)", "log.level")),
                            ("limits:\n  subscribers: none\n", (":2:16", "limits.subscribers", "whole number")),
                            ("limits:\n  subscriber: 5\n", (":2:3", "unknown setting 'limits.subscriber'")),
                            ("limits:\n  batch_bytes: 4MiB\n", (":2)", "limits.batch_bytes", "grpc.max_message")),
                            ("log: [\n", ("eldergate.yaml:",))):
            self.configure(g, text)
            self.refused(g, "eldergate.yaml", *words)
            at, _, state = m.wait("READY", at)
            self.assertIn("refused: ", state["STATUS"])
            self.assertIn("eldergate.yaml", state["STATUS"])
        os.unlink(g.config)
        self.refused(g, "eldergate.yaml", "No such file")
        self.configure(g, "")
        g.write("identities.d/broken.yaml", b"name: broken\nroles: [agency]\ncolour: red\nuid: 1\n")
        self.refused(g, "broken.yaml:3:1", "colour")
        g.forget("broken")
        # nothing of all that was taken over: the platform's file is gone, and it may still call
        following = Following(g.to(self.platform))
        harness.until(lambda: following.error or following.events, "events")
        self.assertIsNone(following.error)
        self.assertIsNone(load.end())
        g.reload()
        harness.until(lambda: following.error, "its end, once the files are good")
        self.assertEqual(following.error.code(), grpc.StatusCode.UNAUTHENTICATED)

    def test_certificates(self):
        g = self.gateway()
        g.start()
        new = g.agency("new", {"moved": "registration"})
        certificate, key, _ = g.authority.issue("localhost", server=True)
        good = {}
        for name in ("server.pem", "server.key", "ca.pem"):
            with open(g.path(name), "rb") as file:
                good[name] = file.read()
        for name, content, words in (
                ("server.key", key, ("tls.certificate", "server.pem", "tls.key", "server.key", "not one of this key")),
                ("server.pem", b"-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n", ("tls.certificate",)),
                ("server.key", b"no key\n", ("tls.key", "server.key", "not a PEM file")),
                ("ca.pem", b"-----BEGIN CERTIFICATE-----\n", ("tls.client_ca", "ca.pem"))):
            g.write(name, content)
            self.refused(g, *words)
            g.write(name, good[name])
        with self.assertRaises(grpc.RpcError) as caught:
            self.submit(g, new, "moved", secure.registration(1))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAUTHENTICATED)
        g.write("server.pem", certificate)
        g.write("server.key", key)
        g.reload()
        self.assertFalse(self.submit(g, new, "moved", secure.registration(1)).HasField("status"))


if __name__ == "__main__":
    harness.main()
