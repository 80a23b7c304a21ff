"""Prints the rows that the Python SDK's FileStore finds in a file, as JSON: a list of the ten columns for each."""

import json
import sys

from zohocrmsdk.src.com.zoho.api.authenticator.store import FileStore


def columns(token):
    user = token.get_user_signature()
    return [
        token.get_id(),
        user.get_name() if user is not None else None,
        token.get_client_id(),
        token.get_client_secret(),
        token.get_refresh_token(),
        token.get_access_token(),
        token.get_grant_token(),
        token.get_expires_in(),
        token.get_redirect_url(),
        token.get_api_domain(),
    ]


print(json.dumps([columns(token) for token in FileStore(file_path=sys.argv[1]).get_tokens()]))
