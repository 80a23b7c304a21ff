"""A program that uses the SDK, and what it asks of it."""

import threading
import time

from tokcask.zoho import TokcaskStore
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.dc.data_center import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.initializer import Initializer
from zohocrmsdk.src.com.zoho.crm.api.org import OrgOperations

CLIENT = {"client_id": "fake-client", "client_secret": "fake-client-secret"}


class Sdk:
    """A program that uses the SDK; `restart` is another run of it."""

    def __init__(self, zoho, path):
        self.zoho, self.path, self.store = zoho, path, None

    def start(self, token, **options):
        Initializer.LOCAL.init = None
        if self.store is not None:
            self.store.close()
        self.store = TokcaskStore(self.path, **options)
        self.token = token
        Initializer.initialize(self.environment(), token, store=self.store)
        return self

    def environment(self):
        return DataCenter.Environment(self.zoho.url, self.zoho.url + "/oauth/v2/token", self.zoho.url)

    def switch(self, token):
        Initializer.switch_user(self.environment(), token, sdk_config=Initializer.get_initializer().sdk_config)
        self.token = token

    def log_in(self, user="ann", **options):
        return self.start(OAuthToken(grant_token=self.zoho.grant(user), **CLIENT), **options)

    def row(self, **key):
        return self.store.store.get(**key)


def who():
    """Whose token an API call is made with, as the server sees it."""
    answer = OrgOperations().get_organization()
    return answer.get_object().get_org()[0].get_company_name()


def expire(store):
    for row in store.store:
        store.store.save(id=row.id, expiry_time=str(int(time.time() * 1000) + 1000))


def in_threads(count, job):
    outcomes = [None] * count

    def run(number):
        try:
            outcomes[number] = job(number)
        except Exception as error:
            outcomes[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
