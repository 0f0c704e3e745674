"""topics: reads the gateway's Kafka topics to their end, as a read_committed consumer sees them."""
from confluent_kafka import Consumer, KafkaError, TopicPartition

from eldergate.v1 import event_pb2

SECONDS = 60


def read(bootstrap, topic):
    """Every message, partition by partition in order."""
    c = Consumer({"bootstrap.servers": bootstrap, "group.id": "checker", "enable.auto.commit": False,
                  "isolation.level": "read_committed", "enable.partition.eof": True,
                  "auto.offset.reset": "earliest"})
    out = []
    try:
        partitions = c.list_topics(topic, timeout=SECONDS).topics[topic].partitions
        c.assign([TopicPartition(topic, p, 0) for p in partitions])
        left = set(partitions)
        while left:
            m = c.poll(SECONDS)
            if m is None:
                raise AssertionError(f"{topic} cannot be read to its end")
            if m.error():
                if m.error().code() != KafkaError._PARTITION_EOF:
                    raise AssertionError(str(m.error()))
                left.discard(m.partition())
                continue
            out.append(m)
    finally:
        c.close()
    return sorted(out, key=lambda m: (m.partition(), m.offset()))


def events(bootstrap, topic, message):
    lines = []
    for m in read(bootstrap, topic):
        headers = dict(m.headers() or [])
        value = message.FromString(m.value())
        if value.person_ref != m.key().decode() or value.seq != int(headers["ce_sequence"]):
            raise AssertionError("a message whose key or headers are not those of its value")
        lines.append({"key": m.key().decode(), "sequence": value.seq, "version": value.person_version,
                      "id": headers["ce_id"].decode(), "partition": m.partition()})
    return lines


def changes(bootstrap, prefix="elder"):
    return events(bootstrap, prefix + ".changes.v1", event_pb2.ChangeEvent)


def states(bootstrap, prefix="elder"):
    return events(bootstrap, prefix + ".state.v1", event_pb2.PersonState)
