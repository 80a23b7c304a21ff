import pytest


@pytest.fixture
def path(tmp_path):
    """Where a store can be made: a directory that nobody else can read."""
    tmp_path.chmod(0o700)
    return str(tmp_path / "tokens")
