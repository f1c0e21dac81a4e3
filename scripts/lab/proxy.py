"""An ingress or a mesh in front of a server: it forwards requests, or answers them with a page of its own."""

import http.client
import http.server
import threading
from urllib.parse import urlsplit

# These belong to one connection and are not forwarded (RFC 9110, 7.6.1).
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


class Proxy:
    """Listens on a free loopback port. While `page` is set, it answers every request with that: status, type, text."""

    def __init__(self, target):
        self.page = None
        self._target = urlsplit(target).netloc
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self):
                self.command = ""
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def __getattr__(self, name):
                if name.startswith("do_"):
                    return self.forward
                raise AttributeError(name)

            def forward(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, text = proxy.answer(self.command, self.path, self.headers, body)
                self.send_response_only(status)
                for name, value in headers:
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, method, path, headers, body):
        """The page, or what the server says."""
        if self.page:
            status, kind, text = self.page
            return status, [("Content-Type", kind)], text.encode()
        connection = http.client.HTTPConnection(self._target, timeout=30)
        try:
            kept = {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}
            connection.request(method, path, body or None, kept)
            answer = connection.getresponse()
            text = answer.read()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP]
            return answer.status, kept, text
        finally:
            connection.close()

    def stop(self):
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()
