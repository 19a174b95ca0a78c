"""README.md has the table of settings that the program has."""

from tree import ROOT

from c1m.coordinator.spec.readme_table import renewed


def test_the_table_of_settings_is_fresh() -> None:
    """Otherwise: make readme"""
    readme = (ROOT / "README.md").read_text()

    assert renewed(readme) == readme
