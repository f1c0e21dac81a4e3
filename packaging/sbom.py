"""A bill of materials in CycloneDX: everything that a program is built from, with versions, licences and checksums.

What is linked into the program is `required`; what only its build needs (build scripts, macros) is `excluded`.
"""

import hashlib
import json
import tomllib
import uuid
from datetime import datetime, timezone

from graph import ROOT, Package

REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def cyclonedx(version: str, packages: list[Package], time: int) -> bytes:
    """The document of the first of `packages`, which is the program itself."""
    checksums = {
        (package["name"], package["version"]): package["checksum"]
        for package in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
        if "checksum" in package
    }
    program, *others = packages
    components = [_component(package, checksums.get(package.key)) for package in others]
    names = {package.key: _reference(package) for package in packages}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": _component(program, None) | {"type": "application", "version": version},
        },
        "components": components,
        "dependencies": [
            {"ref": _reference(package), "dependsOn": [names[key] for key in package.uses if key in names]}
            for package in packages
        ],
    }
    # A number of its own for each content, and the same for the same content.
    content = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).digest()
    document["serialNumber"] = f"urn:uuid:{uuid.UUID(bytes=content[:16], version=4)}"
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def _component(package: Package, checksum: str | None) -> dict:
    component = {
        "type": "library",
        "bom-ref": _reference(package),
        "name": package.name,
        "version": package.version,
        "scope": "required" if package.linked else "excluded",
        "licenses": [{"expression": package.license}],
    }
    if package.source == REGISTRY:
        component["purl"] = _reference(package)
    if checksum:
        component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return component


def _reference(package: Package) -> str:
    return f"pkg:cargo/{package.name}@{package.version}"
