"""A plot of figures against the number of files, both axes logarithmic, as SVG."""

from math import log10

WIDTH, HEIGHT, GAP = 380, 260, 56
COLOURS = {"leasehold": "#1a7f37", "bao agent": "#b35900", "bare client": "#6e7781"}
# For lines of other names, in the order in which they are given.
OTHERS = ("#1a7f37", "#b35900", "#0969da", "#8250df", "#cf222e")


def plots(panels):
    """One picture of several panels: (title, unit, {name: {files: figure}})."""
    width = len(panels) * WIDTH
    drawn = "".join(f'<g transform="translate({i * WIDTH} 0)">{_panel(*panel)}</g>' for i, panel in enumerate(panels))
    style = "text{font:12px sans-serif;fill:#57606a}.title{font-weight:bold}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}">'
        f'<style>{style}</style><rect width="100%" height="100%" fill="#fff"/>{drawn}</svg>\n'
    )


def _panel(title, unit, lines):
    figures = [figure for line in lines.values() for figure in line.values()]
    files = sorted({n for line in lines.values() for n in line})
    low, high = _decades(figures)

    def at(n, figure):
        x = GAP + (WIDTH - GAP - 90) * _share(n, files[0], files[-1])
        y = HEIGHT - 40 - (HEIGHT - 80) * _share(figure, low, high)
        return x, y

    parts = [f'<text class="title" x="{GAP}" y="20">{title}</text>']
    for tick in _powers(low, high):
        (x, y), (right, _) = at(files[0], tick), at(files[-1], tick)
        parts.append(f'<path d="M{x:.0f} {y:.1f}H{right:.0f}" stroke="#d0d7de"/>')
        parts.append(f'<text x="{x - 6:.0f}" y="{y + 4:.1f}" text-anchor="end">{tick:g} {unit}</text>')
    for n in files:
        x, y = at(n, low)
        parts.append(f'<text x="{x:.0f}" y="{y + 18:.1f}" text-anchor="middle">{n:,}</text>')
    for (name, line), other in zip(lines.items(), OTHERS):
        colour = COLOURS.get(name, other)
        points = [at(n, figure) for n, figure in sorted(line.items())]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        x, y = points[-1]
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 6:.0f}" y="{y + 4:.1f}" style="fill:{colour}">{name}</text>')
    return "".join(parts)


def _share(value, low, high):
    """Where a value stands between two others, on a logarithmic scale."""
    return (log10(value) - log10(low)) / (log10(high) - log10(low))


def _decades(figures):
    """The powers of ten around all figures."""
    low, high = 10.0 ** _floor(min(figures)), 10.0 ** (_floor(max(figures)) + 1)
    return low, high


def _floor(value):
    return int(log10(value) // 1)


def _powers(low, high):
    return [10.0**power for power in range(_floor(low), _floor(high * 1.001) + 1)]
