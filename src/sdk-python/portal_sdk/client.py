"""Calls of a relay's API."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TypeVar
from urllib.parse import quote

import httpx

from .codec import ShapeError, decode, encode
from .contract import ERROR_CATALOGUE, Operations
from .errors import AnswerError, ApiError, NetworkError
from .relay_url import RelayUrl, is_address

T = TypeVar("T")

_MAX_ANSWER_BYTES = 256 * 1024
_MAX_RETRY_AFTER = 600.0


def default_ssl_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Verifies names and chains; by the system's CAs, or by those of a file alone."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class RelayClient(Operations):
    """
    Every operation of the contract as a method, such as ``await client.register_lease(RegisterRequest(...))``.

    Methods raise ``ApiError``, ``NetworkError`` and ``AnswerError``. Redirects are refused, since they would carry a
    token elsewhere; answers are bounded in size, and calls in time.

    ::

        async with RelayClient("https://relay.example.com") as client:
            print((await client.get_domain()).root_host)
    """

    def __init__(self, relay: str | RelayUrl, *, ca_file: str | None = None, timeout: float = 10.0) -> None:
        """
        :param ca_file: PEM, of a relay whose certificate is from a CA that this machine does not know
        :param timeout: seconds that a call may take in all
        """
        self.relay = relay if isinstance(relay, RelayUrl) else RelayUrl.parse(relay)
        self.session_ssl_context = default_ssl_context(ca_file)
        self.session_ssl_context.set_alpn_protocols(["http/1.1"])
        self._timeout = timeout
        self._clock_offset = 0.0
        # Proxies of the environment are not used: reverse sessions could not go through them either.
        self._http = httpx.AsyncClient(
            verify=default_ssl_context(ca_file), follow_redirects=False, trust_env=False, timeout=timeout
        )

    async def __aenter__(self) -> RelayClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes its connections."""
        await self._http.aclose()

    def now(self) -> datetime:
        """The time by the relay's clock, as far as its answers tell."""
        return datetime.fromtimestamp(time.time() + self._clock_offset, UTC)

    @staticmethod
    def segment(value: str) -> str:
        return quote(value, safe="")

    async def call(
        self,
        answer: type[T],
        method: str,
        path: str,
        *,
        body: object = None,
        query: dict[str, str] | None = None,
        access_token: str | None = None,
    ) -> T:
        headers = {"accept": "application/json", "accept-encoding": "identity", "host": self.relay.authority}
        if access_token is not None:
            headers["x-portal-access-token"] = access_token
        content: bytes | None = None
        if body is not None or method == "POST":
            headers["content-type"] = "application/json"
            content = json.dumps(encode(body) if body is not None else {}).encode()
        host = f"[{self.relay.address}]" if ":" in self.relay.address else self.relay.address
        request = self._http.build_request(
            method,
            f"{self.relay.scheme}://{host}:{self.relay.port}{path}",
            params=query,
            headers=headers,
            content=content,
            extensions={} if is_address(self.relay.host) else {"sni_hostname": self.relay.server_name},
        )
        status, answer_headers, text = await self._exchange(request)
        self._note_clock(answer_headers)
        return self._read(answer, status, answer_headers, text)

    async def _exchange(self, request: httpx.Request) -> tuple[int, httpx.Headers, bytes]:
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._http.send(request, stream=True)
                try:
                    # What is compressed may be of any size.
                    if response.headers.get("content-encoding", "identity") != "identity":
                        raise AnswerError("the relay's answer is compressed", response.status_code)
                    text = bytearray()
                    async for chunk in response.aiter_raw():
                        text += chunk
                        if len(text) > _MAX_ANSWER_BYTES:
                            raise AnswerError("the relay's answer is too large", response.status_code)
                    return response.status_code, response.headers, bytes(text)
                finally:
                    await response.aclose()
        except (TimeoutError, httpx.TimeoutException) as error:
            raise NetworkError("timeout", f"no answer from {self.relay} within {self._timeout:g} s") from error
        except httpx.HTTPError as error:
            raise network_error(error, self.relay) from error

    def _note_clock(self, headers: httpx.Headers) -> None:
        try:
            told = parsedate_to_datetime(headers.get("date", ""))
        except ValueError:
            return
        if told.tzinfo is not None:
            self._clock_offset = told.timestamp() - time.time()

    def _read(self, answer: type[T], status: int, headers: httpx.Headers, text: bytes) -> T:
        try:
            envelope = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise AnswerError(f"{self.relay} answers with {status} and no JSON: is it a relay?", status) from error
        if not isinstance(envelope, dict) or not isinstance(envelope.get("ok"), bool):
            raise AnswerError(f"{self.relay} answers with {status} and no envelope: is it a relay?", status)
        if not envelope["ok"]:
            raise _api_error(envelope, status, headers.get("retry-after"))
        if not 200 <= status < 300:
            raise AnswerError(f"{self.relay} answers with {status} and says that it succeeded", status)
        try:
            return decode(answer, envelope.get("data"))
        except ShapeError as error:
            raise AnswerError(f"the answer of {self.relay} is not as the contract has it: {error}", status) from error


def api_error(text: bytes, status: int, retry_after: str | None) -> ApiError | AnswerError:
    """The error of an answer that is known to be a refusal."""
    try:
        envelope = json.loads(text)
    except (ValueError, RecursionError):
        envelope = None
    if not isinstance(envelope, dict):
        return AnswerError(f"the relay answers with {status} and no envelope", status)
    try:
        return _api_error(envelope, status, retry_after)
    except AnswerError as error:
        return error


def _api_error(envelope: dict[str, object], status: int, retry_after: str | None) -> ApiError:
    error = envelope.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    if not isinstance(code, str) or not isinstance(message, str):
        raise AnswerError(f"the relay answers with {status} and an error without code and message", status)
    entry = ERROR_CATALOGUE.get(code)
    after: float | None = entry.retry_after_seconds if entry is not None else None
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 10:
        after = min(float(retry_after), _MAX_RETRY_AFTER)
    printable = "".join(character if character.isprintable() else "?" for character in message[:1024])
    return ApiError(code[:64], printable, status, after)


def network_error(error: BaseException, relay: RelayUrl) -> NetworkError:
    """Tells a certificate that is not trusted from a relay that is not reached."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, ssl.SSLCertVerificationError):
            if at.verify_code in (9, 10):  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
                return NetworkError("clock", f"the certificate of {relay} is not valid by this clock: set the clock")
            return NetworkError("certificate", f"the certificate of {relay} cannot be trusted: {at.verify_message}")
        at = at.__cause__ or at.__context__
    return NetworkError("unreachable", f"cannot reach {relay}: {error}")
