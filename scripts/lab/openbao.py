"""A real OpenBao server, in memory or on disk, with TLS, on free loopback ports."""

import datetime
import ipaddress
import json
import os
import socket
import urllib.error
import urllib.request
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .processes import Failed, wait_for


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, status, text):
        super().__init__(f"the server answered {status}: {text}")
        self.status = status


class OpenBao:
    """A running server. Programs use `address` (TLS); we ask through `plain`."""

    def __init__(self, binary, folder, children, durable=False):
        self.folder = Path(folder)
        self.durable = durable
        self._binary, self._children = binary, children
        write_certificates(self.folder)
        # Held until all are known, so that they differ.
        held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        tls, plain, cluster = (held_port.getsockname()[1] for held_port in held)
        for port in held:
            port.close()
        self.address = f"https://127.0.0.1:{tls}"
        self.plain = f"http://127.0.0.1:{plain}"
        self.ca_file = self.folder / "ca.pem"
        (self.folder / "raft").mkdir()
        (self.folder / "server.hcl").write_text(self._config(tls, plain, cluster))
        self.root, self._key = "", ""
        self._start()
        self._initialize()

    def ask(self, method, path, body=None):
        """One request as root; answers the JSON of the response."""
        request = urllib.request.Request(
            f"{self.plain}/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Vault-Token": self.root} if self.root else {},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise Refused(error.code, error.read().decode()) from None
        return json.loads(text) if text else {}

    def kv2(self, mount="secret"):
        """Mounts KV of version 2, which answers writes with 400 until it has become one: a moment after its mount is answered."""
        self.ask("POST", f"sys/mounts/{mount}", {"type": "kv", "options": {"version": "2"}})

        def is_upgraded():
            try:
                return self.ask("GET", f"{mount}/config")
            except Refused as refused:
                if refused.status != 400:
                    raise
                return None

        wait_for(f"{mount} to be of version 2", 20, is_upgraded)

    def keys(self, path):
        """The keys of a list, empty where there is nothing."""
        try:
            return self.ask("LIST", path)["data"]["keys"]
        except Refused as refused:
            if refused.status != 404:
                raise
            return []

    def leases(self, prefix):
        """The ids of all leases below `prefix`."""
        found = []
        for key in self.keys(f"sys/leases/lookup/{prefix}"):
            found += self.leases(prefix + key) if key.endswith("/") else [prefix + key]
        return found

    def token(self, accessor):
        """What the server knows of a token, or None where it is dead."""
        try:
            return self.ask("POST", "auth/token/lookup-accessor", {"accessor": accessor})["data"]
        except Refused as refused:
            if refused.status not in (400, 403, 404):
                raise
            return None

    def audit(self):
        """The requests that the server has taken, as its audit log has them."""
        with (self.folder / "audit.log").open() as log:
            entries = [json.loads(line) for line in log if line.endswith("\n")]
        return [entry for entry in entries if entry["type"] == "response"]

    def forget_audit(self):
        """Empties the audit log; the server goes on at its end."""
        os.truncate(self.folder / "audit.log", 0)

    def kill(self):
        """Ends it as a crash would."""
        self.child.kill()
        self.child.wait()

    def restart(self):
        """Starts one that keeps its data on disk again, after a kill, and unseals it."""
        self._start()
        self._unseal()

    def _start(self):
        log = (self.folder / "server.log").open("a")
        command = [self._binary, "server", f"-config={self.folder}/server.hcl"]
        self.child = self._children.start(command, stdout=log, stderr=log)

        def answers():
            if self.child.poll() is not None:
                raise Failed("the server ended: " + (self.folder / "server.log").read_text()[-500:])
            try:
                return self.ask("GET", "sys/init")
            except (OSError, Refused):
                return None

        wait_for("the server to answer", 20, answers)

    def _initialize(self):
        keys = self.ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self._key = keys["keys"][0]
        self._unseal()
        self.root = keys["root_token"]

    def _unseal(self):
        self.ask("PUT", "sys/unseal", {"key": self._key})

        def active():
            try:
                return not self.ask("GET", "sys/health")["sealed"]
            except Refused:
                return False

        wait_for("the server to be active", 30, active)

    def _config(self, tls, plain, cluster):
        raft = f'storage "raft" {{\n  path = "{self.folder}/raft"\n  node_id = "one"\n  performance_multiplier = "1"\n}}'
        return f"""
{raft if self.durable else 'storage "inmem" {}'}
listener "tcp" {{
  address = "127.0.0.1:{tls}"
  cluster_address = "127.0.0.1:{cluster}"
  tls_cert_file = "{self.folder}/server.pem"
  tls_key_file = "{self.folder}/server.key"
}}
listener "tcp" {{
  address = "127.0.0.1:{plain}"
  cluster_address = "127.0.0.1:0"
  tls_disable = true
}}
audit "file" "log" {{
  options = {{ file_path = "{self.folder}/audit.log" }}
}}
api_addr = "{self.address}"
cluster_addr = "https://127.0.0.1:{cluster}"
disable_mlock = true
log_level = "warn"
"""


def write_certificates(folder):
    """Writes ca.pem, server.pem and server.key for loopback."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("Leasehold demo authority", ca_key, None, ca_key, True)
    key = ec.generate_private_key(ec.SECP256R1())
    server = _certificate("localhost", key, ca, ca_key, False)
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(ca.public_bytes(pem))
    (folder / "server.pem").write_bytes(server.public_bytes(pem))
    (folder / "server.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _certificate(name, key, issuer, issuer_key, is_ca):
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
