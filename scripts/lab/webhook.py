"""The webhook beside a real API server, with the rights of its manifest, and an OpenBao that the cluster's pods log in to."""

import base64
import json
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path

from .kubernetes import free_ports
from .processes import Failed, wait_for

REGISTRATION = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/leasehold-webhook"
MANIFEST = Path(__file__).resolve().parents[2] / "manifests/webhook/webhook.yaml"


def accounts(cluster):
    """The namespace shop with the account web, and an account that may review tokens."""
    for namespace in ("shop", "vault"):
        cluster.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    for namespace, account in (("shop", "web"), ("vault", "reviewer")):
        cluster.ask("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": account}})
    cluster.ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
        "metadata": {"name": "reviewer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"},
        "subjects": [{"kind": "ServiceAccount", "name": "reviewer", "namespace": "vault"}],
    })


def logins(bao, cluster, policy):
    """Lets pods of the account web log in, with tokens for the audience vault and this policy."""
    bao.ask("PUT", "sys/policies/acl/web", {"policy": policy})
    bao.ask("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
    bao.ask("POST", "auth/kubernetes/config", {
        "kubernetes_host": cluster.address, "kubernetes_ca_cert": cluster.ca_file.read_text(),
        "token_reviewer_jwt": cluster.token("vault", "reviewer"), "disable_local_ca_jwt": True,
    })
    bao.ask("POST", "auth/kubernetes/role/web", {
        "bound_service_account_names": ["web"], "bound_service_account_namespaces": ["shop"],
        "audience": "vault", "token_policies": ["web"], "token_ttl": "1h",
    })


class Webhook:
    """The built webhook, registered by the shipped manifest."""

    def __init__(self, binary, folder, children, cluster, settings, *more):
        self.folder = Path(folder)
        # There is no node for the webhook's own pods, and 1.20 knows an older PodDisruptionBudget only.
        cluster.apply(MANIFEST.read_text(), leave_out=("Deployment", "PodDisruptionBudget"))
        self.port, self._plain = free_ports(2)
        cluster.ask("PATCH", REGISTRATION, [
            {"op": "replace", "path": "/webhooks/0/clientConfig", "value": {"url": f"https://127.0.0.1:{self.port}/mutate"}},
            {"op": "remove", "path": "/webhooks/0/namespaceSelector"},
        ], "application/json-patch+json")
        token = cluster.token("leasehold", "leasehold-webhook")
        self.settings = self.folder / "settings.yaml"
        self.settings.write_text(json.dumps(settings))
        start = time.monotonic()
        log = (self.folder / "webhook.log").open("w")
        self.child = children.start([
            binary, "webhook", "--settings", self.settings, "--listen", f"127.0.0.1:{self.port}",
            "--plain", f"127.0.0.1:{self._plain}", "--tls-auto", "leasehold-webhook", *more,
        ], stdout=log, stderr=log, env={
            "KUBECONFIG": str(cluster.kubeconfig("webhook", token)), "NAMESPACE": "leasehold", "POD_NAME": "webhook-0",
        })
        wait_for("the webhook to be ready", 30, self._is_ready)
        self.took = time.monotonic() - start

    def ask(self, cluster, review):
        """Its answer to an AdmissionReview."""
        bundle = cluster.ask("GET", REGISTRATION)["webhooks"][0]["clientConfig"]["caBundle"]
        context = ssl.create_default_context(cadata=base64.b64decode(bundle).decode())
        # The certificate names the service of the registration, or what it was told to.
        context.check_hostname = False
        headers = {"Content-Type": "application/json"}
        address = f"https://127.0.0.1:{self.port}/mutate"
        request = urllib.request.Request(address, data=json.dumps(review).encode(), headers=headers)
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return json.loads(answer.read())

    def log(self):
        """What it has written."""
        return (self.folder / "webhook.log").read_text()

    def _is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._plain}/health/ready", timeout=5) as answer:
                return answer.status == 204
        except OSError:
            if self.child.poll() is not None:
                raise Failed("the webhook ended: " + self.log()[-800:]) from None
            return False
