"""Checksums of everything in a folder, and a signature of the checksums."""

import hashlib
import subprocess
from pathlib import Path


def write(out: Path) -> Path:
    """Makes SHA256SUMS, as `sha256sum --check` reads it."""
    files = sorted(path for path in out.iterdir() if path.is_file() and not path.name.startswith("SHA256SUMS"))
    sums = out / "SHA256SUMS"
    sums.write_text("".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files))
    return sums


def sign(sums: Path, key: Path, version: str) -> None:
    """Signs the checksums. The comment is signed, too: an older release cannot be handed out as this one."""
    comment = f"leasehold {version}"
    command = ["minisign", "-S", "-s", str(key), "-t", comment, "-c", f"signature of {comment}", "-m", str(sums)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
