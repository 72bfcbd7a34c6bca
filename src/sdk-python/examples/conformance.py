"""Runs this SDK for ``portal conformance``: a task on standard input, events on standard output."""

import asyncio
import json
import logging
import sys

from portal_sdk import ApiError, Identity, PortalError, expose


def tell(**event: str) -> None:
    print(json.dumps(event), flush=True)


async def main() -> None:
    logging.basicConfig(level=logging.DEBUG)
    logging.getLogger("asyncio").setLevel(logging.INFO)
    task = json.loads(sys.stdin.readline())
    identity = Identity(bytes.fromhex(task["private_key"][2:]))
    end = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    try:
        tunnel = expose(
            task["target"], relay=task["relay"], name=task["name"], identity=identity, ca_file=task["ca_file"]
        )
        async with tunnel:
            tell(event="serving")
            closed = asyncio.create_task(tunnel.wait_closed())
            await asyncio.wait({closed, end}, return_when=asyncio.FIRST_COMPLETED)
            if closed.done():
                closed.result()
    except PortalError as error:
        tell(event="stopped", reason=error.code if isinstance(error, ApiError) else str(error))
        sys.stdout.flush()


asyncio.run(main())
