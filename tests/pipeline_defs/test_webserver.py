import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pipeline_defs.webserver import report_index, with_reports


@pytest.fixture
def get(tmp_path):
    """Ask a UI that answers every address itself, with the reports put before it."""
    app = Starlette(routes=[Route("/{rest:path}", lambda request: PlainTextResponse("the UI"))])
    transport = httpx.ASGITransport(with_reports(app, tmp_path / "reports"))

    async def ask(path):
        async with httpx.AsyncClient(transport=transport, base_url="http://ui", follow_redirects=True) as client:
            return await client.get(path)

    return lambda path: asyncio.run(ask(path))


def test_reports_are_served_on_the_origin_of_the_ui(get, tmp_path):
    (tmp_path / "reports/quick").mkdir()
    (tmp_path / "reports/quick/tearsheet.html").write_text("<h1>Quick</h1>")
    assert get("/reports/quick/tearsheet.html").text == "<h1>Quick</h1>"
    assert get("/assets/quick/tearsheet").text == "the UI"


def test_the_list_of_reports_is_at_its_address_with_or_without_a_slash(get):
    assert "None yet" in get("/reports/").text
    assert get("/reports").url.path == "/reports/"


def test_an_unknown_report_is_not_found_rather_than_the_ui(get):
    assert get("/reports/none.html").status_code == 404


def test_nothing_outside_the_folder_is_served(get, tmp_path):
    (tmp_path / "secret.html").write_text("secret")
    for path in ("/reports/../secret.html", "/reports/%2e%2e/secret.html", "/reports/..%2fsecret.html"):
        assert "secret" not in get(path).text


def test_the_list_links_every_page_and_escapes_names(tmp_path):
    for name in ("b/tearsheet.html", "a/tearsheet.html", "a/tearsheet-1&2.html", "a/tearsheet.part"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    links = [line.split('"')[0] for line in report_index(tmp_path).split('<a href="')[1:]]
    assert links == ["a/tearsheet-1&amp;2.html", "a/tearsheet.html", "b/tearsheet.html"]
