"""The systemd units of the node programs. Pure.

They run as root, because only root can read /proc/slabinfo, which shows what a connection costs. Privileges that they do
not need are removed. Their options come from a file, and their limits from a drop-in.
"""

from __future__ import annotations

from typing import Final

_UNIT: Final = """
[Unit]
Description={program} {what}
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
# OPTIONS={options} --tls /etc/c1m/tls
EnvironmentFile=-/etc/c1m/{program}.env
ExecStart=/usr/local/bin/{program} $OPTIONS
Restart=on-failure
# Closing a million connections takes about ten seconds.
TimeoutStopSec=60
# For --listen unix:/run/{program}/control.sock.
RuntimeDirectory={program}
# The record of tuned settings.
StateDirectory=c1m
Environment=XDG_STATE_HOME=%S
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
NoNewPrivileges=yes
# --allow-tune needs "no" here.
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
RestrictSUIDSGID=yes
LockPersonality=yes

[Install]
WantedBy=multi-user.target
"""


def unit(program: str, what: str, options: str) -> tuple[str, str]:
    """Return the comment that describes the systemd unit of a node program, and the unit's text without that comment.

    ``options`` is an example of the node's options.
    """
    return f"/etc/systemd/system: {program} as a service.", _UNIT.format(program=program, what=what, options=options)


SERVICES: Final = {
    "c1m-worker": unit("c1m-worker", "opens and holds TCP connections", "--listen 10.0.0.2:7100"),
    "c1m-target": unit("c1m-target", "accepts, echoes and counts TCP connections", "--bind 10.0.0.1 --listen 10.0.0.1:7200"),
}
"""{name: (what its file is, text of the unit)}."""
