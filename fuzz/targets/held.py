"""Files that are c1m's own, as whoever copied, cut off or wrote them left them: certificates with their keys, and the record
of what was tuned. And what gRPC's core logs of peers, which the log makes sentences of.
"""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

from c1m.errors import C1mError
from c1m.kernel.tuning_record import TuningRecord
from c1m.limits.tunable import TUNABLE
from c1m.security.authority import KEY_FILE, Authority, found_authority
from c1m.security.handshake_log import sentence_of
from c1m.security.identity import checked_identity
from c1m.security.roles import AUTHORITY_FILE, IDENTITY_FILE, Bearer, Role
from chance import TEXTS, decoded, mutated, text
from fuzzed import Target, room, tried

ROOM = room()
AFTER = b"\n--\n"  # the second file, in an input that holds two
SOUND, TURNED, CHANGED = b"sound", b"turned", b"changed "  # inputs; what follows the last is by which chance


def sound_certificates() -> bytes:
    """With another key each time."""
    now = datetime.now(UTC)
    authority = found_authority(ROOM / "pki", now, 3650)
    made = authority.issue(Bearer(Role.OPERATOR, "alice"), [], now, 365)
    return AFTER.join((made / name).read_bytes() for name in (AUTHORITY_FILE, IDENTITY_FILE))


def files_of(data: bytes) -> bytes:
    """An input is the files themselves, or says what becomes of sound ones: so no key has to be in the corpus, or is."""
    if data == TURNED:
        return AFTER.join(CERTIFICATES.split(AFTER)[::-1])
    if data.startswith(CHANGED):
        return mutated(CERTIFICATES, Random(data), CERTIFICATES)
    return CERTIFICATES if data == SOUND else data


def certificates(data: bytes) -> str:
    """As --tls names them, and as the authority's own."""
    first, _, second = files_of(data).partition(AFTER)
    for name, content in ((AUTHORITY_FILE, first), (IDENTITY_FILE, second), (KEY_FILE, second)):
        (ROOM / name).write_bytes(content)
        (ROOM / name).chmod(0o600)
    return " ".join(
        (
            tried(checked_identity, ROOM, refusals=(C1mError,)),
            tried(lambda: Authority(ROOM).term, refusals=(C1mError,)),
        )
    )


def record(data: bytes) -> str:
    tuned = TuningRecord(ROOM)
    tuned.path.write_bytes(data)

    def entries() -> object:
        with tuned.held():
            return [(name, written.is_ours("5"), tuned.of(name)) for name, written in tuned.here.items()]

    return tried(entries, refusals=(C1mError,))


def lines(data: bytes) -> str:
    """Each is one of the core's and a sentence or nothing, or anybody's."""
    said = [sentence_of(line) for line in decoded(data).split("\n")]
    assert all(sentence is None or "\n" not in sentence for sentence in said)
    return " ".join("other" if sentence is None else sentence and sentence[:40] for sentence in said[:2])


CERTIFICATES = sound_certificates()
RECORDS = (
    b'{"host": {"fs.file-max": {"before": "5", "found": "5", "after": "9"}}}',
    b"{}",
    b'{"host": {"fs.file-max": {"before": 5}}, "network namespace 1": {}}',
)
RECORD_WORDS = (*'{ } [ ] : , " "host" "before" "found" "after" null 1e999 NaN true'.split(), *TUNABLE, *TEXTS)
CORE = (
    "E0000 ssl.cc:1] Handshake failed with error SSL_ERROR_SSL: OPENSSL_internal: certificate has expired\n",
    "E1129 No match found for server name: other.lab\n",
    "I1129 something\n",
)
CORE_WORDS = (*{word for line in CORE for word in line.split(" ")}, " ", *TEXTS)


def changed(chance: Random) -> bytes:
    return CHANGED + str(chance.getrandbits(64)).encode()


TARGETS = (
    Target("certificates", (SOUND, TURNED, b"", CERTIFICATES.partition(AFTER)[0]), changed, certificates),
    Target("record", RECORDS, lambda chance: text(chance, RECORD_WORDS), record),
    Target("handshakes", tuple(line.encode() for line in CORE), lambda chance: text(chance, CORE_WORDS), lines),
)
