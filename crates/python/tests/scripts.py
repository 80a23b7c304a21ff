"""Scripts of operations on a token store of the SDK, and what came of them, as the cases in `tests/data/cases` have it."""

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

FIELDS = [
    "id", "user_name", "client_id", "client_secret", "refresh_token",
    "access_token", "grant_token", "expires_in", "redirect_url", "api_domain",
]


def put(token, name, value):
    if name != "user_name":
        getattr(token, "set_" + name)(value)
    elif isinstance(value, dict):
        # A signature is there, whatever its name.
        token.set_user_signature(UserSignature(value["name"]))
    else:
        token.set_user_signature(None if value is None else UserSignature(value))


def make(fields):
    """A token as a store may get it: without the constructor's rules."""
    token = object.__new__(OAuthToken)
    for name in FIELDS:
        put(token, name, fields.get(name))
    return token


def show(token):
    if token is None:
        return None
    signature = token.get_user_signature()
    values = {name: getattr(token, "get_" + name)() for name in FIELDS if name != "user_name"}
    values["user_name"] = None if signature is None else signature.get_name()
    return {name: value for name, value in values.items() if value is not None}


class Player:
    """Plays operations on a store that `open_store(is_new)` gives."""

    def __init__(self, open_store):
        self.open_store = open_store
        self.store, self.held = None, {}

    def play(self, operation):
        if operation["op"] == "case":
            self.store, self.held = self.open_store(True), {}
            return None
        if operation["op"] == "reopen":
            self.store = self.open_store(False)
            return {}
        if operation["op"].startswith("raw"):
            return {"unsupported": operation["op"]}  # of files of the SDK
        try:
            return getattr(self, operation["op"])(operation)
        except SDKException as error:
            return {"raised": "SDKException", "code": error.code, "message": error.args[1]}

    def _token(self, operation):
        token = self.held[operation["ref"]] if "ref" in operation else make(operation["token"])
        for name, value in operation.get("set", {}).items():
            put(token, name, value)
        if "as" in operation:
            self.held[operation["as"]] = token
        return token

    def save(self, operation):
        token = self._token(operation)
        assert self.store.save_token(token) is None
        return {"argument_after": show(token)}

    def find(self, operation):
        token = self._token(operation)
        found = self.store.find_token(token)
        if found is None:
            return {"found": False, "argument_after": show(token)}
        return {"found": True, "same_object": found is token, "token": show(found)}

    def find_by_id(self, operation):
        found = self.store.find_token_by_id(operation["id"])
        if "as" in operation:
            self.held[operation["as"]] = found
        return {"found": found is not None, "token": show(found)}

    def delete(self, operation):
        return {"returned": self.store.delete_token(operation["id"])}

    def delete_all(self, operation):
        return {"returned": self.store.delete_tokens()}

    def get_all(self, operation):
        return {"tokens": [show(token) for token in self.store.get_tokens()]}
