"""Kills while saving: nothing that was acknowledged is lost. And workers of gunicorn, before and after the fork."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_zoho import FakeZoho

import tokcask

CHILD = """
import sys
from tokcask.zoho import TokcaskStore
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature
store = TokcaskStore(sys.argv[1])
print("ready", flush=True)
for number in range(1_000_000):
    user, access = f"user{number % 40}", f"fake-{sys.argv[2]}-{number}"
    token = OAuthToken(user_signature=UserSignature(user), access_token=access)
    store.save_token(token)
    print(token.get_id(), user, access, flush=True)
"""


def test_fifty_kills_while_saving_lose_nothing(path):
    saved, kills = {}, 0
    for turn in range(50):
        process = subprocess.Popen([sys.executable, "-c", CHILD, path, str(turn)], stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        time.sleep(random.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        lines = [line.split() for line in process.stdout.read().split("\n")[:-1]]
        kills += process.wait() == -signal.SIGKILL
        for id, user, access in lines:
            assert saved.get(user, (id,))[0] == id, "a row keeps its id"
            saved[user] = (id, access)
        with tokcask.Store(path) as store:
            rows = {row.user_name: (row.id, row.access_token) for row in store}
        # What was saved last, or the one save that was in flight.
        others = [user for user, row in saved.items() if rows[user] != row]
        assert len(others) <= 1, [(saved[user], rows[user]) for user in others]
        for user in others:
            assert rows[user][0] == saved[user][0] and rows[user][1].startswith(f"fake-{turn}-")
        assert len({id for id, _ in rows.values()}) == len(rows)
        saved = rows
    assert kills == 50 and saved


@pytest.mark.parametrize("preload", [False, True], ids=["workers", "preload"])
def test_gunicorn_workers_refresh_once_and_call_as_nobody_else(preload, path, tmp_path):
    """Four workers under load, while the tokens of four users end every second."""
    zoho = FakeZoho()
    users = [f"user{number}" for number in range(4)]
    with tokcask.Store(path) as store:
        for user in users:
            zoho.users[f"refresh-{user}"] = user
            store.save(
                user_name=user, refresh_token=f"refresh-{user}", client_id="c", client_secret="s", api_domain=zoho.url,
                access_token=f"access-{user}-0", expiry_time="1000000000000",
            )
    # The SDK refreshes five seconds before the end.
    zoho.good_for, zoho.takes, zoho.rotates = 6, 0.05, True
    socket = tmp_path / "socket"
    command = [sys.executable, "-m", "gunicorn", "--chdir", str(Path(__file__).parent), "--workers", "4", "--bind", f"unix:{socket}"]
    command += ["--log-level", "warning", *(["--preload"] if preload else []), "gunicorn_app:application"]
    environment = {**os.environ, "TOKENS": path, "ZOHO": zoho.url, "PYTHONPATH": str(Path(__file__).parent)}
    server = subprocess.Popen(command, env=environment, cwd=tmp_path)
    try:
        end, answers, workers = time.time() + 6, [], set()

        def ask(user, id):
            while time.time() < end:
                answer = get(socket, f"/{id}")
                answers.append((user, answer))
                workers.add(answer.rsplit(" ", 1)[-1])

        wait_for(socket)
        threads = [threading.Thread(target=ask, args=(user, id)) for id, user in enumerate(users, 1) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        server.terminate()
        server.wait(30)
        zoho.close()
    assert len(answers) > 100 and len(workers) > 1
    assert not [(user, answer) for user, answer in answers if not answer.startswith(f"{user} ")]
    # About one a second and user: the SDK alone would make one a worker.
    assert 4 <= zoho.asked["refresh"] <= 4 * 9
    with tokcask.Store(path) as store:
        assert [row.user_name for row in store] == users
        assert all(row.refresh_token in zoho.users for row in store), "the last refresh token is the one that works"


def wait_for(socket):
    for _ in range(200):
        if socket.exists():
            return
        time.sleep(0.05)
    raise AssertionError("the server does not start")


def get(socket, path):
    import http.client
    import socket as sockets

    connection = http.client.HTTPConnection("localhost", timeout=30)
    connection.sock = sockets.socket(sockets.AF_UNIX)
    connection.sock.connect(str(socket))
    connection.request("GET", path)
    return connection.getresponse().read().decode()
