"""A package of Debian: a tree, what dpkg is told of it, and the scripts of packaging/debian."""

import hashlib
import os
import subprocess
import tempfile
from email.utils import formatdate
from pathlib import Path

import tree as trees
from graph import ROOT
from tree import Tree

HERE = ROOT / "packaging/debian"
MAINTAINER = "Leasehold maintainers <leasehold@users.noreply.github.com>"


def changelog(program: str, version: str, time: int) -> bytes:
    """What Debian's tools read; what people read is CHANGELOG.md of the package leasehold."""
    entry = f"{program} ({version}) stable; urgency=medium\n\n  * See CHANGELOG.md.gz for what is new.\n\n"
    return f"{entry} -- {MAINTAINER}  {formatdate(time)}\n".encode()


def copyright_of(program: str) -> bytes:
    """The file that Debian asks for."""
    return _named("copyright", program)


def _named(name: str, program: str) -> bytes:
    """A file of the package leasehold, for a program."""
    return (HERE / name).read_text().replace("PACKAGE", program).encode()


def build(out: Path, program: str, version: str, arch: str, tree: Tree, time: int) -> Path:
    """Makes PROGRAM_VERSION_ARCH.deb in `out`."""
    tree = tree | {f"usr/share/lintian/overrides/{program}": trees.File(_named("lintian-overrides", program))}
    files = {path: file for path, file in tree.items() if file.content is not None}
    own = HERE / program
    control = (own / "control").read_text().format(
        version=version,
        arch=arch,
        maintainer=MAINTAINER,
        size=sum(-(-len(file.content) // 1024) for file in files.values()),
    )
    sums = [f"{hashlib.md5(file.content).hexdigest()}  {path}\n" for path, file in sorted(files.items())]
    about = {"control": trees.File(control.encode()), "md5sums": trees.File("".join(sums).encode())}
    for script in sorted(own.glob("p*")):
        about[script.name] = trees.File(script.read_bytes(), 0o755)
    package = out / f"{program}_{version}_{arch}.deb"
    with tempfile.TemporaryDirectory() as stage:
        trees.write(tree | {f"DEBIAN/{name}": file for name, file in about.items()}, Path(stage))
        # dpkg-deb gives everything to root, and nothing a later time than this.
        environment = os.environ | {"SOURCE_DATE_EPOCH": str(time)}
        command = ["dpkg-deb", "--root-owner-group", "--threads-max=1", "-Zxz", "--build", stage, str(package)]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return package
