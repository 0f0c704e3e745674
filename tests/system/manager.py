"""manager: a service manager's side of sd_notify(3): a datagram socket that keeps what it was told, and when."""
import os
import socket
import threading
import time

import harness


class Manager:
    """Listens at a path, or in the abstract namespace if it begins with an @."""

    def __init__(self, name, watchdog=None):
        self.name, self.watchdog = name, watchdog
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.told = []  # (when, {name: value})
        self.moved = threading.Condition()
        self.on_ready = None  # called at the instant of the first READY=1
        threading.Thread(target=self._hear, daemon=True).start()

    def env(self):
        return {"NOTIFY_SOCKET": self.name, **({"WATCHDOG_USEC": str(int(self.watchdog * 1e6))} if self.watchdog else {})}

    def _hear(self):
        while True:
            try:
                text = self.socket.recv(4096).decode()
            except OSError:
                return
            state = dict(line.split("=", 1) for line in text.split("\n"))
            if "READY" in state and self.on_ready:
                self.on_ready()
                self.on_ready = None
            with self.moved:
                self.told.append((time.monotonic(), state))
                self.moved.notify_all()

    def wait(self, name, after=0, seconds=harness.PATIENCE):
        """(place behind it, when, state) of the first message from the place `after` on that has this name."""
        end = time.monotonic() + seconds
        with self.moved:
            while True:
                for n, (when, state) in enumerate(self.told[after:], after + 1):
                    if name in state:
                        return n, when, state
                if not self.moved.wait(end - time.monotonic()) and time.monotonic() > end:
                    raise AssertionError(f"not told within {seconds} s: {name}; told: {self.told[-5:]}")

    def place(self):
        with self.moved:
            return len(self.told)

    def close(self):
        self.socket.close()
        if not self.name.startswith("@") and os.path.exists(self.name):
            os.unlink(self.name)
