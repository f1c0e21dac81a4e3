"""A real Kubernetes API server with the controllers of Deployments, and a stand-in for the node: podman."""

import base64
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from .processes import Failed, wait_for

ADMIN = "admin"
AUDIENCE = "https://kubernetes.default.svc"
# Limits that need not be raised, and no service of systemd's.
CONTAINERS = """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=8192:8192"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
"""


def free_ports(count):
    """Ports of loopback that differ, free a moment ago."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [port.getsockname()[1] for port in held]
    for port in held:
        port.close()
    return ports


class ApiServer:
    """A cluster without nodes. `certificates` holds ca.pem, server.pem and server.key for loopback."""

    def __init__(self, programs, folder, certificates, children):
        self.folder, self._children = Path(folder), children
        self.ca_file = Path(certificates) / "ca.pem"
        client, peer, port = free_ports(3)
        self.address = f"https://127.0.0.1:{port}"
        self._context = ssl.create_default_context(cafile=str(self.ca_file))
        self._keys()
        etcd = {"listen-client-urls": client, "advertise-client-urls": client, "listen-peer-urls": peer,
                "initial-advertise-peer-urls": peer}
        flags = [f"--{name}=http://127.0.0.1:{number}" for name, number in etcd.items()]
        self._start("etcd", ["etcd", "--data-dir", self.folder / "etcd", "--unsafe-no-fsync",
                             f"--initial-cluster=default=http://127.0.0.1:{peer}", *flags])
        self._start("apiserver", [
            f"{programs}/kube-apiserver", f"--etcd-servers=http://127.0.0.1:{client}", "--bind-address=127.0.0.1",
            f"--secure-port={port}", f"--cert-dir={self.folder}/certs",
            f"--tls-cert-file={certificates}/server.pem", f"--tls-private-key-file={certificates}/server.key",
            f"--service-account-key-file={self.folder}/accounts.pub",
            f"--service-account-signing-key-file={self.folder}/accounts.key",
            f"--service-account-issuer={AUDIENCE}", f"--api-audiences={AUDIENCE}",
            f"--token-auth-file={self.folder}/tokens.csv", "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24", "--advertise-address=192.0.2.1", "--endpoint-reconciler-type=none",
        ])
        wait_for("the API server to be ready", 90, lambda: self.ask("GET", "/readyz", quiet=True) is not None)
        wait_for("its first namespace", 30, lambda: self.ask("GET", "/api/v1/namespaces/default", quiet=True))
        self._start("controllers", [
            f"{programs}/kube-controller-manager", f"--kubeconfig={self.kubeconfig('admin', ADMIN)}",
            "--controllers=deployment,replicaset,serviceaccount", "--leader-elect=false", "--port=0", "--secure-port=0",
        ])

    def _start(self, name, command):
        log = (self.folder / f"{name}.log").open("w")
        self._children.start(command, stdout=log, stderr=log)

    def _keys(self):
        key = self.folder / "accounts.key"
        run = {"check": True, "capture_output": True}
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key], **run)
        subprocess.run(["openssl", "ec", "-in", key, "-pubout", "-out", self.folder / "accounts.pub"], **run)
        (self.folder / "tokens.csv").write_text(f"{ADMIN},admin,1,system:masters\n")

    def ask(self, method, path, body=None, kind="application/json", quiet=False):
        """One request as an administrator; answers the JSON, or with `quiet` nothing where it fails."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": kind}
        request = urllib.request.Request(self.address + path, method=method, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20, context=self._context) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            if quiet:
                return None
            raise Failed(f"{method} {path}: {json.loads(error.read())['message']}") from None
        except OSError:
            if quiet:
                return None
            raise
        try:
            return json.loads(text)
        except ValueError:
            return {"text": text.decode()}

    def apply(self, text, leave_out=()):
        """Makes the objects of a manifest, which the API server itself reads as YAML."""
        for document in re.split(r"^---$", text, flags=re.M):
            kind = re.search(r"^kind: (\w+)$", document, re.M)
            if not kind or kind.group(1) in leave_out:
                continue
            version = re.search(r"^apiVersion: (\S+)$", document, re.M).group(1)
            metadata = document[document.index("\nmetadata:"):]
            namespace = re.search(r"^  namespace: (\S+)$", metadata.split("\n---")[0], re.M)
            root = f"/apis/{version}" if "/" in version else f"/api/{version}"
            inside = f"/namespaces/{namespace.group(1)}" if namespace else ""
            self.ask("POST", f"{root}{inside}/{kind.group(1).lower()}s", document.encode(), "application/yaml")

    def token(self, namespace, account, audience=AUDIENCE):
        """What the kubelet gives to a pod."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        spec = {"audiences": [audience], "expirationSeconds": 3600}
        return self.ask("POST", path, {"spec": spec})["status"]["token"]

    def kubeconfig(self, name, token):
        """A kubeconfig with this token."""
        path = self.folder / f"{name}.kubeconfig"
        cluster = {"server": self.address, "certificate-authority": str(self.ca_file)}
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }))
        return path


def contents(cluster, pod, volume):
    """The files that a kubelet puts into a volume of a pod: name → text."""
    namespace = pod["metadata"]["namespace"]

    def texts(kind, name):
        return cluster.ask("GET", f"/api/v1/namespaces/{namespace}/{kind}/{name}").get("data", {})

    def field(item):
        key = re.fullmatch(r"metadata\.annotations\['(.+)'\]", item["fieldRef"]["fieldPath"]).group(1)
        return {item["path"]: pod["metadata"]["annotations"][key]}

    files = {}
    if "configMap" in volume:
        files |= texts("configmaps", volume["configMap"]["name"])
    if "secret" in volume:
        found = texts("secrets", volume["secret"]["secretName"])
        files |= {key: base64.b64decode(value).decode() for key, value in found.items()}
    for item in volume.get("downwardAPI", {}).get("items", []):
        files |= field(item)
    for source in volume.get("projected", {}).get("sources", []):
        if "serviceAccountToken" in source:
            token = source["serviceAccountToken"]
            account = pod["spec"].get("serviceAccountName", "default")
            files[token["path"]] = cluster.token(namespace, account, token.get("audience", AUDIENCE))
    return files


class Node:
    """Runs pods with podman, whose store is in a folder of ours."""

    def __init__(self, folder):
        self.folder = Path(folder)
        (self.folder / "containers.conf").write_text(CONTAINERS)
        self._environment = {**os.environ, "CONTAINERS_CONF": str(self.folder / "containers.conf")}
        self._pods = []

    def podman(self, *arguments, check=True):
        """Runs podman; answers what it says."""
        store = [f"--root={self.folder}/store", f"--runroot={self.folder}/run", f"--tmpdir={self.folder}/tmp"]
        command = ["podman", *store, "--storage-driver=vfs", *map(str, arguments)]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=60, check=False)
        if check and done.returncode != 0:
            raise Failed(f"podman {' '.join(map(str, arguments))}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout + done.stderr

    def image(self, name, files, entry):
        """An image of nothing but these files."""
        context = self.folder / "build" / name
        context.mkdir(parents=True)
        lines = ["FROM scratch"]
        for path, source in files.items():
            copy = context / path.strip("/").replace("/", "-")
            shutil.copy(source, copy)
            copy.chmod(0o755)
            lines.append(f"COPY {copy.name} {path}")
        (context / "Dockerfile").write_text("\n".join([*lines, "USER 65532:65532", f'ENTRYPOINT ["{entry}"]', ""]))
        self.podman("build", "-q", "-t", f"localhost/{name}", context)

    def run(self, pod, cluster):
        """Runs a pod as the API server stores it, with what a kubelet puts into its volumes."""
        name, volumes = pod["metadata"]["name"], []
        for volume in pod["spec"]["volumes"]:
            place = self.volume(name, volume["name"])
            place.mkdir(parents=True)
            place.chmod(0o777)
            for file, text in contents(cluster, pod, volume).items():
                (place / file).write_text(text)
                (place / file).chmod(0o644)
            volumes.append({"name": volume["name"], "hostPath": {"path": str(place), "type": "Directory"}})
        spec = {"hostNetwork": True, "restartPolicy": "Never", "volumes": volumes}
        for field in ("shareProcessNamespace",):
            if field in pod["spec"]:
                spec[field] = pod["spec"][field]
        kept = ("name", "image", "command", "args", "env", "volumeMounts")
        first = pod["spec"].get("initContainers", [])
        # podman knows no init container that goes on: it starts such a one with the others.
        native = [container for container in first if container.get("restartPolicy") == "Always"]
        groups = {"initContainers": [container for container in first if container not in native],
                  "containers": native + pod["spec"]["containers"]}
        for field, containers in groups.items():
            spec[field] = [self._container(container, kept) for container in containers]
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}))
        self._pods.append(name)
        self.podman("kube", "play", path)

    def volume(self, pod, name):
        """The folder that a pod has as this volume."""
        return self.folder / "volumes" / pod / name

    def remove(self, pod):
        """Ends a pod as a kubelet does, and removes it."""
        self.podman("pod", "stop", "--time", "30", pod)
        self.podman("pod", "rm", "--force", "--time", "5", pod)

    @staticmethod
    def _container(container, kept):
        security = container.get("securityContext", {})
        user = {field: security[field] for field in ("runAsUser", "runAsGroup") if field in security}
        # Of two dollars a kubelet leaves one: a single one may begin the name of a variable.
        env = [{**one, "value": one["value"].replace("$$", "$")} if "value" in one else one
               for one in container.get("env", [])]
        container = {**container, "env": env}
        limited = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, **user}
        return {**{field: container[field] for field in kept if field in container}, "securityContext": limited}

    def stop(self):
        """Removes every pod."""
        for pod in self._pods:
            self.podman("pod", "rm", "--force", "--time", "5", pod, check=False)
        for parent in Path("/sys/fs/cgroup").glob("*/libpod_parent"):
            for folder in (parent / "conmon", parent):
                try:
                    folder.rmdir()
                except OSError:
                    # Somebody else's pods are in it.
                    pass
