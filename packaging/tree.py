"""What is in a package: paths, modes and bytes, the same however and wherever it is packed."""

import gzip
import os
from dataclasses import dataclass
from pathlib import Path

from graph import ROOT


@dataclass(frozen=True)
class File:
    """A file of a package; a folder where there is no content."""

    content: bytes | None
    mode: int = 0o644


Tree = dict[str, File]

UNITS = ("leasehold.service", "leasehold@.service")

# Where the units of the repository have the program.
BY_HAND = b"/usr/local/bin/leasehold"


def system(program: Path, texts: dict[str, bytes]) -> Tree:
    """The agent where a distribution puts it, with all that belongs to it."""
    tree = {
        "usr/bin/leasehold": File(program.read_bytes(), 0o755),
        # For configurations and credentials, which are the administrator's.
        "etc/leasehold": File(None, 0o755),
        "usr/lib/sysusers.d/leasehold.conf": _of("manifests/systemd/leasehold.sysusers"),
        "usr/share/bash-completion/completions/leasehold": _of("docs/completions/leasehold.bash"),
        "usr/share/zsh/vendor-completions/_leasehold": _of("docs/completions/_leasehold"),
        "usr/share/fish/vendor_completions.d/leasehold.fish": _of("docs/completions/leasehold.fish"),
        "usr/share/doc/leasehold/CHANGELOG.md.gz": File(packed(_of("CHANGELOG.md").content)),
        "usr/share/doc/leasehold/examples/application.conf": _of("manifests/systemd/application.conf"),
    }
    for unit in UNITS:
        text = _of(f"manifests/systemd/{unit}").content
        tree[f"usr/lib/systemd/system/{unit}"] = File(text.replace(BY_HAND, b"/usr/bin/leasehold"))
    for page in sorted((ROOT / "docs/man").glob("*.1")):
        tree[f"usr/share/man/man1/{page.name}.gz"] = File(packed(page.read_bytes()))
    tree |= _examples("usr/share/doc/leasehold/examples") | _docs("leasehold", texts)
    return tree


def clouds(program: Path, texts: dict[str, bytes]) -> Tree:
    """The agent with the secret managers of the clouds, beside the other one, with which it shares everything else: the units
    start it in place of that one.
    """
    tree = {
        "usr/bin/leasehold-clouds": File(program.read_bytes(), 0o755),
        "usr/share/man/man1/leasehold-clouds.1.gz": File(packed(b".so man1/leasehold.1\n")),
    }
    for unit in UNITS:
        lines = _of(f"manifests/systemd/{unit}").content.splitlines()
        (start,) = (line for line in lines if line.startswith(b"ExecStart="))
        start = start.replace(BY_HAND, b"/usr/bin/leasehold-clouds")
        tree[f"usr/lib/systemd/system/{unit}.d/clouds.conf"] = File(b"[Service]\nExecStart=\n" + start + b"\n")
    return tree | _docs("leasehold-clouds", texts)


def agent(program: Path, third_party: bytes) -> Tree:
    """The agent for a machine of any distribution: unpacked anywhere, installed by hand."""
    tree = {"leasehold": File(program.read_bytes(), 0o755)} | _texts(third_party) | _examples("examples")
    for folder in ("docs/man", "docs/completions", "manifests/systemd"):
        tree |= _folder(folder, folder.removeprefix("docs/").removeprefix("manifests/"))
    return tree


def kubernetes(program: Path, third_party: bytes) -> Tree:
    """The webhook's program and everything that is applied to a cluster."""
    tree = {"leasehold-kubernetes": File(program.read_bytes(), 0o755)} | _texts(third_party)
    for folder in ("helm", "kubernetes", "kustomize", "sync", "webhook"):
        tree |= _folder(f"manifests/{folder}", f"manifests/{folder}")
    return tree


def write(tree: Tree, folder: Path) -> None:
    """Puts a tree below `folder`, with its folders open to all and its modes whatever the umask is."""
    for path, file in tree.items():
        place = folder / path
        (place if file.content is None else place.parent).mkdir(parents=True, exist_ok=True)
        if file.content is not None:
            place.write_bytes(file.content)
            place.chmod(file.mode)
    for place, _, _ in os.walk(folder):
        os.chmod(place, 0o755)


def packed(content: bytes, level: int = 9) -> bytes:
    """gzip without a name or a time, so that the same text is the same bytes. Debian's checker wants the last of texts."""
    return gzip.compress(content, level, mtime=0)


def _of(path: str) -> File:
    return File((ROOT / path).read_bytes())


def _docs(package: str, texts: dict[str, bytes]) -> Tree:
    return {f"usr/share/doc/{package}/{name}": File(text) for name, text in texts.items()}


def _texts(third_party: bytes) -> Tree:
    texts = {name: _of(name) for name in ("LICENSE", "README.md", "CHANGELOG.md")}
    return texts | {"THIRD-PARTY": File(third_party)}


def _examples(at: str) -> Tree:
    """The configurations; the programs of the folder are for this repository alone."""
    folder = ROOT / "examples"
    paths = [*folder.glob("*.yaml"), *folder.glob("templates/*")]
    return {f"{at}/{path.relative_to(folder)}": File(path.read_bytes()) for path in sorted(paths)}


def _folder(path: str, at: str) -> Tree:
    files = sorted(file for file in (ROOT / path).rglob("*") if file.is_file())
    mode = {True: 0o755, False: 0o644}
    return {
        f"{at}/{file.relative_to(ROOT / path)}": File(file.read_bytes(), mode[os.access(file, os.X_OK)])
        for file in files
        if file.name != "Dockerfile"
    }
