"""A package for distributions with RPM: the same files and the same behaviour as Debian's."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import tree as trees
from graph import ROOT
from tree import Tree

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def build(out: Path, program: str, version: str, arch: str, tree: Tree, time: int) -> Path:
    """Makes PROGRAM-VERSION-1.MACHINE.rpm in `out`."""
    spec = (ROOT / f"packaging/{program}.spec").read_text()
    with tempfile.TemporaryDirectory() as top:
        stage, buildroot, result = (Path(top) / name for name in ("stage", "root", "result"))
        tree = {_there(path): file for path, file in tree.items() if not path.endswith("/changelog.gz")}
        trees.write(tree, stage)
        (Path(top) / f"{program}.spec").write_text(spec)
        (Path(top) / "files").write_text("".join(_listed(path, file) for path, file in sorted(tree.items())))
        defined = {
            "_topdir": top,
            "_rpmdir": str(result),
            "_rpmfilename": "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm",
            "_buildhost": "reproducible",
            "stage": str(stage),
            "our_version": version,
            "use_source_date_epoch_as_buildtime": "1",
            "clamp_mtime_to_source_date_epoch": "1",
        }
        command = ["rpmbuild", "-bb", "--quiet", "--target", f"{MACHINES[arch]}-linux", "--buildroot", str(buildroot)]
        for name, value in defined.items():
            command += ["--define", f"{name} {value}"]
        environment = os.environ | {"SOURCE_DATE_EPOCH": str(time)}
        subprocess.run([*command, f"{top}/{program}.spec"], check=True, env=environment, stdout=subprocess.DEVNULL)
        (package,) = result.glob("*.rpm")
        return Path(shutil.move(package, out / package.name))


def _there(path: str) -> str:
    """Where these distributions have what Debian has at `path`."""
    return path.replace("zsh/vendor-completions", "zsh/site-functions")


def _listed(path: str, file: trees.File) -> str:
    """A line of the list of files, with its mode and owner."""
    directory = "%dir " if file.content is None else ""
    mark = "%doc " if "/share/doc/" in path else ""
    return f"%attr({file.mode:04o}, root, root) {directory}{mark}/{path}\n"
