"""Walks the guide from vault-k8s on a real API server: each block under "In ten minutes" is run as printed, by the real
kubectl, and what the guide promises is looked for after it.

    walk.py PROGRAMS LEASEHOLD_KUBERNETES

vault-k8s itself cannot be had here: our own webhook stands in for it, under its registration's name, with its arguments,
variables and rights, and Vault's image. Nothing runs the pods, nor the webhook's own, so the test starts the webhook when
the guide has installed it, and its registration calls the test's port in place of the Service.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lab.kubernetes import ApiServer, free_ports
from lab.openbao import write_certificates
from lab.processes import Children, Failed, wait_for

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[3]
GUIDE = TOP / "docs/guides/from-vault-k8s.md"
REGISTRATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
OLD, NEW = "hashicorp/vault:1.20.4", "registry.example/leasehold:1"
# Renders with the pinned library, since kubectl 1.20 carries an old one; 1.20 knows an older PodDisruptionBudget only.
KUBECTL = r"""#!/bin/bash
set -euo pipefail
if [ "$1 $2" = "apply -k" ]; then
    scripts/kustomize "$3" | "$EDIT" | "$REAL_KUBECTL" apply --validate=false -f -
else
    exec "$REAL_KUBECTL" "$@"
fi
"""
EDIT = r"""#!/usr/bin/env python3
import os, re, sys
kept = []
for document in re.split(r"^---$", sys.stdin.read(), flags=re.M):
    if "kind: PodDisruptionBudget" in document:
        continue
    if "kind: MutatingWebhookConfiguration" in document:
        document, count = re.subn(r"clientConfig:\n( +)service:\n(?:\1 +.*\n)+", rf"clientConfig:\n\1url: {os.environ['URL']}\n", document)
        assert count == 1, document
    kept.append(document)
print("---".join(kept))
"""


class Walk:
    """The cluster, and the steps."""

    def __init__(self, programs, binary, space, children):
        self.binary, self.space, self.children = binary, space, children
        self.restarts, self.restarted = 0, 0
        for folder in ("cluster", "certificates", "bin"):
            (space / folder).mkdir()
        write_certificates(space / "certificates")
        self.cluster = ApiServer(programs, space / "cluster", space / "certificates", children)
        self.new_port, self.old_port, *self.plain = free_ports(4)
        for name, text in (("kubectl", KUBECTL), ("edit", EDIT)):
            (space / "bin" / name).write_text(text)
            (space / "bin" / name).chmod(0o755)
        self.environment = {
            **os.environ, "PATH": f"{space / 'bin'}:{os.environ['PATH']}", "REAL_KUBECTL": shutil.which("kubectl"),
            "EDIT": str(space / "bin/edit"), "URL": f"https://127.0.0.1:{self.new_port}/mutate", "HOME": str(space),
            "KUBECONFIG": str(self.cluster.kubeconfig("admin", "admin")),
        }
        self._applications()
        self._old()

    def run(self):
        """The guide, block by block."""
        text = GUIDE.read_text()
        section = text[text.index("### In ten minutes"):text.index("### The old Deployment")]
        blocks = [re.sub(r"^   ", "", block, flags=re.M) for block in re.findall(r"```sh\n(.*?)   ```", section, flags=re.S)]
        install, move, compare, back, everything, remove = blocks
        expect("pods of vault-k8s in both namespaces", self.agents() == {"shop": OLD, "other": OLD})
        self.shell(install)
        self._new()
        self.restart("shop", OLD)
        self.shell(move)
        self.until({"shop": NEW, "other": OLD})
        shown = self.shell(compare)
        for namespace, image in (("shop", NEW), ("other", OLD)):
            expect(f"{namespace} with {image} in {shown}", re.search(rf"{namespace} +web-\S+ +{re.escape(image)}", shown))
        self.shell(back)
        self.until({"shop": OLD, "other": OLD})
        self.shell(everything)
        for namespace in ("shop", "other"):
            self.restart(namespace, NEW)
        self.shell(remove)
        for namespace in ("shop", "other"):
            self.restart(namespace, NEW)

    def shell(self, block):
        """Runs a block as printed; answers what it says."""
        if "rollout restart" in block:
            # kubectl marks a restart by the second, and refuses the second one within it.
            wait_for("another second", 5, lambda: int(time.time()) > self.restarted)
        done = subprocess.run(["bash", "-euc", block], cwd=TOP, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"{block.strip()}: {done.stderr.strip()}")
        self.restarted = int(time.time())
        print(f"ok {block.strip().splitlines()[0]}", flush=True)
        return done.stdout

    def agents(self):
        """The image of the sidecar in the newest pod of each namespace that has one."""
        found = {}
        for namespace in ("shop", "other"):
            pods = self.cluster.ask("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]
            if not pods:
                continue
            newest = max(pods, key=lambda pod: int(pod["metadata"]["resourceVersion"]))
            containers = {one["name"]: one["image"] for one in newest["spec"]["containers"]}
            found[namespace] = containers.get("vault-agent")
        return found

    def until(self, expected):
        """Waits for pods that are injected so."""
        wait_for(f"{expected}, not {self.agents()}", 60, lambda: self.agents() == expected)

    def restart(self, namespace, image):
        """Makes pods anew until the newest has this image: the API server learns of a registration a moment later."""
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"

        def injected():
            self.restarts += 1
            mark = {"spec": {"template": {"metadata": {"annotations": {"restart": str(self.restarts)}}}}}
            generation = self.cluster.ask("PATCH", path, mark, "application/merge-patch+json")["metadata"]["generation"]
            wait_for("the Deployment to be looked at", 30,
                     lambda: self.cluster.ask("GET", path)["status"].get("observedGeneration") == generation)
            try:
                wait_for("a pod of it", 2, lambda: self.agents().get(namespace) == image)
            except Failed:
                return False
            return True

        wait_for(f"{image} in {namespace}", 60, injected)

    def _applications(self):
        for namespace in ("shop", "other", "vault"):
            self.cluster.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        for namespace, account in (("shop", "web"), ("other", "web"), ("vault", "vault-agent-injector")):
            self.cluster.ask("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": account}})

    def _old(self):
        name, rbac = "vault-agent-injector-clusterrole", "/apis/rbac.authorization.k8s.io/v1"
        self.cluster.ask("POST", f"{rbac}/clusterroles", {"metadata": {"name": name}, "rules": [{
            "apiGroups": ["admissionregistration.k8s.io"], "resources": ["mutatingwebhookconfigurations"],
            "verbs": ["get", "list", "watch", "patch"]}]})
        self.cluster.ask("POST", f"{rbac}/clusterrolebindings", {
            "metadata": {"name": name}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": "vault-agent-injector", "namespace": "vault"}]})
        rule = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
        self.cluster.ask("POST", REGISTRATIONS, {"metadata": {"name": "vault-agent-injector-cfg"}, "webhooks": [{
            "name": "vault.hashicorp.com", "failurePolicy": "Ignore", "sideEffects": "None", "rules": [rule],
            "admissionReviewVersions": ["v1"], "clientConfig": {"url": f"https://127.0.0.1:{self.old_port}/mutate"}}]})
        self._start("old", ["agent-inject", "--plain", f"127.0.0.1:{self.plain[0]}", "2>&1"], "vault", "vault-agent-injector", {
            "AGENT_INJECT_LISTEN": f":{self.old_port}", "AGENT_INJECT_TLS_AUTO": "vault-agent-injector-cfg",
            "AGENT_INJECT_TLS_AUTO_HOSTS": "127.0.0.1", "AGENT_INJECT_VAULT_ADDR": "https://vault.vault.svc:8200",
            "LEASEHOLD_IMAGE": OLD})
        template = {"metadata": {"labels": {"app": "web"}, "annotations": {
            "vault.hashicorp.com/agent-inject": "true", "vault.hashicorp.com/role": "web",
            "vault.hashicorp.com/agent-inject-secret-db": "secret/data/web"}},
            "spec": {"serviceAccountName": "web", "automountServiceAccountToken": False,
                     "containers": [{"name": "web", "image": "registry.example/web:1"}]}}
        for namespace in ("shop", "other"):
            self.cluster.ask("POST", f"/apis/apps/v1/namespaces/{namespace}/deployments", {
                "metadata": {"name": "web"},
                "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}})
            self.restart(namespace, OLD)

    def _new(self):
        settings = self.space / "settings.yaml"
        settings.write_text(json.dumps({"image": NEW, "address": "https://vault.vault.svc:8200"}))
        self._start("new", ["webhook", "--settings", settings, "--listen", f"127.0.0.1:{self.new_port}", "--plain",
                            f"127.0.0.1:{self.plain[1]}", "--tls-auto", "leasehold-webhook"],
                    "leasehold", "leasehold-webhook", {})
        registration = f"{REGISTRATIONS}/leasehold-webhook"
        wait_for("the webhook's bundle", 60, lambda: self.cluster.ask("GET", registration)["webhooks"][0]["clientConfig"].get("caBundle"))

    def _start(self, name, arguments, namespace, account, variables):
        token = self.cluster.token(namespace, account)
        log = (self.space / f"{name}.log").open("w")
        self.children.start([self.binary, *arguments], stdout=log, stderr=log, env={
            "KUBECONFIG": str(self.cluster.kubeconfig(name, token)), "NAMESPACE": namespace, "POD_NAME": f"{name}-0", **variables})


def expect(what, seen):
    """Ends the walk where something is not as the guide says."""
    if not seen:
        raise Failed(f"expected {what}")


def main():
    """Walks; answers the exit code."""
    space = Path(tempfile.mkdtemp(prefix="leasehold-walk-", dir="/dev/shm"))
    children = Children()
    try:
        Walk(*sys.argv[1:], space, children).run()
        print("The guide was walked.", flush=True)
        return 0
    except Failed as failed:
        print(f"FAILED {failed}", flush=True)
        for name in ("old", "new"):
            log = space / f"{name}.log"
            if log.exists():
                print(f"{name} | {log.read_text()[-1500:]}", flush=True)
        return 1
    finally:
        children.stop()
        shutil.rmtree(space, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
