"""Finds out why a node cannot be called where gRPC says no more than "Socket closed".

After a failed call it calls the node itself: connect() for a Unix socket, otherwise a TLS handshake. It finds no reason for a
node that is merely not there.
"""

from __future__ import annotations

import os
import socket
import ssl

from c1m.net.control_address import ControlAddress, SocketPath
from c1m.net.endpoints import HostPort
from c1m.security.identity import Identity

PATIENCE_SECONDS = 3.0
HTTP2 = ["h2"]  # without it gRPC's servers end the handshake

# Results of OpenSSL's verification (x509_vfy.h) of the certificate that the node showed.
EXPIRED, NOT_YET_VALID = 10, 9
UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})
OTHER_NAME = frozenset({62, 64})  # of a host, of an address


def cause(address: ControlAddress, identity: Identity | None) -> str:
    """Return why a node cannot be called, as the part of a sentence that follows the node's name.

    It is empty when neither TLS nor the socket is the cause. ``identity``: the certificate that the node was called with; None:
    without TLS. Blocks for some seconds at most.
    """
    if isinstance(address, SocketPath):
        return of_socket(address.path)
    try:
        if identity is None:
            return without_tls(address)
        return with_tls(address, identity)
    except (OSError, UnicodeError):  # no such host, no listener, no answer: gRPC's error has the reason
        return ""


def of_socket(path: str) -> str:
    """Return why the Unix socket of a node cannot be called, as a part of a sentence.

    It is empty when the socket can be called, or when the reason is none of those known here.
    """
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(PATIENCE_SECONDS)
        try:
            caller.connect(path)
        except FileNotFoundError:
            return "is not started: there is no such socket on this machine; start it with that --listen"
        except ConnectionRefusedError:
            return "has ended, and left its socket behind; start it again with that --listen"
        except PermissionError:
            if os.geteuid() == 0:
                return (
                    "takes calls of the user who started it; root here lacks CAP_DAC_OVERRIDE, or is root of a user namespace"
                )
            return f"takes calls of the user who started it, and of root; uid {os.geteuid()} may not call it"
        except OSError:  # stopped, perhaps: gRPC's error has the reason
            pass
    return ""


def without_tls(address: HostPort) -> str:
    """Return a part of a sentence if a node wants TLS and was called without; empty if it does not use TLS either.

    Tries a TLS handshake. Raises OSError for a node that is not there.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        first_bytes(context, address)
    except ssl.SSLError:
        return ""  # no TLS there either
    return "wants TLS, and was called without; name your operator's certificate with --tls DIR"


def with_tls(address: HostPort, identity: Identity) -> str:
    """Return why a call to a node with TLS fails, as a part of a sentence; empty if TLS is not the cause.

    Tries a TLS handshake. Raises OSError for a node that is not there.
    """
    context = ssl.create_default_context(cadata=identity.authority.decode())
    load_own(context, identity)
    try:
        answer = first_bytes(context, address)
    except ssl.SSLCertVerificationError as error:
        return of_verification(error, address)
    except ssl.SSLError as error:
        if error.reason in ("WRONG_VERSION_NUMBER", "UNEXPECTED_MESSAGE", "HTTP_REQUEST"):
            return "was called with TLS, and speaks without; start it with --tls DIR, or leave --tls out here"
        return f"ended the TLS handshake: {error.reason or error}; its log may say why"
    # A TLS 1.3 server checks our certificate after our part of the handshake, and gRPC's then closes without a reason.
    return (
        ""
        if answer
        else (
            f"does not take the certificate of {identity.bearer}: another authority than the node's has signed it, or it "
            f"is not valid by the node's clock; the node's log says which"
        )
    )


def of_verification(error: ssl.SSLCertVerificationError, address: HostPort) -> str:
    """Return why the verification of a node's certificate failed, as a part of a sentence with the cure."""
    code = error.verify_code
    if code in OTHER_NAME:
        return (
            f"shows a certificate that does not name {address.host}; call it by a name that is in it, or issue it anew: "
            f"c1m-coord pki issue node NAME {address.host}"
        )
    if code == EXPIRED:
        return "shows a certificate that has expired; renew it with c1m-coord pki renew, and copy it to the node"
    if code == NOT_YET_VALID:
        return "shows a certificate that is not valid yet; set the clocks of both machines"
    if code in UNKNOWN_AUTHORITY:
        return (
            "shows a certificate of an authority that --tls here does not trust; were both made by the same c1m-coord pki init?"
        )
    return f"shows a certificate that is not valid: {error.verify_message}"


def load_own(context: ssl.SSLContext, identity: Identity) -> None:
    """Load a certificate and its key into a TLS context. Returns nothing.

    OpenSSL reads them only from files, so they go into an anonymous file in memory.
    """
    descriptor = os.memfd_create("c1m-identity")
    try:
        os.write(descriptor, identity.own)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def first_bytes(context: ssl.SSLContext, address: HostPort) -> bytes:
    """Return the first bytes that a node sends after the TLS handshake; empty if it closed the connection instead.

    A gRPC server begins with its settings. Raises SSLError for a handshake that fails, and OSError when no process listens.
    """
    context.set_alpn_protocols(HTTP2)
    with (
        socket.create_connection((address.host, address.port), PATIENCE_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=address.host) as wrapped,
    ):
        try:
            return wrapped.recv(9)
        except (ConnectionError, ssl.SSLError):
            return b""
