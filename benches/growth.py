"""How the cost of Leasehold grows: the same work on 100, 1,000 and 10,000 files, as a table and a plot.

    growth.py BAO LEASEHOLD FLOOR SCRIPTED OUTPUT

The section goes into OUTPUT, in place of the one that is there, and its plot beside it.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from beside import growing
from beside.growing import Growing, alone, of_a_set, of_calls, of_leases, of_many
from beside.pair import OURS, THEIRS, Pair
from beside.plot import plots
from lab.processes import Children

SIZES = (100, 1_000, 10_000)
COLUMNS = (1, *SIZES)
BEGIN, END = "<!-- growth: begin -->", "<!-- growth: end -->"
UNITS = {"init": "s", "processor of a change": "s", "idle memory": "MiB"}


class Table:
    """Rows of figures by the number of files, and the lines of the plot."""

    def __init__(self):
        self.rows = []
        self.lines = {panel: {} for panel in UNITS}

    def row(self, what, seen, form, aims=None, above=False):
        """A row: a figure for each size, and the aims for some sizes; `above` where more is better."""
        cells = [form.format(seen[size]) if size in seen else "" for size in COLUMNS]
        aims = {size: aim for size, aim in (aims or {}).items() if size in seen}
        words = []
        for size, aim in aims.items():
            reached = seen[size] >= aim if above else seen[size] <= aim
            where = f" at {size:,}" if len(seen) > 1 else ""
            words.append(f"{form.format(aim)}{where}: {'reached' if reached else 'missed'}")
        line = f"| {what} | {' | '.join(cells)} | {'; '.join(words)} |"
        print(line, flush=True)
        self.rows.append(line)

    def line(self, panel, name, seen, scale=1.0):
        """A line of the plot."""
        self.lines[panel][name] = {size: max(figure * scale, 1e-4) for size, figure in seen.items()}


def ratio(one, other):
    """The figures of one as parts of those of the other."""
    return {size: one[size] / other[size] for size in one}


def alone_figures(table, bench):
    """What the client itself costs, on the server that answers at once."""
    ms = "{:,.0f} ms"

    def init(files, handoff=False):
        return {n: bench.median(n, "init", files(n), handoff) for n in SIZES}

    plain, handed = init(of_leases), init(of_leases, True)
    table.row("`init` of leases", plain, ms)
    table.row("the same with a handoff", handed, ms)
    table.row("with against without", ratio(handed, plain), "{:.2f} ×", {1_000: 1.5, 10_000: 1.5})
    in_set, absolute, one = init(of_a_set), init(alone), init(of_many)
    table.row("`init` of a set, each file of a secret of its own", in_set, ms)
    table.row("the same as absolute files", absolute, ms)
    table.row("absolute files against a set", ratio(absolute, in_set), "{:.2f} ×", {10_000: 1.3})
    table.row("`init` of one file of so many secrets", one, ms)
    table.row("one file against as many files", ratio(one, in_set), "{:.2f} ×", {10_000: 0.7})
    for name, seen in (("leases", plain), ("leases, handoff", handed), ("a set", in_set), ("absolute", absolute), ("one file", one)):
        table.line("init", name, seen, 0.001)
    check = {n: bench.median(n, "check", of_calls(n)) for n in SIZES}
    table.row("`check` of a template of 8 calls for 10, 100 bytes each (1 MB with 8,000 calls)", check, ms, {10_000: 100})
    seen = {n: bench.changed(n) for n in SIZES}

    def of(key):
        return {n: figures[key] for n, figures in seen.items()}

    table.row("all files change: generations", of("generations"), "{:.0f}", {10_000: 1})
    table.row("all files change: processor", of("all"), "{:.3f} s", {10_000: 2})
    table.row("one file changes, with a handoff: processor", of("one"), "{:.1f} ms", {10_000: 60})
    table.row("`/readyz`, more than `/livez`: processor", of("ready"), "{:.2f} ms", {10_000: 0.2})
    table.line("processor of a change", "all", of("all"))
    table.line("processor of a change", "one", of("one"), 0.001)
    without = {n: bench.resident(n, False) for n in SIZES}
    handed = {n: bench.resident(n, True) for n in SIZES}
    for what, name, seen, key, aim in (
        ("resident, idle, without a handoff", "without handoff", without, "first", 50),
        ("resident, idle, with a handoff", "with handoff", handed, "first", 70),
        (f"the same after {growing.HUPS} HUPs", "after HUPs", handed, "after", 70),
    ):
        figures = {n: one[key] for n, one in seen.items()}
        table.row(what, figures, "{:.1f} MiB", {10_000: aim})
        table.line("idle memory", name, figures)


def beside_figures(table, pair, floor):
    """What `init` costs beside a bare client and beside `bao agent`, on a real server with TLS."""
    seen = {n: growing.beside(pair, n, floor, growing.TIMES[n]) for n in (1, *SIZES)}

    def of(name):
        return {n: figures[name] for n, figures in seen.items()}

    table.row("`init` on OpenBao over TLS", of(OURS), "{:,.0f} ms")
    against = ratio(of(OURS), of("floor"))
    table.row("against a bare client that logs in", against, "{:.2f} ×", {n: 1.3 for n in (1, 1_000, 10_000)})
    times = ratio(of(THEIRS), of(OURS))
    table.row("times that `bao agent` takes", times, "{:.1f} ×", {1: 12, 1_000: 7, 10_000: 8}, above=True)


def section(table, plot):
    """The section of the page."""
    return "\n".join(
        [
            BEGIN,
            "## How cost grows",
            "",
            "```sh",
            "scripts/bench growth BINARY",
            "```",
            "",
            "The figures of OpenBao are from a real server over TLS. All others are from a server that answers at once "
            "(`examples/scripted.rs`), so that they show the cost of Leasehold and not that of a server. The figures at 10,000 "
            "are from one run, the others medians of 3 to 9. `init` and `check` are measured until their end, on OpenBao until "
            "the last file. A `/refresh` begins each change, of all secrets or of one; its reads are in the figure.",
            "",
            f"![cost against the number of files]({plot})",
            "",
            f"| what | {' | '.join(f'{n:,}' for n in COLUMNS)} | aim |",
            f"| --- | {' | '.join('---:' for _ in COLUMNS)} | ---: |",
            *table.rows,
            END,
            "",
        ]
    )


def place(output, text):
    """Puts the section in place of the one that is there, or at the end."""
    page = output.read_text() if output.exists() else ""
    if BEGIN in page:
        before, rest = page.split(BEGIN, 1)
        output.write_text(before + text + rest.split(END, 1)[1].lstrip("\n"))
    else:
        output.write_text(page.rstrip("\n") + ("\n\n" if page else "") + text)


def main():
    """Measures, prints and writes the section."""
    bao, leasehold, floor, scripted, output = sys.argv[1:]
    os.umask(0o077)
    children = Children()
    space = Path(tempfile.mkdtemp(prefix="leasehold-growth-", dir="/dev/shm"))
    output = Path(output)
    try:
        table = Table()
        folder = space / "alone"
        folder.mkdir()
        alone_figures(table, Growing(Path(leasehold).resolve(), Path(scripted).resolve(), folder, children))
        folder = space / "beside"
        folder.mkdir()
        beside_figures(table, Pair(bao, Path(leasehold).resolve(), folder, children, max(SIZES)), Path(floor).resolve())
        plot = output.with_name(output.stem + "-growth.svg")
        plot.write_text(plots([(panel, UNITS[panel], lines) for panel, lines in table.lines.items()]))
        place(output, section(table, plot.name))
    finally:
        children.stop()
        shutil.rmtree(space, ignore_errors=True)


if __name__ == "__main__":
    main()
