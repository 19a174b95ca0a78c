"""Any TCP server: nginx from Debian, loaded without a target beside it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from programs import eventually, run_coord

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


@pytest.mark.skipif(os.geteuid() != 0 or not NGINX.exists(), reason="needs root and Debian's nginx-light")
def test_nginx_holds_what_the_clients_and_their_kernel_count(tmp_path: Path) -> None:
    with nginx(tmp_path):
        ended = run_coord("--total", "3000", "--hold", "1s", "--endpoint", f"127.0.0.1:{PORT}", "--json", "-")

    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    assert summary["reconciliation"]["client_established"] == 3000
    assert summary["reconciliation"]["client_kernel_established"] == 3000
    assert summary["reconciliation"]["target_open"] is None  # unknown, and never zero
    assert summary["target"] is None
