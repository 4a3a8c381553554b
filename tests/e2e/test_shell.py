"""`varve shell` and its commands, over the binary protocol."""

import json
import pty
import os
import re
import select
import subprocess
import tempfile
import time

import pytest

from harness import BUILD, Server

VARVE = BUILD / "varve"


@pytest.fixture(scope="module")
def shell_server(tmp_path_factory):
    # A socket's path is short.
    with tempfile.TemporaryDirectory(prefix="varve") as directory:
        server = Server(
            tmp_path_factory.mktemp("shell") / "data",
            *("--binary-port", "0", "--binary-socket", f"{directory}/socket"),
        )
        server.socket = f"{directory}/socket"
        server.start()
        yield server
        assert server.running(), server.tail()
        server.stop()


@pytest.fixture
def varve(shell_server):
    """Runs the program: its standard output; `code` is what it should end with."""

    def run(*words, code=0, stdin=""):
        done = subprocess.run(
            [VARVE, *words, "--socket", shell_server.socket],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    return run


def test_a_session_from_creating_a_table_to_dropping_it(varve):
    varve("create", "Music", "Artist:S", "Song:S", "--gsi", "ByYear=Year:N,Song:S")
    assert varve("tables") == "Music\n"
    assert json.loads(varve("describe", "Music"))["Table"]["TableStatus"] == "ACTIVE"

    key = '{"Artist": "Arvo Pärt", "Song": "Tabula Rasa"}'
    varve("put", "Music", '{"Artist": "Arvo Pärt", "Song": "Tabula Rasa", "Minutes": 27.5, "Year": 1977}')
    varve("put", "Music", '{"Artist": "Arvo Pärt", "Song": "Fratres", "Year": 1977, "For": {"SS": ["cello"]}}')
    assert varve("get", "Music", key) == (
        '{"Artist": "Arvo Pärt", "Minutes": 27.5, "Song": "Tabula Rasa", "Year": 1977}\n'
    )
    assert varve("get", "Music", key, "--project", "Minutes", "--format", "dynamodb") == (
        '{"Minutes":{"N":"27.5"}}\n'
    )
    assert varve("update", "Music", key, "SET Minutes = Minutes - :m",
                 "--values", '{":m": 0.5}', "--return", "updated-new") == '{"Minutes": 27}\n'
    assert varve("query", "Music", '{"Artist": "Arvo Pärt"}', "--project", "Song") == (
        '{"Song": "Fratres"}\n{"Song": "Tabula Rasa"}\n'
    )
    assert varve("query", "Music", '{"Year": 1977}', "--index", "ByYear", "--backward", "--limit", "1",
                 "--format", "table", "--project", "Song") == (
        " Song        \n-------------\n Tabula Rasa \n"
    )
    assert varve("sql", "SELECT Song FROM Music WHERE Artist = ? AND begins_with(Song, 'Tab')",
                 '"Arvo Pärt"') == '{"Song": "Tabula Rasa"}\n'
    assert varve("delete", "Music", key, "--old") == (
        '{"Artist": "Arvo Pärt", "Minutes": 27, "Song": "Tabula Rasa", "Year": 1977}\n'
    )
    assert varve("scan", "Music", "--filter", "contains(#f, :i)", "--names", '{"#f": "For"}',
                 "--values", '{":i": "cello"}', "--project", "Song") == '{"Song": "Fratres"}\n'
    assert "say --yes" in varve("drop", "Music", code=2)
    varve("drop", "Music", "--yes")
    assert varve("tables") == ""


def test_lines_of_json_go_in_and_come_out_the_same(varve):
    varve("create", "Lines", "id:N")
    lines = [json.dumps({"id": i, "text": f"line {i}"}) for i in range(1030)]
    varve("put", "Lines", "-", stdin="\n".join(lines) + "\n\n")
    assert sorted(varve("scan", "Lines").splitlines()) == sorted(lines)
    halves = [varve("scan", "Lines", "--segment", f"{i}/2").splitlines() for i in range(2)]
    assert sorted(halves[0] + halves[1]) == sorted(lines)
    assert len(varve("scan", "Lines", "--limit", "7").splitlines()) == 7
    assert "line 2: not JSON" in varve("put", "Lines", "-", stdin='{"id": 1}\n{"id"\n', code=2)
    varve("drop", "Lines", "--yes")


def test_what_is_wrong_is_said_and_told_apart_by_the_exit_code(varve, shell_server):
    assert "ResourceNotFoundException" in varve("get", "Nowhere", '{"id": 1}', code=1)
    assert "key is required" in varve("get", "Nowhere", code=2)
    assert "not JSON" in varve("get", "Nowhere", '{"id', code=2)
    assert "HTTP status 400" in varve("call", "NoSuchOperation", code=1)
    varve("create", "Some", "id:N")
    failed = varve("put", "Some", '{"id": 1}', "--if", "attribute_exists(id)", code=1)
    assert failed == "varve: ConditionalCheckFailedException: The conditional request failed\n"
    varve("drop", "Some", "--yes")
    done = subprocess.run(
        [VARVE, "tables", "--socket", "/nowhere"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2 and "/nowhere" in done.stderr


def test_a_script_runs_until_its_first_error(varve):
    output = varve("shell", stdin="""# comments are skipped
create Scripted id:N
put Scripted {"id": 1, "name": "with spaces",
              "parts": [1, {"a": null}]}
SELECT name FROM Scripted WHERE id = 1
format dynamodb
get Scripted {"id": 1} --project 'parts[1]'
drop Scripted --yes
""")
    assert output.splitlines() == [
        '{"name": "with spaces"}',
        '{"parts":{"L":[{"M":{"a":{"NULL":true}}}]}}',
    ]
    assert "no such command" in varve("shell", stdin="nonsense\ntables\n", code=2)


def test_a_person_gets_tables_completion_and_history(shell_server, varve, tmp_path):
    varve("create", "Persons", "id:N")
    varve("put", "Persons", '{"id": 7, "name": "Ada"}')
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [VARVE, "shell", "--socket", shell_server.socket],
        stdin=end, stdout=end, stderr=end,
        env={**os.environ, "HOME": str(tmp_path), "TERM": "xterm"},
        start_new_session=True,
    )
    os.close(end)
    shown = ""

    def expect(pattern):
        nonlocal shown
        deadline = time.monotonic() + 30
        while not (found := re.search(pattern, shown, re.DOTALL)):
            assert time.monotonic() < deadline, shown
            if select.select([terminal], [], [], 1)[0]:
                shown += os.read(terminal, 4096).decode(errors="replace")
        shown = shown[found.end():]

    expect("varve> ")
    os.write(terminal, b"sca\tPer\t\n")
    expect(r"id.*\| name.*7 \| Ada.*1 item, [0-9.]+ ms")
    expect("varve> ")
    os.write(terminal, b"exit\n")
    assert process.wait(timeout=30) == 0
    os.close(terminal)
    assert "scan Persons" in (tmp_path / ".varve_history").read_text().replace("\\040", " ")
    assert (tmp_path / ".varve_history").stat().st_mode & 0o077 == 0
    varve("drop", "Persons", "--yes")
