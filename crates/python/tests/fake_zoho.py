"""A small fake of Zoho's accounts and CRM servers on loopback: who may have which token, and how often was asked."""

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class FakeZoho:
    def __init__(self, port=0):
        self.lock = threading.Lock()
        self.asked = Counter()
        self.users = {}  # of each grant, refresh and access token
        self.spent, self.revoked = set(), set()
        self.good_for = 3600  # seconds, of an access token
        self.refuses = False
        self.takes = 0.0  # seconds, for a refresh
        self.rotates = False
        zoho = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                self.answer(zoho.accounts(urlsplit(self.path).path, form))

            def do_GET(self):
                token = self.headers.get("Authorization", "").removeprefix("Zoho-oauthtoken ")
                self.answer(*zoho.crm(urlsplit(self.path).path, token))

            def answer(self, content, status=200):
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json;charset=UTF-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

        self.server = Server(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def grant(self, user):
        """A grant token, as a login would give it."""
        grant = f"grant-{user}"
        self.users[grant] = user
        return grant

    def accounts(self, path, form):
        if path.endswith("/revoke"):
            with self.lock:
                self.asked["revoke"] += 1
                self.revoked.add(form["token"])
            return {"status": "success"}
        if form.get("grant_type") == "authorization_code":
            return self._exchange(form["code"])
        return self._refresh(form.get("refresh_token"))

    def _exchange(self, code):
        with self.lock:
            self.asked["grant"] += 1
            if code not in self.users or code in self.spent:
                return {"error": "invalid_code"}
            self.spent.add(code)
            user = self.users[code]
            refresh = f"refresh-{user}"
            self.users[refresh] = user
            return {**self._access(user), "refresh_token": refresh}

    def _refresh(self, refresh):
        if self.takes:
            time.sleep(self.takes)
        with self.lock:
            self.asked["refresh"] += 1
            if self.refuses or refresh not in self.users or refresh in self.revoked:
                return {"error": "invalid_grant"}
            user = self.users[refresh]
            answer = self._access(user)
            if self.rotates:
                del self.users[refresh]
                answer["refresh_token"] = f"refresh-{user}-{self.asked['refresh']}"
                self.users[answer["refresh_token"]] = user
            return answer

    def _access(self, user):
        self.asked["access tokens"] += 1
        access = f"access-{user}-{self.asked['access tokens']}"
        self.users[access] = user
        return {"access_token": access, "expires_in": self.good_for, "api_domain": self.url, "token_type": "Bearer"}

    def crm(self, path, token):
        user = self.users.get(token) if token.startswith("access-") else None
        if user is None:
            return {"code": "INVALID_TOKEN", "details": {}, "message": "invalid oauth token", "status": "error"}, 401
        if path.endswith("/users"):
            return {"users": [{"id": "1", "email": f"{user}@example.test"}], "info": {"count": 1}}, 200
        if path.endswith("/org"):
            self.asked["org"] += 1
            return {"org": [{"id": "2", "zgid": "7001", "company_name": user}]}, 200
        return {"code": "INVALID_URL_PATTERN", "details": {}, "message": "no", "status": "error"}, 404
