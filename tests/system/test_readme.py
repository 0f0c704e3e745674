#!/usr/bin/python3
"""The two READMEs say the same: sections, commands, the demo's output, names, folders; and what they point at is there.
tests/first-hour types the path that they tell."""
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
        self.assertTrue(english)
        self.assertEqual(english, chinese)

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
        seen = 0
        for block in blocks(self.texts[0])[1:]:
            for line in re.sub(r"\\\n\s*", "", "\n".join(commands(block))).splitlines():
                for command in re.findall(r"(?:^|[ (])eldergate ([a-z][^;|]*)", line):
                    words = command.split()
                    told = run("help", *[w for w in words[:2] if w.isalpha()])
                    self.assertEqual(told.status, 0, line)
                    for option in re.findall(r"(--[a-z-]+)", command):
                        self.assertIn(option, told.out + run("help").out, line)
                    seen += 1
        self.assertGreaterEqual(seen, 7)

    def test_the_path_brings_kcat_before_it_calls_it(self):
        path = "\n".join(commands(blocks(self.texts[0])[-2]))
        section = re.search(r"^\[kafka\]\n(.*?)^$", read("deploy/dependencies"), re.M | re.S)[1]
        self.assertLess(path.index("make kafka\n"), path.index("kcat "))
        self.assertIn("command:kcat\n", section)

    def test_a_site_is_what_deploying_tells(self):
        told = blocks(read("deploy/README.md").split("## The service", 1)[1])[0]
        for text in self.texts:
            self.assertEqual(commands(blocks(text)[-1]), commands(told))


if __name__ == "__main__":
    harness.main()
