"""Alerts: always in the log, and posted to a webhook where one is set."""

import json
import logging
from dataclasses import dataclass
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from pydantic import SecretStr

LOG = logging.getLogger("nightfold.alerts")

_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Alerts:
    """Where bad news goes.

    The webhook's address is a secret. It is posted to with the standard library, which logs nothing; HTTP clients log
    the addresses they ask.
    """

    webhook: SecretStr | None = None

    def send(self, title: str, text: str) -> None:
        """Log an alert and post it as JSON, ``{"title", "text"}``; a webhook that fails is logged, never raised."""
        LOG.error("%s: %s", title, text)
        if self.webhook is None:
            return
        address = self.webhook.get_secret_value()
        if not address.startswith(("http://", "https://")):
            LOG.error("the alert webhook was not told: its address must begin with http:// or https://")
            return
        try:
            _post(address, {"title": title, "text": text})
        except HTTPError as error:
            LOG.error("the alert webhook answered %s", error.code)
            error.close()
        except (OSError, ValueError, HTTPException) as error:
            LOG.error("the alert webhook could not be reached: %s", type(error).__name__)


def _post(address: str, message: dict[str, str]) -> None:
    body = json.dumps(message).encode()
    request = Request(address, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310  # checked above
    with urlopen(request, timeout=_TIMEOUT_SECONDS):  # noqa: S310  # checked above
        pass
