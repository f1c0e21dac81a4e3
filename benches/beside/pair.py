"""The server, and both programs set up to do the same on it."""

import os
import time

from beside import agent
from lab.openbao import OpenBao
from lab.processes import Failed, memory, wait_for

LEASEHOLD = """\
vault:
  address: {address}
  ca_file: {ca_file}
  plaintext: loopback
{vault}auth:
  method: approle
  role_id_file: {space}/role-id
  secret_id_file: {space}/secret-id
secrets_dir: {out}
defaults: {{refresh: {refresh}}}
files:
"""
LEASEHOLD_FILE = """\
  - path: file-{n}
    template: '{{{{ with secret "secret/app-{n}" }}}}{{{{ .Data.data.value }}}}{{{{ end }}}}'
"""
AGENT_FILE = agent.file("secret/app-{n}", agent.field(".Data.data.value"), "{out}/file-{n}", "0440")
OURS, THEIRS = "leasehold", "bao agent"


def processor(pid):
    """Seconds that the threads of a process have run, with those that have ended."""
    # clock_getcpuclockid(3) of another process: CPUCLOCK_SCHED is 2.
    return time.clock_gettime((~pid << 3) | 2)


class Run:
    """A program that was started."""

    def __init__(self, child, out, log, began):
        self.child, self.out, self.log, self.began = child, out, log, began

    def all_there(self, files):
        """Waits for the last file."""
        # The one that was missing last time is looked at first: thousands would be asked for in vain.
        missing = [self.out / f"file-{n}" for n in range(files)]

        def probe():
            if self.child.poll() not in (None, 0):
                raise Failed("it ended: " + self.log.read_text()[-600:])
            while missing and missing[-1].exists():
                missing.pop()
            return not missing

        wait_for("the files", 300, probe)

    def memory(self):
        """KiB resident, of it what no file backs, and private; and threads."""
        resident, private = memory(self.child.pid)
        threads = len(os.listdir(f"/proc/{self.child.pid}/task"))
        with open(f"/proc/{self.child.pid}/status") as status:
            own = next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))
        seen = {"resident": resident, "own": own, "threads": threads}
        return seen if private is None else {**seen, "private": private}

    def processor(self):
        """Seconds that its threads have run."""
        return processor(self.child.pid)

    def end(self):
        """SIGTERM, and waits."""
        self.child.terminate()
        self.child.wait(timeout=60)


class Pair:
    """The server, with a KV v2 secret for each file, and the two programs."""

    def __init__(self, bao, leasehold, space, children, files):
        self.programs = {OURS: leasehold, THEIRS: bao}
        self.space = space
        self.children = children
        self.runs = 0
        folder = space / "server"
        folder.mkdir()
        self.server = OpenBao(bao, folder, children)
        # Not beside the audit log: who watches the folder of its authority would hear every line of that.
        self.ca_file = space / "ca" / "ca.pem"
        self.ca_file.parent.mkdir()
        self.ca_file.write_bytes(self.server.ca_file.read_bytes())
        ask = self.server.ask
        self.server.kv2()
        for n in range(files):
            self.put(n, f"value-{n}")
        policy = 'path "secret/data/*" { capabilities = ["read"] }'
        ask("PUT", "sys/policies/acl/app", {"policy": policy})
        ask("POST", "sys/auth/approle", {"type": "approle"})
        ask("POST", "auth/approle/role/app", {"token_policies": ["app"], "token_ttl": "1h"})
        role = ask("GET", "auth/approle/role/app/role-id")["data"]["role_id"]
        secret = ask("POST", "auth/approle/role/app/secret-id", {})["data"]["secret_id"]
        (space / "role-id").write_text(role)
        (space / "secret-id").write_text(secret)

    def server_processor(self):
        """Seconds of processor that the server has used."""
        return processor(self.server.child.pid)

    def put(self, n, value):
        """A new version of the secret of file `n`."""
        self.server.ask("POST", f"secret/data/app-{n}", {"data": {"value": value}})

    def start(self, name, files, stay, refresh="5m", address=None, timed=False, vault=""):
        """Starts a program on a folder of its own; `timed` where the time from here on is what is measured. `vault` is
        more for that part of our configuration."""
        self.runs += 1
        out = self.space / f"out-{self.runs}"
        out.mkdir()
        head, each = (LEASEHOLD, LEASEHOLD_FILE) if name == OURS else (agent.HEAD, AGENT_FILE)
        fields = {"ca_file": self.ca_file, "space": self.space, "out": out, "refresh": refresh, "vault": vault}
        fields["address"] = address or self.server.address
        text = head.format(**fields) + "".join(each.format(n=n, out=out) for n in range(files))
        config = self.space / f"config-{self.runs}"
        config.write_text(text)
        if name == OURS:
            arguments = ["sidecar" if stay else "init", "--config", config]
        else:
            arguments = ["agent", f"-config={config}"] + ([] if stay else ["-exit-after-auth"])
        log = self.space / f"log-{self.runs}"
        with log.open("w") as written:
            start = self.children.start_timed if timed else self.children.start
            began = time.monotonic()
            child = start([self.programs[name], *arguments], stdout=written, stderr=written)
        return Run(child, out, log, began)
