"""Azure and Google on this machine, as far as secrets are read there: Key Vault with Entra ID, Secret Manager with its token
services, and the metadata services of both.

    fake.py PLAIN_PORT TLS_PORT CERTIFICATE KEY

The official Python clients of both clouds are run against the same server by the same tests, so that what it answers is not only
what we believe. A POST to /control changes the state that is below, and a GET of it shows what was asked.
"""

import base64
import json
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ACCOUNT = "web@project.iam.gserviceaccount.com"
PLAIN, TLS = int(sys.argv[1]), int(sys.argv[2])
LOCK = threading.Lock()
STATE = {
    # Of Azure: name -> {"versions": [[id, value]], "attributes": {}, "deleted": false, "inner": ""}
    "vault": {},
    "client": {"id": "client", "secret": "canary-client-secret", "tenant": "tenant"},
    # What the vault asks for; none is its own address.
    "resource": None,
    "authority": "https://login.microsoftonline.com/tenant",
    # Of Google: name -> [[state, value]]
    "project": {},
    # A service account's key, and another one's public half.
    "private_key": "",
    "public_key": "",
    "other_public_key": "",
    # The next answers, before any other: [part of the path, status, headers, body]
    "next": [],
    "asked": [],
    "tokens": 0,
    # Whether tokens of Entra ID are JWTs, as they really are.
    "jwts": False,
    # What machine of Azure it is.
    "machine": {"name": "vm-1", "resourceGroupName": "prod", "subscriptionId": "s-1", "vmScaleSetName": ""},
}
# Tokens that are good: token -> what it is for.
GOOD = {}


def issue(audience, key="access_token"):
    STATE["tokens"] += 1
    token = f"canary-4f1d-token-{STATE['tokens']}"
    if STATE["jwts"]:
        token = issued("https://sts.windows.net/tenant/", "managed", audience)
    GOOD[token] = audience
    return {key: token, "expires_in": 3599, "token_type": "Bearer"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=None, headers=None):
        raw = body if isinstance(body, bytes) else json.dumps(body if body is not None else {}).encode()
        headers = headers or {}
        self.send_response_only(status)
        if "Date" not in headers:
            self.send_header("Date", self.date_time_string())
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def do_GET(self):
        self.handle_request(b"")

    def do_POST(self):
        self.handle_request(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def handle_request(self, body):
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        with LOCK:
            if url.path == "/control":
                if body:
                    STATE.update(json.loads(body))
                return self.answer(200, STATE)
            STATE["asked"].append(f"{self.command} {self.path}")
            for index, (part, status, headers, text) in enumerate(STATE["next"]):
                if part in self.path:
                    del STATE["next"][index]
                    return self.answer(status, text.encode(), headers)
            if url.path.startswith("/computeMetadata/"):
                return self.google_metadata(url.path.rsplit("/", 1)[1], query)
            if url.path.startswith("/v1/") or url.path in ("/token", "/sts", "/impersonate"):
                return self.google(url.path, query, body)
            if url.path == "/subject":
                return self.subject()
            return self.azure(url.path, query, body)

    def bearer(self):
        return GOOD.get(self.headers.get("Authorization", "").removeprefix("Bearer "))

    # Of neither: an identity provider that answers with a token

    def subject(self):
        if self.headers.get("Metadata") != "canary-header":
            return self.answer(403, {"error": "canary-header is not what you sent"})
        return self.answer(200, {"id_token": "canary-subject"})

    # Azure

    def own(self):
        host = self.headers.get("Host", "").split(":")[0]
        return f"https://{host}"

    def azure(self, path, query, body):
        if path.endswith("/.well-known/openid-configuration"):
            base = f"https://{self.headers['Host']}/{path.split('/')[1]}"
            return self.answer(200, {"issuer": base, "authorization_endpoint": base + "/authorize",
                                     "token_endpoint": base + "/oauth2/v2.0/token"})
        if path.endswith("/oauth2/v2.0/token"):
            return self.entra(path, body)
        if path in ("/metadata/identity/oauth2/token", "/msi/token"):
            return self.managed(path, query)
        if path == "/metadata/instance":
            known = self.headers.get("Metadata") == "true" and query.get("api-version")
            return self.answer(200, {"compute": STATE["machine"]}) if known else self.answer(400, {"error": "Bad request"})
        if self.bearer() != (STATE["resource"] or self.own()):
            resource = STATE["resource"] or self.own()
            asks = f'Bearer authorization="{STATE["authority"]}", resource="{resource}"'
            return self.answer(401, {"error": {"code": "Unauthorized", "message": "AKV10000: Request is missing a Bearer or PoP token."}},
                               {"WWW-Authenticate": asks})
        return self.vault(path, query)

    def entra(self, path, body):
        form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        client = STATE["client"]

        def refuse(number, words):
            error = "invalid_client" if number != 90002 else "invalid_request"
            return self.answer(401, {"error": error, "error_description": f"AADSTS{number}: {words} Trace ID: 1", "error_codes": [number]})

        if path.split("/")[1] != client["tenant"]:
            return refuse(90002, "Tenant not found.")
        if form.get("client_id") != client["id"]:
            return refuse(700016, "Application was not found in the directory.")
        if "client_assertion" in form:
            if form["client_assertion"] != client.get("assertion"):
                return refuse(700024, "Client assertion is not within its valid time range.")
            if form["client_assertion_type"] != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
                return refuse(50027, "JWT token is invalid.")
        elif form.get("client_secret") != client["secret"]:
            return refuse(7000215, f"Invalid client secret provided: {form.get('client_secret')}.")
        if form.get("grant_type") != "client_credentials" or not form["scope"].endswith("/.default"):
            return refuse(1002012, "The provided value for scope is not valid.")
        return self.answer(200, issue(form["scope"].removesuffix("/.default")))

    def managed(self, path, query):
        known = self.headers.get("X-IDENTITY-HEADER") == "canary-header" if path == "/msi/token" else self.headers.get("Metadata") == "true"
        if not known:
            return self.answer(400, {"error": "bad_request_102", "error_description": "Required metadata header not specified"})
        if query.get("client_id", "known") != "known":
            return self.answer(400, {"error": "invalid_request", "error_description": "Identity not found"})
        token = issue(query["resource"])
        lasting = token.pop("expires_in")
        if path == "/msi/token":
            # App Service says only when the token ends, and as text.
            token.update(expires_on=str(int(time.time()) + lasting), resource=query["resource"], client_id="client")
        else:
            token["expires_in"] = str(lasting)
        return self.answer(200, token)

    def vault(self, path, query):
        def refuse(status, code, message, inner=None, headers=None):
            error = {"code": code, "message": message}
            if inner:
                error["innererror"] = {"code": inner}
            return self.answer(status, {"error": error}, headers)

        if not query.get("api-version"):
            return refuse(400, "BadParameter", "api-version must be specified")
        base = f"https://{self.headers['Host']}"
        parts = path.strip("/").split("/")
        if parts == ["secrets"]:
            names = sorted(name for name, secret in STATE["vault"].items() if not secret.get("deleted"))
            start = int(query.get("$skiptoken", 0))
            page = {"value": [{"id": f"{base}/secrets/{name}", "attributes": {"enabled": True}} for name in names[start:start + 2]], "nextLink": None}
            if start + 2 < len(names):
                page["nextLink"] = f"{base}/secrets?api-version=7.4&$skiptoken={start + 2}"
            return self.answer(200, page)
        secret = STATE["vault"].get(parts[1]) if len(parts) > 1 else None
        if parts[0] == "deletedsecrets":
            if secret and secret.get("deleted"):
                return self.answer(200, {"id": f"{base}/secrets/{parts[1]}", "recoveryId": f"{base}{path}", "attributes": {}})
            return refuse(404, "SecretNotFound", "Deleted Secret not found")
        if not secret or secret.get("deleted"):
            return refuse(404, "SecretNotFound", f"A secret with (name/id) {parts[1]} was not found in this key vault.")
        if secret.get("inner"):
            return refuse(403, "Forbidden", f"Operation get is not allowed: {secret['inner']}.", secret["inner"])
        versions = dict(secret["versions"])
        version = parts[2] if len(parts) > 2 else secret["versions"][-1][0]
        if version not in versions:
            return refuse(404, "SecretNotFound", f"A secret with (name/id) {parts[1]}/{version} was not found in this key vault.")
        now = int(time.time())
        attributes = {"enabled": True, "created": now, "updated": now, "recoveryLevel": "Recoverable", **secret.get("attributes", {})}
        return self.answer(200, {"value": versions[version], "id": f"{base}/secrets/{parts[1]}/{version}", "attributes": attributes})

    # Google

    def google_metadata(self, what, query):
        if self.headers.get("Metadata-Flavor") != "Google":
            return self.answer(403, b"Missing Metadata-Flavor:Google header.", {"Content-Type": "text/html"})
        flavor = {"Metadata-Flavor": "Google"}
        if what == "identity":
            more = {"google": {"compute_engine": {"instance_name": "vm-1"}}} if query.get("format") == "full" else {}
            jwt = issued("https://accounts.google.com", "machine", query["audience"], **more)
            return self.answer(200, jwt.encode(), {**flavor, "Content-Type": "text/html"})
        if what == "email":
            return self.answer(200, ACCOUNT.encode(), flavor)
        return self.answer(200, issue("google"), flavor)

    def acted(self, verb, body):
        """What a service account does for who may act as it."""
        asked = json.loads(body)
        if verb == "generateIdToken" and self.bearer() == "federated":
            return self.answer(200, {"token": issued("https://accounts.google.com", "account", asked["audience"])})
        if verb == "signJwt" and self.bearer() == "google":
            return self.answer(200, {"keyId": "k", "signedJwt": sign(json.loads(asked["payload"]))})
        if verb == "generateAccessToken":
            return self.google("/impersonate", {}, body)
        return self.refuse_google(403, "PERMISSION_DENIED", f"Permission 'iam.serviceAccounts.{verb}' denied.")

    def refuse_google(self, status, code, message, **more):
        return self.answer(status, {"error": {"code": status, "message": message, "status": code, **more}})

    def google(self, path, query, body):
        if path.startswith(f"/v1/projects/-/serviceAccounts/{ACCOUNT}:"):
            return self.acted(path.rsplit(":", 1)[1], body)
        if path == "/impersonate":
            if self.bearer() != "federated":
                return self.refuse_google(403, "PERMISSION_DENIED", "Permission 'iam.serviceAccounts.getAccessToken' denied.")
            token = issue("google", "accessToken")
            ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
            return self.answer(200, {"accessToken": token["accessToken"], "expireTime": ends})
        if path in ("/token", "/sts"):
            form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
            return self.google_token(form)
        if self.bearer() != "google":
            return self.refuse_google(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        parts = path.removeprefix("/v1/").split("/")
        if parts[:2] != ["projects", "project"]:
            return self.refuse_google(403, "PERMISSION_DENIED", f"Permission 'secretmanager.versions.access' denied for resource '{path}'.")
        parts = parts[4:] if parts[2] == "locations" else parts[2:]
        if parts == ["secrets"]:
            names = sorted(STATE["project"])
            start = int(query.get("pageToken", 0))
            page = {"secrets": [{"name": f"projects/1/secrets/{name}"} for name in names[start:start + 2]]}
            if start + 2 < len(names):
                page["nextPageToken"] = str(start + 2)
            return self.answer(200, page)
        versions = STATE["project"].get(parts[1], [])
        version, _, verb = parts[3].partition(":")
        number = len(versions) if version == "latest" else int(version) if version.isdigit() else 0
        if verb != "access" or not 1 <= number <= len(versions):
            return self.refuse_google(404, "NOT_FOUND", f"Secret [projects/1/secrets/{parts[1]}] not found or has no versions.")
        state, value = versions[number - 1]
        if state != "ENABLED":
            name = f"projects/1/secrets/{parts[1]}/versions/{number}"
            return self.refuse_google(400, "FAILED_PRECONDITION", f"Secret Version [{name}] is in {state} state.")
        raw = value.encode()
        payload = {"data": base64.b64encode(raw).decode(), "dataCrc32c": str(crc32c(raw))}
        return self.answer(200, {"name": f"projects/1/secrets/{parts[1]}/versions/{number}", "payload": payload})

    def google_token(self, form):
        def refuse(words):
            return self.answer(400, {"error": "invalid_grant", "error_description": words})

        if form["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange":
            if form["subject_token"] != "canary-subject" or form["audience"] != "//iam.googleapis.com/pool":
                return refuse("The subject token is invalid.")
            return self.answer(200, issue("federated"))
        claims = signed(form["assertion"])
        if not claims:
            return refuse("Invalid JWT Signature.")
        if "target_audience" in claims:
            return self.answer(200, {"id_token": issued("https://accounts.google.com", "account", claims["target_audience"])})
        return self.answer(200, issue("google"))


def halves():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


STATE["private_key"], STATE["public_key"] = halves()
_, STATE["other_public_key"] = halves()


def sign(claims):
    """A JWT, signed by the one key that there is here."""
    part = lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")
    text = ".".join(part(json.dumps(one).encode()) for one in ({"alg": "RS256", "kid": "k", "typ": "JWT"}, claims))
    key = serialization.load_pem_private_key(STATE["private_key"].encode(), None)
    return f"{text}.{part(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def issued(issuer, subject, audience, **more):
    now = int(time.time())
    STATE["tokens"] += 1
    claims = {"iss": issuer, "sub": subject, "aud": audience, "iat": now, "nbf": now, "exp": now + 3600, "jti": str(STATE["tokens"])}
    return sign({**claims, **more})


def signed(jwt):
    """The claims of a JWT that our key has signed, where they are good."""
    head, claims, signature = jwt.split(".")
    part = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    said, claimed = json.loads(part(head)), json.loads(part(claims))
    key = serialization.load_pem_public_key(STATE["public_key"].encode())
    try:
        key.verify(part(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
    except Exception:
        return None
    now = time.time()
    good = said["alg"] == "RS256" and claimed["iss"] == ACCOUNT and claimed["aud"].endswith("/token")
    return claimed if good and now - 300 < claimed["iat"] <= claimed["exp"] <= now + 3700 else None


def crc32c(data):
    total = 0xFFFFFFFF
    for byte in data:
        total ^= byte
        for _ in range(8):
            total = (total >> 1) ^ (0x82F63B78 if total & 1 else 0)
    return total ^ 0xFFFFFFFF


secure = ThreadingHTTPServer(("127.0.0.1", TLS), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[3], sys.argv[4])
# Shaken hands with in the thread of its connection.
secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
threading.Thread(target=secure.serve_forever, daemon=True).start()
ThreadingHTTPServer(("127.0.0.1", PLAIN), Handler).serve_forever()
