"""Runs every kind of annotated pod: made through a real API server and the webhook, run by podman, and compared with
what a real agent writes for the same annotations.

    run.py BAO PROGRAMS POSTGRES LEASEHOLD LEASEHOLD_KUBERNETES
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from kinds import KINDS, POLICY, SECRETS
from lab.kubernetes import ApiServer, Node
from lab.openbao import OpenBao
from lab.postgres import Postgres
from lab.processes import Children, Failed, wait_for
from lab.webhook import Webhook, accounts, logins

HERE = Path(__file__).resolve().parent
PODS = "/api/v1/namespaces/shop/pods"


class Run:
    """The servers, and one pod after the other."""

    def __init__(self, programs, space, children):
        self.bao_binary, api_server, postgres, self.leasehold, self.webhook_binary = programs
        self.space, self.children = space, children
        for folder in ("bao", "cluster", "node", "postgres"):
            (space / folder).mkdir()
            (space / folder).chmod(0o755)
        self.node = Node(space / "node")
        self.bao = OpenBao(self.bao_binary, space / "bao", children)
        self.postgres = Postgres(postgres, space / "postgres", children)
        self.cluster = ApiServer(api_server, space / "cluster", space / "bao", children)
        accounts(self.cluster)
        logins(self.bao, self.cluster, POLICY)
        self.bao.kv2()
        for name, value in SECRETS.items():
            self.bao.ask("POST", f"secret/data/{name}", {"data": value})
        self.postgres.engine(self.bao, "1h", "24h")
        settings = {"image": "localhost/leasehold", "address": self.bao.address, "authority": self.bao.ca_file.read_text()}
        self.hook = Webhook(self.webhook_binary, space, children, self.cluster, settings)
        wait_for("the API server to call the webhook", 30, self._is_called)
        self._images()

    def kind(self, kind):
        """One pod, from its annotations to its end."""
        for name, data in kind.config_map.items():
            self.cluster.ask("POST", "/api/v1/namespaces/shop/configmaps", {"metadata": {"name": name}, "data": data})
        before = self._logins()
        pod = self._stored(kind)
        containers = [one["name"] for one in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]]
        expect(f"the containers {kind.containers}, not {containers}", containers == list(kind.containers))
        self.node.run(pod, self.cluster)
        wait_for("the application to start", 30, lambda: "started\n" in self._said(kind))
        for words in kind.says:
            expect(f"the application to say {words!r}; it said {self._said(kind)!r}", words in self._said(kind))
        self._compare(kind)
        expect("one login for the pod", self._logins() - before == 1)
        leased = self._credentials(kind) if kind.leased else None
        if leased:
            expect("credentials that log in", self.postgres.logs_in(*leased))
        self.node.remove(kind.name)
        if leased:
            wait_for("the end of the credentials", 20, lambda: not self.postgres.logs_in(*leased))

    def _stored(self, kind):
        container = {"name": "app", "image": "localhost/app", "command": ["/usr/local/bin/app", *kind.arguments]}
        spec = specification(container)
        metadata = {"name": kind.name, "namespace": "shop", "annotations": kind.annotations}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        if not kind.native:
            return self.cluster.ask("POST", PODS, pod)
        # Kubernetes 1.20 refuses an init container that goes on: the webhook is asked as a later one would.
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                  "request": {"uid": kind.name, "namespace": "shop", "operation": "CREATE", "object": pod}}
        answer = self.hook.ask(self.cluster, review)["response"]
        expect(f"the pod to be allowed: {answer}", answer["allowed"])
        return patched(pod, json.loads(base64.b64decode(answer["patch"])))

    def _compare(self, kind):
        folder = self.node.volume(kind.name, kind.volume)
        for file, theirs in self._agent(kind).items():
            ours = wait_for(f"the file {file}", 30, lambda file=file: read(folder / file))
            if kind.leased:
                theirs, ours = masked(theirs), masked(ours)
            expect(f"{file}: {theirs!r} as from the agent, not {ours!r}", ours == theirs)
            if file in kind.modes:
                mode = (folder / file).stat().st_mode & 0o777
                expect(f"{file}: the mode {kind.modes[file]:o}, not {mode:o}", mode == kind.modes[file])

    def _agent(self, kind):
        """What `bao agent` writes: file → bytes."""
        if not kind.files:
            return {}
        space = self.space / "agents" / kind.name
        space.mkdir(parents=True)
        token = self.bao.ask("POST", "auth/token/create", {"policies": ["web"], "ttl": "1h"})["auth"]["client_token"]
        (space / "token").write_text(token)
        blocks = [{"destination": str(space / file), "contents": text} for file, text in kind.files.items()]
        (space / "agent.json").write_text(json.dumps({
            "auto_auth": {"method": [{"type": "token_file", "config": {"token_file_path": str(space / "token")}}]},
            "template": blocks, "template_config": {"exit_on_retry_failure": True},
        }))
        command = [self.bao_binary, "agent", "-log-level=error", "-config", space / "agent.json", "-exit-after-auth"]
        environment = {"HOME": str(space), "VAULT_ADDR": self.bao.plain, "PATH": os.environ["PATH"]}
        subprocess.run(command, cwd=space, env=environment, check=True, capture_output=True, timeout=60)
        return {file: (space / file).read_bytes() for file in kind.files}

    def _credentials(self, kind):
        (file,) = kind.files
        text = (self.node.volume(kind.name, kind.volume) / file).read_text()
        return re.fullmatch(r"user=(\S+)\npassword=(\S+)\n", text).groups()

    def _images(self):
        self.node.image("leasehold", {"/usr/local/bin/leasehold": self.leasehold}, "/usr/local/bin/leasehold")
        files = {"/bin/bash": shutil.which("bash-static"), "/usr/local/bin/app": HERE / "app"}
        self.node.image("app", files, "/usr/local/bin/app")

    def _is_called(self):
        annotations = KINDS[0].annotations
        spec = specification({"name": "app", "image": "localhost/app"})
        pod = {"metadata": {"name": "tried", "annotations": annotations}, "spec": spec}
        return len(self.cluster.ask("POST", f"{PODS}?dryRun=All", pod)["spec"]["containers"]) == 2

    def _said(self, kind):
        return self.node.podman("logs", f"{kind.name}-app", check=False)

    def _logins(self):
        return sum(entry["request"]["path"] == "auth/kubernetes/login" for entry in self.bao.audit())


def expect(what, seen):
    """Ends the run where something is not as it should be."""
    if not seen:
        raise Failed(f"expected {what}")


def specification(container):
    """What the author of a pod writes."""
    return {"serviceAccountName": "web", "automountServiceAccountToken": False, "containers": [container]}


def patched(document, operations):
    """The document with the operations of a JSON patch, RFC 6902, as far as the webhook writes them."""
    for operation in operations:
        words = [word.replace("~1", "/").replace("~0", "~") for word in operation["path"].split("/")[1:]]
        place = document
        for word in words[:-1]:
            place = place[int(word) if isinstance(place, list) else word]
        last = words[-1]
        if isinstance(place, list):
            at = len(place) if last == "-" else int(last)
            if operation["op"] != "add":
                del place[at]
            if operation["op"] != "remove":
                place.insert(at, operation["value"])
        elif operation["op"] == "remove":
            del place[last]
        else:
            place[last] = operation["value"]
    return document


def read(path):
    """The bytes of a file that is there."""
    return path.read_bytes() if path.is_file() else None


def masked(text):
    """Without what is another with each login."""
    return re.sub(rb"=\S+", b"=...", text)


def main():
    """Runs all kinds; answers the exit code."""
    space = Path(tempfile.mkdtemp(prefix="leasehold-kinds-", dir="/dev/shm"))
    space.chmod(0o711)
    children, run, failed = Children(), None, 0
    try:
        run = Run(sys.argv[1:], space, children)
        for kind in KINDS:
            try:
                run.kind(kind)
                print(f"ok {kind.name}: {kind.what}", flush=True)
            except Exception as error:
                failed += 1
                text = str(error) if isinstance(error, Failed) else traceback.format_exc()
                print(f"FAILED {kind.name}: {text}", flush=True)
                for container in kind.containers:
                    said = run.node.podman("logs", f"{kind.name}-{container}", check=False)
                    print(f"  {container} | {said[-1500:]}", flush=True)
        print(f"{len(KINDS) - failed} of {len(KINDS)} kinds", flush=True)
        return min(failed, 1)
    finally:
        if run:
            run.node.stop()
        children.stop()
        shutil.rmtree(space, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
