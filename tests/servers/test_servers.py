"""The servers for tests do what tests take for granted of them."""

from __future__ import annotations

import gc
import logging
import socket
import ssl
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import obstore
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic
from kafka.errors import KafkaError
from kafka.structs import TopicPartition
from obstore.exceptions import PermissionDeniedError
from obstore.store import S3Store

from tests.live import request, wait_until
from tests.servers.fixtures import CutKafka
from tests.servers.kafka import KafkaServer
from tests.servers.s3 import S3Server
from tests.servers.server import StartFailed

SECONDS = 10
LARGE = 40_000_000


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "kafka")


def make_topic(server: KafkaServer, **configs: str) -> str:
    name = f"servers-{uuid4().hex[:8]}"
    with closing(KafkaAdminClient(bootstrap_servers=server.bootstrap)) as admin:
        admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1, topic_configs=configs)])
    return name


@contextmanager
def open_producer(bootstrap: str, seconds: float, **security: Any) -> Iterator[KafkaProducer]:
    milliseconds = int(seconds * 1000)
    settings: dict[str, Any] = {
        "bootstrap_servers": bootstrap,
        "acks": "all",
        "max_request_size": LARGE + 1000,
        "bootstrap_timeout_ms": milliseconds,
        "max_block_ms": milliseconds,
        "request_timeout_ms": milliseconds,
        "delivery_timeout_ms": milliseconds + 100,
    }
    producer = KafkaProducer(**settings, **security)
    try:
        yield producer
    finally:
        producer.close(timeout=1)


def send(bootstrap: str, topic: str, value: bytes, **security: Any) -> None:
    with open_producer(bootstrap, SECONDS, **security) as producer:
        producer.send(topic, value).get(SECONDS)


def values(bootstrap: str, topic: str, count: int, **security: Any) -> list[bytes]:
    """The first values of the topic; fails when there are not so many."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", **security)) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        found: list[bytes] = []

        def enough() -> bool:
            for records in consumer.poll(timeout_ms=200).values():
                found.extend(record.value for record in records)
            return len(found) >= count

        wait_until(enough, SECONDS, f"{count} records of {topic}")
        return found


@contextmanager
def sockets_left_by_the_client() -> Iterator[None]:
    """kafka-python 3.0 leaves the sockets of a client that cannot be made to the garbage collector."""
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        yield
        gc.collect()


def secured_address(server: KafkaServer, protocol: str) -> str:
    return {"SASL_SSL": server.sasl_ssl, "SASL_PLAINTEXT": server.sasl_plaintext}[protocol]


def credentials(server: KafkaServer, protocol: str, password: str) -> dict[str, str]:
    trust = {"ssl_cafile": str(server.ca_file)} if protocol == "SASL_SSL" else {}
    return {
        "security_protocol": protocol,
        "sasl_plain_username": server.user,
        "sasl_plain_password": password,
        **trust,
    }


def store_of(server: S3Server, bucket: str, secret: str) -> S3Store:
    return S3Store(
        bucket,
        endpoint=server.endpoint,
        region=server.region,
        access_key_id=server.access_key,
        secret_access_key=secret,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )


PLAIN = {"sasl_mechanism": "PLAIN"}
SCRAM = {"sasl_mechanism": "SCRAM-SHA-512"}


@pytest.mark.parametrize("mechanism", [PLAIN, SCRAM], ids=["plain", "scram"])
@pytest.mark.parametrize("protocol", ["SASL_SSL", "SASL_PLAINTEXT"])
def test_the_user_is_let_in(kafka_server: KafkaServer, protocol: str, mechanism: dict[str, str]) -> None:
    topic = make_topic(kafka_server)
    bootstrap = secured_address(kafka_server, protocol)
    security = mechanism | credentials(kafka_server, protocol, kafka_server.password)
    send(bootstrap, topic, b"secret", **security)
    assert values(bootstrap, topic, 1, **security) == [b"secret"]


@pytest.mark.parametrize("mechanism", [PLAIN, SCRAM], ids=["plain", "scram"])
def test_a_wrong_password_is_refused(kafka_server: KafkaServer, mechanism: dict[str, str]) -> None:
    security = mechanism | credentials(kafka_server, "SASL_SSL", "guessed")
    with sockets_left_by_the_client(), pytest.raises(KafkaError), open_producer(kafka_server.sasl_ssl, 1, **security):
        pytest.fail("a client was made")


def test_the_certificate_is_good_for_strict_clients_of_either_name(kafka_server: KafkaServer) -> None:
    port = int(kafka_server.sasl_ssl.rpartition(":")[2])
    trusting = ssl.create_default_context(cafile=str(kafka_server.ca_file))
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    for name in ("127.0.0.1", "localhost"):
        with socket.create_connection(("127.0.0.1", port)) as plain, trusting.wrap_socket(plain, server_hostname=name):
            pass
    with socket.create_connection(("127.0.0.1", port)) as plain, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")


def test_a_record_of_40_mb_goes_through(kafka_server: KafkaServer) -> None:
    topic = make_topic(kafka_server, **{"max.message.bytes": str(LARGE + 1000)})
    send(kafka_server.bootstrap, topic, b"x" * LARGE)
    assert [len(value) for value in values(kafka_server.bootstrap, topic, 1)] == [LARGE]


def test_a_client_behind_a_proxy_is_cut_off_and_comes_back(kafka_server: KafkaServer, kafka_cut: CutKafka) -> None:
    topic = make_topic(kafka_server)
    with open_producer(kafka_cut.bootstrap, 1) as producer:
        producer.send(topic, b"before").get(SECONDS)
        kafka_cut.cut.cut()
        with pytest.raises(KafkaError):
            producer.send(topic, b"lost").get(SECONDS)
        assert values(kafka_server.bootstrap, topic, 1) == [b"before"]
        kafka_cut.cut.restore()
    send(kafka_cut.bootstrap, topic, b"after")
    assert values(kafka_cut.bootstrap, topic, 2) == [b"before", b"after"]


def test_a_client_behind_a_proxy_waits_while_packets_are_swallowed(
    kafka_server: KafkaServer, kafka_cut: CutKafka
) -> None:
    topic = make_topic(kafka_server)
    with open_producer(kafka_cut.bootstrap, SECONDS) as producer:
        producer.send(topic, b"before").get(SECONDS)
        kafka_cut.cut.stall()
        held = producer.send(topic, b"held")
        with pytest.raises(KafkaError):
            held.get(0.5)
        assert values(kafka_server.bootstrap, topic, 1) == [b"before"]
        kafka_cut.cut.go_on()
        held.get(SECONDS)
    assert values(kafka_server.bootstrap, topic, 2) == [b"before", b"held"]


def test_what_a_broker_has_confirmed_survives_its_end(own_kafka_server: KafkaServer) -> None:
    topic, address = make_topic(own_kafka_server), own_kafka_server.bootstrap
    send(address, topic, b"one")
    own_kafka_server.kill()
    assert not own_kafka_server.running
    own_kafka_server.start()
    assert own_kafka_server.bootstrap == address
    send(address, topic, b"two")
    own_kafka_server.stop()
    own_kafka_server.start()
    assert values(address, topic, 2) == [b"one", b"two"]


def test_objects_are_kept_for_whoever_signs_rightly(s3_server: S3Server) -> None:
    bucket = f"servers-{uuid4().hex[:8]}"
    s3_server.create_bucket(bucket)
    store = store_of(s3_server, bucket, s3_server.secret_key)
    obstore.put(store, "a/b c.bin", b"kept")
    assert obstore.get(store, "a/b c.bin").bytes() == b"kept"
    with pytest.raises(PermissionDeniedError):
        obstore.get(store_of(s3_server, bucket, "guessed"), "a/b c.bin")


def test_a_frozen_server_answers_when_it_is_thawed(own_s3_server: S3Server) -> None:
    def answer(seconds: float) -> int:
        return request("GET", own_s3_server.endpoint, None, {}, seconds).status

    assert answer(SECONDS) == HTTPStatus.FORBIDDEN
    own_s3_server.freeze()
    with pytest.raises(TimeoutError):
        answer(0.3)
    assert own_s3_server.running
    own_s3_server.thaw()
    assert answer(SECONDS) == HTTPStatus.FORBIDDEN
    own_s3_server.freeze()
    own_s3_server.stop()
    assert not own_s3_server.running


def test_a_server_whose_port_was_taken_meanwhile_says_so(own_s3_server: S3Server) -> None:
    own_s3_server.stop()
    with (
        socket.create_server(("127.0.0.1", own_s3_server.ports[0])),
        pytest.raises(StartFailed, match="ailed to bind"),
    ):
        own_s3_server.start()
    assert not own_s3_server.running
