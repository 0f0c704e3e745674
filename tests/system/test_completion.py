#!/usr/bin/python3
"""Completion in the shell: bash's own function, asked as bash asks it, against what help says of each command."""
import os
import re
import subprocess
import tempfile
import unittest

import harness
from cli import PROGRAM, run

ASK = """
set -u
. "$1"
shift
COMP_CWORD=$1
shift
COMP_WORDS=("$@")
_eldergate
printf '%s\\n' "${COMPREPLY[@]+"${COMPREPLY[@]}"}"
"""


class Completion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory(prefix="eldergate-completion-")
        cls.script = os.path.join(cls.place.name, "eldergate")
        with open(cls.script, "w", encoding="utf-8") as f:
            f.write(run("completion", "bash").out)
        os.makedirs(os.path.join(cls.place.name, "work", "folder"))
        open(os.path.join(cls.place.name, "work", "file.csv"), "w", encoding="ascii").close()
        helped = run("help").out
        cls.commands = re.findall(r"^  ([a-z-]+)(?: ([a-z]+))?[ \[A-Z.,\]]* ", helped.split("`eldergate help NOUN")[0], re.M)
        cls.common = set(re.findall(r"^  (--[a-z-]+)", helped.split("Options of every command")[1], re.M))

    @classmethod
    def tearDownClass(cls):
        cls.place.cleanup()

    def complete(self, line):
        """What bash offers at the end of the line; it ends words at blanks, ':' and '=', which stay words."""
        words = [w for part in line.split(" ") for w in (re.findall(r"[:=]+|[^:=]+", part) or [""])]
        done = subprocess.run(["bash", "--norc", "-c", ASK, "bash", self.script, str(len(words) - 1), *words],
                              capture_output=True, text=True, timeout=30, cwd=os.path.join(self.place.name, "work"))
        self.assertEqual((done.returncode, done.stderr), (0, ""), line)
        return set(done.stdout.split())

    def test_it_is_loaded_for_the_program(self):
        done = subprocess.run(["bash", "--norc", "-c", '. "$1"; complete -p eldergate', "bash", self.script],
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(done.stdout, "complete -F _eldergate eldergate\n")
        self.assertEqual(run("completion", "fish").status, 64)

    def test_nouns_and_verbs(self):
        self.assertGreater(len(self.commands), 25)
        nouns = {noun for noun, _ in self.commands}
        self.assertEqual(self.complete("eldergate "), nouns | {"help"})
        self.assertEqual(self.complete("eldergate help "), nouns | {"help"})
        self.assertEqual(self.complete("eldergate re"), {n for n in nouns if n.startswith("re")})
        for noun in nouns:
            verbs = {v for n, v in self.commands if n == noun and v}
            if verbs:
                self.assertEqual(self.complete(f"eldergate {noun} "), verbs)
                self.assertEqual(self.complete(f"eldergate help {noun} "), verbs)
        self.assertEqual(self.complete("eldergate log ver"), {"verify"})
        self.assertEqual(self.complete("eldergate nonsense "), set())

    def test_options_of_every_command(self):
        for noun, verb in self.commands:
            told = set(re.findall(r"^  (--[a-z-]+)", run("help", *filter(None, (noun, verb))).out, re.M))
            self.assertEqual(self.complete(f"eldergate {noun} {verb} -".replace("  ", " ")),
                             told | self.common | {"--help"}, (noun, verb))
        self.assertEqual(self.complete("eldergate agency add --dat"), {"--data", "--dataset"})
        self.assertEqual(self.complete("eldergate -"), self.common | {"--help"})

    def test_values(self):
        self.assertEqual(self.complete("eldergate log verify --data "), {"folder"})
        self.assertEqual(self.complete("eldergate life-status check --file f"), {"folder", "file.csv"})
        self.assertEqual(self.complete("eldergate agency test --section "), set(harness.SECTIONS))
        self.assertEqual(self.complete("eldergate agency test --section=fu"), {"funeral"})
        self.assertEqual(self.complete("eldergate agency test --section="), set(harness.SECTIONS))
        self.assertEqual(self.complete("eldergate submit "), {"folder", "file.csv"})
        self.assertEqual(self.complete("eldergate submit one.csv fi"), {"file.csv"})
        self.assertEqual(self.complete("eldergate status --server "), set(), "nobody knows")
        self.assertEqual(self.complete("eldergate log show "), set())

    def test_options_before_the_command(self):
        for options in ("--server unix:/run/x.sock", "--server=unix:/run/x.sock", "--server host:7443 --cert c.pem", "--json"):
            self.assertEqual(self.complete(f"eldergate {options} lo"), {"log"})
            self.assertEqual(self.complete(f"eldergate {options} log ver"), {"verify"})
            self.assertIn("--root-key", self.complete(f"eldergate log {options} verify --"))
        self.assertEqual(self.complete("eldergate agency test --bus tcp://host:7444 --sec"), {"--section"})


if __name__ == "__main__":
    harness.main()
