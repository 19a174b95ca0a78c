"""For all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def journals_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Runs leave their journals where the suite's other files are, and none among the developer's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield
