"""A web application for many users of Zoho CRM: each logs in once, and any worker answers for any of them.

    pip install tokcask[zoho] flask gunicorn
    CLIENT_ID=... CLIENT_SECRET=... REDIRECT_URL=https://you.example/callback SESSION_KEY=... TOKENS=/var/lib/you/tokens \\
        gunicorn --workers 4 --preload crm:app

`/login` sends the user to Zoho, `/callback` is where Zoho sends them back, `/organization` is an API call in their name.
"""

import logging
import os
import secrets
from urllib.parse import urlencode

from flask import Flask, abort, redirect, request, session
from tokcask.zoho import TokcaskStore
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.dc.data_center import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.initializer import Initializer
from zohocrmsdk.src.com.zoho.crm.api.org import OrgOperations
from zohocrmsdk.src.com.zoho.crm.api.sdk_config import SDKConfig

ACCOUNTS = os.environ.get("ACCOUNTS_URL", "https://accounts.zoho.com/oauth/v2")
API = os.environ.get("API_URL", "https://www.zohoapis.com")
SCOPE = "ZohoCRM.org.READ,ZohoCRM.users.READ"

app = Flask(__name__)
app.secret_key = os.environ["SESSION_KEY"]
environment = DataCenter.Environment(API, ACCOUNTS + "/token", API)


def lost(error):
    """The SDK goes on as if nothing had happened: somebody has to know that this user will have to log in again."""
    app.logger.critical("tokens cannot be saved: %s", error)


# Made before gunicorn forks: each worker opens the store anew by itself. One worker refreshes, the others use what it got.
store = TokcaskStore(os.environ["TOKENS"], refresh_once=True, on_error=lost)
logging.getLogger("tokcask").setLevel(logging.ERROR)


def act_as(token):
    """The SDK calls with this token on this thread from now on."""
    if Initializer.initializer is None:
        Initializer.initialize(environment, token, store=store)
    Initializer.switch_user(environment, token, sdk_config=SDKConfig())


@app.get("/login")
def login():
    session["state"] = secrets.token_urlsafe()
    query = {
        "response_type": "code", "access_type": "offline", "prompt": "consent", "scope": SCOPE,
        "client_id": os.environ["CLIENT_ID"], "redirect_uri": os.environ["REDIRECT_URL"], "state": session["state"],
    }
    return redirect(f"{ACCOUNTS}/auth?{urlencode(query)}")


@app.get("/callback")
def callback():
    begun = session.pop("state", None)
    if begun is None or not secrets.compare_digest(begun, request.args.get("state", "")):
        abort(400, "not the login that was begun here")
    if "code" not in request.args:
        return redirect("/login")
    token = OAuthToken(
        client_id=os.environ["CLIENT_ID"], client_secret=os.environ["CLIENT_SECRET"],
        grant_token=request.args["code"], redirect_url=os.environ["REDIRECT_URL"],
    )
    try:
        act_as(token)
        token.get_token()
    except SDKException as error:
        app.logger.warning("a login failed: %s", error)
        abort(502, "Zoho did not accept the login; try again")
    # Who logs in again has a row already: it is found by the name that the SDK files it under.
    if token.get_id() is None:
        abort(503, "the login could not be stored; try again later")
    session["token"] = token.get_id()
    return redirect("/organization")


@app.get("/organization")
def organization():
    if "token" not in session:
        return redirect("/login")
    try:
        act_as(OAuthToken(id=session["token"]))
        answer = OrgOperations().get_organization().get_object()
    except SDKException as error:
        # The row is gone, or Zoho takes its refresh token no more. Anything else passes.
        is_refused = any(reason in str(error) for reason in ("invalid_grant", "invalid_code"))
        if not is_refused and store.store.get(id=session["token"]) is not None:
            app.logger.warning("no answer for token %s: %s", session["token"], error)
            abort(503, "Zoho does not answer; try again later")
        session.pop("token")
        return redirect("/login")
    if not hasattr(answer, "get_org"):
        # An error of Zoho's, such as for an access token that was revoked there.
        app.logger.warning("token %s was refused: %s", session["token"], answer.get_code().get_value())
        abort(502, "Zoho refused; log in again if this stays")
    return {"organization": answer.get_org()[0].get_company_name()}


@app.post("/logout")
def logout():
    if "token" in session:
        store.store.delete(session.pop("token"))
    return redirect("/login")
