"""A small application: it reads its secrets at start and again on SIGHUP, and says what it found.

    app.py SECRETS_DIR PID_FILE
"""

import os
import signal
import ssl
import sys
from pathlib import Path

from cryptography import x509

secrets, pid_file = Path(sys.argv[1]), Path(sys.argv[2])


def read(why):
    """Reads both files and the key pair, which must be of one generation."""
    password = dict(line.split("=", 1) for line in (secrets / "db.env").read_text().splitlines())["DB_PASSWORD"]
    certificate = secrets / "tls" / "cert.pem"
    # Refuses a key that does not belong to the certificate.
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, secrets / "tls" / "key.pem")
    serial = f"{x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number:x}"
    print(f"{why}: the database password is {password!r}; certificate …{serial[-8:]} and its key fit", flush=True)


signals = {signal.SIGHUP, signal.SIGTERM}
# Blocked and then waited for, so that none comes while the files are read or before we are ready.
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
read("started")
pid_file.write_text(f"{os.getpid()}\n")
while signal.sigwait(signals) == signal.SIGHUP:
    read("got SIGHUP and reloaded")
