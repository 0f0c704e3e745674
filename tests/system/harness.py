"""harness: starts a real gateway in a folder of its own for a test, talks to it, takes it down.

B names the build folder (default build/gcc). Nothing waits blindly: a daemon is ready when its log says so.
"""
import contextlib
import functools
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import sanitized

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("B", "build/gcc"))
sys.path.insert(0, os.path.join(BUILD, "gen", "py"))
PATIENCE = 120  # seconds for anything that must happen; only a broken gateway takes them all

SECTIONS = ("registration", "assistance", "funeral", "care")


@functools.cache
def is_sanitized():
    """Is the build under test one with the address sanitizer?"""
    return sanitized.is_built(os.path.join(BUILD, "eldergated"))


def identity(name, uid=None, pin=None, roles=("agency",), submit=(), fields=("registration.name",), purpose="test"):
    """The text of an identity file."""
    lines = [f"name: {name}", f"roles: [{', '.join(roles)}]"]
    if uid is not None:
        lines.append(f"uid: {uid}")
    if pin is not None:
        lines.append(f"pin: sha256:{pin}")
    if submit:
        lines.append("submit:")
        lines += [f"  - {{dataset: {d}, section: {s}, rhythm: 1d}}" for d, s in submit]
    if purpose:
        lines += ["read:", f"  - purpose: {purpose}", '    legal_basis: "generated people only"',
                  f"    fields: [{', '.join(fields)}]"]
    return "\n".join(lines) + "\n"


class Gateway:
    """One daemon and its folder. Use as a context manager."""

    def __init__(self, settings=None, identities=None, build=BUILD, place=None):
        self.build = build
        self.own = place is None
        self.place = place or tempfile.mkdtemp(prefix="eldergate-test-")
        self.data = os.path.join(self.place, "data")
        self.socket = os.path.join(self.data, "eldergate.sock")
        self.config = os.path.join(self.place, "eldergate.yaml")
        self.log_path = os.path.join(self.place, "log.json")
        self.process = None
        self.events = queue.Queue()
        folder = os.path.join(self.place, "identities.d")
        os.makedirs(folder, exist_ok=True)
        if identities is None:
            identities = {"tester": identity("tester", uid=os.getuid(),
                                             roles=("agency", "subscriber", "operator", "auditor", "admin"),
                                             submit=[(s, s) for s in SECTIONS])}
        for name, text in identities.items():
            with open(os.path.join(folder, name + ".yaml"), "w", encoding="utf-8") as f:
                f.write(text)
        base = {"data": self.data, "listen.metrics": ""}
        base.update(settings or {})
        self.settings = base
        open(self.config, "w", encoding="utf-8").close()

    def start(self, env=None, wait=True):
        arguments = [os.path.join(self.build, "eldergated"), "--config", self.config]
        for key, value in self.settings.items():
            arguments += ["--set", f"{key}={value}"]
        self.events = queue.Queue()
        self.process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                        env={**os.environ, **(env or {})}, text=True, errors="replace")
        threading.Thread(target=self._read, args=(self.process, self.events), daemon=True).start()
        if wait:
            self.ready = self.wait_event("daemon.ready")
        return self

    def _read(self, process, events):
        with open(self.log_path, "a", encoding="utf-8") as log:
            for line in process.stderr:
                log.write(line)
                log.flush()
                try:
                    events.put(json.loads(line))
                except ValueError:
                    events.put({"event": "not.json", "text": line})
        process.stderr.close()
        events.put(None)

    def wait_event(self, name, seconds=PATIENCE):
        """The next log line with this event; fails when the daemon ends first."""
        until = time.monotonic() + seconds
        while True:
            event = self.events.get(timeout=max(0.01, until - time.monotonic()))
            if event is None:
                raise AssertionError(f"the daemon ended before {name}; its log: {self.log_tail()}")
            if event.get("event") == name:
                return event

    def log_tail(self, size=3000):
        with open(self.log_path, encoding="utf-8") as f:
            return f.read()[-size:]

    def log_text(self, since=0):
        """From a byte of it on."""
        with open(self.log_path, "rb") as f:
            f.seek(since)
            return f.read().decode(errors="replace")

    def logged(self):
        """How many bytes that is by now."""
        return os.path.getsize(self.log_path)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        return self.process.wait(PATIENCE)

    def stop(self):
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def __enter__(self):
        return self.start()

    def end(self):
        """Stops it, as the last that a test does with it: it must end well."""
        try:
            assert self.stop() == 0, self.log_tail()
        finally:
            self.__exit__(None, None, None)

    def __exit__(self, *_):
        if self.process and self.process.poll() is None and is_sanitized():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop()  # its leaks are known only if it ends by itself
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.own and not os.environ.get("EG_KEEP"):
            shutil.rmtree(self.place, ignore_errors=True)

    def channel(self):
        import grpc
        return grpc.insecure_channel("unix:" + self.socket, options=[("grpc.enable_retries", 0)])


class DevBroker:
    """The development broker: keeps nothing, so good for everything but delivery."""

    def __init__(self, build=BUILD, port=None):
        arguments = [os.path.join(build, "eldergate-devbroker")] + ([str(port)] if port else [])
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        if not self.address:
            raise AssertionError("the development broker did not start")

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def until(condition, what, seconds=PATIENCE):
    """Waits for a condition that nothing announces."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        threading.Event().wait(0.02)


def main(module="__main__"):
    """Runs a module's unittest cases and tells the lane's result."""
    runner = sanitized.runner(sanitized.Reports()) if is_sanitized() else None
    program = unittest.main(module=module, exit=False, verbosity=int(os.environ.get("VERBOSE", "1")), testRunner=runner)
    r = program.result
    failed = len(r.failures) + len(r.errors) + len(r.unexpectedSuccesses)
    skipped = len(r.skipped)
    print(f"lane-result: {r.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(1 if failed or not r.testsRun else 0)
