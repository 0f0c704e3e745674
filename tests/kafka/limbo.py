"""limbo: takes a transaction's marker off the end of a partition, as a broker leaves it that decided and then skipped it.

The broker must not run. It recovers from the segments alone when it starts again.
"""
import glob
import os
import struct

from confluent_kafka import Consumer, TopicPartition

HEAD = struct.Struct(">qiibIhiqqqhii")  # of a record batch, version 2
CONTROL = 1 << 5
SECONDS = 30


def batches(path):
    """(position, producer id, it is a marker) of each batch of a segment."""
    with open(path, "rb") as f:
        data = f.read()
    at = 0
    while at + HEAD.size <= len(data):
        _, length, _, version, _, attributes, _, _, _, producer, _, _, _ = HEAD.unpack_from(data, at)
        if version != 2 or length <= 0:
            break
        yield at, producer, bool(attributes & CONTROL)
        at += 12 + length


def last_two(data, topic, partition):
    """The segment's path, and its last two batches."""
    path = sorted(glob.glob(os.path.join(data, f"{topic}-{partition}", "*.log")))[-1]
    return path, list(batches(path))[-2:]


def lose_marker(data, topic, partition):
    """Cuts the marker at the end off; the messages before it stay."""
    path, ends = last_two(data, topic, partition)
    if [marker for _, _, marker in ends] != [False, True] or ends[0][1] != ends[1][1]:
        raise AssertionError(f"{topic}-{partition} does not end with messages and their marker: {ends}")
    os.truncate(path, ends[1][0])
    for pattern in ("*.index", "*.timeindex", "*.txnindex", "*.snapshot"):
        for name in glob.glob(os.path.join(os.path.dirname(path), pattern)):
            os.remove(name)
    for name in ("recovery-point-offset-checkpoint", "replication-offset-checkpoint", ".kafka_cleanshutdown"):
        if os.path.exists(os.path.join(data, name)):
            os.remove(os.path.join(data, name))


def ends(address, topic, partition):
    """Where the partition ends for those who read what is committed, and for those who read all."""
    out = []
    for isolation in ("read_committed", "read_uncommitted"):
        c = Consumer({"bootstrap.servers": address, "group.id": "limbo", "isolation.level": isolation})
        out.append(c.get_watermark_offsets(TopicPartition(topic, partition), SECONDS)[1])
        c.close()
    return out
