"""victims: what can fall in a test of pairs (the daemon, an adapter, its source, the broker, a subscriber), how each falls,
who notices, and how it comes back.

A fall is `kill` (SIGKILL) or `stop` (SIGSTOP). arm() gives the environment with which a process falls at one of its points,
or makes another one fall there; fall() is a fall from outside. Those that it stands beside: town.Town.
"""
import os
import signal
import subprocess
import sys

import harness
import subscriber

HERE = os.path.dirname(os.path.abspath(__file__))
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
STORE = [("store.before_commit", 6), ("store.after_commit", 6), ("writer.mid_batch", 4), ("writer.before_commit", 6),
         ("writer.after_commit_before_receipt", 6)]
RELAY = [("relay.begin", 2), ("relay.mid_produce", 2), ("relay.before_commit", 2), ("relay.between_producers", 1)]
AGENT = [("agent.row_pulled", 20), ("agent.sent", 4), ("agent.receipt", 4), ("agent.settled", 4), ("agent.delivered", 3)]
# Of each agency: its adapter's points, and those at which its source may fall.
ADAPTER = {"table": [("table.claimed", 1), ("table.before_commit", 2), ("table.after_commit", 2), ("table.marked", 1)],
           "file": [("sftp.fetched", 2), ("sftp.before_away", 1), ("file.taken", 1), ("file.parsed", 20),
                    ("file.before_progress", 1), ("file.before_move", 1), ("file.between_moves", 1)],
           "page": [("http.page_taken", 4), ("http.place_saved", 1), ("http.posted", 2)]}
SOURCE = {"table": [("table.claimed", 1), ("table.before_commit", 2), ("table.after_commit", 2)],
          "file": [("sftp.fetched", 2), ("sftp.before_away", 1), ("sftp.between_aways", 1)],
          "page": [("http.page_taken", 4), ("http.place_saved", 1), ("http.posted", 2)]}
TROUBLE = ('"agent.connector_retrying"', '"agent.connector_failed"', '"file.sftp_failed"', '"http.retry"')


def state_of(pid):
    """A process's letter in /proc; Z: it is gone, or nobody has waited for it yet."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


class Victim:
    """One that may fall. `down`: how it has fallen; None: it stands."""

    def __init__(self, town):
        self.town, self.down = town, None

    def __str__(self):
        return self.name

    @property
    def pid(self):
        raise NotImplementedError

    def again(self, rng, act):
        """The environment of its next life in which it falls at the first passage of one of its points; None: it has none
        of its own."""
        return None

    def fallen(self, act):
        """It has fallen at its point."""
        return state_of(self.pid) == ("Z" if act == "kill" else "T")

    def fall(self, act):
        for pid in self.pids():
            try:
                os.kill(pid, SIGNALS[act])
            except ProcessLookupError:
                pass
        harness.until(lambda: self.fallen(act), f"{self} to {act}")
        self.has_fallen(act)

    def pids(self):
        return [self.pid]

    def go_on(self):
        for pid in self.pids():
            os.kill(pid, signal.SIGCONT)

    def has_fallen(self, act):
        """Completes a fall at a point: the other processes of a server fall with its first."""
        self.down = act

    def rise(self, env=None):
        """Stands again when this returns; env: of its next life, if it was killed."""
        if self.down == "stop":
            self.go_on()
        else:
            self.restart(env)
        self.down = None

    def noticed(self):
        """Somebody who stands has told that it is away; None: there is nobody who would."""
        return None


def environment(point, act, pid=None):
    env = {"ELDERGATE_KILL": point, "ELDERGATE_KILL_WITH": act.upper()}
    return {**env, "ELDERGATE_KILL_PID": str(pid)} if pid else env


def draw(rng, points):
    point, most = rng.choice(points)
    return f"{point}:{rng.randint(1, most)}"


def once(points):
    return [(point, 1) for point, _ in points]


def is_ready(gateway):
    while not gateway.events.empty():
        if (gateway.events.get() or {}).get("event") == "daemon.ready":
            return True
    return False


class Daemon(Victim):
    name = "daemon"

    def points(self):
        return STORE + (RELAY if self.town.broker else [])

    def arm(self, rng, act):
        point = draw(rng, self.points())
        return point, {"daemon": environment(point, act)}

    def again(self, rng, act):
        return environment(draw(rng, once(self.points())), act)

    @property
    def pid(self):
        return self.town.gateway.process.pid

    def has_fallen(self, act):
        self.down = act
        if act == "kill":
            self.town.gateway.process.wait(harness.PATIENCE)

    def restart(self, env):
        """With an environment it may fall before it is ready."""
        g = self.town.gateway
        if not env:
            return g.start()
        harness.Gateway.start(g, env, wait=False)
        act = env["ELDERGATE_KILL_WITH"].lower()
        return harness.until(lambda: self.fallen(act) or is_ready(g), "the daemon to be ready, or to fall")

    def noticed(self):
        """By an adapter: silence of three heartbeats, or a connection that is lost."""
        watching = self.town.standing()
        return any(a.status().get("link") == "down" for a in watching) if watching else None


class Adapter(Victim):
    def __init__(self, town, agency, kind):
        super().__init__(town)
        self.agency, self.kind, self.name = agency, kind, f"{kind} adapter"
        agency.victim = self

    def points(self):
        return AGENT + ADAPTER[self.kind]

    def arm(self, rng, act):
        point = draw(rng, self.points())
        return point, {self.agency: environment(point, act)}

    def again(self, rng, act):
        return environment(draw(rng, once(self.points())), act)

    @property
    def pid(self):
        return self.agency.process.pid

    def restart(self, env):
        self.agency.process.wait(harness.PATIENCE)
        self.agency.start(env=env)

    def noticed(self):
        """By the gateway: a peer less."""
        if self.town.daemon.down:
            return None
        return self.town.gateway.metric("eldergate_bus_peers") < len(self.town.agencies)


class Source(Victim):
    """The agency's own server."""

    def __init__(self, town, agency, kind):
        super().__init__(town)
        self.agency, self.kind, self.name = agency, kind, f"{kind} source"
        agency.source = self

    def arm(self, rng, act):
        point = draw(rng, SOURCE[self.kind])
        return point, {self.agency: environment(point, act, self.pid)}

    @property
    def pid(self):
        return self.agency.server.pid

    def pids(self):
        return self.agency.server.pids()

    def fallen(self, act):
        return self.agency.server.gone() if act == "kill" else super().fallen(act)

    def has_fallen(self, act):
        if act == "kill":
            self.agency.server.kill()
        else:
            for pid in self.pids():
                os.kill(pid, signal.SIGSTOP)
        self.down = act
        self.told = self.agency.logged()

    def restart(self, env):
        self.agency.server.start()

    def noticed(self):
        """By its adapter: a call that fails, or gets no answer in time."""
        if self.agency.victim.down or self.town.daemon.down:
            return None
        text = self.agency.log(self.told)
        return any(event in text for event in TROUBLE)


class Broker(Victim):
    name = "broker"

    def arm(self, rng, act):
        point = draw(rng, RELAY)
        return point, {"daemon": environment(point, act, self.pid)}

    @property
    def pid(self):
        return self.town.broker.pid()

    def has_fallen(self, act):
        self.down, self.told = act, self.town.gateway.logged()

    def restart(self, env):
        self.town.broker.start()

    def noticed(self):
        """By the relay, which has something to publish: it waits, the rest goes on."""
        if self.town.daemon.down:
            return None
        return '"relay.disconnected"' in self.town.gateway.log_text(self.told)


class Subscriber(Victim):
    name = "subscriber"

    def __init__(self, town):
        super().__init__(town)
        self.path, self.process = os.path.join(town.gateway.place, "subscriber.db"), None

    def start(self, env=None):
        """env: {"fall": point, "act": how}."""
        more = ["--fall", env["fall"], "--with", env["act"].upper()] if env else []
        with open(self.path + ".log", "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "subscriber.py"),
                                             self.town.gateway.socket, self.path, *more], stderr=log)

    restart = start

    def arm(self, rng, act):
        point = f"{rng.choice(subscriber.POINTS)}:{rng.randint(1, 4)}"
        return point, {"subscriber": {"fall": point, "act": act}}

    def again(self, rng, act):
        return {"fall": f"{rng.choice(subscriber.POINTS)}:1", "act": act}

    @property
    def pid(self):
        return self.process.pid

    def has_fallen(self, act):
        self.down = act
        if act == "kill":
            self.process.wait(harness.PATIENCE)

    def noticed(self):
        """By the gateway, if its end of the call is gone; one that stands still is given its window, and waits."""
        if self.town.daemon.down or self.down == "stop":
            return None
        return self.town.gateway.metric("eldergate_subscribers") < 1 + len(self.town.standing())

    def stop(self):
        self.process.terminate()
        return self.process.wait(harness.PATIENCE)

    def log(self):
        with open(self.path + ".log", encoding="utf-8") as f:
            return f.read()
