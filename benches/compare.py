"""Leasehold beside `bao agent` and a bare HTTP client, in turn, against one real server.

    compare.py BAO LEASEHOLD FLOOR OUTPUT

Both log in with AppRole over TLS and render N files, each one value of a KV v2 secret of its own. The runs
alternate, so that all meet the same machine. The report goes to OUTPUT, its plot beside it.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from beside import figures
from beside.pair import OURS, THEIRS, Pair
from beside.plot import plots
from lab.processes import Children


class Report:
    """The rows of the table, and the lines of the plot."""

    def __init__(self):
        self.rows = []
        self.lines = {}
        self.missed = []

    def row(self, what, seen, key, form, aim=None):
        """A row: both figures, how many times ours theirs is, what is aimed at and whether it is reached."""
        ours, theirs = seen[OURS][key], seen[THEIRS][key]
        self.write(what, form.format(ours), form.format(theirs), f"{theirs / ours:.1f}", ours, theirs, aim)

    def floor(self, seen):
        """The row of the bare client, below that of the same size."""
        ours, floor = seen[OURS]["ms"], seen["floor"]["ms"]
        what, ratio = "as many reads by a bare client", f"ours takes {ours / floor:.2f} ×"
        self.write(what, f"{floor:.0f} ms", "", ratio, ours, floor, FLOOR)

    def write(self, what, ours, theirs, ratio, figure, other, aim):
        """Prints and keeps a row."""
        shown = ""
        if aim:
            reached = aim.reached(figure, other)
            shown = f"{aim.text}: {'reached' if reached else 'missed'}"
            if not reached and aim.why not in self.missed:
                self.missed.append(aim.why)
        line = f"| {what} | {ours} | {theirs} | {ratio} | {shown} |"
        print(line, flush=True)
        self.rows.append(line)

    def point(self, panel, name, files, figure):
        """A point of the plot."""
        self.lines.setdefault(panel, {}).setdefault(name, {})[files] = figure


def counts(runs):
    """How often something is measured, in words, the largest size left out: that one once."""
    several = sorted({times for times in runs.values() if times > 1})
    return f"{several[0]} to {several[-1]}" if len(several) > 1 else str(several[0])


def label(files):
    """So many files, in words."""
    return f"{files:,} file{'s' if files > 1 else ''}"


class Aim:
    """What a figure should be, and what stands in the way where it is not."""

    def __init__(self, text, reached, why):
        self.text, self.reached, self.why = text, reached, why


def share(parts, why):
    """At most one part of so many of the other's."""
    return Aim(f"1/{parts}", lambda ours, theirs: ours * parts <= theirs, why)


def most(text, limit, why):
    """At most so much."""
    return Aim(text, lambda ours, _: ours <= limit, why)


START = (
    "**The start.** A process begins with the kernel mapping the program, page by page as it is touched, and with two "
    "libraries asking the processor what it can do, which a virtual machine answers slowly; then come the sandbox (Landlock, "
    "seccomp, locked memory) and the TLS configuration. None of them is long, and none can go."
)
PACE = (
    "**Init.** Of one file the server's own time for the login and the read is most, which the bare client waits for, too; the "
    "rest is the start of the process, its sandbox and its configuration. With many files each costs "
    "a line of the configuration, a template, two renderings, a line of the log and a file published atomically besides "
    "its read, and server and client share the same processors here."
)
SIZE = (
    "**Memory.** Shortly after the last thing that happened the pages of the program that only this needed are given back "
    "to the kernel; what is left are those of the idle loop, which the kernel shares among all sidecars of a node, and what no "
    "file backs: the answers, the parsed templates and the engine's own notes on each file."
)
LOOKS = "**The processor.** Every look is a request of its own over TLS: most of the time goes there."
INIT = {1: share(10, PACE), 1_000: share(6, PACE)}
FLOOR = Aim("1.3 ×", lambda ours, floor: ours <= 1.3 * floor, PACE)
REQUESTS = {1_000: most("1,003", 1_003, PACE)}
RESIDENT = {1: most("5 MiB", 5, SIZE), 1_000: most("10 MiB", 10, SIZE)}


KINDS = {"resident": "resident memory", "own": "of it not backed by the program's file", "private": "private memory"}


def measure(pair, floor, report):
    """Every figure, into the report."""
    true = figures.nothing(pair)
    what = f"start to first request (`/bin/true`: {true:.1f} ms)"
    report.row(what, figures.first_request(pair), "ms", "{:.1f} ms", share(20, START))
    for files in figures.SIZES:
        seen = figures.init(pair, files, floor)
        report.row(f"init, {label(files)}", seen, "ms", "{:.0f} ms", INIT.get(files))
        report.floor(seen)
        report.row(f"requests, {label(files)}", seen, "requests", "{:,.0f}", REQUESTS.get(files))
        for name, shown in ((OURS, OURS), (THEIRS, THEIRS), ("floor", "bare client")):
            report.point("init", shown, files, seen[name]["ms"] / 1000)
    for files in figures.IDLES:
        seen = figures.idle(pair, files)
        for key, what in KINDS.items():
            if all(key in seen[name] for name in seen):
                scaled = {name: {key: seen[name][key] / 1024} for name in seen}
                aim = RESIDENT.get(files) if key == "resident" else None
                report.row(f"idle sidecar, {label(files)}: {what}", scaled, key, "{:.1f} MiB", aim)
        for name in seen:
            report.point("idle memory", name, files, seen[name]["resident"] / 1024)
    for group in figures.LOOKS["groups"]:
        for files, seen in figures.looking(pair, group).items():
            looking(files, seen, report)
    report.row("new version to file, looked for every second", figures.rotation(pair), "ms", "{:.0f} ms")
    sizes = figures.sizes(pair)
    report.row("binary", sizes, "MB", "{:.1f} MB", most("8 MB", 8, SIZE))
    report.row("image that holds the binary alone, compressed", sizes, "layer", "{:.1f} MB")


def looking(files, seen, report):
    """The rows of sidecars that look at their secrets every ten seconds."""
    every = f"{label(files)}, each looked at every {figures.LOOKS['every']} s"
    aim = share(15, LOOKS) if files == 1_000 else None
    report.row(f"processor a minute, {every}", seen, "cpu", "{:.3f} s", aim)
    for name in seen:
        report.point("processor a minute", name, files, seen[name]["cpu"])
    scaled = {name: {"resident": seen[name]["resident"] / 1024} for name in seen}
    report.row(f"resident memory, {every}", scaled, "resident", "{:.1f} MiB")


def processor():
    """The name of the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(": ", 1)[1]
    return platform.machine()


def page(report, version, leasehold, plot, shares):
    """The report."""
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
        "Both programs log in with AppRole and render files of one KV v2 value each; their runs alternate, and the figures "
        f"are medians ({counts(figures.SIZES)} runs of `init`, "
        f"{figures.FIRSTS} first requests, {counts(figures.IDLES)} idle sidecars, {figures.SETTLE:.0f} s after "
        f"their last file; of sidecars that look every {figures.LOOKS['every']} s, {figures.LOOKS['times']} times {figures.LOOKS['every']} s), "
        f"but for 10,000 files, which are measured once, and the mean of {figures.ROTATIONS} new versions. The bare client "
        "(`examples/floor.rs`) logs in as they do and reads "
        f"the same paths, {figures.IN_FLIGHT} at a time as Leasehold does, and does nothing else. Figures move with the "
        "machine: the ratio is what to compare.",
        "",
        f"![init, memory and processor against the number of files]({plot})",
        "",
        "| what | leasehold | bao agent | ratio | aim |",
        "| --- | ---: | ---: | ---: | ---: |",
        *report.rows,
        "",
        *(["## What is missed, and why", "", *(line for why in report.missed for line in (why, ""))] if report.missed else []),
        *shares,
    ]
    return "\n".join(lines)


def protocols(pair):
    """The table of HTTP/2 and HTTP/1."""
    lines = [
        "## One connection, or one for each request under way",
        "",
        "`leasehold init` until its end, where the server speaks HTTP/2 and where it does not (`vault.server_name` keeps to "
        "HTTP/1), and what the server computes for it. One connection saves handshakes; many requests in a row cost the "
        "server more over it, so those go on over HTTP/1. Its key here is an elliptic curve's: of RSA a handshake costs more.",
        "",
        "| | HTTP/2 | HTTP/1 | ratio | server, HTTP/2 | server, HTTP/1 | ratio |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for files in figures.SHARES:
        seen = figures.protocols(pair, files)
        two, one = seen["HTTP/2"], seen["HTTP/1"]
        cells = [
            cell
            for key in ("ms", "server")
            for cell in (f"{two[key]:.1f} ms", f"{one[key]:.1f} ms", f"{two[key] / one[key]:.2f}")
        ]
        lines.append(f"| {label(files)} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    return [*lines, ""]


UNITS = {"init": "s", "idle memory": "MiB", "processor a minute": "s"}


def main():
    """Measures, prints and writes the report."""
    bao, leasehold, floor, output = sys.argv[1:]
    version = subprocess.run([leasehold, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    os.umask(0o077)
    children = Children()
    # A tmpfs, for both alike: Leasehold refuses a disk.
    space = Path(tempfile.mkdtemp(prefix="leasehold-bench-", dir="/dev/shm"))
    try:
        pair = Pair(bao, Path(leasehold).resolve(), space, children, max(figures.SIZES))
        report = Report()
        measure(pair, Path(floor).resolve(), report)
        shares = protocols(pair)
        target = Path(output)
        target.parent.mkdir(exist_ok=True)
        plot = target.with_suffix(".svg")
        plot.write_text(plots([(panel, UNITS[panel], lines) for panel, lines in report.lines.items()]))
        target.write_text(page(report, pair.server.ask("GET", "sys/health")["version"], version, plot.name, shares))
    finally:
        children.stop()
        shutil.rmtree(space, ignore_errors=True)


if __name__ == "__main__":
    main()
