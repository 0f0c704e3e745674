#!/usr/bin/python3
"""Each call of the daemon, and of SQLite under it, that can fail can be made to: planted.so stands before it, or it is on the
list below with the reason why not. So a file of the daemon that makes a new kind of call fails here until somebody has seen it
fail. Then the calls that few roads make, each in its place. B must name a build with FAULT=1.
"""
import fnmatch
import os
import re
import subprocess
import unittest

import road  # first: it says where the harness is
import harness
import ways
from plan import PROGRAM, Plan, library

PLANTED = os.path.join(harness.BUILD, "tests/faults/planted.so")
MOST = 40  # calls of a kind below a function that are failed, one after the other

# How a start says why it ended, by the kind of call that failed.
WHY = {"memory": "memory", "descriptor": "{place}/.*: Too many open files",
       "file": "{place}/.*: Input/output error", "space": "{place}/.*: No space left on device",
       "store": "no memory for the store|{place}/.*: unable to open database file"}

# Names as they are without _FORTIFY_SOURCE.
COMPUTES = ("mem* str* stpcpy snprintf vsnprintf sscanf inet_ntop inet_pton localtime_r explicit_bzero alphasort "
            "gai_strerror")
SPARED = {
    "computes only": COMPUTES,
    "belongs to every program, or ends it":
        "__libc_start_main __cxa_finalize __gmon_start__ __errno_location __stack_chk_fail __assert_fail _exit abort getenv "
        "getpid geteuid",
    "gives back; nobody looks at what comes of it, and what must be kept was synced before":
        "free freeaddrinfo munmap close closedir fclose",
    "tells of a failure": "ferror dlerror",
    "usage, on the terminal, before anything has begun": "printf fprintf argp_parse argp_error",
    "sorts in place where it gets no memory": "qsort",
    "a hint: nobody looks at what comes of it": "sync_file_range pthread_setname_np",
    "cannot fail for what it is asked: a limit is read, lowered, or raised to what is allowed":
        "getrlimit setrlimit prctl umask sysconf",
    "cannot fail for so few bytes once the system is up; else the process ends, and says so (crypto.c)": "getrandom",
    "only a wait or a signal": "nanosleep usleep sleep kill raise signal sigwait pthread_sigmask sigaddset sigdelset "
                               "sigemptyset sigfillset",
    "of glibc: fails only where it is misused": "pthread_mutex_* pthread_mutexattr_* pthread_cond_* pthread_condattr_* "
                                                "pthread_once pthread_self pthread_join pthread_getspecific",
    "once for the process, or for a thread: without it the process ends and says so, as for the allocation beside it "
    "(crypto.c)": "pthread_key_create pthread_setspecific __register_atfork pthread_atfork",
    "says what the call before it said, or what the connection holds":
        "sqlite3_reset sqlite3_finalize sqlite3_changes sqlite3_errmsg sqlite3_errstr sqlite3_extended_errcode "
        "sqlite3_system_errno sqlite3_get_autocommit sqlite3_last_insert_rowid sqlite3_stmt_busy sqlite3_vfs_find "
        "sqlite3_database_file_object",
    "its want of memory is SQLite's malloc": "sqlite3_column_*",
    "sets what is there; fails only where it is misused": "sqlite3_busy_timeout sqlite3_extended_result_codes "
                                                          "sqlite3_db_config sqlite3_wal_hook sqlite3_config",
    "fails only while statements are left, and then the daemon says so": "sqlite3_close",
    "of SQLite: nobody looks at what comes of it (whose a new file is)": "fchown",
    "of SQLite: for a relative path, and the daemon's is none; for locks by files; for extensions; for a mapping of the "
    "database, which has none": "getcwd utime dlopen dlsym dlclose mremap",
}
# What gcc, clang or a sanitizer's build has and another has not.
LIBRARY_OWN = {"__gmon_start__", "__cxa_finalize", "__stack_chk_fail", "__register_atfork", "pthread_atfork"}


def names(path, what):
    table = subprocess.run(["nm", "-D", what, path], text=True, stdout=subprocess.PIPE, check=True).stdout
    return {line.split()[-1].split("@")[0] for line in table.splitlines()}


def plain(name):
    """As it is called in the source."""
    if name.startswith("__") and name.endswith("_chk"):
        name = name[2:-4]
    return name.removeprefix("__isoc99_").removeprefix("__isoc23_")


def forgotten(imported, planted):
    """Calls that can neither be made to fail nor are spared for a reason."""
    spared = " ".join(SPARED.values()).split()
    return {name for name in imported - planted
            if not any(fnmatch.fnmatchcase(n, s) for n in (name, plain(name)) for s in spared)}


class Imports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        system = names(library("libc.so.6"), "--defined-only")
        cls.program, cls.sqlite = ({n for n in names(path, "--undefined-only") if n in system or n.startswith("sqlite3_")}
                                   for path in (PROGRAM, library("libsqlite3.so.0")))
        cls.planted = names(PLANTED, "--defined-only")

    def test_every_call_can_fail(self):
        self.assertGreater(len(self.program), 100)
        self.assertEqual(forgotten(self.program, self.planted), set())

    def test_every_call_of_sqlite_can_fail(self):
        self.assertGreater(len(self.sqlite), 30)
        self.assertEqual(forgotten(self.sqlite, self.planted), set())

    def test_what_is_forgotten_is_told(self):
        """A call that comes new, and one that nothing stands before any more; a fortified one is another than the plain one."""
        new = {"open_by_handle_at", "__read_chk"}
        self.assertEqual(forgotten(self.program | new, self.planted - {"unlinkat"}), new | {"unlinkat"})

    def test_nothing_is_spared_in_vain(self):
        called = {n for name in self.program | self.sqlite for n in (name, plain(name))}
        for reason, spared in SPARED.items():
            for name in spared.split() if spared != COMPUTES else ():
                with self.subTest(name, reason=reason):
                    self.assertFalse(fnmatch.filter(self.planted, name), "it can fail, and is on the list")
                    if name not in LIBRARY_OWN:
                        self.assertTrue(fnmatch.filter(called, name), "nobody calls it")


class Seldom(unittest.TestCase):
    """The calls that a start makes, or a list's end, or nothing but want itself."""

    def setUp(self):
        self.plan = Plan()
        self.addCleanup(self.plan.close)
        self.way = ways.Ways(self.plan)
        self.addCleanup(self.way.close)

    def each(self, kind, below, doing, wanted):
        """Fails the calls of a kind below a function one after the other while it is done, until all that are wanted did."""
        failed = set()
        for n in range(1, MOST):
            self.plan.arm(kind, n, below=below)
            doing()
            hit = self.plan.hit
            self.plan.disarm()
            if hit:
                failed.add(self.plan.where().split()[0])
            if not hit or set(wanted) <= failed:
                break
        self.assertLessEqual(set(wanted), failed)

    def starts(self, kind, below, *calls, ends, anew=True):
        """Each of these calls fails in some start, which ends and says why; the start after them is good. Where another call
        below the function fails, it ends so, too, or serves. anew: each makes a new store."""
        if not anew:
            self.way.begin()
            self.assertEqual(self.way.stop(), 0)

        def start():
            if anew:
                self.way.forget()
            if self.way.start():
                self.way.gateway.kill()
                if self.plan.hit:
                    self.assertNotIn(self.plan.where().split()[0], calls, "it failed, and the daemon serves")
                return
            told = "\n".join(line.get("reason") or line.get("text", "") for line in self.way.lines)
            self.assertTrue(self.plan.hit, f"it ended, and nothing had failed: {told}")
            self.assertIn(self.way.gateway.process.returncode, ends, self.plan.where())
            self.assertRegex(told, WHY[kind].format(place=re.escape(self.way.gateway.place)), self.plan.where())

        self.each(kind, below, start, calls)
        self.assertTrue(self.way.start(), "it does not start after starts that failed")
        self.way.go()
        self.assertEqual(self.way.stop(), 0, self.way.gateway.log_tail())
        self.assertEqual(self.way.judge(), [])

    def test_files_of_the_configuration(self):
        self.starts("file", "eg_yaml_open", "fopen", "fread", ends=[os.EX_IOERR])

    def test_descriptors_for_the_configuration(self):
        self.starts("descriptor", "eg_yaml_open", "fopen", ends=[os.EX_TEMPFAIL])

    def test_folder_of_identities(self):
        self.starts("file", "eg_conf_policy_load", "scandir", "fopen", "fread", ends=[os.EX_IOERR])

    def test_memory_for_identities(self):
        self.starts("memory", "eg_conf_policy_load", "scandir", "fopen", ends=[os.EX_OSERR])

    def test_memory_for_the_store(self):
        self.starts("memory", "eg_store_open", "__asprintf_chk" if not harness.is_sanitized() else "asprintf",
                    ends=[os.EX_OSERR])

    def test_connections_to_the_store(self):
        self.starts("store", "eg_store_open", "sqlite3_open_v2", "sqlite3_vfs_register", ends=[os.EX_IOERR, os.EX_OSERR])

    def test_keys_that_are_made(self):
        self.starts("file", "eg_curve_open", "mkostemp", "link", ends=[os.EX_IOERR])
        self.starts("space", "eg_curve_open", "mkostemp", "link", ends=[os.EX_IOERR])

    def test_keys_that_are_read(self):
        self.starts("file", "eg_curve_open", "read", ends=[os.EX_IOERR], anew=False)
        self.way.close()
        self.way = ways.Ways(self.plan)
        self.starts("file", "eg_vault_open", "read", ends=[os.EX_IOERR], anew=False)

    def lists(self):
        folder = os.path.join(self.way.gateway.data, "lists")
        return [os.path.join(path, f) for path, _, files in os.walk(folder) for f in files if f.startswith("run-")]

    def test_folders_of_lists(self):
        """What cannot be removed is gone after the next start."""
        self.way.begin()
        self.each("file", "eg_spool_remove", self.way.go, {"fdopendir", "readdir", "unlinkat"})
        self.assertTrue(self.lists(), "everything was removed")
        self.assertEqual(self.way.stop(), 0)
        self.assertTrue(self.way.start())
        self.assertEqual(self.lists(), [])

        def again():
            self.assertEqual(self.way.stop(), 0)
            self.assertTrue(self.way.start())

        self.each("file", "eg_lists_tidy", again, {"opendir", "readdir"})
        self.way.go()
        self.assertEqual(self.way.stop(), 0)
        self.assertEqual(self.way.judge(), [])


class Door(unittest.TestCase):
    """The accept loop of the local socket outlives its own wants."""

    def setUp(self):
        self.plan = Plan()
        self.addCleanup(self.plan.close)
        self.road = road.Road(self.plan)
        self.addCleanup(self.road.close)
        self.road.begin()

    def test_a_wait_that_fails(self):
        for _ in range(2):
            self.plan.arm("file", 1, below="let_in")
            harness.until(lambda: self.plan.hit, "a call of the accept loop to fail")
            self.assertIn("poll", self.plan.where())
            self.plan.disarm()
            self.road.hang_up()
            self.road.go()
        self.assertEqual(self.road.stop(), 0)

    def test_a_stop_that_nobody_is_woken_for(self):
        self.plan.arm("file", 1, below="eg_local_stop")
        self.assertEqual(self.road.stop(), 0, self.road.gateway.log_tail())
        self.assertIn("write", self.plan.where())
        self.assertFalse(os.path.exists(self.road.gateway.socket), "its socket is left")


if __name__ == "__main__":
    harness.main()
