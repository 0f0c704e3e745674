"""limbo: takes a transaction's marker off the end of a partition, as a broker leaves it that decided and then skipped it.

The broker must not run. It recovers from the segments alone when it starts again.
"""
import glob
import os
import struct

from confluent_kafka import Consumer, KafkaException, TopicPartition

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


def lose_marker(data, topic, partition):
    """Cuts the marker at the end off; the messages that it settles stay."""
    path = sorted(glob.glob(os.path.join(data, f"{topic}-{partition}", "*.log")))[-1]
    found = list(batches(path))
    at, producer, marker = found[-1]
    # Another producer's marker may stand in between: the next transaction begins before the last one's markers come.
    own = [is_marker for _, other, is_marker in found[:-1] if other == producer]
    if not marker or not own or own[-1]:
        raise AssertionError(f"{topic}-{partition} does not end with a marker of messages: {found[-4:]}")
    os.truncate(path, at)
    for pattern in ("*.index", "*.timeindex", "*.txnindex", "*.snapshot"):
        for name in glob.glob(os.path.join(os.path.dirname(path), pattern)):
            os.remove(name)
    for name in ("recovery-point-offset-checkpoint", "replication-offset-checkpoint", ".kafka_cleanshutdown"):
        if os.path.exists(os.path.join(data, name)):
            os.remove(os.path.join(data, name))


def ends(address, topic, partition):
    """Where the partition ends for those who read what is committed, and for those who read all; None: it has no
    leader yet."""
    out = []
    for isolation in ("read_committed", "read_uncommitted"):
        c = Consumer({"bootstrap.servers": address, "group.id": "limbo", "isolation.level": isolation})
        try:
            out.append(c.get_watermark_offsets(TopicPartition(topic, partition), SECONDS)[1])
        except KafkaException:
            return None
        finally:
            c.close()
    return out
