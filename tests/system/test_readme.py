#!/usr/bin/python3
"""The two READMEs say the same: sections, commands, the demo's output, folders; and what they point at is there."""
import os
import re
import unittest

import harness
from cli import run


def read(name):
    with open(os.path.join(harness.ROOT, name), encoding="utf-8") as f:
        return f.read()


def blocks(text):
    return re.findall(r"^```\n(.*?)^```$", text, re.M | re.S)


def commands(block):
    """Its lines without the comments behind them."""
    return [re.sub(r"\s+# .*", "", line).rstrip() for line in block.splitlines()]


class Readme(unittest.TestCase):
    ENGLISH, CHINESE = "README.md", "README.zh-CN.md"

    def setUp(self):
        self.texts = [read(self.ENGLISH), read(self.CHINESE)]

    def both(self, look):
        english, chinese = (look(t) for t in self.texts)
        self.assertTrue(english)
        self.assertEqual(english, chinese)

    def test_the_same_structure(self):
        self.both(lambda t: [len(m) for m in re.findall(r"^#+", t, re.M)])
        self.both(lambda t: len(re.findall(r"^- \*\*", t, re.M)))
        self.both(lambda t: [block.count("\n") for block in blocks(t)])

    def test_the_same_commands_and_the_same_demo(self):
        self.both(lambda t: [commands(block) for block in blocks(t)[1:]])

    def test_the_same_names(self):
        self.both(lambda t: re.findall(r"^\| `([^`]+)`", t, re.M))
        english, chinese = (set(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", t, flags=re.M | re.S)))
                            for t in self.texts)
        self.assertLessEqual(english, chinese)

    def test_what_they_point_at_is_there(self):
        for text in self.texts:
            places = set(re.findall(r"\]\(([^)]+)\)", text))
            places |= {p for p in re.findall(r"`([^` ]+)`", text) if "/" in p or p.endswith(".md")}
            self.assertGreater(len(places), 8)
            for place in places:
                self.assertTrue(os.path.exists(os.path.join(harness.ROOT, place)), place)

    def test_they_link_to_each_other(self):
        self.assertIn(f"]({self.CHINESE})", self.texts[0])
        self.assertIn(f"]({self.ENGLISH})", self.texts[1])

    def test_commands_and_options_exist(self):
        for block in blocks(self.texts[0])[1:]:
            for line in re.sub(r"\\\\\n\s*", "", "\n".join(commands(block))).splitlines():
                if not line.startswith("eldergate "):
                    continue
                words = line.split()
                told = run("help", *[w for w in words[1:3] if not w.startswith("-") and w.isalpha()][:2])
                self.assertEqual(told.status, 0, line)
                for option in re.findall(r"(--[a-z-]+)", line):
                    self.assertIn(option, told.out + run("help").out, line)


if __name__ == "__main__":
    harness.main()
