import pytest
from fake_zoho import FakeZoho
from running_sdk import Sdk


@pytest.fixture
def path(tmp_path):
    """Where a store can be made: a directory that nobody else can read."""
    tmp_path.chmod(0o700)
    return str(tmp_path / "tokens")


@pytest.fixture
def zoho():
    zoho = FakeZoho()
    yield zoho
    zoho.close()


@pytest.fixture
def sdk(zoho, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Sdk(zoho, path)
