"""Where packages come from: an in-toto statement with the provenance of SLSA, which names the source and the compilers.

It has no signature of its own. The checksums cover it, and they are signed.
"""

import hashlib
import json
import subprocess
from pathlib import Path

from graph import ROOT, TARGETS

REPOSITORY = "https://github.com/leasehold/leasehold"

# Endings of files that are no packages: this statement, and the key that a release is verified with.
NO_PACKAGE = (".jsonl", ".pub")


def statement(out: Path, version: str, commit: str, time: int, programs: dict[str, dict[str, Path]]) -> bytes:
    """Returns the statement about every package in `out`. The checksums are made after it, and a public key is no package."""
    files = sorted(path for path in out.iterdir() if not path.name.startswith("SHA256SUMS") and path.suffix not in NO_PACKAGE)
    document = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": path.name, "digest": {"sha256": _sha256(path)}} for path in files],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": f"{REPOSITORY}/blob/main/docs/guides/install.md#where-it-comes-from",
                "externalParameters": {"repository": REPOSITORY, "commit": commit, "version": version},
                "internalParameters": {"SOURCE_DATE_EPOCH": time},
                "resolvedDependencies": [
                    {"uri": f"git+{REPOSITORY}@{commit}", "digest": {"gitCommit": commit}},
                    {"uri": f"{REPOSITORY}/blob/{commit}/Cargo.lock", "digest": {"sha256": _sha256(ROOT / "Cargo.lock")}},
                    *_programs(programs),
                ],
            },
            "runDetails": {
                "builder": {"id": f"{REPOSITORY}/blob/main/packaging/release", "version": _compilers(programs)},
            },
        },
    }
    return (json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n").encode()


def _programs(programs: dict[str, dict[str, Path]]) -> list[dict]:
    """The programs that were packed, so that a build elsewhere can be compared before anything is packed."""
    return [
        {"name": f"{program} for {TARGETS[arch]}", "digest": {"sha256": _sha256(path)}}
        for program, paths in programs.items()
        for arch, path in sorted(paths.items())
    ]


def _compilers(programs: dict[str, dict[str, Path]]) -> dict[str, str]:
    """Returns what compiled the programs, as they say themselves: the compiler writes its name into what it makes."""
    compilers = {"rustc": _first_line("rustc", "--version")}
    if any("arm64" in paths for paths in programs.values()) and Path("/usr/bin/rustc").exists():
        # The other kind of machine is built by Debian's compiler: see scripts/arm64.
        compilers["rustc of Debian"] = _first_line("/usr/bin/rustc", "--version")
    return compilers


def _first_line(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[0]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
