"""Who asks while a server is away: every attempt to connect, counted and refused."""

import socket
import threading


class Knocking:
    """Listens in place of a server that is down. Each connection is closed before a byte is read, which to a
    client is a server that is not there."""

    def __init__(self, port):
        self.times = 0
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self._thread = threading.Thread(target=self._count, daemon=True)
        self._thread.start()

    def _count(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.times += 1
            # Reset, not closed: the port is the server's again as soon as this ends.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            connection.close()

    def end(self):
        """Leaves the port to the server."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
