"""What is measured of a growing number of files, each figure of one program at one size.

Where the client's own cost is what matters, `examples/scripted.rs` answers in place of a real server: it costs next to
nothing itself.
"""

import http.client
import os
import shutil
import socket
import statistics
import subprocess
import time
from pathlib import Path

from lab.processes import Failed, memory, wait_for

from .figures import IN_FLIGHT
from .pair import OURS, THEIRS, processor

# How often a short run is measured; one of ten thousand files once.
TIMES = {1: 9, 100: 7, 1_000: 3, 10_000: 1}
# The memory of a sidecar is looked at when it has given back what only its start needed.
SETTLE = 5.0
HUPS = 5
APART = 3.0
PROBES = 20

HEAD = """\
vault: {{address: 'http://127.0.0.1:{port}', plaintext: loopback}}
auth: {{method: approle, role_id_file: '{space}/role-id', secret_id_file: '{space}/secret-id'}}
secrets_dir: '{out}/set'
defaults: {{refresh: 1h}}
listen: 'unix:{out}/listen/socket'
"""
HANDOFF = "handoff: {{file: '{out}/handoff/state'}}\n"


def of_a_set(number):
    """Files of a set, each of a secret of its own."""
    return "files:\n" + "".join(f"- {{path: f{n}, secret: 'secret/app-{n}#value'}}\n" for n in range(number))


def of_leases(number):
    """Files of a set, each of a lease of its own."""
    return "files:\n" + "".join(f"- {{path: f{n}, secret: 'database/creds/app-{n}#password'}}\n" for n in range(number))


def alone(number):
    """Absolute files, each of a secret of its own."""
    each = "- {path: 'OUT/alone/f%d', secret: 'secret/app-%d#value'}\n"
    return "files:\n" + "".join(each % (n, n) for n in range(number))


CALL = '{{ with secret "secret/app-%06d" }}{{ .Data.data.value }}{{ end }}'


def of_many(number):
    """One file of so many secrets."""
    return "files:\n- path: all\n  template: |\n" + "".join(f"    {CALL % n}\n" for n in range(number))


def of_calls(number):
    """A template of 100 bytes for each of `number`, with 8 calls for 10 of them: 1 MB and 8,000 calls for 10,000."""
    lines = (CALL % n for n in range(number * 8 // 10))
    return "files:\n- path: all\n  template: |\n" + "".join(f"    {line:<124}\n" for line in lines)


class Unix(http.client.HTTPConnection):
    """A connection to the listener of a sidecar."""

    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Sidecar:
    """A running sidecar, and what it can be asked."""

    def __init__(self, child, out, log):
        self.child, self.out, self.log = child, out, log

    def ask(self, method, path):
        """The body of the answer."""
        connection = Unix(self.out / "listen" / "socket")
        connection.request(method, path)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        if answer.status not in (200, 202):
            raise Failed(f"{method} {path}: {answer.status} {text}")
        return text

    def processor(self):
        """Seconds of processor that it has used."""
        return processor(self.child.pid)

    def generation(self):
        """The generation that is visible: its number is in the name of its folder."""
        return os.readlink(self.out / "set" / "..data")

    def publishes(self):
        """How many generations it has published."""
        lines = self.ask("GET", "/metrics").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("leasehold_publishes_total "))

    def is_idle(self):
        """Whether it has used no processor for half a second."""
        before = self.processor()
        time.sleep(0.5)
        return self.processor() - before < 0.002

    def settle(self):
        """Waits until it has nothing to do."""
        wait_for("an idle sidecar", 120, self.is_idle)

    def end(self):
        """SIGTERM, and waits."""
        self.child.terminate()
        self.child.wait(timeout=120)


class Growing:
    """One program on the server that answers at once."""

    def __init__(self, leasehold, scripted, space, children):
        self.leasehold, self.space, self.children, self.runs = leasehold, space, children, 0
        server = children.start([scripted], stdout=subprocess.PIPE)
        self.port = int(server.stdout.readline())
        (space / "role-id").write_text("role")
        (space / "secret-id").write_text("secret")

    def configuration(self, files, handoff=False):
        """A configuration in a folder of its own."""
        self.runs += 1
        out = self.space / f"run-{self.runs}"
        for name in ("set", "alone", "listen", "handoff"):
            (out / name).mkdir(parents=True)
        head = (HEAD + (HANDOFF if handoff else "")).format(port=self.port, space=self.space, out=out)
        (out / "leasehold.yaml").write_text(head + files.replace("OUT", str(out)))
        return out

    def run(self, command, files, handoff=False):
        """Milliseconds of `init` or `check` until its end."""
        out = self.configuration(files, handoff)
        with (out / "log").open("w") as log:
            began = time.monotonic()
            child = self.children.start_timed(
                [self.leasehold, command, "--config", out / "leasehold.yaml"], stdout=log, stderr=log
            )
            ended = child.wait()
            took = time.monotonic() - began
        if ended != 0:
            raise Failed(f"{command} exited {ended}: {(out / 'log').read_text()[-600:]}")
        shutil.rmtree(out)
        return took * 1000

    def median(self, number, command, files, handoff=False):
        """The median of so many runs as that size is measured."""
        return statistics.median(self.run(command, files, handoff) for _ in range(TIMES[number]))

    def sidecar(self, files, number, handoff=False):
        """A sidecar whose files are all there, and which has nothing to do."""
        out = self.configuration(files, handoff)
        log = out / "log"
        with log.open("w") as written:
            command = [self.leasehold, "sidecar", "--config", out / "leasehold.yaml"]
            child = self.children.start(command, stdout=written, stderr=written)
        last = out / "set" / f"f{number - 1}"

        def there():
            if child.poll() is not None:
                raise Failed("it ended: " + log.read_text()[-600:])
            return last.exists()

        wait_for("the files", 300, there)
        sidecar = Sidecar(child, out, log)
        sidecar.settle()
        return sidecar

    def change(self, path=""):
        """New versions of all secrets, or of one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("POST", f"/change/{path}")
        connection.getresponse().read()
        connection.close()

    def changed(self, number):
        """Generations and processor seconds of a sidecar all of whose files change, and milliseconds of processor where one
        does, with a handoff."""
        sidecar = self.sidecar(of_a_set(number), number, handoff=True)
        published = sidecar.publishes()
        before = sidecar.processor()
        self.change()
        sidecar.ask("POST", "/refresh")

        def all_new():
            return all(self._is_new(sidecar.out, n) for n in (0, number // 2, number - 1))

        wait_for("all new files", 300, all_new)
        sidecar.settle()
        everything = sidecar.processor() - before
        generations = sidecar.publishes() - published
        path = f"app-{number // 2}"
        taken = []
        # Changes come minutes apart. Within two seconds of one, times of the file system vouch for nothing, and every file
        # would be read for the next.
        time.sleep(APART)
        for _ in range(TIMES[number] + 2):
            name, before = sidecar.generation(), sidecar.processor()
            self.change(path)
            sidecar.ask("POST", f"/refresh?file=f{number // 2}")
            wait_for("the new file", 60, lambda: sidecar.generation() != name)
            sidecar.settle()
            taken.append((sidecar.processor() - before) * 1000)
        ready = self._ready(sidecar)
        sidecar.end()
        shutil.rmtree(sidecar.out)
        return {"generations": generations, "all": everything, "one": statistics.median(taken), "ready": ready}

    def _is_new(self, out, n):
        return not (out / "set" / f"f{n}").read_text().startswith("version 1 ")

    def _ready(self, sidecar):
        """Milliseconds of processor that an answer of `/readyz` takes, beyond that of `/livez`."""

        def taken(path):
            before = sidecar.processor()
            for _ in range(PROBES):
                sidecar.ask("GET", path)
            return (sidecar.processor() - before) * 1000 / PROBES

        taken("/livez")
        return max(0.0, taken("/readyz") - taken("/livez"))

    def resident(self, number, handoff):
        """MiB resident of an idle sidecar, and after it has read its configuration again five times."""
        sidecar = self.sidecar(of_a_set(number), number, handoff)
        time.sleep(SETTLE)
        first = memory(sidecar.child.pid)[0] / 1024
        for _ in range(HUPS):
            os.kill(sidecar.child.pid, 1)
            time.sleep(0.2)
            sidecar.settle()
        time.sleep(SETTLE)
        after = memory(sidecar.child.pid)[0] / 1024
        sidecar.end()
        shutil.rmtree(sidecar.out)
        return {"first": first, "after": after}


def beside(pair, files, floor, times):
    """Milliseconds of `init` until its last file beside `bao agent` and beside a bare client that logs in."""
    def bare():
        command = [floor, pair.server.address, pair.ca_file, pair.space / "role-id", pair.space / "secret-id"]
        began = time.monotonic()
        words = [str(word) for word in [*command, "secret/data/app-", files, IN_FLIGHT]]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        return (time.monotonic() - began) * 1000

    def init(name):
        pair.server.forget_audit()
        run = pair.start(name, files, False, timed=True)
        run.all_there(files)
        took = (time.monotonic() - run.began) * 1000
        if run.child.wait(timeout=60) != 0:
            raise Failed(f"{name} exited {run.child.returncode}: {Path(run.log).read_text()[-600:]}")
        shutil.rmtree(run.out)
        return took

    seen = {name: [] for name in (OURS, THEIRS, "floor")}
    for _ in range(times):
        for name, taken in seen.items():
            taken.append(bare() if name == "floor" else init(name))
    return {name: statistics.median(taken) for name, taken in seen.items()}
