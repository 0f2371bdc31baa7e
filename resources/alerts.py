"""Alerts: always in the log, and posted to a webhook where one is set."""

import logging
from dataclasses import dataclass

import httpx
from pydantic import SecretStr

LOG = logging.getLogger("nightfold.alerts")

_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Alerts:
    """Where bad news goes. The webhook's address is a secret: it is never logged."""

    webhook: SecretStr | None = None

    def send(self, title: str, text: str) -> None:
        """Log an alert and post it as JSON, ``{"title", "text"}``; a webhook that fails is logged, never raised."""
        LOG.error("%s: %s", title, text)
        if self.webhook is None:
            return
        try:
            answer = httpx.post(
                self.webhook.get_secret_value(), json={"title": title, "text": text}, timeout=_TIMEOUT_SECONDS
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            LOG.error("the alert webhook could not be reached: %s", type(error).__name__)
            return
        if not answer.is_success:
            LOG.error("the alert webhook answered %s", answer.status_code)
