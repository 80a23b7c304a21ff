"""The package's types: it keeps them itself, and a program that uses it is checked by them."""

import subprocess
import sys
from pathlib import Path

import tokcask

GOOD = """
from typing import List, Optional
import tokcask
from tokcask.zoho import TokcaskStore, import_file_store
store = tokcask.Store("tokens", key=b"x" * 32)
token = store.save(user_name="ana")
name: Optional[str] = token.user_name
how: str = store.refresh(lambda row: {"access_token": "a"}, id="1").how
tokens: List[tokcask.Token] = list(store)
other = TokcaskStore("other", refresh_once=True, on_error=print)
count: int = import_file_store("file", other).imported
"""


def mypy(*arguments):
    command = [sys.executable, "-m", "mypy", "--ignore-missing-imports", "--no-incremental", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True)
    return ran.returncode, ran.stdout


def test_the_package_and_a_program(tmp_path):
    package = Path(tokcask.__file__).parent
    assert (package / "py.typed").exists()
    assert mypy("-p", "tokcask")[0] == 0, mypy("-p", "tokcask")[1]
    program = tmp_path / "program.py"
    program.write_text(GOOD)
    assert mypy(str(program))[0] == 0, mypy(str(program))[1]
    program.write_text(GOOD.replace("name: Optional[str]", "name: int"))
    assert mypy(str(program))[0] == 1
    program.write_text(GOOD.replace("on_error=print", "lock_timeout='long'"))
    assert mypy(str(program))[0] == 1
