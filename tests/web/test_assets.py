"""The studio's files for a browser: found or missed loudly, named for their content, sent whole and small."""

from __future__ import annotations

import gzip
import re
import shutil
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from engine.graph import ICONS, RULES
from studio.assets import STYLES, Assets, AssetsMissing
from tests.architecture.tree import ROOT


@pytest.fixture(scope="module")
def assets() -> Assets:
    return Assets()


@pytest.fixture(scope="module")
def client(assets: Assets) -> TestClient:
    return TestClient(Starlette(routes=[Mount("/static", assets)]))


def package(home: Path) -> Path:
    """An installed package: templates and static files lie in it."""
    for name in ("templates", "static"):
        shutil.copytree(ROOT / name, home / name)
    return home


def test_in_a_checkout_they_lie_beside_the_package(assets: Assets) -> None:
    assert (assets.templates, assets.static) == (ROOT / "templates", ROOT / "static")


def test_in_an_installed_package_they_lie_in_it_and_have_the_same_names(assets: Assets, tmp_path: Path) -> None:
    installed = Assets(package(tmp_path / "studio"))
    assert installed.templates == tmp_path / "studio" / "templates"
    assert installed.names == assets.names


def test_where_they_are_missing_both_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(AssetsMissing) as caught:
        Assets(tmp_path / "studio")
    assert str(caught.value) == (
        f"the studio has no templates/: looked for {tmp_path / 'studio' / 'templates'} and {tmp_path / 'templates'}; "
        "install it again"
    )


def test_a_missing_stylesheet_is_named(tmp_path: Path) -> None:
    home = package(tmp_path / "studio")
    (home / "static" / "css" / "forms.css").unlink()
    with pytest.raises(AssetsMissing, match=r"static/css/forms.css can't be read"):
        Assets(home)


def test_an_unknown_name_is_an_error(assets: Assets) -> None:
    with pytest.raises(AssetsMissing, match=r"there is no asset 'js/none.js'"):
        assets.url("js/none.js")


def test_the_stylesheet_is_every_file_in_order_with_the_engines_rules(client: TestClient, assets: Assets) -> None:
    sent = client.get(assets.url("app.css")).text
    assert {path.stem for path in (ROOT / "static" / "css").iterdir()} == {*STYLES}
    places = [sent.index((ROOT / "static" / "css" / f"{name}.css").read_text("utf-8")) for name in STYLES]
    assert places == sorted(places)
    assert f"svg.workflow {{\n{RULES}\n}}" in sent


def test_every_token_that_is_used_is_defined(client: TestClient, assets: Assets) -> None:
    sent = client.get(assets.url("app.css")).text
    assert set(re.findall(r"var\((--[\w-]+)", sent)) - set(re.findall(r"(--[\w-]+):", sent)) == set()


def test_the_vendored_scripts_are_sent_as_one(client: TestClient, assets: Assets) -> None:
    parts = [(ROOT / "static" / "vendor" / name).read_text("utf-8") for name in ("htmx.min.js", "hx-ws.min.js")]
    assert client.get(assets.url("vendor.js")).text == ";\n".join(parts)


def test_an_address_changes_with_the_content(assets: Assets, tmp_path: Path) -> None:
    home = package(tmp_path / "studio")
    with (home / "static" / "css" / "base.css").open("a") as file:
        file.write("p { color: red; }\n")
    with (home / "static" / "js" / "keys.js").open("a") as file:
        file.write("// changed\n")
    changed = Assets(home).names
    same = {name for name, path in assets.names.items() if changed[name] == path}
    assert same == {"vendor.js", "icon.svg"}  # every module's address has changed: they name each other


def test_modules_find_each_other_by_relative_paths(client: TestClient, assets: Assets) -> None:
    here = {name: path for name, path in assets.names.items() if name.startswith("js/")}
    assert {re.sub(r"^\w{12}/", "", path) for path in here.values()} == {*here}
    for name in here:
        address = assets.url(name)
        for other in re.findall(r"""(?:from|import\()\s*["'](\./[\w.]+)["']""", client.get(address).text):
            assert client.get(f"{address.rpartition('/')[0]}/{other}").status_code == 200, (name, other)


def test_they_are_kept_for_ever_and_packed(client: TestClient, assets: Assets) -> None:
    answer = client.get(assets.url("app.css"), headers={"accept-encoding": "gzip"})
    plain = client.get(assets.url("app.css"), headers={"accept-encoding": "identity"})
    told = ("cache-control", "content-encoding", "content-type", "vary", "x-content-type-options")
    assert {name: answer.headers[name] for name in told} == {
        "cache-control": "public, max-age=31536000, immutable",
        "content-encoding": "gzip",
        "content-type": "text/css; charset=utf-8",
        "vary": "Accept-Encoding",
        "x-content-type-options": "nosniff",
    }
    assert (answer.text, "content-encoding" in plain.headers) == (plain.text, False)
    assert int(answer.headers["content-length"]) == len(gzip.compress(plain.content, 9, mtime=0))


def test_everything_together_is_small(assets: Assets, client: TestClient) -> None:
    sizes = {name: int(client.get(assets.url(name)).headers["content-length"]) for name in assets.names}
    assert sum(sizes.values()) < 60_000, sizes


def test_a_head_request_gets_the_headers_alone(client: TestClient, assets: Assets) -> None:
    answer = client.head(assets.url("icon.svg"))
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"", "image/svg+xml")


def test_nothing_is_changed_there(client: TestClient, assets: Assets) -> None:
    answer = client.post(assets.url("app.css"))
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path",
    [
        "", "app.css", "css/base.css", "%2e%2e/pyproject.toml", "..%5cpyproject.toml",
        "vendor/htmx.min.js", "000000000000/js/app.js", "app.%00css", "//app.css", "/etc/passwd",
    ],
)  # fmt: skip
def test_only_known_names_are_found(client: TestClient, path: str) -> None:
    answer = client.get(f"/static/{path}")
    assert (answer.status_code, answer.text) == (404, "There is no such file.")


def test_the_scripts_signs_of_statuses_are_the_engines() -> None:
    script = (ROOT / "static" / "js" / "graph.js").read_text("utf-8")
    table = script.partition("const ICONS = {")[2].partition("};")[0]
    assert dict(re.findall(r"(\w+): \"(.)\"", table)) == ICONS
