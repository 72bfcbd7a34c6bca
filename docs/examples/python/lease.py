"""Leases a name with the client that openapi-python-client makes of the contract, renews the lease and gives it back.

Usage: lease.py RELAY_URL CA_FILE NAME
"""

import ssl
import sys
from urllib.parse import urlsplit

from eth_account import Account
from eth_account.messages import encode_defunct

from portal_client import Client
from portal_client.api.sdk import create_register_challenge, register_lease, renew_lease, unregister_lease
from portal_client.models import (
    ChallengeAnswer,
    EmptyAnswer,
    IdentityInput,
    LeaseAnswer,
    RegisterChallengeRequest,
    RegisterRequest,
    RenewalAnswer,
    RenewRequest,
    UnregisterRequest,
)


def data_of(answer, kind):
    if not isinstance(answer, kind):
        raise SystemExit(f"refused: {answer.error.code}: {answer.error.message}")
    return answer.data


def main(relay, ca_file, name):
    client = Client(relay, verify_ssl=ssl.create_default_context(cafile=ca_file))
    account = Account.create()
    identity = IdentityInput(name=name, address=account.address)
    asked = create_register_challenge.sync(client=client, body=RegisterChallengeRequest(identity=identity))
    challenge = data_of(asked, ChallengeAnswer)
    # What must be checked before it is signed is in docs/vectors/sign-in-messages.json; here the least of it.
    if not challenge.siwe_message.startswith(f"{urlsplit(relay).netloc} wants you to sign in"):
        raise SystemExit("not signed: the message is for another relay")
    signature = account.sign_message(encode_defunct(text=challenge.siwe_message)).signature.hex()
    body = RegisterRequest(challenge.challenge_id, challenge.siwe_message, f"0x{signature.removeprefix('0x')}")
    lease = data_of(register_lease.sync(client=client, body=body), LeaseAnswer)
    print("leased", lease.hostname, "until", lease.expires_at)
    renewal = data_of(renew_lease.sync(client=client, body=RenewRequest(lease.access_token)), RenewalAnswer)
    print("renewed until", renewal.expires_at)
    gone = unregister_lease.sync(client=client, body=UnregisterRequest(renewal.access_token))
    data_of(gone, EmptyAnswer)
    print("given back")
    refused = renew_lease.sync(client=client, body=RenewRequest(renewal.access_token))
    print("renewed once more:", refused.error.code)


main(*sys.argv[1:])
