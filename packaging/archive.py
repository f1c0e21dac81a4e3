"""Archives whose bytes depend on their content alone: sorted, of one time, of root, by number."""

import io
import tarfile
from pathlib import PurePosixPath

from tree import File, Tree, packed


def tar(tree: Tree, time: int) -> bytes:
    """A tar archive of a tree, with an entry for each folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, file in sorted(_with_folders(tree).items()):
            entry = tarfile.TarInfo(path)
            entry.mtime = time
            if file.content is None:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
            else:
                entry.mode, entry.size = file.mode, len(file.content)
                archive.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()


def tarball(name: str, tree: Tree, time: int) -> bytes:
    """A compressed archive that unpacks into one folder, `name`."""
    return packed(tar({f"{name}/{path}": file for path, file in tree.items()}, time), 6)


def _with_folders(tree: Tree) -> Tree:
    folders = {str(parent) for path in tree for parent in PurePosixPath(path).parents if str(parent) != "."}
    return {folder: File(None, 0o755) for folder in folders} | tree
