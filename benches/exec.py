"""What `leasehold exec` costs at the start of a program: the same program run bare and through it, in turn.

    exec.py BAO LEASEHOLD OUTPUT

The program is /bin/true, and gets one KV v2 value as a variable. "Handed over" adopts login and secret that
`leasehold init` left; "one login" logs in with AppRole over TLS, reads, and revokes its login at the end. The
time is from the start of the process to its end; every figure is a median. The table is appended to OUTPUT.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lab.openbao import OpenBao
from lab.processes import Children

TIMES = 31
PROGRAM = "/bin/true"
# What a start may cost, in ms: the aims that the table shows beside what was measured.
AIMS = {"handed over": 15, "one login": 40}

CONFIG = """\
vault: {{address: '{address}', ca_file: '{ca_file}'}}
auth: {{method: approle, role_id_file: '{space}/role-id', secret_id_file: '{space}/secret-id'}}
exec: {{env: {{VALUE: {{secret: 'secret/app#value'}}}}}}
shutdown: {{revoke: {revoke}}}
log: {{level: error}}
"""


class Bench:
    """The server, and a configuration with and without a handoff."""

    def __init__(self, bao, leasehold, space, children):
        self.leasehold, self.space = leasehold, space
        (space / "server").mkdir()
        server = OpenBao(bao, space / "server", children)
        ask = server.ask
        server.kv2()
        ask("POST", "secret/data/app", {"data": {"value": "value"}})
        ask("PUT", "sys/policies/acl/app", {"policy": 'path "secret/data/*" { capabilities = ["read"] }'})
        ask("POST", "sys/auth/approle", {"type": "approle"})
        ask("POST", "auth/approle/role/app", {"token_policies": ["app"], "token_ttl": "1h"})
        (space / "role-id").write_text(ask("GET", "auth/approle/role/app/role-id")["data"]["role_id"])
        secret_id = ask("POST", "auth/approle/role/app/secret-id", {})["data"]["secret_id"]
        (space / "secret-id").write_text(secret_id)
        common = {"address": server.address, "ca_file": server.ca_file, "space": space}
        (space / "one login").write_text(CONFIG.format(revoke="true", **common))
        # Kept at the end too, so that every run finds it.
        handoff = f"handoff: {{file: '{space}/handoff/state'}}\n"
        (space / "handed over").write_text(CONFIG.format(revoke="false", **common) + handoff)
        (space / "handoff").mkdir()
        # The first run logs in and leaves what the others take over.
        self.took("handed over")

    def took(self, way):
        """Milliseconds from the start of a run to its end."""
        command = [PROGRAM]
        if way != "bare":
            command = [self.leasehold, "exec", "--config", self.space / way, "--", PROGRAM]
        began = time.monotonic()
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        return (time.monotonic() - began) * 1000

    def medians(self):
        """The median of each way, their runs alternating."""
        ways = ["bare", *AIMS]
        seen = {way: [] for way in ways}
        for _ in range(TIMES):
            for way in ways:
                seen[way].append(self.took(way))
        return {way: statistics.median(runs) for way, runs in seen.items()}


def report(seen):
    """The section."""
    rows = [
        f"| {way} | {seen[way]:.1f} ms | {seen[way] - seen['bare']:.1f} ms | {aim} ms |" for way, aim in AIMS.items()
    ]
    return "\n".join(
        [
            "",
            "## `leasehold exec` beside the program alone",
            "",
            f"`{PROGRAM}` with one secret in its environment, from its start to its end; bare, it takes "
            f"{seen['bare']:.1f} ms. \"Handed over\" goes on from the login that `leasehold init` or an earlier run "
            "left; \"one login\" logs in with AppRole over TLS, and revokes that at the end. Medians of "
            f"{TIMES} runs, in turn.",
            "",
            "| | from start to end | more than bare | aim |",
            "| --- | ---: | ---: | ---: |",
            *rows,
            "",
        ]
    )


def main():
    """Measures, prints and appends."""
    bao, leasehold, output = sys.argv[1:]
    os.umask(0o077)
    children = Children()
    # A tmpfs, as the handoff wants.
    space = Path(tempfile.mkdtemp(prefix="leasehold-bench-", dir="/dev/shm"))
    try:
        section = report(Bench(bao, Path(leasehold).resolve(), space, children).medians())
        print(section, flush=True)
        with Path(output).open("a") as page:
            page.write(section)
    finally:
        children.stop()
        shutil.rmtree(space, ignore_errors=True)


if __name__ == "__main__":
    main()
