"""Leasehold and `bao agent` doing the same work, in turn, against one real server.

    compare.py BAO LEASEHOLD OUTPUT

Both log in with AppRole over TLS and render N files, each one value of a KV v2 secret of its own. The runs
alternate, so that both meet the same machine; every figure is a median. The report goes to OUTPUT.
"""

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lab.openbao import OpenBao
from lab.processes import Children, Failed, memory, wait_for

STARTS = 15
IDLES = 5
SIZES = (1, 100)
# Both have done all they will do for a while; `bao agent` gives memory back some time after its start.
SETTLE = 3.0

LEASEHOLD = """\
vault:
  address: {address}
  ca_file: {ca_file}
auth:
  method: approle
  role_id_file: {space}/role-id
  secret_id_file: {space}/secret-id
secrets_dir: {out}
defaults: {{refresh: 5m}}
files:
"""
LEASEHOLD_FILE = """\
  - path: file-{n}
    template: '{{{{ with secret "secret/app-{n}" }}}}{{{{ .Data.data.value }}}}{{{{ end }}}}'
"""
AGENT = """\
vault {{
  address = "{address}"
  ca_cert = "{ca_file}"
}}
auto_auth {{
  method "approle" {{
    config = {{
      role_id_file_path = "{space}/role-id"
      secret_id_file_path = "{space}/secret-id"
      remove_secret_id_file_after_reading = false
    }}
  }}
}}
"""
AGENT_FILE = """\
template {{
  contents = "{{{{ with secret \\"secret/app-{n}\\" }}}}{{{{ .Data.data.value }}}}{{{{ end }}}}"
  destination = "{out}/file-{n}"
  perms = "0440"
}}
"""


class Bench:
    """The server, and both programs set up for it."""

    def __init__(self, bao, leasehold, space, children):
        self.programs = {"leasehold": leasehold, "bao agent": bao}
        self.space = space
        self.children = children
        server = space / "server"
        server.mkdir()
        self.server = OpenBao(bao, server, children)
        self.runs = 0
        ask = self.server.ask
        ask("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        for n in range(max(SIZES)):
            ask("POST", f"secret/data/app-{n}", {"data": {"value": f"value-{n}"}})
        policy = 'path "secret/data/*" { capabilities = ["read"] }'
        ask("PUT", "sys/policies/acl/app", {"policy": policy})
        ask("POST", "sys/auth/approle", {"type": "approle"})
        ask("POST", "auth/approle/role/app", {"token_policies": ["app"], "token_ttl": "1h"})
        role = ask("GET", "auth/approle/role/app/role-id")["data"]["role_id"]
        secret = ask("POST", "auth/approle/role/app/secret-id", {})["data"]["secret_id"]
        (space / "role-id").write_text(role)
        (space / "secret-id").write_text(secret)

    def start(self, name, files, stay):
        """Starts a program on a folder of its own; answers it, the folder and the time of its start."""
        self.runs += 1
        out = self.space / f"out-{self.runs}"
        out.mkdir()
        head, each = (LEASEHOLD, LEASEHOLD_FILE) if name == "leasehold" else (AGENT, AGENT_FILE)
        fields = {"address": self.server.address, "ca_file": self.server.ca_file, "space": self.space, "out": out}
        text = head.format(**fields) + "".join(each.format(n=n, **fields) for n in range(files))
        config = self.space / f"config-{self.runs}"
        config.write_text(text)
        if name == "leasehold":
            arguments = ["sidecar" if stay else "init", "--config", config]
        else:
            arguments = ["agent", f"-config={config}"] + ([] if stay else ["-exit-after-auth"])
        log = (self.space / f"log-{self.runs}").open("w")
        began = time.monotonic()
        child = self.children.start([self.programs[name], *arguments], stdout=log, stderr=log)
        return child, out, began

    def all_there(self, child, out, files):
        """Waits for the last file."""
        def probe():
            if child.poll() not in (None, 0):
                raise Failed("it ended: " + (self.space / f"log-{self.runs}").read_text()[-600:])
            return all((out / f"file-{n}").exists() for n in range(files))
        wait_for("the files", 60, probe)

    def first_file(self, name, files):
        """Milliseconds from the start of the process until its last file is there, and requests until its end."""
        before = len(self.server.audit())
        child, out, began = self.start(name, files, stay=False)
        self.all_there(child, out, files)
        took = (time.monotonic() - began) * 1000
        if child.wait(timeout=60) != 0:
            raise Failed(f"{name} exited {child.returncode}")
        return {"ms": took, "requests": len(self.server.audit()) - before}

    def idle(self, name, files):
        """KiB resident and private, and threads, of a sidecar that has nothing to do."""
        child, out, _ = self.start(name, files, stay=True)
        self.all_there(child, out, files)
        time.sleep(SETTLE)
        resident, private = memory(child.pid)
        threads = len(os.listdir(f"/proc/{child.pid}/task"))
        child.terminate()
        child.wait(timeout=30)
        seen = {"resident": resident, "threads": threads}
        return seen if private is None else {**seen, "private": private}

    @staticmethod
    def medians(runs):
        """The median of each figure that every run has."""
        shared = [key for key in runs[0] if all(key in run for run in runs)]
        return {key: statistics.median(run[key] for run in runs) for key in shared}

    def in_turn(self, times, measure, files):
        """Medians of both programs, their runs alternating."""
        seen = {name: [] for name in self.programs}
        for _ in range(times):
            for name in self.programs:
                seen[name].append(measure(name, files))
        return {name: self.medians(runs) for name, runs in seen.items()}


def rows(bench):
    """What is measured: a name, both figures, and how to write one."""
    for files in SIZES:
        seen = bench.in_turn(STARTS, bench.first_file, files)
        ours, theirs = seen["leasehold"], seen["bao agent"]
        label = f"{files} file{'s' if files > 1 else ''}"
        yield f"start to {'first file' if files == 1 else f'last of {label}'}", ours["ms"], theirs["ms"], "{:.1f} ms"
        yield f"requests for {label}", ours["requests"], theirs["requests"], "{:.0f}"
    for files in SIZES:
        seen = bench.in_turn(IDLES, bench.idle, files)
        ours, theirs = seen["leasehold"], seen["bao agent"]
        label = f"idle sidecar, {files} file{'s' if files > 1 else ''}"
        for key in (key for key in ("resident", "private") if key in ours and key in theirs):
            yield f"{label}: {key} memory", ours[key] / 1024, theirs[key] / 1024, "{:.1f} MiB"
        yield f"{label}: threads", ours["threads"], theirs["threads"], "{:.0f}"
    sizes = [Path(bench.programs[name]).stat().st_size / 1e6 for name in ("leasehold", "bao agent")]
    yield "binary", *sizes, "{:.1f} MB"


def processor():
    """The name of the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(": ", 1)[1]
    return platform.machine()


def report(table, version, leasehold):
    """The page."""
    lines = [
        "<!-- written by `make bench`; do not edit -->",
        "# Leasehold beside `bao agent`",
        "",
        "```sh",
        "make bench",
        "```",
        "",
        f"Measured with {leasehold} and OpenBao {version} on {os.cpu_count()} × {processor()}, Linux "
        f"{platform.release().split('-')[0]}; the server runs on the same machine, in memory, with TLS and an audit log.",
        "Both programs log in with AppRole and render files of one KV v2 value each; their runs alternate. Medians of "
        f"{STARTS} starts and of {IDLES} idle sidecars, {SETTLE:.0f} s after their last file. Figures move with the machine: the ratio is what to compare.",
        "",
        "| what | leasehold | bao agent | ratio |",
        "| --- | ---: | ---: | ---: |",
        *table,
        "",
    ]
    return "\n".join(lines)


def main():
    """Measures, prints and writes the report."""
    bao, leasehold, output = sys.argv[1:]
    version = subprocess.run([leasehold, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    os.umask(0o077)
    children = Children()
    # A tmpfs, for both alike: Leasehold refuses a disk.
    space = Path(tempfile.mkdtemp(prefix="leasehold-bench-", dir="/dev/shm"))
    try:
        bench = Bench(bao, Path(leasehold).resolve(), space, children)
        table = []
        for what, ours, theirs, form in rows(bench):
            line = f"| {what} | {form.format(ours)} | {form.format(theirs)} | {theirs / ours:.1f} |"
            print(line, flush=True)
            table.append(line)
        page = Path(output)
        page.parent.mkdir(exist_ok=True)
        page.write_text(report(table, bench.server.ask("GET", "sys/health")["version"], version))
    finally:
        children.stop()
        shutil.rmtree(space, ignore_errors=True)


if __name__ == "__main__":
    main()
