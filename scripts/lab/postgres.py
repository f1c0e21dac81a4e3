"""A real PostgreSQL on a free loopback port, whose every login needs the password of its user."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

from .processes import Failed, wait_for

# PostgreSQL refuses to run as root: then it is nobody, as Debian numbers it.
NOBODY = 65534
ADMIN = "admins-own-password"


class Postgres:
    """A running server; `programs` is the folder of postgres and initdb."""

    def __init__(self, programs, folder, children):
        self.folder = Path(folder)
        root = os.geteuid() == 0
        setpriv = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--pdeathsig", "KILL", "--"]
        self._as = setpriv if root else []
        password = self.folder / "admin"
        password.write_text(ADMIN)
        if root:
            for path in (self.folder, password):
                shutil.chown(path, NOBODY, NOBODY)
        data = self.folder / "data"
        subprocess.run(
            [*self._as, f"{programs}/initdb", "--auth-local=reject", "--auth-host=scram-sha-256", "-U", "postgres",
             "--no-sync", "--no-instructions", "--no-locale", "-E", "UTF8", f"--pwfile={password}", "-D", str(data)],
            check=True, stdout=subprocess.DEVNULL,
        )
        with socket.create_server(("127.0.0.1", 0)) as held:
            self.port = held.getsockname()[1]
        log = (self.folder / "log").open("w")
        settings = ["fsync=off", "shared_buffers=16MB", "listen_addresses=127.0.0.1", f"port={self.port}",
                    f"unix_socket_directories={self.folder}"]
        words = [word for setting in settings for word in ("-c", setting)]
        child = children.start([*self._as, f"{programs}/postgres", "-D", data, *words], stdout=log, stderr=log)

        def up():
            if child.poll() is not None:
                raise Failed("PostgreSQL ended: " + (self.folder / "log").read_text()[-500:])
            return self.logs_in("postgres", ADMIN)

        wait_for("PostgreSQL to be ready", 30, up)

    def logs_in(self, user, password):
        """Whether these credentials log in and may ask something."""
        command = ["psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", user, "-d", "postgres", "-qAtX", "-c", "SELECT 1"]
        environment = {"PATH": os.environ["PATH"], "PGPASSWORD": password, "PGCONNECT_TIMEOUT": "10"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.returncode == 0 and done.stdout.strip() == "1"

    def engine(self, server, ttl, longest):
        """Mounts the database engine of an OpenBao server, with the role `app`."""
        server.ask("POST", "sys/mounts/database", {"type": "database"})
        server.ask("POST", "database/config/pg", {
            "plugin_name": "postgresql-database-plugin", "allowed_roles": ["*"],
            "connection_url":
                f"postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{self.port}/postgres?sslmode=disable",
            "username": "postgres", "password": ADMIN,
        })
        creation = "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';"
        server.ask("POST", "database/roles/app", {
            "db_name": "pg", "default_ttl": ttl, "max_ttl": longest, "creation_statements": [creation],
        })
