"""What is measured: each figure of both programs, in turn, as medians."""

import shutil
import socket
import statistics
import subprocess
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.processes import Failed, wait_for

from .pair import OURS, THEIRS

# How many files, and how often each is measured.
SIZES = {1: 9, 10: 9, 100: 7, 1_000: 7, 10_000: 1}
FIRSTS = 15
# Sidecars of each size.
IDLES = {1: 5, 10: 5, 100: 5, 1_000: 5, 10_000: 1}
# Both have done all they will do for a while; `bao agent` gives memory back some time after its start.
SETTLE = 3.0
# Sidecars that look at every secret every ten seconds: so many times ten seconds of each, of which a minute is made.
# Those of a group run together: they leave the machine idle most of the time.
LOOKS = {"every": 10, "times": 5, "groups": ((10, 100), (1_000,))}
ROTATIONS = 31
# The same with and without HTTP/2.
PROTOCOLS = {"HTTP/2": "", "HTTP/1": "  server_name: localhost\n"}
SHARES = {1: 41, 10: 41, 100: 21, 1_000: 7}
# As many as Leasehold has under way where nothing is configured.
IN_FLIGHT = 8


def in_turn(times, names, measure):
    """The median of every figure of each name, their runs alternating."""
    seen = {name: [] for name in names}
    for _ in range(times):
        for name in names:
            seen[name].append(measure(name))
    return {name: _medians(runs) for name, runs in seen.items()}


def _medians(runs):
    """The median of each figure that every run has."""
    shared = [key for key in runs[0] if all(key in run for run in runs)]
    return {key: statistics.median(run[key] for run in runs) for key in shared}


def first_request(pair):
    """Milliseconds from the start of a process until its first bytes are at the server."""

    def measure(name):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(30)
            run = pair.start(name, 1, True, address=f"http://127.0.0.1:{listener.getsockname()[1]}", timed=True)
            connection, _ = listener.accept()
            with connection:
                connection.recv(1)
                took = time.monotonic() - run.began
        run.child.kill()
        run.child.wait()
        return {"ms": took * 1000}

    return in_turn(FIRSTS, (OURS, THEIRS), measure)


def nothing(pair):
    """Milliseconds that the start of a program which does nothing takes here, until its end."""

    def measure(_):
        began = time.monotonic()
        pair.children.start_timed(["/bin/true"]).wait()
        return {"ms": (time.monotonic() - began) * 1000}

    return in_turn(FIRSTS, ("/bin/true",), measure)["/bin/true"]["ms"]


def init(pair, files, floor):
    """Milliseconds until the last file, requests until the end; of the bare client, until its last answer."""

    def measure(name):
        if name == "floor":
            command = [floor, pair.server.address, pair.ca_file, pair.space / "role-id", pair.space / "secret-id"]
            command += ["secret/data/app-", files, IN_FLIGHT]
            began = time.monotonic()
            subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
            return {"ms": (time.monotonic() - began) * 1000}
        pair.server.forget_audit()
        run = pair.start(name, files, False, timed=True)
        run.all_there(files)
        took = (time.monotonic() - run.began) * 1000
        if run.child.wait(timeout=60) != 0:
            raise Failed(f"{name} exited {run.child.returncode}: {run.log.read_text()[-600:]}")
        shutil.rmtree(run.out)
        return {"ms": took, "requests": len(pair.server.audit())}

    return in_turn(SIZES[files], (OURS, THEIRS, "floor"), measure)


def protocols(pair, files):
    """Milliseconds of `init` until its end, and those of processor that the server took for it: with HTTP/2 where it is
    of use, and with HTTP/1 alone, which `server_name` keeps to."""

    def measure(name):
        before = pair.server_processor()
        run = pair.start(OURS, files, False, timed=True, vault=PROTOCOLS[name])
        # Without a limit, for which Python would look now and then only.
        if run.child.wait() != 0:
            raise Failed(f"{name} exited {run.child.returncode}: {run.log.read_text()[-600:]}")
        took = time.monotonic() - run.began
        shutil.rmtree(run.out)
        return {"ms": took * 1000, "server": (pair.server_processor() - before) * 1000}

    return in_turn(SHARES[files], PROTOCOLS, measure)


def idle(pair, files):
    """Memory and threads of a sidecar that has nothing to do. Both programs at once: neither takes the other's memory."""
    taken = {name: [] for name in (OURS, THEIRS)}
    for _ in range(IDLES[files]):
        pair.server.forget_audit()
        runs = {name: pair.start(name, files, True) for name in taken}
        for run in runs.values():
            run.all_there(files)
        time.sleep(SETTLE)
        for name, run in runs.items():
            taken[name].append(run.memory())
            run.end()
            shutil.rmtree(run.out)
    return {name: _medians(seen) for name, seen in taken.items()}


def looking(pair, sizes):
    """Of sidecars of these sizes that look at every secret every ten seconds, unchanged: processor seconds of a minute,
    and what is resident in between."""
    pair.server.forget_audit()
    seen = {size: {} for size in sizes}
    # One program after the other: two would take the server's answers from each other.
    for name in (OURS, THEIRS):
        runs = {size: pair.start(name, size, True, refresh=f"{LOOKS['every']}s") for size in sizes}
        for size, run in runs.items():
            run.all_there(size)
        time.sleep(SETTLE)
        taken = {size: [] for size in sizes}
        before = {size: run.processor() for size, run in runs.items()}
        for _ in range(LOOKS["times"]):
            time.sleep(LOOKS["every"])
            for size, run in runs.items():
                now = run.processor()
                cpu = (now - before[size]) * 60 / LOOKS["every"]
                taken[size].append({"cpu": cpu, "resident": run.memory()["resident"]})
                before[size] = now
        for size, run in runs.items():
            seen[size][name] = _medians(taken[size])
            run.end()
            shutil.rmtree(run.out)
    return seen


def rotation(pair):
    """Milliseconds from a new version on the server until it is in the file, looked for every second: the mean,
    since it is anything up to a second, by chance."""
    runs = {name: pair.start(name, 1, True, refresh="1s") for name in (OURS, THEIRS)}
    for run in runs.values():
        run.all_there(1)
    taken = {name: [] for name in runs}

    def follow(name, value, began):
        path = runs[name].out / "file-0"
        wait_for("the new value", 30, lambda: path.read_text() == value)
        taken[name].append((time.monotonic() - began) * 1000)

    with ThreadPoolExecutor() as threads:
        for n in range(ROTATIONS):
            # Not in step with either's second.
            time.sleep(0.37 + n * 0.09 % 1)
            began = time.monotonic()
            pair.put(0, f"rotated-{n}")
            for done in [threads.submit(follow, name, f"rotated-{n}", began) for name in runs]:
                done.result()
    for run in runs.values():
        run.end()
    return {name: {"ms": statistics.mean(times)} for name, times in taken.items()}


def sizes(pair):
    """Megabytes of the binaries, and of an image that holds the binary alone, compressed as a registry keeps it."""
    return {name: {"MB": _size(pair, name) / 1e6, "layer": _layer(pair, name) / 1e6} for name in (OURS, THEIRS)}


def _size(pair, name):
    return Path(pair.programs[name]).stat().st_size


def _layer(pair, name):
    layer = pair.space / "layer.tar.gz"
    # As docker, podman and buildkit compress unless told otherwise.
    with tarfile.open(layer, "w:gz", compresslevel=6) as archive:
        archive.add(pair.programs[name], arcname="usr/local/bin/" + Path(pair.programs[name]).name)
    size = layer.stat().st_size
    layer.unlink()
    return size
