"""Certificates: who they name, for how long, whose keys they are, and the commands that make them."""

from __future__ import annotations

import base64
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from c1m.coordinator.cli import app
from c1m.errors import C1mError, UsageError
from c1m.security.authority import found_authority
from c1m.security.certificates import hosts_of, issue, make_authority, names_of, read_pair, renew, term_of
from c1m.security.identity import read_identity
from c1m.security.roles import IDENTITY_FILE, Bearer, Role, Validity, bearer_of, parse_name

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


# -- names and terms


@pytest.mark.parametrize(
    ("names", "bearer"),
    [
        ((), None),
        (("a.lab", "c1m:role:operator/alice"), Bearer(Role.OPERATOR, "alice")),
        (("c1m:role:node/a", "10.0.0.2"), Bearer(Role.NODE, "a")),
        (("c1m:role:king/alice",), None),
        (("c1m:role:operator/",), None),
        (("operator/alice",), None),
        (("c1m:role:operator/a b",), None),
    ],
)
def test_a_role_is_a_uri_among_the_names(names: tuple[str, ...], bearer: Bearer | None) -> None:
    assert bearer_of(names) == bearer


@pytest.mark.parametrize("text", ["", "..", "a/b", "-a", "a b", ".hidden", "x" * 65, "ä"])
def test_what_is_no_name_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        parse_name(text)


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (-DAY, "valid only from"),
        (DAY, ""),
        (70 * DAY, ""),
        (71 * DAY, "expires in 29 days"),
        (99 * DAY, "expires in 1 day,"),
        (99.5 * DAY, "less than a day"),
        (100 * DAY, "expired on"),
    ],
)
def test_warnings(after: timedelta, said: str) -> None:
    warning = Validity("operator alice", NOW, NOW + 100 * DAY).warning(NOW + after)

    assert said in warning
    assert bool(said) == bool(warning)
    assert "expire" not in warning or "pki renew alice" in warning


# -- the authority


def test_a_renewed_certificate_keeps_its_names_and_gets_a_new_key() -> None:
    authority = make_authority(NOW)
    first = issue(authority, Bearer(Role.NODE, "a"), ["a.lab", "10.0.0.2", "fd00::2"], NOW)
    second = renew(authority, first.certificate, NOW + 300 * DAY)

    assert names_of(second.certificate) == ["c1m:role:node/a"]
    assert hosts_of(second.certificate) == ["a.lab", "10.0.0.2", "fd00::2"]
    assert second.key_pem != first.key_pem
    assert term_of(second.certificate).ends > term_of(first.certificate).ends


def test_no_certificate_outlives_its_authority() -> None:
    authority = make_authority(NOW, 10)

    assert (
        term_of(issue(authority, Bearer(Role.OPERATOR, "o"), [], NOW).certificate).ends == term_of(authority.certificate).ends
    )
    with pytest.raises(UsageError, match="expired on .* pki init"):
        issue(authority, Bearer(Role.OPERATOR, "o"), [], NOW + 11 * DAY)


def test_keys_are_private_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        authority = found_authority(tmp_path / "pki", NOW, 100)
        made = authority.issue(Bearer(Role.OPERATOR, "alice"), [], NOW, 10)
        authority.renew("alice", NOW, 20)
    finally:
        os.umask(before)

    modes = {path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {
        "pki": 0o700,
        "pki/ca.key": 0o600,
        "pki/ca.crt": 0o644,
        "pki/alice": 0o700,
        "pki/alice/ca.crt": 0o644,
        "pki/alice/identity.pem": 0o600,
    }
    assert read_identity(made).bearer == Bearer(Role.OPERATOR, "alice")


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    made = found_authority(tmp_path / "pki", NOW, 100).issue(Bearer(Role.OPERATOR, "alice"), [], NOW, 10)
    (made / IDENTITY_FILE).chmod(0o640)

    with pytest.raises(UsageError, match="0640.*chmod 600"):
        read_identity(made)


def test_a_key_of_another_certificate_is_refused() -> None:
    authority = make_authority(NOW)
    one, other = (issue(authority, Bearer(Role.OPERATOR, name), [], NOW) for name in "ab")

    with pytest.raises(ValueError, match="does not belong to the certificate"):
        read_pair(one.certificate_pem, other.key_pem)


@pytest.mark.parametrize(
    ("sound", "changed"),
    [
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x42"),  # the certificate's version
        (b"\x55\x1d\x0f", b"\x55\x1d\x13"),  # the same extension twice
        (b"c1m:role:operator/alice", b"c1m:role:operator/alic\xff"),
    ],
    ids=["version", "extension", "name"],
)
def test_a_certificate_that_is_damaged_is_named(sound: bytes, changed: bytes, tmp_path: Path) -> None:
    """What cryptography says of it is no ValueError, or comes only when it is asked for names."""
    made = found_authority(tmp_path / "pki", NOW, 100).issue(Bearer(Role.OPERATOR, "alice"), [], NOW, 10)
    path = made / IDENTITY_FILE
    key, mark, certificate = path.read_bytes().partition(b"-----BEGIN CERTIFICATE-----\n")
    der = base64.b64decode(certificate.partition(b"-----END")[0])
    assert sound in der
    path.write_bytes(key + mark + base64.encodebytes(der.replace(sound, changed)) + b"-----END CERTIFICATE-----\n")

    with pytest.raises(UsageError, match="--tls .*; issue it again with c1m-coord pki issue"):
        read_identity(made)


def pki(*words: str) -> tuple[int, str]:
    """The exit code, and all that was said. In this process: sixteen starts of Python would take twenty seconds."""
    ended = CliRunner().invoke(app, ["pki", *words])
    if isinstance(ended.exception, C1mError):
        return ended.exception.exit_code, str(ended.exception)
    return ended.exit_code, ended.output


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which a person meets them, with each mistake once."""
    monkeypatch.chdir(tmp_path)
    story: list[tuple[tuple[str, ...], int, str]] = [
        (("issue", "operator", "alice"), 2, "pki init"),
        (("init",), 0, "c1m-pki/ca.key"),
        (("init",), 2, "already"),
        (("issue", "node", "client-1"), 2, "by which coordinators call it"),
        (("issue", "node", "client-1", "client-1.lab", "10.0.0.2", "fd00::2"), 0, "c1m-pki/client-1"),
        (("issue", "node", "client-1", "10.0.0.2"), 2, "renew"),
        (("issue", "node", "b", "a b"), 2, "'a b'"),
        (("issue", "operator", "alice", "10.0.0.2"), 2, "has no host names"),
        (("issue", "operator", "../alice"), 2, "'../alice'"),
        (("issue", "operator", "alice"), 0, "c1m-pki/alice"),
        (("show",), 0, "node client-1: client-1.lab 10.0.0.2 fd00::2, until"),
        (("renew",), 2, "--all"),
        (("renew", "alice", "--days", "5"), 0, "c1m-pki/alice"),
        (("show",), 1, "operator alice expires in 4 days"),
        (("renew", "--all"), 0, "c1m-pki/client-1: renewed"),
        (("show",), 0, "operator alice, until"),
    ]
    for words, code, said in story:
        ended, told = pki(*words)
        assert said in told, (words, told)
        assert ended == code, (words, told)
