#!/usr/bin/python3
"""The protocol's descriptors keep the rules that decoding in C rests on, and say what the tables of the model say.

Usage: test_descriptors.py [DESCRIPTOR_SET]; without one, it is built in build folder $B (default build/gcc).
Each rule is a function that lists faults. It must list none for the real descriptors, and some for a planted fault.
"""

import copy
import os
import re
import subprocess
import sys
import unittest

from google.protobuf import descriptor_pb2

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODEL = os.path.join(ROOT, "gateway", "model")
PACKAGE = ".eldergate.v1."
FIELD = descriptor_pb2.FieldDescriptorProto
SECTIONS = ["REGISTRATION", "ASSISTANCE", "FUNERAL", "CARE"]
DESCRIPTOR_SET = None


def load():
    path = DESCRIPTOR_SET
    if path is None:
        build = os.environ.get("B", "build/gcc")
        path = os.path.join(build, "gen", "descriptor_set.pb")
        subprocess.run(["make", "-s", "B=" + build, path], cwd=ROOT, check=True)
        path = os.path.join(ROOT, path)
    with open(path, "rb") as f:
        return descriptor_pb2.FileDescriptorSet.FromString(f.read())


def table(name, macro, columns):
    """The rows of one macro of an X-macro table. A line that begins like a row and is none is an error."""
    cell = r'\s*("(?:[^"\\]|\\.)*"|[^,"()]+)\s*'
    row = re.compile(r"%s\(%s\)$" % (macro, ",".join([cell] * columns)))
    rows = []
    with open(os.path.join(MODEL, name), encoding="utf-8") as f:
        for line in f:
            if line.startswith(macro + "("):
                found = row.match(line.rstrip())
                if not found:
                    raise ValueError("%s: not a row: %s" % (name, line))
                rows.append([c.strip().strip('"') for c in found.groups()])
    if not rows:
        raise ValueError("%s has no rows" % name)
    return rows


def messages(descriptors):
    """Every message by its full name, nested ones too."""
    found = {}

    def walk(prefix, message):
        name = prefix + message.name
        found[name] = message
        for inner in message.nested_type:
            walk(name + ".", inner)

    for file in descriptors.file:
        for message in file.message_type:
            walk("." + file.package + ".", message)
    return found


def enums(descriptors):
    return {
        "." + file.package + "." + enum.name: {v.name: v.number for v in enum.value}
        for file in descriptors.file
        for enum in file.enum_type
    }


def comments(descriptors, file_name):
    """Leading comments by (index of the message, index of its field)."""
    for file in descriptors.file:
        if file.name == file_name:
            return {
                (where.path[1], where.path[3]): " ".join(where.leading_comments.split())
                for where in file.source_code_info.location
                if len(where.path) == 4 and where.path[0] == 4 and where.path[2] == 2
            }
    return {}


def recursion(descriptors):
    """protobuf-c decodes recursively without a limit, so no message may hold itself, however deep."""
    known = messages(descriptors)
    faults, done = [], set()

    def visit(name, path):
        if name in path:
            faults.append("recursive: " + " > ".join(path[path.index(name):] + [name]))
            return
        if name in done:
            return
        for field in known[name].field:
            if field.type in (FIELD.TYPE_MESSAGE, FIELD.TYPE_GROUP):
                visit(field.type_name, path + [name])
        done.add(name)

    for name in known:
        visit(name, [])
    return faults


def forbidden(descriptors):
    """What protobuf-c can't do, or what would let a peer choose the shape."""
    faults = []
    for file in descriptors.file:
        if file.name == "google/protobuf/struct.proto":
            faults.append("Struct is imported")
        if file.syntax != "proto3" and file.package.startswith("eldergate"):
            faults.append("%s is not proto3" % file.name)
    for name, message in messages(descriptors).items():
        for field in message.field:
            if field.proto3_optional:
                faults.append("proto3 optional: %s.%s" % (name, field.name))
            if field.type == FIELD.TYPE_GROUP:
                faults.append("group: %s.%s" % (name, field.name))
        if name.startswith(PACKAGE) and message.options.map_entry:
            faults.append("map: %s" % name)
    return faults


def sections(descriptors):
    """The section messages and fields.def are one schema, in both directions."""
    known = messages(descriptors)
    uses = {(s, n): l for s, n, l in table("codes.def", "USES", 3)}
    faults = []
    rows = {}
    for section, number, name, kind, limit, _flags, _doc in table("fields.def", "X", 7):
        if (section, int(number)) in rows:
            faults.append("fields.def: %s %s twice" % (section, number))
        rows[section, int(number)] = (name, kind, int(limit))
    if {s for s, _ in rows} != set(SECTIONS):
        faults.append("fields.def: sections %s" % {s for s, _ in rows})
    elder = next(f for f in descriptors.file if f.name == "eldergate/v1/elder.proto")
    said = comments(descriptors, elder.name)
    for section in SECTIONS:
        message = known[PACKAGE + section.capitalize()]
        at = [m.name for m in elder.message_type].index(message.name)
        for index, field in enumerate(message.field):
            what = "%s.%s" % (section, field.name)
            name, kind, limit = rows.pop((section, field.number), (None, None, None))
            if name != field.name:
                faults.append("%s = %d is %s in fields.def" % (what, field.number, name))
                continue
            if field.label == FIELD.LABEL_REPEATED:
                faults.append("%s is repeated" % what)
            if kind == "ENUM":
                wanted = (FIELD.TYPE_ENUM, PACKAGE + camel(uses.get((section, name), "?")))
            else:
                wanted = {
                    "TEXT": (FIELD.TYPE_STRING, ""),
                    "CODE": (FIELD.TYPE_STRING, ""),
                    "INT": (FIELD.TYPE_INT64, ""),
                    "DATE": (FIELD.TYPE_MESSAGE, PACKAGE + "CivilDate"),
                    "INSTANT": (FIELD.TYPE_MESSAGE, ".google.protobuf.Timestamp"),
                }[kind]
            if (field.type, field.type_name) != wanted:
                faults.append("%s is %s here, %s in fields.def" % (what, field.type_name or field.type, kind))
            if field.HasField("oneof_index") != (kind == "INT"):
                faults.append("%s: presence does not fit %s" % (what, kind))
            elif kind == "INT" and message.oneof_decl[field.oneof_index].name != name + "_presence":
                faults.append("%s: its oneof should be called %s_presence" % (what, name))
            stated = re.search(r"at most (\d+) characters", said.get((at, index), ""))
            if stated and int(stated.group(1)) != limit or kind == "TEXT" and not stated:
                faults.append("%s: its comment does not say at most %d characters" % (what, limit))
        if len(message.oneof_decl) != sum(f.HasField("oneof_index") for f in message.field):
            faults.append("%s: a oneof with several members" % section)
        if message.nested_type:
            faults.append("%s has nested messages" % section)
    faults += ["fields.def: %s %s is in no message" % row for row in rows]
    return faults


def identity(descriptors):
    """Fields 1 to 5 say whom a record is about, the same way in each section."""
    known = messages(descriptors)
    shapes = {
        section: [(f.name, f.number, f.type, f.type_name) for f in known[PACKAGE + section.capitalize()].field][:5]
        for section in SECTIONS
    }
    return [s for s in SECTIONS if shapes[s] != shapes["REGISTRATION"]]


def camel(name):
    return "".join(part.capitalize() for part in name.split("_"))


def compare_enum(descriptors, prefix, wanted):
    """An enumeration has exactly these values, and UNSPECIFIED = 0."""
    wanted = {prefix + "_" + name: number for name, number in wanted.items()}
    wanted[prefix + "_UNSPECIFIED"] = 0
    has = enums(descriptors).get(PACKAGE + camel(prefix), {})
    return ["%s: %s" % (prefix, sorted(set(has.items()) ^ set(wanted.items())))] if has != wanted else []


def codes(descriptors):
    lists = {}
    for name, number, value, _doc in table("codes.def", "X", 4):
        lists.setdefault(name, {})[value] = int(number)
    return sum((compare_enum(descriptors, name, values) for name, values in lists.items()), [])


def reasons(descriptors):
    rows = table("reasons.def", "X", 6)
    return compare_enum(descriptors, "REASON_CODE", {name: int(number) for name, number, *_ in rows})


def header_enum(header, prefix):
    with open(os.path.join(MODEL, header), encoding="utf-8") as f:
        return {n: int(v) for n, v in re.findall(r"\b%s_(\w+) = (\d+)" % prefix, f.read())}


def numbers(descriptors):
    """Enumerations whose numbers the model and the log share."""
    return (
        compare_enum(descriptors, "CASE_KIND", header_enum("join.h", "EG_CASE"))
        + compare_enum(descriptors, "VIEW_RULE", header_enum("person.h", "EG_RULE"))
        + compare_enum(descriptors, "SEVERITY", header_enum("grade.h", "EG_SEV"))
    )


class Descriptors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.real = load()

    def planted(self, plant):
        changed = copy.deepcopy(self.real)
        plant(messages(changed), changed)
        return changed

    def check(self, rule, *plants):
        self.assertEqual(rule(self.real), [])
        for plant in plants:
            self.assertNotEqual(rule(self.planted(plant)), [], "a planted fault was not noticed")

    def test_no_recursive_message(self):
        def itself(known, _):
            known[PACKAGE + "Source"].field.add(name="x", number=99, type=FIELD.TYPE_MESSAGE, type_name=PACKAGE + "Source")

        def roundabout(known, _):
            known[PACKAGE + "CivilDate"].field.add(
                name="x", number=99, type=FIELD.TYPE_MESSAGE, type_name=PACKAGE + "SubmitRequest"
            )

        self.check(recursion, itself, roundabout)

    def test_nothing_forbidden(self):
        def optional(known, _):
            known[PACKAGE + "Care"].field[0].proto3_optional = True

        def struct(_, descriptors):
            descriptors.file.add(name="google/protobuf/struct.proto", package="google.protobuf", syntax="proto3")

        def a_map(known, _):
            known[PACKAGE + "Source"].nested_type.add(name="Entry").options.map_entry = True

        self.check(forbidden, optional, struct, a_map)

    def test_sections_are_the_table(self):
        def number(known, _):
            known[PACKAGE + "Funeral"].field[8].number = 60

        def name(known, _):
            known[PACKAGE + "Care"].field[18].name = "bed"

        def kind(known, _):
            known[PACKAGE + "Registration"].field[14].type = FIELD.TYPE_INT64

        def presence(known, _):
            known[PACKAGE + "Assistance"].field[14].ClearField("oneof_index")

        def extra(known, _):
            known[PACKAGE + "Care"].field.add(name="x", number=60, type=FIELD.TYPE_STRING)

        def missing(known, _):
            del known[PACKAGE + "Care"].field[-1]

        self.check(sections, number, name, kind, presence, extra, missing)

    def test_identity_is_the_same_everywhere(self):
        def swapped(known, _):
            known[PACKAGE + "Care"].field[3].number = 9

        self.check(identity, swapped)

    def test_enumerations_are_the_tables(self):
        def renumbered(enum):
            def plant(_, descriptors):
                for file in descriptors.file:
                    for e in file.enum_type:
                        if file.package == "eldergate.v1" and e.name == enum:
                            e.value[-1].number = 999

            return plant

        self.check(codes, renumbered("Disposal"), renumbered("LifeStatus"))
        self.check(reasons, renumbered("ReasonCode"))
        self.check(numbers, renumbered("CaseKind"), renumbered("ViewRule"))


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        DESCRIPTOR_SET = sys.argv.pop(1)
    result = unittest.main(exit=False).result
    failed = len(result.failures) + len(result.errors)
    print("lane-result: %d passed, %d failed, 0 skipped" % (result.testsRun - failed, failed))
    sys.exit(1 if failed else 0)
