"""What the workers of `test_processes` do: an API call of the SDK as the user that is asked for."""

import os

from tokcask.zoho import TokcaskStore
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.dc.data_center import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.initializer import Initializer
from zohocrmsdk.src.com.zoho.crm.api.org import OrgOperations

URL = os.environ["ZOHO"]
ENVIRONMENT = DataCenter.Environment(URL, URL + "/oauth/v2/token", URL)
STORE = TokcaskStore(os.environ["TOKENS"], refresh_once=True)
Initializer.initialize(ENVIRONMENT, OAuthToken(id="1"), store=STORE)


def application(environ, start_response):
    id = environ["PATH_INFO"].strip("/")
    try:
        Initializer.switch_user(ENVIRONMENT, OAuthToken(id=id), sdk_config=Initializer.get_initializer().sdk_config)
        answer = OrgOperations().get_organization().get_object().get_org()[0].get_company_name()
    except Exception as error:
        answer = f"failed: {error!r} {getattr(error, 'cause', None)!r}"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{answer} {os.getpid()}".encode()]
