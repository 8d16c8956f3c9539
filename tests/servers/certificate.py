"""A certificate for this machine's loopback address that is its own authority."""

import subprocess
from pathlib import Path

from tests.servers.java import keytool

KEYS_PASSWORD = "of-the-keys"
TOOL_SECONDS = 60


def make_certificate(keys: Path, ca_file: Path) -> None:
    """Writes a PKCS12 key store with key and certificate, and the certificate alone as PEM for clients to trust.

    It is valid for 127.0.0.1 and localhost and for 30 days. Raises CalledProcessError.
    """
    if ca_file.exists():
        return
    keys.unlink(missing_ok=True)
    store = ["-keystore", str(keys), "-storetype", "PKCS12", "-storepass", KEYS_PASSWORD, "-alias", "server"]
    _keytool(
        *("-genkeypair", *store, "-dname", "CN=localhost", "-validity", "30"),
        *("-keyalg", "EC", "-groupname", "secp256r1"),
        *("-ext", "san=ip:127.0.0.1,dns:localhost", "-ext", "eku=serverAuth"),
        # A client that checks strictly wants an authority to say so, and to be allowed to sign.
        *("-ext", "bc:critical=ca:true", "-ext", "ku:critical=digitalSignature,keyCertSign"),
    )
    ca_file.write_text(_keytool("-exportcert", "-rfc", *store))


def _keytool(*arguments: str) -> str:
    command = [keytool(), "-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=TOOL_SECONDS).stdout
