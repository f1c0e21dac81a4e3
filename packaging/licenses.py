"""The licences of the code of others that is in a program, as they ask to be handed on with it."""

from graph import Package

NAMES = ("LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE")

HEAD = """The program contains the Rust packages below, and Rust's standard library (MIT OR Apache-2.0). It is linked with the
GNU C library (LGPL-2.1-or-later), whose source Debian has as the package glibc. The source of the program, from which
it can be linked with another version, is at https://github.com/leasehold/leasehold.
"""


def third_party(packages: list[Package]) -> bytes:
    """Each linked package with its licence and, once for all that have the same, the text."""
    foreign = [package for package in packages if package.linked and package.source]
    users: dict[str, list[str]] = {}
    for package in foreign:
        for text in _texts(package):
            users.setdefault(text, []).append(f"{package.name} {package.version}")
    lines = [f"{package.name} {package.version}: {package.license}" for package in foreign]
    parts = [HEAD, "\n".join(lines)]
    for text, names in sorted(users.items(), key=lambda item: item[1]):
        parts.append("=" * 78 + "\n" + ", ".join(names) + "\n\n" + text)
    return ("\n\n".join(parts) + "\n").encode()


def _texts(package: Package) -> list[str]:
    files = [file for file in package.folder.iterdir() if file.is_file() and file.name.upper().startswith(NAMES)]
    texts = [file.read_text(errors="replace") for file in sorted(files)]
    return ["\n".join(line.rstrip() for line in text.strip().splitlines()) for text in texts]
