"""reading: the gateway's topics as other programs read them, and what must hold of every message."""
import collections
import re
import subprocess

SECONDS = 60
HEADERS = ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time", "ce_dataschema", "ce_sequence",
           "content-type"]
Message = collections.namedtuple("Message", "key headers")


def pairs(text, between, equals):
    return dict(pair.split(equals, 1) for pair in text.split(between))


def kcat(address, topic):
    """Every message, by kcat."""
    done = subprocess.run(["kcat", "-C", "-q", "-e", "-b", address, "-t", topic, "-o", "beginning", "-f", "%k|%h\n"],
                          capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        raise AssertionError(f"kcat: {done.stderr}")
    lines = [line.split("|", 1) for line in done.stdout.splitlines()]
    return [Message(key, pairs(headers, ",", "=")) for key, headers in lines]


def of_log(messages, state=False):
    """What a message says of itself must agree; returns {key: [sequence, ...]} in the order read."""
    order = {}
    for m in messages:
        h = m.headers
        if [n for n in h if n != "traceparent"] != HEADERS:
            raise AssertionError(f"headers: {list(h)}")
        log_id, seq = h["ce_id"].rsplit("-", 1)
        good = (re.fullmatch(r"[0-9a-f]{32}", m.key) and h["ce_subject"] == m.key and h["ce_specversion"] == "1.0"
                and re.fullmatch(r"[0-9a-f]{32}", log_id) and h["ce_sequence"] == f"{int(seq):020d}"
                and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", h["ce_time"])
                and h["content-type"] == "application/protobuf" and h["ce_source"] == "/eldergate"
                and h["ce_dataschema"].endswith("PersonState" if state else "ChangeEvent")
                and re.fullmatch(r"eldergate\.v1\.state" if state else r"eldergate\.v1\.[a-z_]+", h["ce_type"]))
        if not good:
            raise AssertionError(f"a message that does not agree with itself: {m}")
        order.setdefault(m.key, []).append(int(seq))
    return order
