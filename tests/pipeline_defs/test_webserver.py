import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from pipeline_defs.webserver import report_index, with_reports


@pytest.fixture
def client(tmp_path):
    """A UI that answers every address itself, with the reports put before it."""
    app = Starlette(routes=[Route("/{rest:path}", lambda request: PlainTextResponse("the UI"))])
    return TestClient(with_reports(app, tmp_path / "reports"))


def test_reports_are_served_on_the_origin_of_the_ui(client, tmp_path):
    (tmp_path / "reports/quick").mkdir()
    (tmp_path / "reports/quick/tearsheet.html").write_text("<h1>Quick</h1>")
    assert client.get("/reports/quick/tearsheet.html").text == "<h1>Quick</h1>"
    assert client.get("/assets/quick/tearsheet").text == "the UI"


def test_the_list_of_reports_is_at_its_address_with_or_without_a_slash(client):
    assert "None yet" in client.get("/reports/").text
    assert client.get("/reports").url.path == "/reports/"


def test_an_unknown_report_is_not_found_rather_than_the_ui(client):
    assert client.get("/reports/none.html").status_code == 404


def test_nothing_outside_the_folder_is_served(client, tmp_path):
    (tmp_path / "secret.html").write_text("secret")
    for path in ("/reports/../secret.html", "/reports/%2e%2e/secret.html", "/reports/..%2fsecret.html"):
        assert "secret" not in client.get(path).text


def test_the_list_links_every_page_and_escapes_names(tmp_path):
    for name in ("b/tearsheet.html", "a/tearsheet.html", "a/tearsheet-1&2.html", "a/tearsheet.part"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    links = [line.split('"')[0] for line in report_index(tmp_path).split('<a href="')[1:]]
    assert links == ["a/tearsheet-1&amp;2.html", "a/tearsheet.html", "b/tearsheet.html"]
