"""What a thousand secrets of each kind of store cost: time, requests and memory.

    stores.py LEASEHOLD OUTPUT [AWS_AGENT]

LEASEHOLD is the binary with the clouds (`make release-clouds`). AWS_AGENT is AWS' own agent, where it is there (`cargo install
aws_secretsmanager_agent`). The clouds are small servers on this machine, which count what they are asked. OUTPUT is the page that is written.
"""

import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SECRETS = 1_000
RUNS = 5
DEADLINE = 60


IDENTITY = b"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::123456789012:user/bench</Arn><UserId>AIDA1</UserId><Account>123456789012</Account>
</GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"""


class Cloud(BaseHTTPRequestHandler):
    """AWS, Azure and Google in one, as far as secrets are read there."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    asked = Counter()
    lock = threading.Lock()

    def log_message(self, *_):
        pass

    def answer(self, body, status=200, headers=None):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response_only(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(raw)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def count(self, what):
        with self.lock:
            self.asked[what] += 1

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.startswith("/metadata/identity/"):
            self.count("tokens")
            return self.answer({"access_token": "t", "expires_in": "3599"})
        if path.startswith("/computeMetadata/"):
            self.count("tokens")
            return self.answer({"access_token": "t", "expires_in": 3599}, headers={"Metadata-Flavor": "Google"})
        if "Authorization" not in self.headers:
            self.count("challenges")
            host = self.headers["Host"].split(":")[0]
            asks = f'Bearer authorization="https://login.microsoftonline.com/t", resource="https://{host}"'
            return self.answer({"error": {"code": "Unauthorized"}}, 401, {"WWW-Authenticate": asks})
        self.count("reads")
        name = path.split("/secrets/")[1].split("/")[0]
        if path.startswith("/v1/"):
            data = base64.b64encode(value(name).encode()).decode()
            return self.answer({"name": f"projects/1/secrets/{name}/versions/1", "payload": {"data": data}})
        return self.answer({"value": value(name), "id": f"http://{self.headers['Host']}/secrets/{name}/v1", "attributes": {}})

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if b"Action=GetCallerIdentity" in raw:
            # AWS' own agent asks at its start whether its credentials are good.
            return self.answer(IDENTITY, headers={"Content-Type": "text/xml"})
        body = json.loads(raw)
        if "SecretIdList" in body:
            self.count("reads of up to 20")
            return self.answer({"SecretValues": [aws(name) for name in body["SecretIdList"]], "Errors": []})
        self.count("reads")
        return self.answer(aws(body["SecretId"]))


def value(name):
    return f"the value of {name}, as long as a password"


def aws(name):
    return {"Name": name, "ARN": name, "VersionId": "v-1", "VersionStages": ["AWSCURRENT"], "SecretString": value(name)}


class Server(ThreadingHTTPServer):
    """A client that ends leaves its connections open; that is no fault."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass


class Machine:
    """A folder, a configuration and an environment."""

    def __init__(self, program, space, url):
        self.program, self.space, self.url = program, Path(space), url
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.space / "home")}

    def configure(self, backend, names, refresh):
        files = "".join(f"  - {{path: f{index}, secret: s/{name}}}\n" for index, name in enumerate(names))
        text = (
            f"backends: {{s: {backend}}}\nsecrets_dir: {self.space}/secrets\nlisten: 'unix:{self.space}/status.sock'\n"
            f"defaults: {{refresh: {refresh}}}\nlog: {{level: error}}\nfiles:\n{files}"
        )
        (self.space / "leasehold.yaml").write_text(text)

    def run(self, command, **more):
        arguments = [self.program, command, "--config", self.space / "leasehold.yaml"]
        return subprocess.Popen(arguments, env={**self.environment, **more})

    def init(self, more):
        began = time.monotonic()
        process = self.run("init", **more)
        if process.wait(DEADLINE) != 0:
            raise SystemExit("init failed")
        return time.monotonic() - began

    def idle(self, more):
        """The resident memory and the processor of a sidecar that looks every ten seconds, after three of its looks."""
        process = self.run("sidecar", **more)
        try:
            until(lambda: (self.space / "secrets" / f"f{SECRETS - 1}").exists())
            time.sleep(10)
            before = processor(process.pid)
            time.sleep(30)
            return resident(process.pid), (processor(process.pid) - before) * 2
        finally:
            process.terminate()
            process.wait(DEADLINE)


def until(so):
    end = time.monotonic() + DEADLINE
    while not so():
        if time.monotonic() > end:
            raise SystemExit("it takes too long")
        time.sleep(0.02)


def resident(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def processor(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kinds(machine):
    """Each kind: its words, its backend, the names, and its environment."""
    names = [f"secret-{index}" for index in range(SECRETS)]
    folder = machine.space / "credentials"
    folder.mkdir()
    for name in names:
        (folder / name).write_text(value(name))
    host = machine.url.removeprefix("http://")
    keys = {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "secret"}
    variables = [name.upper().replace("-", "_") for name in names]
    yield "the environment", "{environment: {prefix: APP_}}", variables, {f"APP_{name}": value(name) for name in variables}
    yield "a folder of files", f"{{files: {{dir: {folder}}}}}", names, {}
    yield "AWS Secrets Manager", f"{{aws_secrets_manager: {{region: eu-central-1, endpoint: '{machine.url}'}}}}", names, keys
    identity = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": machine.url}
    yield "Azure Key Vault", f"{{azure_key_vault: {{url: '{machine.url}'}}}}", names, identity
    google = f"{{google_secret_manager: {{project: project, endpoint: '{machine.url}'}}}}"
    yield "Google Secret Manager", google, names, {"GCE_METADATA_HOST": host}


def aws_agent(program, machine):
    """AWS' own agent: the memory of it once each secret was asked of it, and what it asked."""
    config = machine.space / "agent.toml"
    token = machine.space / "token"
    token.write_text("token")
    config.write_text(f'log_to_file = false\nhttp_port = 2773\nregion = "eu-central-1"\nssrf_env_variables = ["AWS_TOKEN"]\n')
    environment = {
        **machine.environment, "AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_TOKEN": f"file://{token}",
        "AWS_ENDPOINT_URL": machine.url, "AWS_REGION": "eu-central-1",
    }
    process = subprocess.Popen([program, "--config", config], env=environment, stdout=subprocess.DEVNULL)
    ask = lambda path: urllib.request.urlopen(
        urllib.request.Request(f"http://127.0.0.1:2773{path}", headers={"X-Aws-Parameters-Secrets-Token": "token"}), timeout=5
    )

    def is_there():
        try:
            return ask("/ping").status == 200
        except OSError:
            return False

    try:
        until(is_there)
        Cloud.asked.clear()
        began = time.monotonic()
        for index in range(SECRETS):
            ask(f"/secretsmanager/get?secretId=secret-{index}").read()
        took = time.monotonic() - began
        return took, sum(Cloud.asked.values()), resident(process.pid)
    finally:
        process.terminate()
        process.wait(DEADLINE)


def measured(machine, agent):
    rows = []
    for words, backend, names, more in kinds(machine):
        machine.configure(backend, names, "5m")
        machine.init(more)
        Cloud.asked.clear()
        times = [machine.init(more) for _ in range(RUNS)]
        asked = {what: count / RUNS for what, count in Cloud.asked.items()}
        machine.configure(backend, names, "10s")
        memory, seconds = machine.idle(more)
        shown = ", ".join(f"{count:,.0f} {what.removesuffix('s') if count == 1 else what}" for what, count in sorted(asked.items())) or "none"
        rows.append(f"| {words} | {statistics.median(times) * 1000:,.0f} ms | {shown} | {memory:.1f} MiB | {seconds:.2f} s |")
        print(rows[-1], flush=True)
    if agent:
        took, asked, memory = aws_agent(agent, machine)
        rows.append(f"| AWS' own agent, asked for each over HTTP | {took * 1000:,.0f} ms | {asked:,} | {memory:.1f} MiB | |")
        print(rows[-1], flush=True)
    return rows


def page(rows, program, version):
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    return f"""# What {SECRETS:,} secrets of each store cost

`make bench-stores` measured this on {os.cpu_count()} processors, and wrote this page. `leasehold init` publishes {SECRETS:,} files of one secret each, without
a handoff: the median of {RUNS} runs, and what one of them asks the store for. Then a sidecar looks at each secret every ten seconds: its
resident memory and its processor time a minute. The clouds are small servers on this machine, which count what they are asked. They
are programs in Python and set the pace: what counts is the number of requests and the memory.

| store | init | requests | idle memory | processor a minute |
| --- | ---: | --- | ---: | ---: |
{chr(10).join(rows)}

Measured with leasehold {version}, the binary with the clouds ({Path(program).stat().st_size:,} bytes). AWS reads up to twenty secrets by one request:
those that are asked for in one turn of the loop. Azure's one challenge and the one token of Azure and Google are for the whole run.

The machine's load beside it was {load} (1, 5 and 15 minutes).
"""


def main():
    program, output = sys.argv[1:3]
    server = Server(("127.0.0.1", 0), Cloud)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    folder = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="leasehold-stores-", dir=folder) as space:
        machine = Machine(program, space, f"http://127.0.0.1:{server.server_address[1]}")
        for name in ("secrets", "home"):
            (machine.space / name).mkdir()
        rows = measured(machine, sys.argv[3] if len(sys.argv) > 3 else None)
    Path(output).write_text(page(rows, program, version))


if __name__ == "__main__":
    main()
