"""Reads the fake project with Google's own client: what it takes for Secret Manager, ours may take for it."""

import sys

from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import BadRequest, Forbidden, NotFound
from google.cloud import secretmanager_v1
from google.auth.transport.requests import Request
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials

endpoint, key_file = sys.argv[1:]
account = service_account.Credentials.from_service_account_file(
    key_file, scopes=["https://www.googleapis.com/auth/cloud-platform"]
)
# Where it is left to the client, it signs a token itself and asks nobody.
account.refresh(Request())
credentials = Credentials(account.token)
client = secretmanager_v1.SecretManagerServiceClient(
    credentials=credentials, transport="rest", client_options=ClientOptions(api_endpoint=endpoint)
)


def read(name, version="latest", project="project"):
    return client.access_secret_version(name=f"projects/{project}/secrets/{name}/versions/{version}")


answer = read("plain")
# It has compared the checksum where it is there.
assert answer.payload.data == b"canary-4f1d-two" and answer.name.endswith("/versions/2"), answer
assert answer.payload.data_crc32c
assert read("plain", "1").payload.data == b"canary-4f1d-one"
names = [secret.name.rsplit("/")[-1] for secret in client.list_secrets(parent="projects/project")]
assert "plain" in names and len(names) > 2, names
for error, arguments in [
    (NotFound, ("absent",)),
    (BadRequest, ("destroyed",)),
    (BadRequest, ("disabled",)),
    (Forbidden, ("plain", "latest", "elsewhere")),
]:
    try:
        read(*arguments)
    except error:
        continue
    sys.exit(f"{arguments} was read")
