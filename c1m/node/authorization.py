"""The gate of a node: every command passes it, is told in the node's log, and is refused where its caller may not command.

With TLS a run is its operator's: whatever names it is refused to others, watching included, since that is its lease. What
names no run (Describe, Tune) and what would make another one (Prepare) the node answers: it says with whose run it is busy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast
from urllib.parse import unquote

import grpc

from c1m.app.log import log
from c1m.security.roles import Bearer, Role, bearer_of
from c1m.wire.bounds import LONGEST_RUN_ID

Request: TypeAlias = Any  # of whichever call it is
Answer: TypeAlias = Any

BEGINS: Final = "Prepare"  # names a run that is not yet, whatever its name


def bearer(context: grpc.ServicerContext) -> Bearer | None:
    """Whom the caller's certificate names; None without one, or without a role in it."""
    shown = cast("Mapping[str, Sequence[bytes]]", context.auth_context())  # the stubs know it as something else
    return bearer_of(name.decode(errors="replace") for name in shown.get("x509_subject_alternative_name", ()))


def operator(context: grpc.ServicerContext) -> str:
    """The caller's name; empty without TLS."""
    found = bearer(context)
    return found.name if found else ""


def whence(context: grpc.ServicerContext) -> str:
    """The caller's address as people write it. gRPC has "ipv4:127.0.0.1:4000", "ipv6:%5B::1%5D:4000", and only "unix:"."""
    address = unquote(context.peer()).partition(":")[2]
    return f"at {address}" if address else "over the Unix socket"  # by whose mode it is its owner, or root


def named(run_id: str) -> str:
    """As it may stand in a log: whoever calls may call a run whatever they like, and as many lines as they like."""
    plain = run_id.isprintable() and len(run_id) <= LONGEST_RUN_ID
    return run_id if plain else repr(run_id[:LONGEST_RUN_ID])


class Authorization(grpc.ServerInterceptor):
    """``secured``: whether callers have to be operators by their certificates. ``says``: whether there is a log.

    ``owner_of``: a run's id -> whose it is; empty: nobody's that is known.
    """

    def __init__(self, name: str, owner_of: Callable[[str], str], *, secured: bool, says: bool) -> None:
        self.name = name
        self.owner_of = owner_of
        self.secured = secured
        self.says = says

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Request, Answer] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Request, Answer] | None:
        handler = continuation(handler_call_details)
        if handler is None:
            return None  # there is no such call, and gRPC says so
        command = handler_call_details.method.rpartition("/")[2]
        if handler.unary_unary:
            call = self.guarded(command, handler.unary_unary)
            return grpc.unary_unary_rpc_method_handler(call, handler.request_deserializer, handler.response_serializer)
        if handler.unary_stream:
            stream = self.guarded(command, handler.unary_stream)
            return grpc.unary_stream_rpc_method_handler(stream, handler.request_deserializer, handler.response_serializer)
        raise AssertionError(f"{command} takes a stream, which the gate does not know yet")

    def guarded(
        self, command: str, behaviour: Callable[[Request, grpc.ServicerContext], Answer]
    ) -> Callable[[Request, grpc.ServicerContext], Answer]:
        def call(request: Request, context: grpc.ServicerContext) -> Answer:
            self.admit(command, getattr(request, "run_id", ""), context)
            return behaviour(request, context)

        return call

    def admit(self, command: str, run_id: str, context: grpc.ServicerContext) -> None:
        """Aborts the call of whoever may not command, or not this run."""
        found = bearer(context)
        who = f"{found or ('somebody of no role' if self.secured else 'somebody')} {whence(context)}"
        what = f"{command} of run {named(run_id)}" if run_id else command
        if why := self.instead(found, command, run_id):
            self.say(f"refused {what} by {who}: {why}")
            context.abort(grpc.StatusCode.PERMISSION_DENIED, why)
        self.say(f"{what} by {who}")

    def instead(self, found: Bearer | None, command: str, run_id: str) -> str:
        """Why it may not; empty where it may."""
        if not self.secured:
            return ""
        if found is None or found.role is not Role.OPERATOR:
            return (
                f"{found or 'the certificate'} is no operator's certificate, and only operators command nodes; issue one with "
                f"c1m-coord pki issue operator NAME"
            )
        owner = self.owner_of(run_id)
        if owner in ("", found.name) or command == BEGINS:
            return ""
        return (
            f"run {named(run_id)} is of operator {owner}, who alone may command it; ask {owner} to end it, or wait until the "
            f"node is free"
        )

    def say(self, sentence: str) -> None:
        if self.says or sentence.startswith("refused"):
            stamp = time.strftime("%Y-%m-%d %H:%M:%S")
            log(f"{stamp} {self.name}: {sentence}")
