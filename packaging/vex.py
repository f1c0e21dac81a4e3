"""What is known of the parts of a program, in OpenVEX: which vulnerabilities it does not have, and why.

vex.json is written by hand. An entry names a vulnerability of a package, and either the version that `fixed` it, or the
`justification` of OpenVEX and a `reason` why the program is not affected by the version that it has.
"""

import hashlib
import json
import re
from datetime import datetime, timezone

from graph import ROOT, Package

CONTEXT = "https://openvex.dev/ns/v0.2.0"


def openvex(version: str, parts: dict[str, list[Package]], time: int) -> bytes:
    """Returns the document about all programs; `parts` are those of each. Fails where a fix is not in a program."""
    known = json.loads((ROOT / "packaging/vex.json").read_text())
    statements = [_statement(program, version, entry, built) for entry in known for program, built in parts.items()]
    document = {
        "@context": CONTEXT,
        "author": "Leasehold",
        "timestamp": datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": 1,
        "statements": statements,
    }
    # A name of its own for each content, and the same for the same content.
    content = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    document["@id"] = f"https://openvex.dev/docs/public/vex-{content}"
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def _statement(program: str, version: str, entry: dict, built: list[Package]) -> dict:
    linked = [package for package in built if package.name == entry["package"] and package.linked]
    product = {"@id": f"pkg:cargo/{program}@{version}"}
    if linked:
        product["subcomponents"] = [{"@id": f"pkg:cargo/{package.name}@{package.version}"} for package in linked]
    vulnerability = {"name": entry["id"], "aliases": entry["aliases"]}
    return {"vulnerability": vulnerability, "products": [product]} | _status(program, entry, linked)


def _status(program: str, entry: dict, linked: list[Package]) -> dict:
    if not linked:
        return {"status": "not_affected", "justification": "component_not_present"}
    if reason := entry.get("reason"):
        return {"status": "not_affected", "justification": entry["justification"], "impact_statement": reason}
    for package in linked:
        if _numbers(package.version) < _numbers(entry["fixed"]):
            raise SystemExit(
                f"{program} has {package.name} {package.version}, and {entry['id']} was fixed in {entry['fixed']}: "
                f"run `cargo update -p {package.name}`, or say in packaging/vex.json why it is not affected"
            )
    return {"status": "fixed"}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.match(r"[\d.]+", version)[0].split("."))
