"""gateway: one daemon for a bench, in a folder on the disk that is measured, reached by its Unix socket."""
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("B", "build/gcc"))
PLACE = os.path.join(ROOT, "build", "bench")
READY_SECONDS = 60
STOP_SECONDS = 120  # what is queued is committed first
DATASET = "registration"
DESK = "desk"  # single records come from here while a list of the other is under way

IDENTITY = """name: bench
roles: [agency, subscriber]
uid: {uid}
submit:
  - {{dataset: {dataset}, section: registration, rhythm: 1d}}
read:
  - {{purpose: bench, legal_basis: "generated people only", until: 2100-01-01,
      fields: [registration.name, registration.address_region]}}
"""


class Gateway:
    """Use as a context manager: it is ready inside, and gone behind."""

    def __init__(self, place, settings=None, bus=False, fresh=True):
        """bus: it listens for an adapter too, whose mapping begins with mapping_head(). fresh: its folder is emptied before."""
        self.place, self.fresh = place, fresh
        self.reader = None
        self.bus = "ipc://" + os.path.join(place, "bus") if bus else None
        self.socket = os.path.join(place, "socket")
        self.database = os.path.join(place, "data", "eldergate.db")
        self.settings = {"data": os.path.join(place, "data"), "listen.unix": self.socket, "listen.metrics": "",
                         **(settings or {})}

    def __enter__(self):
        if self.fresh:
            shutil.rmtree(self.place, ignore_errors=True)
        os.makedirs(os.path.join(self.place, "identities.d"), exist_ok=True)
        if self.bus:
            self._onboard()
        else:
            with open(os.path.join(self.place, "identities.d", "bench.yaml"), "w", encoding="utf-8") as f:
                f.write(IDENTITY.format(uid=os.getuid(), dataset=DATASET))
        open(os.path.join(self.place, "eldergate.yaml"), "w", encoding="utf-8").close()
        self.begin()
        return self

    def begin(self):
        """Starts it, and tells how many seconds it took until it was ready."""
        if self.reader:
            self.reader.join()  # or the last one's end would be taken for this one's
        self.events = queue.Queue()
        configuration = os.path.join(self.place, "eldergate.yaml")
        began = time.monotonic()
        command = [os.path.join(BUILD, "eldergated"), "--config", configuration]
        for setting in self.settings.items():
            command += ["--set", "=".join(setting)]
        # As deploy/systemd starts it.
        environment = {**os.environ, "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                        errors="replace")
        self.pid = self.process.pid
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        try:
            self.wait_event("daemon.ready")
        except BaseException:
            self.__exit__()
            raise
        return time.monotonic() - began

    def _onboard(self):
        """An agency that comes by the socket and by the bus."""
        told = subprocess.run(
            [os.path.join(BUILD, "eldergate"), "agency", "add", "bench", "--data", self.settings["data"], "--config-dir",
             self.place, "--out", self.place, "--role", "agency", "--basis", "generated people only", "--bus", self.bus,
             "--dataset", f"{DATASET}:registration", "--dataset", f"{DESK}:registration"],
            stdout=subprocess.PIPE, text=True, check=True).stdout
        self.server_key = next(line.split('"')[1] for line in told.splitlines() if "server_key:" in line)
        with open(os.path.join(self.place, "identities.d", "bench.yaml"), "a", encoding="utf-8") as f:
            f.write(f"uid: {os.getuid()}\n")
        self.settings["listen.bus"] = self.bus

    def mapping_head(self):
        return (f"mapping: 1\nagency: bench\ndataset: {DATASET}\nsection: registration\n"
                f"gateway: {{address: '{self.bus}', server_key: '{self.server_key}', "
                f"key_file: '{self.place}/bench.curve'}}\n")

    def _read(self):
        with open(os.path.join(self.place, "log.json"), "w", encoding="utf-8") as log:
            for line in self.process.stderr:
                log.write(line)
                if line.startswith("{"):
                    self.events.put(json.loads(line).get("event"))
        self.events.put(None)

    def wait_event(self, name):
        until = time.monotonic() + READY_SECONDS
        while True:
            try:
                event = self.events.get(timeout=max(0.01, until - time.monotonic()))
            except queue.Empty:
                raise RuntimeError(f"no {name} for {READY_SECONDS} s; see {self.place}/log.json") from None
            if event is None:
                raise RuntimeError(f"the daemon ended before {name}; see {self.place}/log.json")
            if event == name:
                return

    def stop(self):
        """Ends it by SIGTERM; whether it ended well."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS) == 0

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()
        self.reader.join()
        self.process.stderr.close()
