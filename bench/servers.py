"""What a connection costs servers that are not c1m's: nginx, HAProxy and Redis, as Debian has them, beside c1m-target.

python bench/servers.py [--total N] [--json FILE]

Each is started here, observed by `c1m-target observe`, loaded by `c1m-coord run --endpoint`, and ended again. A server that
is not installed is left out. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from namespace import enter_namespace

from c1m.app.interpreter import module_command
from c1m.kernel.sockdiag import accept_queues

CONTROL = "127.0.0.1:7301"
READY_SECONDS = 20.0
RUN_SECONDS = 120

NGINX = """
daemon off; worker_processes 2; worker_rlimit_nofile 20000; pid {here}/nginx.pid; error_log {here}/nginx.err;
events {{ worker_connections 19000; }}
http {{
  access_log off; client_header_timeout 600s;
  client_body_temp_path {here}/a; proxy_temp_path {here}/b; fastcgi_temp_path {here}/c;
  uwsgi_temp_path {here}/d; scgi_temp_path {here}/e;
  server {{ listen 127.0.0.1:{port} backlog=4096; }}
}}
"""
# It counts two descriptors for each connection that it may have, one for the server behind it.
HAPROXY = """
global
  maxconn 9900
defaults
  mode http
  timeout client 10m
  timeout server 10m
  timeout connect 5s
  timeout http-request 10m
frontend f
  bind 127.0.0.1:{port} backlog 4096
  http-request deny
"""


@dataclass(frozen=True, slots=True)
class Server:
    """``command`` makes the words of one process from a directory and a port."""

    name: str
    program: str
    ports: Sequence[int]  # a process each
    command: Callable[[Path, int], list[str]]


def nginx(here: Path, port: int) -> list[str]:
    return ["nginx", "-c", written(here / "nginx.conf", NGINX.format(here=here, port=port)), "-e", str(here / "nginx.err")]


def haproxy(here: Path, port: int) -> list[str]:
    return ["haproxy", "-q", "-f", written(here / f"{port}.cfg", HAPROXY.format(port=port))]


def redis(protected: str) -> Callable[[Path, int], list[str]]:
    def command(here: Path, port: int) -> list[str]:
        words = f"--port {port} --protected-mode {protected} --maxclients 19000 --tcp-backlog 4096 --dir {here} --save"
        return ["redis-server", *words.split(), ""]

    return command


SERVERS = (
    Server("nginx, 2 workers", "nginx", (8080,), nginx),
    Server("HAProxy, 2 processes", "haproxy", (8081, 8082), haproxy),
    Server("Redis", "redis-server", (6379,), redis("no")),
    Server("Redis, protected mode", "redis-server", (6380,), redis("yes")),
)


def written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


@contextmanager
def running(words: Sequence[str], ready: Callable[[], bool]) -> Iterator[None]:
    """A process that is ready, until the block ends."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"error: {' '.join(words)} was not ready within {READY_SECONDS:.0f} s")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def listens(port: int) -> bool:
    return bool(accept_queues([(port, port)]) or accept_queues([(port, port)], 6))  # gRPC listens with IPv6 sockets


def summary_of(words: Sequence[str], directory: Path) -> dict[str, Any]:
    command = module_command("c1m.coordinator", "run", *words, "--hold", "4s", "--json", "-")
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        sys.exit(f"error: {' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return found


def load(server: Server, total: int, directory: Path) -> dict[str, Any]:
    ports = f"{server.ports[0]}-{server.ports[-1]}" if len(server.ports) > 1 else str(server.ports[0])
    observer = module_command("c1m.target", "observe", "--port", ports, "--listen", CONTROL)
    control = int(CONTROL.rpartition(":")[2])
    with ExitStack() as stack:
        for port in server.ports:
            stack.enter_context(running(server.command(directory, port), lambda port=port: listens(port)))  # type: ignore[misc]
        stack.enter_context(running(observer, lambda: listens(control)))
        return summary_of(["--total", str(total), "--endpoint", f"127.0.0.1:{ports}", "--target", CONTROL], directory)


def row(name: str, summary: dict[str, Any]) -> str:
    memory = summary["target"]["memory"]
    held = f"{summary['established_at_hold_end']:,} of {summary['planned']:,}"
    if memory["slab_bytes_per_socket"] is None:
        said = summary["workers"][0]["server_said_first"] or ""
        return f"| {name} | {held} | | | | {said.partition(' because')[0].strip()} |"
    kernel, user = memory["slab_bytes_per_socket"], memory["user_bytes_per_connection"]
    return f"| {name} | {held} | {kernel:,.0f} B | {user:,.0f} B | {kernel + user:,.0f} B | |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--total", type=int, default=15_000, help="connections to each server; default: 15,000")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every summary there")
    given = parser.parse_args()
    enter_namespace()
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="c1m-servers-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # nginx's workers are another user
        found["c1m-target"] = summary_of(["--total", str(given.total)], directory)
        for server in SERVERS:
            if shutil.which(server.program):
                found[server.name] = load(server, given.total, directory)
    print("| server | held | kernel | its processes | together | it said |\n|---|---|---|---|---|---|")
    for server_name, summary in found.items():
        print(row(server_name, summary))
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
