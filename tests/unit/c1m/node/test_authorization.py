"""Who may command a node, and what its log says of each call."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from c1m.node.authorization import Authorization, named, operator, whence
from c1m.security.roles import Bearer, Role

ALICE, BOB, NODE = Bearer(Role.OPERATOR, "alice"), Bearer(Role.OPERATOR, "bob"), Bearer(Role.NODE, "n1")


class Context:
    """A call by somebody, from somewhere."""

    def __init__(self, bearer: Bearer | None, peer: str = "ipv4:127.0.0.1:4000") -> None:
        self.bearer = bearer
        self.where = peer

    def auth_context(self) -> dict[str, list[bytes]]:
        return {"x509_subject_alternative_name": [b"localhost", self.bearer.uri.encode()]} if self.bearer else {}

    def peer(self) -> str:
        return self.where

    def abort(self, code: grpc.StatusCode, sentence: str) -> None:
        raise PermissionError(code, sentence)


def gate(*, secured: bool = True, says: bool = True) -> Authorization:
    return Authorization("c1m-worker", lambda run_id: {"r": "alice"}.get(run_id, ""), secured=secured, says=says)


@pytest.mark.parametrize(
    ("bearer", "command", "run_id", "why"),
    [
        (ALICE, "Start", "r", ""),
        (BOB, "Start", "r", "run r belongs to operator alice, and only alice may command it"),
        (BOB, "Watch", "r", "belongs to operator alice"),
        (BOB, "Prepare", "r", ""),
        (BOB, "Describe", "", ""),
        (BOB, "Start", "another", ""),
        (NODE, "Describe", "", "node n1 is not an operator"),
        (None, "Describe", "", "the caller is not an operator, and only operators may command nodes"),
    ],
)
def test_a_run_belongs_to_its_operator(bearer: Bearer | None, command: str, run_id: str, why: str) -> None:
    context: Any = Context(bearer)
    if not why:
        gate().admit(command, run_id, context)
        return
    with pytest.raises(PermissionError) as refusal:
        gate().admit(command, run_id, context)
    assert refusal.value.args[0] is grpc.StatusCode.PERMISSION_DENIED
    assert why in refusal.value.args[1]


def test_without_certificates_everybody_may() -> None:
    for bearer in (None, NODE):
        gate(secured=False).admit("Start", "r", Context(bearer))  # type: ignore[arg-type]


def test_calls_are_logged_with_who_and_where(capsys: pytest.CaptureFixture[str]) -> None:
    gate().admit("Start", "r", Context(ALICE, "ipv6:%5B::1%5D:4000"))  # type: ignore[arg-type]
    gate(secured=False).admit("Describe", "", Context(None, "unix:"))  # type: ignore[arg-type]
    with pytest.raises(PermissionError):
        gate(says=False).admit("Start", "a\nb", Context(None))  # type: ignore[arg-type]
    gate(says=False).admit("Start", "r", Context(ALICE))  # type: ignore[arg-type]

    lines = [line.partition(" c1m-worker: ")[2] for line in capsys.readouterr().err.splitlines()]
    assert lines[:2] == ["Start of run r by operator alice at [::1]:4000", "Describe by a caller over the Unix socket"]
    assert lines[2].startswith(r"refused Start of run 'a\nb' by a caller without a role at 127.0.0.1:4000: ")
    assert len(lines) == 3


def test_the_name_of_an_operator_and_of_a_run_are_safe_to_show() -> None:
    assert (operator(Context(ALICE)), operator(Context(None))) == ("alice", "")  # type: ignore[arg-type]
    assert whence(Context(None, "unix:")) == "over the Unix socket"  # type: ignore[arg-type]
    assert (named("r1"), named("a\nb"), named("x" * 101)) == ("r1", r"'a\nb'", repr("x" * 100))


def test_every_handler_is_guarded() -> None:
    calls: list[str] = []
    unary: Any = grpc.unary_unary_rpc_method_handler(lambda request, _: calls.append("unary"))
    stream: Any = grpc.unary_stream_rpc_method_handler(lambda request, _: calls.append("stream"))
    details: Any = SimpleNamespace(method="/c1m.v1.WorkerService/Start")
    for handler, name in ((unary, "unary_unary"), (stream, "unary_stream")):
        guarded = gate().intercept_service(lambda _, handler=handler: handler, details)  # type: ignore[misc]
        getattr(guarded, name)(SimpleNamespace(run_id="r"), Context(ALICE))
        with pytest.raises(PermissionError):
            getattr(guarded, name)(SimpleNamespace(run_id="r"), Context(BOB))
    assert calls == ["unary", "stream"]
    assert gate().intercept_service(lambda _: None, details) is None
    with pytest.raises(AssertionError, match="takes a stream of requests"):
        gate().intercept_service(lambda _: grpc.stream_unary_rpc_method_handler(print), details)
