"""Bad news: always logged, posted where a webhook is set, and the webhook's address told to nobody."""

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from resources import alerts
from resources.alerts import Alerts

SECRET = "T00/B00/very-secret"


@dataclass
class Webhook:
    """What was posted, and what is answered."""

    address: str = ""
    status: int = 200
    answer: Callable[[BaseHTTPRequestHandler], None] | None = None
    posted: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    hook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that http.server calls
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.posted.append((self.path, dict(self.headers), json.loads(body)))
            if hook.answer is not None:
                hook.answer(self)
                return
            self.send_response(hook.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.address = f"http://127.0.0.1:{server.server_address[1]}/{SECRET}?key=also-secret"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield hook
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """All log records of all libraries, and no proxy between us and this machine."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    caplog.set_level(logging.DEBUG)
    return caplog


def tells_the_address(caplog: pytest.LogCaptureFixture) -> bool:
    return any(part in caplog.text for part in ("secret", "127.0.0.1", "nowhere", "localhost"))


def test_without_a_webhook_an_alert_is_logged(everything_logged: pytest.LogCaptureFixture) -> None:
    Alerts().send("The night stopped", "at research")
    assert [(r.name, r.levelname, r.getMessage()) for r in everything_logged.records] == [
        ("nightfold.alerts", "ERROR", "The night stopped: at research")
    ]


def test_with_a_webhook_it_is_logged_and_posted_as_json(
    webhook: Webhook, everything_logged: pytest.LogCaptureFixture
) -> None:
    Alerts(SecretStr(webhook.address)).send("The night stopped", "at “research” – 100 %")
    path, headers, message = webhook.posted[0]
    assert path == f"/{SECRET}?key=also-secret"
    assert headers["Content-Type"] == "application/json"
    assert message == {"title": "The night stopped", "text": "at “research” – 100 %"}
    assert [r.getMessage() for r in everything_logged.records] == ["The night stopped: at “research” – 100 %"]


@pytest.mark.parametrize("status", [302, 400, 404, 429, 500, 503])
def test_a_webhook_that_refuses_is_logged_by_its_status(
    webhook: Webhook, everything_logged: pytest.LogCaptureFixture, status: int
) -> None:
    webhook.status = status
    Alerts(SecretStr(webhook.address)).send("title", "text")
    assert everything_logged.messages == ["title: text", f"the alert webhook answered {status}"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{free_port}/secret",
        "http://nowhere.invalid/secret",
        "https://127.0.0.1:1/secret",
        "http://127.0.0.1:port/secret",
        "http://[secret",
        "http://127.0.0.1/secret key",
        "http://127.0.0.1:99999999/secret",
        "file:///secret",
        "ftp://nowhere.invalid/secret",
        "secret",
        "",
    ],
)
def test_an_address_that_cannot_be_posted_to_raises_nothing_and_is_not_logged(
    everything_logged: pytest.LogCaptureFixture, address: str
) -> None:
    Alerts(SecretStr(address.replace("{free_port}", str(free_port())))).send("title", "text")
    first, second = everything_logged.messages
    assert first == "title: text"
    assert second.startswith("the alert webhook ")
    assert not tells_the_address(everything_logged)


def test_garbage_and_silence_raise_nothing(
    webhook: Webhook, everything_logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "_TIMEOUT_SECONDS", 0.2)
    done = threading.Event()
    answers: list[Callable[[BaseHTTPRequestHandler], None]] = [
        lambda handler: handler.wfile.write(b"what is this\r\n\r\n") and None,
        lambda handler: handler.connection.shutdown(socket.SHUT_RDWR),
        lambda handler: done.wait(5) and None,
    ]
    for answer in answers:
        webhook.answer = answer
        Alerts(SecretStr(webhook.address)).send("title", "text")
        assert everything_logged.messages[-1].startswith("the alert webhook could not be reached: ")
    done.set()
    assert not tells_the_address(everything_logged)


def test_the_secret_is_in_no_text_of_the_resource() -> None:
    assert "secret" not in repr(Alerts(SecretStr("https://nowhere.invalid/secret")))
