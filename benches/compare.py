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

    def row(self, what, seen, key, form, aim=""):
        """A row: both figures, how many times ours theirs is, what is aimed at."""
        ours, theirs = seen[OURS][key], seen[THEIRS][key]
        line = f"| {what} | {form.format(ours)} | {form.format(theirs)} | {theirs / ours:.1f} | {aim} |"
        print(line, flush=True)
        self.rows.append(line)

    def point(self, panel, name, files, figure):
        """A point of the plot."""
        self.lines.setdefault(panel, {}).setdefault(name, {})[files] = figure


def label(files):
    """So many files, in words."""
    return f"{files:,} file{'s' if files > 1 else ''}"


# What the table shows beside a figure: at most this share of the agent's, or this much.
INIT = {1: "1/10", 1_000: "1/6"}
REQUESTS = {1_000: "1,003 or fewer"}
RESIDENT = {1: "5 MiB", 1_000: "10 MiB"}


def measure(pair, floor, report):
    """Every figure, into the report."""
    report.row("start to first request", figures.first_request(pair), "ms", "{:.1f} ms", "1/20")
    for files in figures.SIZES:
        seen = figures.init(pair, files, floor)
        report.row(f"init, {label(files)}", seen, "ms", "{:.0f} ms", INIT.get(files, ""))
        times = seen[OURS]["ms"] / seen["floor"]["ms"]
        line = f"| as many reads by a bare client | {seen['floor']['ms']:.0f} ms | | ours is {times:.2f} × | 1.3 × |"
        print(line, flush=True)
        report.rows.append(line)
        report.row(f"requests, {label(files)}", seen, "requests", "{:,.0f}", REQUESTS.get(files, ""))
        for name, shown in ((OURS, OURS), (THEIRS, THEIRS), ("floor", "bare client")):
            report.point("init", shown, files, seen[name]["ms"] / 1000)
    for files in figures.SIZES:
        seen = figures.idle(pair, files)
        for key in (key for key in ("resident", "private") if all(key in seen[name] for name in seen)):
            scaled = {name: {key: seen[name][key] / 1024} for name in seen}
            aim = RESIDENT.get(files, "") if key == "resident" else ""
            report.row(f"idle sidecar, {label(files)}: {key} memory", scaled, key, "{:.1f} MiB", aim)
        for name in seen:
            report.point("idle memory", name, files, seen[name]["resident"] / 1024)
    for files in figures.LOOKS["sizes"]:
        seen = figures.looking(pair, files)
        aim = "1/15" if files == 1_000 else ""
        report.row(f"processor a minute, {label(files)}, each looked at every 10 s", seen, "cpu", "{:.3f} s", aim)
        for name in seen:
            report.point("processor a minute", name, files, seen[name]["cpu"])
    report.row("new version to file, looked for every second", figures.rotation(pair), "ms", "{:.0f} ms")
    report.row("binary", figures.sizes(pair), "MB", "{:.1f} MB", "8 MB")


def processor():
    """The name of the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(": ", 1)[1]
    return platform.machine()


def page(report, version, leasehold, plot):
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
        f"are medians ({min(figures.SIZES.values())} to {max(figures.SIZES.values())} runs of `init`, "
        f"{figures.FIRSTS} first requests, {figures.ROTATIONS} new versions, 5 idle sidecars, {figures.SETTLE:.0f} s after "
        "their last file; the minute of the processor once). The bare client (`examples/floor.rs`) is given a token and reads "
        f"the same paths, {figures.IN_FLIGHT} at a time as Leasehold does, and does nothing else. Figures move with the "
        "machine: the ratio is what to compare.",
        "",
        f"![init, memory and processor against the number of files]({plot})",
        "",
        "| what | leasehold | bao agent | ratio | aim |",
        "| --- | ---: | ---: | ---: | ---: |",
        *report.rows,
        "",
    ]
    return "\n".join(lines)


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
        target = Path(output)
        target.parent.mkdir(exist_ok=True)
        plot = target.with_suffix(".svg")
        plot.write_text(plots([(panel, UNITS[panel], lines) for panel, lines in report.lines.items()]))
        target.write_text(page(report, pair.server.ask("GET", "sys/health")["version"], version, plot.name))
    finally:
        children.stop()
        shutil.rmtree(space, ignore_errors=True)


if __name__ == "__main__":
    main()
