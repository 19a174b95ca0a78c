"""nginx from Debian, on loopback."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from programs import eventually

NGINX = Path("/usr/sbin/nginx")
PORT = 23_080
CONFIGURATION = """
daemon off; worker_processes 1; worker_rlimit_nofile 10000; pid {here}/pid; error_log {here}/error.log; user root;
events {{ worker_connections 8000; }}
http {{
  access_log off; client_header_timeout 60s; keepalive_timeout 60s;
  client_body_temp_path {here}/a; proxy_temp_path {here}/b; fastcgi_temp_path {here}/c;
  uwsgi_temp_path {here}/d; scgi_temp_path {here}/e;
  server {{ listen 127.0.0.1:{port} backlog=4096; }}
}}
"""


@contextmanager
def nginx(here: Path) -> Iterator[None]:
    configuration = here / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(here=here, port=PORT))
    process = subprocess.Popen([str(NGINX), "-c", str(configuration), "-e", str(here / "error.log")])
    try:
        assert eventually(lambda: process.poll() is not None or listens())
        yield
    finally:
        process.terminate()
        process.wait(60)


def listens() -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", PORT)) == 0
