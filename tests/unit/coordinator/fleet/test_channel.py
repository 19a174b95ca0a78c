"""What gRPC says becomes a sentence that names the node, with the exit code that goes with it."""

from __future__ import annotations

import grpc
import pytest

from c1m.coordinator.fleet.channel import translated
from c1m.coordinator.fleet.unavailable import unreachable
from c1m.errors import BrokenError, GoneError


@pytest.mark.parametrize(
    ("code", "exit_code", "sentence"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 2, "worker a:1: no such thing"),
        (grpc.StatusCode.FAILED_PRECONDITION, 3, "worker a:1: no such thing"),
        (grpc.StatusCode.UNAVAILABLE, 4, "worker a:1 is unreachable (no such thing); is it started, and its port open?"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 4, "worker a:1 did not answer in time; is it stopped, or its machine overloaded?"),
        (grpc.StatusCode.INTERNAL, 4, "worker a:1: no such thing"),
        (grpc.StatusCode.DATA_LOSS, 1, "worker a:1: no such thing (DATA_LOSS)"),
    ],
)
def test_what_grpc_says_is_a_sentence_with_an_exit_code(code: grpc.StatusCode, exit_code: int, sentence: str) -> None:
    error = translated("worker a:1", code, "no such thing")

    assert (error.exit_code, str(error)) == (exit_code, sentence)


NEVER_SHOWN = ("failed to connect", "ipv4:", "UNKNOWN", "Stream removed", "recvmsg", "TSI_")


@pytest.mark.parametrize(
    ("details", "kind", "sentence"),
    [
        (
            "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.3:7100: Connection refused",
            GoneError,
            "a:1 has ended: it was running",
        ),
        ("Stream removed (Delayed close due to in-progress write (ping timeout))", BrokenError, "a:1 is silent; is it stopped"),
        ("Stream removed (recvmsg:Connection timed out (110))", BrokenError, "a:1 is silent; is it stopped"),
        ("Stream removed (Delayed close due to in-progress write (Socket closed))", BrokenError, "a:1 closed the connection"),
        ("recvmsg:Connection reset by peer", BrokenError, "a:1 closed the connection; has its process ended"),
        ("connect failed: addr: ipv4:10.0.0.2:7 error: Network is unreachable", BrokenError, "a:1 is unreachable (Network is"),
        ("DNS resolution failed for no.such:1: Domain name not found", BrokenError, "a:1 is unreachable: its name has no addr"),
        ("Ssl handshake failed (TSI_PROTOCOL_FAILURE)", BrokenError, "a:1 ended the TLS handshake"),
        ("the node is shutting down", BrokenError, "a:1 is shutting down"),
        ("Stream removed (something new)", BrokenError, "a:1 is unreachable; is it started, and its port open?"),
    ],
)
def test_what_grpcs_core_wrote_is_read_and_not_shown(details: str, kind: type[Exception], sentence: str) -> None:
    error = unreachable("a:1", details)

    assert type(error) is kind
    assert str(error).startswith(sentence)
    assert not any(text in str(error) for text in NEVER_SHOWN)


def test_a_node_that_was_never_reached_is_not_started() -> None:
    assert str(unreachable("a:1", "connect: Connection refused (111)", first=True)).startswith("a:1 is not started")


def test_an_exception_of_a_node_is_a_bug_and_not_grpcs_text() -> None:
    error = translated("a:1", grpc.StatusCode.UNKNOWN, "Exception calling application: division by zero")

    assert str(error) == "a:1 failed, which is a bug of c1m: division by zero; its log has the traceback"
