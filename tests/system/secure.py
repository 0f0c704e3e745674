"""secure: a gateway with mutual TLS and identities with certificates, for the tests of the gRPC services.

    with secure.Gateway() as gateway:
        police = gateway.agency("police", {"household": "registration"})
        gateway.start()
        stub = exchange_pb2_grpc.ExchangeServiceStub(gateway.to(police))

Every sample record is generated here; nothing in it belongs to a person.
"""
import datetime
import hashlib
import ipaddress
import os
import signal

import harness  # first: it says where the stubs are
import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Authority:
    """A certificate authority in memory."""

    def __init__(self, name="test authority", hours=(-1, 24)):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._build(self.name, self.key.public_key(), hours).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(self.key, hashes.SHA256())
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM)

    def _build(self, subject, public_key, hours=(-1, 24)):
        now = datetime.datetime.now(datetime.timezone.utc)
        first, last = (now + datetime.timedelta(hours=h) for h in hours)
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(public_key)
                .serial_number(x509.random_serial_number()).not_valid_before(first).not_valid_after(last))

    def issue(self, name, server=False, hours=(-1, 24)):
        """(certificate PEM, key PEM, SPKI pin as hex); hours: from and until when it is valid, from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        certificate = (
            self._build(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key.public_key(), hours)
            .add_extension(x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .sign(self.key, hashes.SHA256()))
        spki = key.public_key().public_bytes(serialization.Encoding.DER,
                                             serialization.PublicFormat.SubjectPublicKeyInfo)
        return (certificate.public_bytes(serialization.Encoding.PEM),
                key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                  serialization.NoEncryption()),
                hashlib.sha256(spki).hexdigest())


class Identity:
    """Who calls: a name of the policy and the certificate that proves it."""

    def __init__(self, name, certificate, key):
        self.name, self.certificate, self.key = name, certificate, key


class Gateway(harness.Gateway):
    """As harness.Gateway, but started by start(), with TLS on a free port and the identities that the test adds."""

    def __init__(self, settings=None, authority=None):
        super().__init__(settings, identities={})
        self.authority = authority or Authority()
        self._channels = []
        certificate, key, _ = self.authority.issue("localhost", server=True)
        for name, content in (("server.pem", certificate), ("server.key", key), ("ca.pem", self.authority.pem)):
            self.write(name, content)
        self.settings = {"listen.tls": "127.0.0.1:0", "tls.certificate": self.path("server.pem"),
                         "tls.key": self.path("server.key"), "tls.client_ca": self.path("ca.pem"),
                         "shutdown.grace": "5s", **self.settings}

    def path(self, name):
        return os.path.join(self.place, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as f:
            f.write(content)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        for channel in self._channels:
            channel.close()
        if failure and failure[0] and os.environ.get("EG_SHOW_LOG"):
            print(self.log_tail(20000))
        super().__exit__(*failure)

    # ---- identities ----

    def identity(self, name, roles, datasets=(), grants=None, uid=None, more="", issued=None):
        """Registers an identity. datasets: name -> section; grants: purpose -> fields, or (fields, until); issued: what
        an authority issued already."""
        certificate, key, pin = issued or self.authority.issue(name)
        text = harness.identity(name, uid=uid, pin=None if uid is not None else pin, roles=roles,
                                submit=dict(datasets).items(), purpose=None)
        if grants:
            text += "read:\n"
        for purpose, fields in (grants or {}).items():
            until = ""
            if isinstance(fields, tuple):
                fields, until = fields[0], f", until: {fields[1]}"
            text += f"  - {{purpose: {purpose}, legal_basis: test, fields: [{', '.join(fields)}]{until}"
            text += f"{', entries: true' if purpose == 'audit' else ''}}}\n"
        self.write(f"identities.d/{name}.yaml", (text + more).encode())
        return Identity(name, certificate, key)

    def agency(self, name="police", datasets=None, grants=None, **more):
        return self.identity(name, ["agency"], datasets or {"household": "registration"}, grants, **more)

    def stranger(self):
        """Somebody with a good certificate whom the policy does not know."""
        certificate, key, _ = self.authority.issue("stranger")
        return Identity("stranger", certificate, key)

    def forget(self, name):
        os.unlink(self.path(f"identities.d/{name}.yaml"))

    def reload(self):
        """Makes it read the identities again, and waits until it did."""
        self.process.send_signal(signal.SIGHUP)
        self.wait_event("policy.reloaded")

    # ---- channels ----

    @property
    def port(self):
        return self.ready["tls_port"]

    def to(self, who, options=()):
        credentials = grpc.ssl_channel_credentials(self.authority.pem, who.key, who.certificate)
        channel = grpc.secure_channel(f"127.0.0.1:{self.port}", credentials, list(options))
        self._channels.append(channel)
        return channel

    def local(self):
        channel = self.channel()
        self._channels.append(channel)
        return channel

    def alive(self):
        return self.process.poll() is None


# ---- what callers are told ----

def status_of(error):
    """The google.rpc.Status of a failed call, as proto/README.md reads it."""
    from google.rpc import status_pb2
    found = [v for k, v in error.trailing_metadata() or () if k == "grpc-status-details-bin"]
    return status_pb2.Status.FromString(found[0]) if found else status_pb2.Status()


def details_of(status):
    """(reason, {locale: text}, [fields], retry seconds or None)"""
    from google.rpc import error_details_pb2 as details
    reason, texts, fields, retry = None, {}, [], None
    for any_detail in status.details:
        info, text, bad, again = (details.ErrorInfo(), details.LocalizedMessage(), details.BadRequest(),
                                  details.RetryInfo())
        if any_detail.Unpack(info):
            reason = info.reason
            assert info.domain == "eldergate", info.domain
        elif any_detail.Unpack(text):
            texts[text.locale] = text.message
        elif any_detail.Unpack(bad):
            fields += [v.field for v in bad.field_violations]
        elif any_detail.Unpack(again):
            retry = again.retry_delay.ToTimedelta().total_seconds()
    return reason, texts, fields, retry


# ---- generated people ----

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
SURNAMES = "王李张刘陈杨黄赵吴周"
GIVEN = "安宁康福寿春秋松柏梅兰竹"


def id_number(serial, birth=(1940, 1, 1), region=330302, female=False):
    """A number of the right form (GB 11643) for a person who does not exist."""
    body = f"{region:06d}{birth[0]:04d}{birth[1]:02d}{birth[2]:02d}{serial % 500 * 2 + (0 if female else 1):03d}"
    check = "10X98765432"[sum(int(d) * w for d, w in zip(body, WEIGHTS)) % 11]
    return body + check


class Person:
    def __init__(self, n):
        self.n = n
        day = datetime.date(1930, 1, 1) + datetime.timedelta(days=n % 9000)
        self.birth = (day.year, day.month, day.day)
        self.name = SURNAMES[n % 10] + GIVEN[n // 10 % 12] + GIVEN[n // 120 % 12]
        self.id_number = id_number(n // 9000, self.birth)


def registration(n, version=1, source_key=None, **fields):
    """A Record of the registration section about generated person n."""
    from eldergate.v1 import elder_pb2 as e
    p = Person(n)
    record = e.Record(source_key=source_key or f"H-{n}", version=version, operation=e.OPERATION_ASSERT)
    record.event_time.FromSeconds(1_700_000_000 + version)
    record.registration.CopyFrom(e.Registration(
        id_number=p.id_number, name=p.name, sex="1",
        birth_date=e.CivilDate(year=p.birth[0], month=p.birth[1], day=p.birth[2]),
        address_region="330302", registration_status=e.REGISTRATION_STATUS_NORMAL))
    for name, value in fields.items():
        setattr(record.registration, name, value)
    return record


def funeral(n, version=1, source_key=None, **fields):
    """A Record of the funeral section about generated person n: cremated."""
    from eldergate.v1 import elder_pb2 as e
    p = Person(n)
    record = e.Record(source_key=source_key or f"F-{n}", version=version, operation=e.OPERATION_ASSERT)
    record.event_time.FromSeconds(1_710_000_000 + version)
    record.funeral.CopyFrom(e.Funeral(id_number=p.id_number, name=p.name, sex="1", organisation_code="F01",
                                      remains_number=str(n)))
    record.funeral.cremation_time.FromSeconds(1_709_900_000)
    for name, value in fields.items():
        setattr(record.funeral, name, value)
    return record
