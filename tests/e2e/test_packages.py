"""The example on real data: the Debian package catalogue."""

import subprocess
import sys

import pytest

from harness import ROOT

EXAMPLE = ROOT / "examples" / "packages"


def run(script, server, *arguments):
    done = subprocess.run(
        [sys.executable, EXAMPLE / script, "--endpoint-url", server.url, *arguments],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def catalogue_items():
    import catalogue

    items = catalogue.items()
    assert len(items) > 10_000, "apt-cache knows few packages: run apt-get update"
    return items


def test_the_catalogue_answers_questions(server, dynamodb, catalogue_items):
    assert "5000 packages in" in run("load.py", server, "--limit", "5000")
    loaded = catalogue_items[:5000]

    games = [i for i in loaded if i["Section"]["S"] == "games" and "InstalledSize" in i]
    games.sort(key=lambda item: int(item["InstalledSize"]["N"]), reverse=True)
    output = run("ask.py", server)
    lines = output.splitlines()
    assert lines[0] == "The 5 largest packages of section games:"
    sizes = [float(line.split()[0]) for line in lines[1:6]]
    assert sizes == [round(int(i["InstalledSize"]["N"]) / 1024, 1) for i in games[:5]]
    total = sum(int(item["InstalledSize"]["N"]) for item in games)
    assert f"Section games, installed whole: {total / 2**20:.1f} GiB in {len(games)} packages" in output

    item = loaded[4321]
    got = dynamodb.get_item(
        TableName="Packages", Key={"Section": item["Section"], "Package": item["Package"]}
    )["Item"]
    for attribute in ("DependsOn", "Tags"):
        for it in (got, item):
            if attribute in it:
                it[attribute]["SS"].sort()
    assert got == item
    dynamodb.delete_table(TableName="Packages")
