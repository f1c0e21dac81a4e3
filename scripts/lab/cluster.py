"""The part that a Kubernetes cluster plays in a login: it signs service-account tokens, and its API
server reviews them when Vault asks."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

API_AUDIENCE = "https://kubernetes.default.svc"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
ES256 = ec.ECDSA(hashes.SHA256())


def _encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Cluster:
    """A signing key and an answerer of TokenReviews on a loopback port."""

    def __init__(self):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.reviews = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self):
        """Answers no more."""
        self._server.shutdown()
        self._server.server_close()

    def token(self, namespace, account, audience, lives=3600):
        """A signed token of the shape that the TokenRequest API gives."""
        now = int(time.time())
        claims = {
            "iss": API_AUDIENCE,
            "sub": f"system:serviceaccount:{namespace}:{account}",
            "aud": [audience],
            "iat": now,
            "nbf": now,
            "exp": now + lives,
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": account, "uid": f"uid-of-{account}"},
                "pod": {"name": f"{account}-0", "uid": "5d5bcf4e-2f6c-4b1c-9a43-0c8a6f3f1f11"},
            },
        }
        head = _encode(json.dumps({"alg": "ES256", "kid": "one"}).encode())
        signed = f"{head}.{_encode(json.dumps(claims).encode())}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ES256))
        return f"{signed}.{_encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def verify(self, token, audiences):
        """The claims where the signature holds and the token is in date and for one of `audiences`."""
        try:
            signed, signature = token.rsplit(".", 1)
            raw = _decode(signature)
            r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
            self._key.public_key().verify(encode_dss_signature(r, s), signed.encode(), ES256)
            claims = json.loads(_decode(signed.split(".")[1]))
        except (InvalidSignature, ValueError, IndexError):
            return None
        fits = set(claims["aud"]) & set(audiences or [API_AUDIENCE])
        return claims if fits and claims["exp"] > time.time() else None

    def review(self, body):
        """The answer to a TokenReview."""
        spec = json.loads(body)["spec"]
        claims = self.verify(spec["token"], spec.get("audiences"))
        self.reviews.append(claims is not None)
        status = {"authenticated": False, "error": "invalid bearer token"}
        if claims:
            user = {"username": claims["sub"], "uid": claims["kubernetes.io"]["serviceaccount"]["uid"]}
            status = {"authenticated": True, "audiences": claims["aud"], "user": user}
        return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}

    def _handler(cluster):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
                if self.path != REVIEWS:
                    self._answer(404, {})
                elif not cluster.verify(bearer, None):
                    self._answer(401, {"kind": "Status", "status": "Failure", "code": 401})
                else:
                    self._answer(201, cluster.review(body))

            def _answer(self, status, value):
                text = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                """The demo tells what happens itself."""

        return Handler
