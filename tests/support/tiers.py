"""A pytest plugin: the tier of each test, from its folder, and a file of the tests that failed.

The folder says what a test needs, so it is not marked by hand. ``acceptance`` marks a test of the third tier (`make
acceptance`): most cases of the matrices below, and what is marked so by hand, because another test of its kind is in
the second tier.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

TIERS = ("unit", "programs", "lab", "project")
TESTS = Path(__file__).parent.parent
EACH = 8  # of the cases of a matrix one in so many belongs to the second tier, the first one always
# Tests with many cases of one kind, each of which starts programs. The other cases belong to the third tier.
MATRICES = {
    "test_a_command_without_a_run_is_left_at_once",
    "test_a_coordinator_that_was_stopped_until_leases_ended_says_so_and_blames_nobody",
    "test_a_damaged_journal_is_a_sentence",
    "test_a_file_that_no_person_wrote_is_named",
    "test_a_journal_whose_records_make_no_sense_is_a_sentence",
    "test_a_killed_process_degrades_the_run_and_is_named",
    "test_a_killed_shard_is_replaced_and_what_it_held_is_opened_again",
    "test_a_lost_share_is_taken_over_and_the_run_passes",
    "test_a_node_that_is_back_before_it_is_lost_goes_on",
    "test_a_process_carries_a_child_for_each_table_that_it_needs",
    "test_a_retarget_that_makes_no_sense_is_a_sentence",
    "test_a_run_is_shown_as_it_was_when_it_ended",
    "test_a_run_that_cannot_go_on_ends_at_once_and_says_why",
    "test_a_setting_that_the_table_does_not_name_is_refused_with_all_that_came_with_it",
    "test_every_heartbeat_is_answered_and_both_sides_agree_on_every_byte",
    "test_every_table_is_filled_as_planned_however_many_a_process_carries",
    "test_it_goes_on_where_it_was",
    "test_killed_it_is_shown_as_far_as_it_went",
    "test_no_command_exceeds_a_ceiling",
    "test_nobody_is_loaded_who_was_not_named",
    "test_the_disk_was_full_when_its_coordinator_was_killed",
    "test_the_share_of_a_worker_that_is_lost_is_redistributed",
    "test_thirty_thousand_from_two_workers",
    "test_two_workers_of_one_namespace_count_their_own_connections_to_one_port",
    "test_what_a_target_pushes_arrives_to_the_last_byte",
    "test_what_cannot_be_done_is_one_sentence_and_a_code",
    "test_what_cannot_be_observed_is_a_sentence",
    "test_what_is_not_there_is_a_sentence",
    "test_words_that_lead_nowhere",
    "test_wrong_words_are_named",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--failed-to", metavar="FILE", help="write the names of the tests that failed, one a line")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    seen: Counter[str] = Counter()
    for item in items:
        item.add_marker(getattr(pytest.mark, item.path.relative_to(TESTS).parts[0]))
        name = getattr(item, "originalname", item.name)
        if name in MATRICES and seen[name] % EACH:
            item.add_marker(pytest.mark.acceptance)
        seen[name] += 1


class Failures:
    """The tests that failed, in the process that reports."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and report.nodeid not in self.names:
            self.names.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("".join(f"{name}\n" for name in self.names), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--failed-to")
    if path and not hasattr(config, "workerinput"):  # not in a process of pytest-xdist, which reports to this one
        config.pluginmanager.register(Failures(Path(path)))
