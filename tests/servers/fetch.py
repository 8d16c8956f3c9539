"""`python -m tests.servers.fetch`: collects the jars of all servers beforehand, with more patience than a test has."""

from tests.servers.kafka import KafkaServer
from tests.servers.maven import class_path
from tests.servers.s3 import S3Server

PATIENCE_SECONDS = 900

if __name__ == "__main__":
    for server in (KafkaServer, S3Server):
        class_path(server.project, PATIENCE_SECONDS)
