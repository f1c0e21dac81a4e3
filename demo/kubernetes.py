"""A pod is annotated, the webhook injects Leasehold, and the pod runs.

    kubernetes.py BAO PROGRAMS LEASEHOLD LEASEHOLD_KUBERNETES

Each step is shown only when it was really seen; the first that is not ends the demo with exit code 1.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from lab.kubernetes import ApiServer, Node
from lab.openbao import OpenBao
from lab.processes import Children, Failed, wait_for
from lab.webhook import REGISTRATION, Webhook, accounts, logins
from narrator import Narrator

LIMIT = 300
HERE = Path(__file__).resolve().parent
SECRET = "/api/v1/namespaces/leasehold/secrets/leasehold-webhook-certificates"
PODS = "/api/v1/namespaces/shop/pods"
ANNOTATIONS = {
    "vault.hashicorp.com/agent-inject": "true",
    "vault.hashicorp.com/role": "web",
    "vault.hashicorp.com/agent-inject-secret-db.env": "secret/data/web",
    "vault.hashicorp.com/agent-inject-template-db.env":
        '{{ with secret "secret/data/web" }}password={{ .Data.data.password }}{{ end }}',
    "vault.hashicorp.com/agent-inject-command-db.env": "pkill -HUP server",
    "vault.hashicorp.com/agent-share-process-namespace": "true",
    "vault.hashicorp.com/agent-run-as-user": "65532",
    "vault.hashicorp.com/agent-run-as-group": "65532",
    "vault.hashicorp.com/template-static-secret-render-interval": "1s",
}


class Demo:
    """The folder and the programs of one run."""

    def __init__(self, programs, space, children, tell):
        self.bao_binary, self.programs, self.leasehold, self.webhook_binary = programs
        self.space, self.children, self.tell = space, children, tell
        for folder in ("bao", "cluster", "node"):
            (space / folder).mkdir()
            (space / folder).chmod(0o755)
        self.node = Node(space / "node")
        self.pod = None

    def run(self):
        """The story."""
        self.servers()
        self.webhook()
        self.deployment()
        self.pod_runs()
        self.secret_changes()
        self.certificate_changes()
        self.mistake()
        self.farewell()

    def servers(self):
        self.tell.step("A real OpenBao and a real Kubernetes API server")
        self.bao = OpenBao(self.bao_binary, self.space / "bao", self.children)
        self.cluster = ApiServer(self.programs, self.space / "cluster", self.space / "bao", self.children)
        version = self.cluster.ask("GET", "/version")["gitVersion"]
        self.tell.seen(f"Kubernetes {version} at {self.cluster.address}, with the controllers of Deployments")
        accounts(self.cluster)
        self.bao.kv2()
        self.put_password("tulip-1")
        logins(self.bao, self.cluster, 'path "secret/data/web" { capabilities = ["read"] }')
        self.tell.seen("OpenBao takes logins of the account web in the namespace shop, with tokens for the audience vault")

    def webhook(self):
        self.tell.step("manifests/webhook/webhook.yaml is applied, and the webhook starts with the rights that it grants")
        settings = {"image": "localhost/leasehold", "address": self.bao.address, "authority": self.bao.ca_file.read_text()}
        self.hook = Webhook(self.webhook_binary, self.space, self.children, self.cluster, settings,
                            "--certificate-life", "30s")
        self.tell.seen(f"ready {self.hook.took * 1000:.0f} ms after its start")
        self.tell.seen("its authority and certificate are in a Secret, and the caBundle of the registration is filled")
        self.expect("a bundle", self.cluster.ask("GET", REGISTRATION)["webhooks"][0]["clientConfig"].get("caBundle"))
        wait_for("the API server to call it", 30, lambda: len(self.dry_run()) == 2)

    def deployment(self):
        self.tell.step("A Deployment with the annotations of vault-k8s")
        for name, value in ANNOTATIONS.items():
            self.tell.quote("annotation", f"{name.removeprefix('vault.hashicorp.com/')}: {value}")
        labels = {"app": "web"}
        self.cluster.ask("POST", "/apis/apps/v1/namespaces/shop/deployments", {
            "metadata": {"name": "web"},
            "spec": {
                "replicas": 1, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels, "annotations": ANNOTATIONS}, "spec": self.application()},
            },
        })
        (self.pod,) = wait_for("the pod of the Deployment", 60, lambda: self.cluster.ask("GET", PODS)["items"])
        spec = self.pod["spec"]
        names = [container["name"] for container in spec["initContainers"] + spec["containers"]]
        self.expect("our containers", names == ["vault-agent-init", "app", "vault-agent"])
        self.tell.seen(f"the pod {self.pod['metadata']['name']} is stored with {', '.join(names)}")

    @staticmethod
    def application():
        return {"serviceAccountName": "web", "automountServiceAccountToken": False,
                "containers": [{"name": "app", "image": "localhost/app"}]}

    def pod_runs(self):
        self.tell.step("podman runs what the API server has stored; the demo does what a kubelet does for its volumes")
        self.node.image("leasehold", {"/usr/local/bin/leasehold": self.leasehold}, "/usr/local/bin/leasehold")
        files = {"/bin/bash": shutil.which("bash-static"), "/usr/local/bin/server": HERE / "server"}
        self.node.image("app", files, "/usr/local/bin/server")
        self.node.run(self.pod, self.cluster)
        wait_for("the application to read its secret", 30, lambda: "tulip-1" in self.said("app"))
        self.tell.quote("app", self.said("app"))
        self.expect("one login", self.logins() == 1)
        self.tell.seen("init rendered the file, the application read it, and init and sidecar share one login")

    def secret_changes(self):
        self.tell.step("The password changes in OpenBao")
        start = time.monotonic()
        self.put_password("tulip-2")
        wait_for("the application to hear of it", 20, lambda: "tulip-2" in self.said("app"))
        self.tell.quote("app", self.said("app").splitlines()[-1])
        self.tell.seen(f"the sidecar wrote the file and signalled the application {time.monotonic() - start:.1f} s later")
        self.expect("one login", self.logins() == 1)

    def certificate_changes(self):
        self.tell.step("The webhook's certificate lives 30 s here: it is replaced, and no pod is refused meanwhile")
        read = lambda: self.cluster.ask("GET", SECRET)["data"]["tls.crt"]
        old, pods = read(), 0
        end = time.monotonic() + 60
        while read() == old:
            self.expect("a rotation", time.monotonic() < end)
            self.expect("an injected pod", len(self.dry_run()) == 2)
            pods += 1
            time.sleep(0.2)
        for _ in range(10):
            self.expect("an injected pod", len(self.dry_run()) == 2)
            pods += 1
        self.tell.seen(f"a new certificate is served; {pods} pods were admitted, none refused")

    def mistake(self):
        self.tell.step("A pod with a mistake is refused, in words")
        try:
            self.dry_run({"vault.hashicorp.com/agent-inject-containers": "wbe"})
        except Failed as refused:
            self.tell.quote("refused", str(refused).split(": ", 1)[1])
            self.expect("the reason", 'no container "wbe"' in str(refused))
            return
        raise Failed("the refusal: not seen")

    def farewell(self):
        self.tell.step("The webhook is told to stop")
        self.hook.child.send_signal(signal.SIGTERM)
        self.expect("exit code 0", self.hook.child.wait(timeout=20) == 0)
        lease = "/apis/coordination.k8s.io/v1/namespaces/leasehold/leases/leasehold-webhook"
        self.expect("the Lease to be free", not self.cluster.ask("GET", lease)["spec"].get("holderIdentity"))
        log = self.hook.log()
        self.expect("no secret in the log", "tulip" not in log and "PRIVATE KEY" not in log)
        self.tell.seen("it gave back its Lease; no secret is in its log")

    def dry_run(self, more=None):
        annotations = {**ANNOTATIONS, **(more or {})}
        pod = {"metadata": {"name": "tried", "annotations": annotations}, "spec": self.application()}
        return self.cluster.ask("POST", f"{PODS}?dryRun=All", pod)["spec"]["containers"]

    def put_password(self, password):
        self.bao.ask("POST", "secret/data/web", {"data": {"password": password}})

    def said(self, container):
        return self.node.podman("logs", f"{self.pod['metadata']['name']}-{container}", check=False)

    def logins(self):
        return sum(entry["request"]["path"] == "auth/kubernetes/login" for entry in self.bao.audit())

    @staticmethod
    def expect(what, seen):
        if not seen:
            raise Failed(f"{what}: not seen")


def interrupt(number, _frame):
    """Ends the demo at a signal, by way of the clean-up."""
    raise Failed(f"it took longer than {LIMIT} s" if number == signal.SIGALRM else "it was interrupted")


def main():
    """Runs the demo; answers the exit code."""
    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, interrupt)
    signal.alarm(LIMIT)
    tell, children = Narrator(), Children()
    space = Path(tempfile.mkdtemp(prefix="leasehold-demo-", dir="/dev/shm"))
    space.chmod(0o711)
    demo = None
    try:
        demo = Demo(sys.argv[1:], space, children, tell)
        demo.run()
        tell.end(True, "Every step was seen.")
        return 0
    except Failed as failed:
        tell.end(False, f"The demo failed: {failed}")
        if demo and demo.pod:
            for container in ("app", "vault-agent"):
                tell.quote(container, demo.said(container)[-1500:])
        return 1
    finally:
        for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if demo:
            demo.node.stop()
        children.stop()
        shutil.rmtree(space, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
