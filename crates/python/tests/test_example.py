"""The example, as a user would run it: gunicorn with four workers, preloaded, and users who log in and out."""

import http.client
import json
import os
import re
import socket as sockets
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from fake_zoho import FakeZoho
from test_processes import wait_for

import tokcask


class Browser:
    def __init__(self, socket):
        self.socket, self.cookie = socket, ""

    def ask(self, path, method="GET"):
        connection = http.client.HTTPConnection("localhost", timeout=30)
        connection.sock = sockets.socket(sockets.AF_UNIX)
        connection.sock.connect(str(self.socket))
        connection.request(method, path, headers={"Cookie": self.cookie})
        answer = connection.getresponse()
        self.cookie = (answer.headers.get("Set-Cookie") or self.cookie).split(";")[0]
        return answer.status, answer.headers.get("Location"), answer.read().decode()


def test_users_log_in_and_call_and_log_out(path, tmp_path):
    zoho, socket = FakeZoho(), tmp_path / "socket"
    environment = {
        **os.environ, "TOKENS": path, "CLIENT_ID": "c", "CLIENT_SECRET": "s", "REDIRECT_URL": "https://you.example/callback",
        "SESSION_KEY": "fake", "ACCOUNTS_URL": zoho.url + "/oauth/v2", "API_URL": zoho.url,
    }
    command = [sys.executable, "-m", "gunicorn", "--chdir", str(Path(__file__).parents[1] / "examples")]
    command += ["--workers", "4", "--preload", "--log-level", "warning", "--bind", f"unix:{socket}", "crm:app"]
    server = subprocess.Popen(command, env=environment, cwd=tmp_path)
    try:
        wait_for(socket)
        browsers = {}
        # Somebody else's login is not brought to a browser that has begun none.
        assert Browser(socket).ask(f"/callback?code={zoho.grant('attacker')}")[0] == 400
        for user in ("ann", "bob", "cyd"):
            browser = browsers[user] = Browser(socket)
            assert browser.ask("/organization")[1] == "/login"
            to = browser.ask("/login")[1]
            state = parse_qs(urlsplit(to).query)["state"][0]
            assert browser.ask(f"/callback?code=x&state=forged{state}")[0] == 400
            state = parse_qs(urlsplit(browser.ask("/login")[1]).query)["state"][0]
            status, to, body = browser.ask(f"/callback?code={zoho.grant(user)}&state={state}")
            assert (status, to) == (302, "/organization"), body
        with tokcask.Store(path) as store:
            assert [row.id for row in store] == ["1", "2", "3"]
            for row in store:
                store.save(id=row.id, expiry_time="1000000000000")
        for _ in range(8):
            for user, browser in browsers.items():
                assert json.loads(browser.ask("/organization")[2]) == {"organization": user}
        assert zoho.asked["refresh"] == 3
        # A token that Zoho takes back is an answer of ours, no crash.
        with tokcask.Store(path) as store:
            del zoho.users[store.get(id="3").access_token]
        assert browsers["cyd"].ask("/organization")[0] == 502
        browser = Browser(socket)
        state = parse_qs(urlsplit(browser.ask("/login")[1]).query)["state"][0]
        assert browser.ask(f"/callback?code=unknown&state={state}")[0] == 502
        assert browsers["bob"].ask("/logout", "POST")[1] == "/login"
        assert browsers["bob"].ask("/organization")[1] == "/login"
        assert json.loads(browsers["ann"].ask("/organization")[2]) == {"organization": "ann"}
    finally:
        server.terminate()
        server.wait(30)
        zoho.close()


def test_what_the_readme_shows_runs(tmp_path):
    tmp_path.chmod(0o700)
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", readme, re.S)
    [plain] = [block for block in blocks if "with tokcask.Store" in block]
    program = "def ask_the_provider(row):\n    return {'access_token': 'fake'}\n" + plain
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout == "1 ana\n"
    for block in blocks:
        compile(block, "README.md", "exec")
