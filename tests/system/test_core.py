#!/usr/bin/python3
"""No core is ever written: what was in a daemon's memory, keys and names, goes with it."""
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

import harness
import sanitized

NOBODY = 65534
# The address sanitizer, if it is there, would take the signal, and a limit of its own would hide that the daemon sets none.
PLAIN = {**os.environ, "ASAN_OPTIONS": sanitized.options("handle_segv=0:disable_coredump=0")}


class Core(unittest.TestCase):
    """A daemon that dies of SIGSEGV leaves no image of its memory, although whoever started it allows one."""

    @staticmethod
    def die(arguments, place, user=None):
        """(did the kernel write a core, files of the folder, the process's core limit, the owner of its /proc)"""
        def allow():
            import resource
            resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        process = subprocess.Popen(arguments, cwd=place, preexec_fn=allow, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, user=user, text=True, env=PLAIN)
        line = "started"
        while line and "daemon.ready" not in line and "eldergated" in arguments[0]:
            line = process.stderr.readline()
        harness.until(lambda: os.path.exists(f"/proc/{process.pid}/exe") or process.poll() is not None, "the process")
        with open(f"/proc/{process.pid}/limits", encoding="ascii") as limits:
            limit = next(text.split()[4] for text in limits if text.startswith("Max core file size"))
        owner = os.stat(f"/proc/{process.pid}/environ").st_uid
        os.kill(process.pid, signal.SIGSEGV)
        _, status = os.waitpid(process.pid, 0)
        process.returncode = -signal.SIGSEGV
        process.stderr.close()
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGSEGV:
            raise AssertionError(f"it did not die of the signal: {status}, {line}")
        return os.WCOREDUMP(status), [n for n in os.listdir(place) if "core" in n], limit, owner

    def test_no_core(self):
        root = os.getuid() == 0
        with tempfile.TemporaryDirectory(prefix="eldergate-core-") as place:
            config, data = os.path.join(place, "eldergate.yaml"), os.path.join(place, "data")
            os.makedirs(os.path.join(place, "identities.d"))
            with open(config, "w", encoding="utf-8") as c:
                c.write(f"data: {data}\nlisten:\n  metrics: ''\nstore:\n  reserve: 1MiB\n")
            daemon = shutil.copy(os.path.join(harness.BUILD, "eldergated"), place)
            if root:  # as somebody else, so that the owner of its /proc tells whether it may be dumped
                for path in (place, data):
                    os.makedirs(path, exist_ok=True)
                    os.chmod(path, 0o755)
                    os.chown(path, NOBODY, -1)
            dumped, cores, limit, owner = self.die([daemon, "--config", config], place, NOBODY if root else None)
            self.assertEqual((dumped, cores, limit), (False, [], "0"))
            self.assertFalse([n for n in os.listdir(data) if "core" in n])
            self.assertEqual(owner, 0, "a process that may not be dumped has a /proc that belongs to root")

    def test_the_test_would_see_one(self):
        root = os.getuid() == 0
        with tempfile.TemporaryDirectory(prefix="eldergate-core-") as place:
            os.chmod(place, 0o777)
            dumped, cores, limit, owner = self.die([shutil.which("sleep"), "60"], place, NOBODY if root else None)
            self.assertEqual((limit, owner), ("unlimited", NOBODY if root else os.getuid()))
            with open("/proc/sys/kernel/core_pattern", encoding="ascii") as pattern:
                here = pattern.read().startswith("core")
            if here:  # elsewhere the kernel hands a core to a program, or puts it where others may write
                self.assertTrue(dumped and cores)


if __name__ == "__main__":
    harness.main()
