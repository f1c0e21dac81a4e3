"""Leasehold on a real server, from login to leaving nothing behind.

    demo.py BAO LEASEHOLD

Each step is shown only when it was really seen; the first that is not ends the demo with exit code 1.
"""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cryptography import x509
from lab.cluster import Cluster
from lab.openbao import OpenBao
from lab.processes import Children, Failed, wait_for
from narrator import Narrator

# The whole demo; every wait in it is shorter.
LIMIT = 60
# Short, so that both renewals happen while you watch.
TTL = 20

POLICY = """
path "secret/data/web" { capabilities = ["read"] }
path "pki/issue/web" { capabilities = ["create", "update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
"""

CONFIG = """\
vault:
  address: {address}
  ca_file: {ca_file}
auth:
  method: kubernetes
  role: web
  jwt_file: {space}/serviceaccount/token
secrets_dir: {space}/secrets
defaults: {{refresh: 1s}}
files:
  - path: db.env
    template: |
      {{{{ with secret "secret/web" -}}}}
      DB_USER={{{{ .Data.data.user }}}}
      DB_PASSWORD={{{{ .Data.data.password }}}}
      {{{{ end -}}}}
  - path: tls/cert.pem
    template: |
      {{{{ with secret "pki/issue/web" "common_name=web.demo" }}}}{{{{ .Data.certificate }}}}{{{{ end }}}}
  - path: tls/key.pem
    mode: "0400"
    template: |
      {{{{ with secret "pki/issue/web" "common_name=web.demo" }}}}{{{{ .Data.private_key }}}}{{{{ end }}}}
notify:
  app: {{signal: HUP, pid_file: {space}/app.pid}}
handoff: {{file: {space}/handoff/state}}
"""


class Demo:
    """The folder, the server and the programs of one run."""

    def __init__(self, bao, leasehold, space, children, tell):
        self.leasehold = leasehold
        self.space = space
        self.children = children
        self.tell = tell
        self.cluster = Cluster()
        server = space / "server"
        server.mkdir()
        self.bao = OpenBao(bao, server, children)
        self.accessor = None
        self.logged_in = None
        self.sidecar = None

    def set_up(self):
        """What an administrator does once on the server, and a kubelet in a pod."""
        ask = self.bao.ask
        self.bao.kv2()
        self.put_password("tulip-1")
        ask("POST", "sys/mounts/pki", {"type": "pki"})
        ask("POST", "pki/root/generate/internal", {"common_name": "Demo", "key_type": "ec", "ttl": "24h"})
        role = {"allow_any_name": True, "key_type": "ec", "key_bits": 256, "ttl": TTL, "generate_lease": True}
        ask("POST", "pki/roles/web", role)
        ask("PUT", "sys/policies/acl/web", {"policy": POLICY})
        ask("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
        reviewer = self.cluster.token("vault", "reviewer", "https://kubernetes.default.svc")
        ask("POST", "auth/kubernetes/config", {
            "kubernetes_host": self.cluster.address,
            "kubernetes_ca_cert": self.bao.ca_file.read_text(),
            "token_reviewer_jwt": reviewer,
            "disable_local_ca_jwt": True,
        })
        ask("POST", "auth/kubernetes/role/web", {
            "bound_service_account_names": ["web"],
            "bound_service_account_namespaces": ["default"],
            "audience": "vault",
            "token_policies": ["web"],
            "token_ttl": TTL,
            "token_max_ttl": "1h",
        })
        for folder in ("serviceaccount", "secrets", "handoff"):
            (self.space / folder).mkdir()
        (self.space / "serviceaccount" / "token").write_text(self.cluster.token("default", "web", "vault"))
        config = CONFIG.format(address=self.bao.address, ca_file=self.bao.ca_file, space=self.space)
        (self.space / "leasehold.yaml").write_text(config)

    def put_password(self, password):
        """A new version of the secret."""
        self.bao.ask("POST", "secret/data/web", {"data": {"user": "web", "password": password}})

    def run(self):
        """The story."""
        self.server()
        self.init()
        self.sidecar_and_application()
        self.changed_secret()
        self.renewed_certificate()
        self.renewed_token()
        self.nothing_left()

    def server(self):
        self.tell.step("A real OpenBao server with TLS, kubernetes login, KV and PKI")
        self.set_up()
        version = self.bao.ask("GET", "sys/health")["version"]
        self.tell.seen(f"OpenBao {version} answers at {self.bao.address}")
        self.tell.say("Logins are reviewed by a loopback TokenReview answerer that checks the token's signature.")

    def init(self):
        self.tell.step("leasehold init: log in once, render every file, publish them together")
        self.logged_in = time.monotonic()
        command = [self.leasehold, "init", "--config", self.space / "leasehold.yaml"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        took = time.monotonic() - self.logged_in
        if done.returncode != 0:
            raise Failed(f"init exited {done.returncode}: {done.stderr.strip()}")
        secrets = self.space / "secrets"
        for name in ("db.env", "tls/cert.pem", "tls/key.pem"):
            mode = stat.filemode((secrets / name).stat().st_mode)
            self.tell.say(f"{mode}  {secrets / name}")
        self.tell.quote("db.env", self.read("db.env"))
        (self.accessor,) = (it for it in self.bao.keys("auth/token/accessors") if not self.is_root(it))
        self.tell.seen(f"init took {took * 1000:.0f} ms; it left one token, one lease, and a handoff for the sidecar")
        self.expect("one login", self.logins() == 1)
        self.expect("one lease", len(self.bao.leases("pki/")) == 1)
        self.expect("a handoff", (self.space / "handoff" / "state").exists())

    def sidecar_and_application(self):
        self.tell.step("leasehold sidecar and a small application start")
        before = self.inode()
        self.sidecar = self.start("sidecar", [self.leasehold, "sidecar", "--config", self.space / "leasehold.yaml"])
        app = Path(__file__).with_name("app.py")
        self.start("app", [sys.executable, app, self.space / "secrets", self.space / "app.pid"])
        wait_for("the application's start", 10, lambda: (self.space / "app.pid").exists())
        self.tell.quote("app", self.said("app")[-1])
        self.expect("the sidecar to stay", self.sidecar.poll() is None)
        self.expect("the files untouched", self.inode() == before)
        self.tell.seen("the application has its secrets; the sidecar took over without touching a file")

    def changed_secret(self):
        self.tell.step("The password changes on the server (looked at every second)")
        before = len(self.said("app"))
        start = time.monotonic()
        self.put_password("tulip-2")
        wait_for("the file to change", 2, lambda: "tulip-2" in self.read("db.env"))
        in_file = time.monotonic() - start
        self.tell.seen(f"the file changed after {in_file:.2f} s")
        wait_for("the application's reaction", 2, lambda: any("tulip-2" in it for it in self.said("app")[before:]))
        reacted = time.monotonic() - start
        self.tell.quote("app", self.said("app")[-1])
        self.tell.seen(f"the application reacted after {reacted:.2f} s, {(reacted - in_file) * 1000:.0f} ms after the file")

    def renewed_certificate(self):
        self.tell.step(f"The certificate lives {TTL} s: it is replaced in time")
        old, before = self.serial(), len(self.said("app"))
        wait_for("a new certificate", TTL, lambda: self.serial() != old)
        self.tell.seen(f"certificate …{old[-8:]} was replaced by …{self.serial()[-8:]}")
        serial = self.serial()[-8:]
        wait_for("the application's reaction", 2, lambda: any(serial in it for it in self.said("app")[before:]))
        self.tell.quote("app", self.said("app")[-1])
        self.tell.seen("the application reloaded: certificate and key always come from one generation")

    def renewed_token(self):
        self.tell.step(f"The token lived {TTL} s at first: it is renewed, without another login")
        past = self.logged_in + TTL + 1
        wait_for("the first life of the token to pass", TTL, lambda: time.monotonic() > past)
        token = self.bao.token(self.accessor)
        self.expect("the token to live", token is not None)
        self.expect("a single login", self.logins() == 1)
        self.expect("every review to agree", all(self.cluster.reviews))
        age = time.monotonic() - self.logged_in
        self.tell.seen(f"{age:.0f} s after the only login the same token lives, with {token['ttl']} s to go")

    def nothing_left(self):
        self.tell.step("The sidecar is told to stop: it leaves nothing behind")
        start = time.monotonic()
        self.sidecar.send_signal(signal.SIGTERM)
        code = self.sidecar.wait(timeout=10)
        self.expect("exit code 0", code == 0)
        self.tell.seen(f"it ended with exit code 0 after {(time.monotonic() - start) * 1000:.0f} ms")
        self.expect("the token to be gone", self.bao.token(self.accessor) is None)
        wait_for("the leases to be gone", 5, lambda: not self.bao.leases("pki/"))
        self.tell.seen("the server knows neither the token nor a lease any more")
        log = "\n".join(self.said("sidecar"))
        self.expect("no secret in the log", "tulip" not in log and "PRIVATE KEY" not in log)
        self.tell.seen(f"no secret is in the sidecar's {len(log.splitlines())} lines of log")

    @staticmethod
    def expect(what, seen):
        if not seen:
            raise Failed(f"{what}: not seen")

    def start(self, name, command):
        output = (self.space / f"{name}.log").open("w")
        return self.children.start(command, stdout=output, stderr=output)

    def said(self, name):
        return (self.space / f"{name}.log").read_text().splitlines()

    def read(self, name):
        return (self.space / "secrets" / name).read_text()

    def inode(self):
        return (self.space / "secrets" / "db.env").stat().st_ino

    def serial(self):
        certificate = x509.load_pem_x509_certificate(self.read("tls/cert.pem").encode())
        return f"{certificate.serial_number:x}"

    def logins(self):
        return sum(entry["request"]["path"] == "auth/kubernetes/login" for entry in self.bao.audit())

    def is_root(self, accessor):
        return self.bao.token(accessor)["policies"] == ["root"]


def interrupt(number, _frame):
    """Ends the demo at a signal, by way of the clean-up."""
    why = f"it took longer than {LIMIT} s" if number == signal.SIGALRM else "it was interrupted"
    raise Failed(why)


def main():
    """Runs the demo; answers the exit code."""
    bao, leasehold = sys.argv[1:]
    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, interrupt)
    signal.alarm(LIMIT)
    os.umask(0o077)
    tell = Narrator()
    children = Children()
    # A tmpfs on every Linux: secrets are refused a place on a disk.
    space = Path(tempfile.mkdtemp(prefix="leasehold-demo-", dir="/dev/shm"))
    demo = None
    try:
        demo = Demo(bao, Path(leasehold).resolve(), space, children, tell)
        demo.run()
        tell.end(True, "Every step was seen.")
        return 0
    except Failed as failed:
        tell.end(False, f"The demo failed: {failed}")
        if demo and demo.sidecar:
            tell.quote("sidecar", "\n".join(demo.said("sidecar")[-20:]))
        return 1
    finally:
        # From here on nothing may keep the clean-up from its end.
        for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        children.stop()
        if demo:
            demo.cluster.stop()
        shutil.rmtree(space, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
