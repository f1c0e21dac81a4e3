"""The same bad day for Leasehold and for `bao agent`: tokens revoked, a server away, pages of a proxy, credentials
that rotate.

    incidents.py BAO POSTGRES LEASEHOLD OUTPUT

Both log in with AppRole over TLS and keep two files: a value of KV v2, looked at every 2 s, and user and
password of a PostgreSQL role. Every incident has a server of its own; what is counted comes from the server
or from the database. OUTAGE and PATIENCE in the environment are seconds. The report goes to OUTPUT. With ONLY in the
environment, only the incidents whose title has that text run, and their rows are printed.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from beside import agent
from lab.knocking import Knocking
from lab.openbao import OpenBao
from lab.postgres import Postgres
from lab.processes import Children, Failed, wait_for
from lab.proxy import Proxy

OUTAGE = int(os.environ.get("OUTAGE", "180"))
PATIENCE = int(os.environ.get("PATIENCE", "120"))
LONG = ("1h", "24h")
# The longest life is met twice within half a minute.
SHORT = ("8s", "14s")
# Both renew these while a proxy answers: at half of the life, and at two thirds of it.
BRIEF = ("40s", "24h")
INGRESS = (404, "text/html", "<html><body>default backend - 404</body></html>")
MESH = (403, "text/plain", "RBAC: access denied")
REFRESH = "2s"
# A 403 just after a login may be a standby that lags; an incident comes to a login that has settled.
SETTLED = 12

LEASEHOLD = """\
vault: {{address: '{address}', ca_file: '{ca_file}'}}
auth: {{method: approle, role_id_file: '{space}/role-id', secret_id_file: '{space}/secret-id'}}
secrets_dir: '{space}/out'
handoff: {{file: '{space}/handoff/state'}}
files:
  - {{path: kv, secret: 'secret/app#value', refresh: {refresh}}}
  - path: db
    template: '{{{{ with secret "database/creds/app" }}}}{{{{ .Data.username }}}} {{{{ .Data.password }}}}{{{{ end }}}}'
"""
AGENT = (
    agent.HEAD
    + agent.file("secret/app", agent.field(".Data.data.value"), "{space}/out/kv")
    + agent.file(
        "database/creds/app", agent.field(".Data.username") + " " + agent.field(".Data.password"), "{space}/out/db"
    )
)
POLICY = """
path "secret/data/*" { capabilities = ["read"] }
path "database/creds/*" { capabilities = ["read"] }
path "sys/leases/revoke" { capabilities = ["update"] }
"""


class Day:
    """One program, and a server that it has for itself."""

    def __init__(self, name, programs, postgres, lives=LONG, durable=False, proxied=False):
        self.name, self.program, self.postgres = name, programs[name], postgres
        self.children = Children()
        self.space = Path(tempfile.mkdtemp(prefix="leasehold-compare-", dir="/dev/shm"))
        for folder in ("server", "out", "handoff"):
            (self.space / folder).mkdir()
        self.server = OpenBao(programs["bao agent"], self.space / "server", self.children, durable)
        self.proxy = Proxy(self.server.plain) if proxied else None
        ask = self.server.ask
        self.server.kv2()
        self.put("one")
        postgres.engine(self.server, *lives)
        ask("PUT", "sys/policies/acl/app", {"policy": POLICY})
        ask("POST", "sys/auth/approle", {"type": "approle"})
        ask("POST", "auth/approle/role/app", {"token_policies": ["app"], "token_ttl": "1h"})
        role = ask("GET", "auth/approle/role/app/role-id")["data"]["role_id"]
        secret = ask("POST", "auth/approle/role/app/secret-id", {})["data"]["secret_id"]
        (self.space / "role-id").write_text(role)
        (self.space / "secret-id").write_text(secret)
        text = LEASEHOLD if name == "leasehold" else AGENT
        fields = {"address": self.proxy.address if self.proxy else self.server.address, "ca_file": self.server.ca_file, "space": self.space}
        (self.space / "config").write_text(text.format(refresh=REFRESH, **fields))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.children.stop()
        if self.proxy:
            self.proxy.stop()
        shutil.rmtree(self.space, ignore_errors=True)

    def put(self, value):
        """A new version of the KV secret."""
        wait_for("the mount", 10, lambda: self._put(value))

    def _put(self, value):
        try:
            return self.server.ask("POST", "secret/data/app", {"data": {"value": value}})
        except Exception:  # noqa: BLE001 - a new mount and a new leader refuse for a moment
            return None

    def start(self, stay):
        """Starts the program as an init container or as a sidecar."""
        config = self.space / "config"
        if self.name == "leasehold":
            command = ["sidecar" if stay else "init", "--config", config]
        else:
            command = ["agent", f"-config={config}"] + ([] if stay else ["-exit-after-auth"])
        log = (self.space / "log").open("a")
        return self.children.start([self.program, *command], stdout=log, stderr=log)

    def sidecar(self):
        """A sidecar whose files are there."""
        child = self.start(True)
        wait_for("the files", 60, lambda: self.credentials() and self.read("kv"))
        return child

    def read(self, name):
        """A file's text; None where it is not there."""
        try:
            return (self.space / "out" / name).read_text()
        except FileNotFoundError:
            return None

    def credentials(self):
        """User and password on disk; None where there are none yet."""
        words = (self.read("db") or "").split(" ")
        return words if len(words) == 2 else None

    def count(self, path):
        """The requests for a path that the server has taken."""
        return sum(1 for entry in self.server.audit() if entry["request"]["path"] == path)

    def accessors(self):
        """The tokens that live, besides root's."""
        alive = (self.server.token(accessor) for accessor in self.server.keys("auth/token/accessors"))
        return [token["accessor"] for token in alive if token and token["policies"] != ["root"]]

    def seconds_until(self, done):
        """How long it takes; None where PATIENCE ends first."""
        begun = time.monotonic()
        try:
            wait_for("it", PATIENCE, lambda: done() or time.sleep(0.02))
        except Failed:
            return None
        return time.monotonic() - begun


def handover(day):
    """Init, then a sidecar."""
    if day.start(False).wait(timeout=60) != 0:
        raise Failed(f"{day.name}: init failed: " + (day.space / "log").read_text()[-600:])
    before = day.read("db")
    day.sidecar()
    # The agent writes its file anew within its first second or so.
    time.sleep(3)
    yield "logins", str(day.count("auth/approle/login"))
    yield "database leases", str(len(day.server.leases("database/creds/")))
    yield "the file is", "unchanged" if day.read("db") == before else "another user's"


def revoked(day):
    """The token is revoked behind the sidecar's back, and the database role with it."""
    day.sidecar()
    time.sleep(SETTLED)
    before = day.credentials()
    for accessor in day.accessors():
        day.server.ask("POST", "auth/token/revoke-accessor", {"accessor": accessor})
    good = lambda: day.credentials() != before and day.postgres.logs_in(*day.credentials())  # noqa: E731
    yield "until the credentials on disk log in again", said(day.seconds_until(good))


def away(day):
    """The server is killed and comes back on the same data."""
    day.sidecar()
    before = day.credentials()
    day.server.kill()
    knocking = Knocking(int(day.server.address.rsplit(":", 1)[1]))
    time.sleep(OUTAGE)
    knocking.end()
    day.server.restart()
    day.put("two")
    yield "attempts to connect meanwhile", str(knocking.times)
    yield "until the KV value on disk is current", said(day.seconds_until(lambda: day.read("kv") == "two"))
    yield "the database user is", "the same" if day.credentials() == before else "another"


def intercepted(page, after, lasts):
    """A proxy answers for the server with `page`, so long after the start and for so long."""

    def incident(day):
        day.sidecar()
        time.sleep(after)
        logins, mints, user = day.count("auth/approle/login"), day.count("database/creds/app"), day.credentials()
        day.proxy.page = page
        day.put("two")
        time.sleep(lasts)
        day.proxy.page = None
        current = day.seconds_until(lambda: day.read("kv") == "two")
        # What it makes anew for fear that the old was lost comes within this.
        time.sleep(SETTLED)
        yield "logins because of it", str(day.count("auth/approle/login") - logins)
        yield "database users because of it", str(day.count("database/creds/app") - mints)
        yield "from its end until the KV value is current", said(current)
        yield "the database user on disk", state(day, user)

    return incident


def state(day, before):
    """Whether the user on disk is the one of before, and logs in."""
    which = "the same" if day.credentials() == before else "another"
    return which + (", logs in" if day.postgres.logs_in(*day.credentials()) else ", does not log in")


def terminated(day):
    """SIGTERM, as at the end of every pod."""
    child = day.sidecar()
    begun = time.monotonic()
    child.send_signal(signal.SIGTERM)
    child.wait(timeout=60)
    took = time.monotonic() - begun
    # Leases go with their token a moment after it.
    time.sleep(1)
    yield "tokens left on the server", str(len(day.accessors()))
    yield "leases left on the server", str(len(day.server.leases("database/creds/")))
    yield "the end takes", said(took)


def rotated(day):
    """The role's longest life is met twice: someone logs in with what is on disk all the time."""
    day.sidecar()
    users, tries, good = set(), 0, 0
    end = time.monotonic() + PATIENCE
    while len(users) < 3 and time.monotonic() < end:
        user, password = day.credentials()
        users.add(user)
        tries += 1
        good += day.postgres.logs_in(user, password)
    yield "logins that succeed", f"{100 * good / tries:.1f} % of {tries}"
    yield "users seen", str(len(users))


def said(seconds):
    """A time, or that it did not come."""
    return f"not within {PATIENCE} s" if seconds is None else f"{seconds:.1f} s"


INCIDENTS = [
    ("init, then the sidecar", handover, {}),
    ("the token is revoked", revoked, {}),
    (f"the server is killed, and back after {OUTAGE} s", away, {"durable": True}),
    ("an ingress answers 404 for 10 s", intercepted(INGRESS, 19, 10), {"lives": BRIEF, "proxied": True}),
    ("a mesh answers 403 for 15 s", intercepted(MESH, 17, 15), {"lives": BRIEF, "proxied": True}),
    ("SIGTERM", terminated, {}),
    ("database credentials through two rotations", rotated, {"lives": SHORT}),
]


def page(table, version, leasehold):
    """The report."""
    lines = [
        "<!-- written by `make compare`; do not edit -->",
        "# A bad day, beside `bao agent`",
        "",
        "```sh",
        "make compare",
        "```",
        "",
        f"{leasehold} and the agent of OpenBao {version}, one after the other, each with a server of its own, on one "
        f"machine. Both keep a KV v2 value that is looked at every {REFRESH} and credentials of a PostgreSQL role. "
        "Logins, leases and tokens are counted on the server, and credentials are good where PostgreSQL takes them. "
        f"A recovery is waited for {PATIENCE} s.",
        "",
        "| incident | what is seen | leasehold | bao agent |",
        "| --- | --- | ---: | ---: |",
        *table,
        "",
    ]
    return "\n".join(lines)


def main():
    """Lives through the incidents, prints and writes the report."""
    bao, postgres, leasehold, output = sys.argv[1:]
    version = subprocess.run([leasehold, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    os.umask(0o022)
    programs = {"leasehold": Path(leasehold).resolve(), "bao agent": bao}
    children = Children()
    space = Path(tempfile.mkdtemp(prefix="leasehold-compare-", dir="/dev/shm"))
    space.chmod(0o755)
    try:
        database = Postgres(postgres, space, children)
        table, server = [], ""
        only = os.environ.get("ONLY", "")
        for title, incident, options in (one for one in INCIDENTS if only in one[0]):
            seen = {}
            for name in programs:
                with Day(name, programs, database, **options) as day:
                    seen[name] = list(incident(day))
                    server = day.server.ask("GET", "sys/health")["version"]
            for (what, ours), (_, theirs) in zip(*seen.values(), strict=True):
                line = f"| {title} | {what} | {ours} | {theirs} |"
                print(line, flush=True)
                table.append(line)
        if not only:
            Path(output).write_text(page(table, server, version))
    finally:
        children.stop()
        shutil.rmtree(space, ignore_errors=True)


if __name__ == "__main__":
    main()
