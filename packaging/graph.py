"""What a program is built from: the packages that are linked into it, and those that only the build needs."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Debian's names of machines, and the compiler's.
TARGETS = {"amd64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}


@dataclass(frozen=True)
class Package:
    """A package of the graph, as `cargo metadata` describes it."""

    name: str
    version: str
    license: str
    source: str | None
    folder: Path
    linked: bool
    uses: tuple[tuple[str, str], ...]

    @property
    def key(self) -> tuple[str, str]:
        return self.name, self.version


def packages(program: str, arch: str) -> list[Package]:
    """Returns everything that `program` is built from, itself first, then by name."""
    target = TARGETS[arch]
    crate, features = program.removesuffix("-clouds"), []
    if crate != program:
        features = ["--features=leasehold/clouds"]
    built = _tree(crate, target, features)
    metadata = json.loads(_cargo("metadata", "--format-version=1", f"--filter-platform={target}", *features))
    known = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    key = {name: (package["name"], package["version"]) for name, package in known.items()}
    root = next(name for name, package in known.items() if package["name"] == crate)

    def uses(name: str) -> list[str]:
        # The tests' dependencies are in the graph, too; what is built of them is not.
        ordinary = [edge["pkg"] for edge in nodes[name]["deps"] if any(kind["kind"] != "dev" for kind in edge["dep_kinds"])]
        return [other for other in ordinary if key[other] in built]

    linked, waiting = set(), [root]
    while waiting:
        name = waiting.pop()
        if name in linked or any("proc-macro" in kind["kind"] for kind in known[name]["targets"]):
            continue
        linked.add(name)
        normal = [edge["pkg"] for edge in nodes[name]["deps"] if any(kind["kind"] is None for kind in edge["dep_kinds"])]
        waiting += [other for other in normal if key[other] in built]
    found = [
        Package(
            *key[name],
            license=(package["license"] or "").replace("/", " OR "),
            source=package["source"],
            folder=Path(package["manifest_path"]).parent,
            linked=name in linked,
            uses=tuple(sorted(key[other] for other in uses(name))),
        )
        for name, package in known.items()
        if key[name] in built
    ]
    return sorted(found, key=lambda package: (package.name != crate, package.key))


def _tree(crate: str, target: str, features: list[str]) -> set[tuple[str, str]]:
    """Names and versions of what cargo would build. Metadata alone has also what only the tests' features bring in."""
    what = [f"--package={crate}", f"--target={target}", *features]
    lines = _cargo("tree", *what, "--edges=normal,build", "--prefix=none", "--format={p}")
    words = [line.split() for line in lines.splitlines() if line.strip()]
    return {(word[0], word[1].removeprefix("v")) for word in words}


def _cargo(*arguments: str) -> str:
    command = ["cargo", arguments[0], "--locked", "--offline", *arguments[1:]]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
