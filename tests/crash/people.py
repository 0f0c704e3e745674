"""people: generated persons and the records that agencies send about them. Every number and name is made here."""
import random

from google.protobuf.timestamp_pb2 import Timestamp

from eldergate.v1 import elder_pb2 as e

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
REGIONS = ("330302", "330304", "330321", "330383", "530112", "530122")
SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂"


def id_number(region, birth, sequence):
    body = f"{region}{birth:%Y%m%d}" if hasattr(birth, "year") else f"{region}{birth}"
    body += f"{sequence:03d}"
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, WEIGHTS)) % 11]


class Person:
    """What is true of one person; records are made of it."""

    def __init__(self, rng, number, regions=REGIONS):
        self.rng = rng
        self.number = number
        self.year, self.month, self.day = rng.randint(1930, 1964), rng.randint(1, 12), rng.randint(1, 28)
        self.region = rng.choice(regions)
        self.sequence = number % 1000
        self.name = rng.choice(SURNAMES) + "".join(rng.choice(GIVEN) for _ in range(rng.randint(1, 2)))
        self.id = id_number(self.region, f"{self.year:04d}{self.month:02d}{self.day:02d}", self.sequence)
        self.version = {}

    def next_version(self, dataset):
        self.version[dataset] = self.version.get(dataset, 0) + 1
        return self.version[dataset]

    def record(self, dataset):
        r = e.Record(source_key=f"{dataset[0]}-{self.number}", version=self.next_version(dataset),
                     operation=e.OPERATION_ASSERT,
                     event_time=Timestamp(seconds=1_750_000_000 + self.rng.randint(0, 10_000_000)))
        s = getattr(r, dataset)
        s.id_number, s.name, s.sex = self.id, self.name, "1" if self.sequence % 2 else "2"
        s.birth_date.CopyFrom(e.CivilDate(year=self.year, month=self.month, day=self.day))
        getattr(self, "_" + dataset)(s)
        return r

    def void(self, dataset, version):
        r = e.Record(source_key=f"{dataset[0]}-{self.number}", version=version, operation=e.OPERATION_VOID)
        getattr(r, dataset).SetInParent()
        return r

    def _registration(self, s):
        s.address_region, s.registration_status = self.region, e.REGISTRATION_STATUS_NORMAL
        s.address_text = f"测试路{self.rng.randint(1, 999)}号"
        if self.rng.random() < 0.05:
            s.registration_status = e.REGISTRATION_STATUS_CANCELLED_DEATH
            s.death_date.CopyFrom(e.CivilDate(year=2025, month=3, day=self.rng.randint(1, 28)))

    def _assistance(self, s):
        s.assistance_case_number = f"C{self.number}"
        s.assistance_category = e.ASSISTANCE_CATEGORY_MINIMUM_LIVING
        s.assistance_status = e.ASSISTANCE_STATUS_ACTIVE
        s.monthly_amount_fen = self.rng.randint(30_000, 120_000)

    def _funeral(self, s):
        s.organisation_code, s.remains_number = "F1", str(self.number)
        s.death_date.CopyFrom(e.CivilDate(year=2025, month=4, day=self.rng.randint(1, 28)))
        s.cremation_time.seconds = 1_745_000_000

    def _care(self, s):
        s.ability_level, s.ability_scale = self.rng.randint(0, 4), "GB/T 42195-2022"
        s.bed_code = f"B{self.number}"


class World:
    """An endless, seeded stream of batches: new persons, further versions, voids, repetitions, broken records."""

    DATASETS = ("registration", "registration", "registration", "assistance", "funeral", "care")

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.people = []

    def batch(self, size):
        dataset = self.rng.choice(self.DATASETS)
        return dataset, [self._record(dataset) for _ in range(size)]

    def _record(self, dataset):
        dice = self.rng.random()
        if not self.people or dice < 0.5:
            self.people.append(Person(self.rng, len(self.people)))
            person = self.people[-1]
        else:
            person = self.rng.choice(self.people)
        if 0.90 < dice < 0.95 and person.version.get(dataset):
            return person.void(dataset, self.rng.randint(1, person.version[dataset]))
        record = person.record(dataset)
        if dice > 0.98:
            getattr(record, dataset).id_number = person.id[:-1] + ("0" if person.id[-1] != "0" else "1")
        return record
