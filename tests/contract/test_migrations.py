"""Migrations only grow: a database that ran one keeps its checksum and refuses another text under its name."""

import pytest

from tests.faults.upgrade import MIGRATIONS, git, newest_migration


@pytest.mark.parametrize("release", ["{}^", "{}"], ids=["before the newest migration", "with the newest migration"])
def test_no_migration_of_a_release_has_changed(release: str) -> None:
    """What the upgrade's fault run would tell after an hour. A change belongs into a new migration."""
    commit = release.format(newest_migration())
    assert git("ls-tree", "-r", "--name-only", commit, "--", "libs/postgres/engine").split(), "there were none"
    changed = git("diff", "--name-only", "--no-renames", "--diff-filter=MD", commit, "--", *MIGRATIONS)
    assert changed.decode().split() == []
