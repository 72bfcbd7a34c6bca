"""expose.py TARGET RELAY NAME: puts a service of this machine on a public name, until Ctrl-C."""

import asyncio
import sys

from portal_sdk import Identity, expose


async def main(target: str, relay: str, name: str, ca_file: str | None = None) -> None:
    identity = Identity.load("identity.json")
    async with expose(target, relay=relay, name=name, identity=identity, ca_file=ca_file) as tunnel:
        print("serving at", tunnel.url, flush=True)
        await tunnel.wait_closed()


asyncio.run(main(*sys.argv[1:]))
