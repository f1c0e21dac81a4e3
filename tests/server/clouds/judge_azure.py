"""Reads the fake vault with Azure's own client: what it takes for a vault, ours may take for one."""

import socket
import sys
from urllib.parse import urlsplit

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient

vault, url, ca, taken = sys.argv[1:]
here = urlsplit(url)
real = socket.getaddrinfo


def look_up(host, port, *more, **named):
    """Azure's domain is on this machine."""
    if host == vault:
        host, port = here.hostname, here.port
    return real(host, port, *more, **named)


socket.getaddrinfo = look_up


def client(secret):
    credential = ClientSecretCredential("tenant", "client", secret, authority=url, disable_instance_discovery=True, connection_verify=ca)
    return SecretClient(f"https://{vault}/", credential, connection_verify=ca)


if taken == "no":
    try:
        client("canary-client-secret").get_secret("plain")
    except ValueError as error:
        assert "does not match the requested domain" in str(error), error
        sys.exit()
    sys.exit("a token for another domain was sent")

good = client("canary-client-secret")
secret = good.get_secret("plain")
assert secret.value == "canary-4f1d-two" and secret.properties.version == "v2", secret
assert good.get_secret("plain", "v1").value == "canary-4f1d-one"
names = [properties.name for properties in good.list_properties_of_secrets()]
assert "plain" in names and "gone" not in names and len(names) > 2, names
assert good.get_deleted_secret("gone").name == "gone"
for name, error in [("absent", ResourceNotFoundError), ("gone", ResourceNotFoundError), ("disabled", HttpResponseError)]:
    try:
        good.get_secret(name)
    except error:
        continue
    sys.exit(f"{name} was read")
try:
    client("wrong").get_secret("plain")
    sys.exit("a wrong secret was taken")
except ClientAuthenticationError as error:
    assert "AADSTS7000215" in error.message, error.message
