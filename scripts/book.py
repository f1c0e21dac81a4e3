"""Makes the sources of the book out of docs/: its order, the pages beside docs/, and the manual pages.

    python3 scripts/book.py FOLDER          writes FOLDER/book.toml and FOLDER/src
    python3 scripts/book.py --check FOLDER  looks whether every link of the built pages leads somewhere
"""

import html
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = "https://github.com/leasehold/leasehold"

# Pages that stand at the top of the repository, and folders whose files are shown as they are.
TOP = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")

BOOK = f"""[book]
title = "Leasehold"
description = "Secrets from Vault and OpenBao as files, kept up to date"
language = "en"
src = "src"

[build]
create-missing = false

[output.html]
default-theme = "light"
preferred-dark-theme = "navy"
git-repository-url = "{REPOSITORY}"
no-section-label = true
smart-punctuation = false

[output.html.search]
limit-results = 20
heading-split-level = 2
"""


def make(folder: Path) -> None:
    source = folder / "src"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", source / "docs", ignore=shutil.ignore_patterns("man", "completions", "*.json", "*.toml"))
    (source / "docs/man").mkdir()
    for page in sorted((ROOT / "docs/man").glob("*.1")):
        (source / "docs/man" / f"{page.name}.md").write_text(manual(page))
    for name in TOP:
        shutil.copy(ROOT / name, source / name)
    for page in source.rglob("*.md"):
        page.write_text(outward(page, source, page.read_text()))
    (source / "SUMMARY.md").write_text(summary(source))
    (folder / "book.toml").write_text(BOOK)


def title(page: Path) -> str:
    heading = re.search(r"^# (.+)$", page.read_text(), re.M)
    return heading[1].replace("`", "") if heading else page.stem


def summary(source: Path) -> str:
    """The order of the pages: what docs/README.md links to, in its order, then the rest."""
    lines = ["# Summary", "", "[Leasehold](README.md)", "", "# Guides", ""]
    listed = re.findall(r"\(((?:guides/)?[\w.-]+\.md)\)", (ROOT / "docs/README.md").read_text())
    rest = sorted(path.relative_to(source / "docs").as_posix() for path in (source / "docs").glob("*.md"))
    guides = sorted(f"guides/{path.name}" for path in (source / "docs/guides").glob("*.md"))
    once = list(dict.fromkeys(name for name in listed + guides + rest if name != "README.md"))
    lines += [entry(source, f"docs/{name}") for name in once if name.startswith("guides/")]
    lines += ["", "# Reference", ""] + section(source, "docs/reference")
    lines += ["", "# Manual pages", ""] + section(source, "docs/man")
    lines += ["", "# What it rests on", ""] + [entry(source, f"docs/{name}") for name in once if "/" not in name]
    lines += [entry(source, "docs/README.md")] + [entry(source, name) for name in TOP[1:]]
    lines += ["", "# Decisions", ""] + section(source, "docs/decisions")
    return "\n".join(lines) + "\n"


def section(source: Path, folder: str) -> list[str]:
    pages = sorted((source / folder).glob("*.md"), key=lambda page: (page.name != "README.md", page.name))
    return [entry(source, page.relative_to(source).as_posix()) for page in pages]


def entry(source: Path, name: str) -> str:
    return f"- [{title(source / name)}]({name})"


def outward(page: Path, source: Path, text: str) -> str:
    """Links to what is in the repository and not in the book lead to the repository."""

    def target(match: re.Match) -> str:
        address = match[2]
        parts = urlsplit(address)
        if parts.scheme or not parts.path:
            return match[0]
        place = (page.parent / unquote(parts.path)).resolve()
        if place.is_file():
            return match[0]
        inside = place.relative_to(source.resolve())
        if (ROOT / inside).is_dir() and (place / "README.md").is_file():
            return f"{match[1]}{parts.path.rstrip('/')}/README.md)"
        kind = "tree" if (ROOT / inside).is_dir() else "blob"
        return f"{match[1]}{REPOSITORY}/{kind}/main/{inside})"

    return re.sub(r"(\]\()([^()\s]+)\)", target, text)


def manual(page: Path) -> str:
    """A manual page of ours as Markdown: headings, paragraphs, and what is bold."""
    out, code = [f"# {page.stem}(1)", ""], False
    for line in page.read_text().splitlines():
        text = html.escape(unroff(line), quote=False)
        if line.startswith(".SH"):
            out += ["", "## " + text.removeprefix(".SH").strip(' "'), ""]
        elif line.startswith(".TP") or line in (".PP", ".sp", ".br"):
            out.append("")
        elif line.startswith((".EX", ".nf")):
            code = True
            out.append("\n```text")
        elif line.startswith((".EE", ".fi")):
            code = False
            out.append("```\n")
        elif code:
            out.append(unroff(line).replace("**", ""))
        elif not line.startswith((".", "'")):
            out.append(text + "  ")
    return "\n".join(out) + "\n"


def unroff(line: str) -> str:
    bold = re.sub(r"\\fB(.*?)\\f[RP]", r"**\1**", line)
    plain = re.sub(r"\\fI(.*?)\\f[RP]", r"*\1*", bold)
    plain = re.sub(r"\\f[A-Z]", "", plain)
    return plain.replace(r"\-", "-").replace(r"\&", "").replace(r"\\", "\\").replace(r"\*(Aq", "'")


def check(public: Path) -> None:
    """Fails where a link of a page leads to no file, or to no heading of it."""
    anchors = {page: set(re.findall(r'\sid="([^"]+)"', page.read_text())) for page in public.rglob("*.html")}
    broken = []
    for page, _ in anchors.items():
        for address in re.findall(r'\s(?:href|src)="([^"]+)"', page.read_text()):
            parts = urlsplit(html.unescape(address))
            if parts.scheme or parts.netloc:
                continue
            place = page if not parts.path else (page.parent / unquote(parts.path)).resolve()
            place = place / "index.html" if place.is_dir() else place
            known = unquote(parts.fragment) in anchors.get(place, set()) if parts.fragment and place in anchors else True
            if not place.is_file() or not known:
                broken.append(f"{page.relative_to(public)}: {address}")
    links = "\n  ".join(sorted(set(broken)))
    if broken:
        sys.exit(f"book: these links lead nowhere:\n  {links}")
    print(f"book: every link of {len(anchors)} pages leads somewhere", file=sys.stderr)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--check", public]:
            check(Path(public).resolve())
        case [folder] if not folder.startswith("-"):
            make(Path(folder))
        case _:
            sys.exit(__doc__)
