"""Images without a container engine: an OCI image layout is folders of JSON and one archive for each layer.

The image of each machine has one layer, and that has one file (and the folders that it lies in). All machines are in one
index, so that the engine that takes the image in, or the registry, gives each node its own.
"""

import hashlib
import json
from datetime import datetime, timezone
from pathlib import Path

from archive import tar
from tree import File, Tree, packed

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

ABOUT = {
    "leasehold": "Renders secrets from HashiCorp Vault or OpenBao into files and keeps every lease renewed",
    "leasehold-clouds": "Leasehold with the secret managers of AWS, Azure and Google",
    "leasehold-kubernetes": "Puts Leasehold into annotated pods, as a webhook or offline",
}


def layout(program: str, version: str, revision: str, programs: dict[str, Path], time: int) -> bytes:
    """An archive with the layout of the image of `program`, whose file for each machine is in `programs`."""
    blobs: Tree = {}
    labels = _labels(program, version, revision, time)
    images = [_image(blobs, program, arch, path.read_bytes(), labels, time) for arch, path in sorted(programs.items())]
    index = _add(blobs, INDEX, _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": images, "annotations": labels}))
    index["annotations"] = {
        "org.opencontainers.image.ref.name": version,
        # The name that podman and containerd give the image.
        "io.containerd.image.name": f"localhost/{program}:{version}",
    }
    blobs["oci-layout"] = File(_json({"imageLayoutVersion": "1.0.0"}))
    blobs["index.json"] = File(_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [index]}))
    return tar(blobs, time)


def _image(blobs: Tree, program: str, arch: str, content: bytes, labels: dict[str, str], time: int) -> dict:
    # Manifests and probes name the program: it is the other one with more in it.
    place = f"usr/local/bin/{program.removesuffix('-clouds')}"
    unpacked = tar({place: File(content, 0o755)}, time)
    layer = _add(blobs, LAYER, packed(unpacked, 6))
    config = {
        "architecture": arch,
        "os": "linux",
        "created": labels["org.opencontainers.image.created"],
        # A number, so that runAsNonRoot can be checked without a user database.
        "config": {"User": "65532:65532", "Entrypoint": [f"/{place}"], "Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [_digest(unpacked)]},
        "history": [{"created": labels["org.opencontainers.image.created"], "created_by": "packaging/oci.py"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _add(blobs, CONFIG, _json(config)),
        "layers": [layer],
        "annotations": labels,
    }
    return _add(blobs, MANIFEST, _json(manifest)) | {"platform": {"architecture": arch, "os": "linux"}}


def _labels(program: str, version: str, revision: str, time: int) -> dict[str, str]:
    values = {
        "title": program,
        "description": ABOUT[program],
        "version": version,
        "revision": revision,
        "created": datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "source": "https://github.com/leasehold/leasehold",
        "licenses": "Apache-2.0",
    }
    return {f"org.opencontainers.image.{name}": value for name, value in values.items() if value}


def _add(blobs: Tree, media_type: str, content: bytes) -> dict:
    """Stores a blob under its digest; returns what refers to it."""
    digest = _digest(content)
    blobs["blobs/" + digest.replace(":", "/")] = File(content)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _json(value: dict) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()
