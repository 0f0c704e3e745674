"""cli: runs `eldergate` for a test."""
import json
import os
import subprocess

import harness

PROGRAM = os.path.join(harness.BUILD, "eldergate")


class Result:
    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    def json(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def __repr__(self):
        return f"status {self.status}\n--- out\n{self.out[-2000:]}\n--- err\n{self.err[-2000:]}"


def run(*arguments, server=None, files=None, env=None, stdin="", timeout=2 * harness.PATIENCE):
    """One command. server: of a gateway's socket, or HOST:PORT with files, an identity's (ca, certificate, key)."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("ELDERGATE_", "LC_", "LANG"))}
    variables["LANG"] = "C.UTF-8"
    if server:
        variables["ELDERGATE_SERVER"] = server
    if files:
        variables.update(zip(("ELDERGATE_CA", "ELDERGATE_CERT", "ELDERGATE_KEY"), files))
    variables.update(env or {})
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, env=variables, input=stdin,
                          timeout=timeout)
    return Result(done)


class User:
    """One who uses the command line against a gateway's Unix socket."""

    def __init__(self, gateway):
        self.server = "unix:" + gateway.socket

    def __call__(self, *arguments, **more):
        return run(*arguments, server=self.server, **more)


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


def write_csv(path, header, *rows):
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join([header, *rows]) + "\n")
    return path
