"""sanitized: what the sanitizers in the programs under test report.

Built with SAN=asan, every program that a test starts, whoever starts it, writes what it finds at fault, leaks too, into a
folder: its standard error is read as its own words, and of its status not every test asks. The test that was running when
something was reported has failed. Of a process that is killed, leaks are not known.
"""
import glob
import mmap
import os
import tempfile
import unittest


def is_built(program):
    """Has the address sanitizer been built into this program?"""
    with open(program, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return text.find(b"__asan_init") >= 0


def options(more, name="ASAN_OPTIONS"):
    """What the environment says already, with some more."""
    return ":".join(filter(None, (os.environ.get(name), more)))


class Reports:
    """Where the programs that start from now on report."""

    def __init__(self):
        self.place = tempfile.TemporaryDirectory(prefix="eldergate-reports-")
        log = f"log_path={self.place.name}/report"
        os.environ["ASAN_OPTIONS"] = options(log + ":handle_abort=1")
        # gcc's libubsan has options of its own and writes to standard error whatever they say; its end is a report.
        os.environ["UBSAN_OPTIONS"] = options(log + ":abort_on_error=1", "UBSAN_OPTIONS")

    def take(self):
        """The new ones."""
        texts = []
        for path in sorted(glob.glob(f"{self.place.name}/report.*")):
            with open(path, encoding="utf-8", errors="replace") as f:
                texts.append(f.read())
            os.unlink(path)
        return texts


def runner(reports):
    """For unittest.main: charges each report to a test; what a class reports as it ends, to its last one."""

    class Result(unittest.TextTestResult):
        at = unittest.FunctionTestCase(lambda: None, description="before the first test")

        def charge(self):
            self.failures += [(self.at, text) for text in reports.take()]

        def startTest(self, test):
            self.charge()
            self.at = test
            super().startTest(test)

        def stopTest(self, test):
            super().stopTest(test)
            self.charge()

        def stopTestRun(self):
            self.charge()
            super().stopTestRun()

    class Runner(unittest.TextTestRunner):
        resultclass = Result

    return Runner
