"""The tour that a user of the AWS CLI takes."""

import json

import pytest


@pytest.fixture
def music(server):
    """The guide's table, made and dropped by the CLI."""
    server.aws(
        "create-table",
        "--table-name", "Music",
        "--attribute-definitions",
        "AttributeName=Artist,AttributeType=S", "AttributeName=SongTitle,AttributeType=S",
        "--key-schema",
        "AttributeName=Artist,KeyType=HASH", "AttributeName=SongTitle,KeyType=RANGE",
        "--provisioned-throughput", "ReadCapacityUnits=5,WriteCapacityUnits=5",
    )  # fmt: skip
    server.aws("wait", "table-exists", "--table-name", "Music")
    yield "Music"
    gone = server.aws("delete-table", "--table-name", "Music")
    assert gone["TableDescription"]["TableName"] == "Music"
    server.aws("wait", "table-not-exists", "--table-name", "Music")


KEY = {"Artist": {"S": "No One You Know"}, "SongTitle": {"S": "Call Me Today"}}


def test_tables_are_described_and_listed(server, music):
    table = server.aws("describe-table", "--table-name", music)["Table"]
    assert table["TableStatus"] == "ACTIVE"
    assert table["KeySchema"] == [
        {"AttributeName": "Artist", "KeyType": "HASH"},
        {"AttributeName": "SongTitle", "KeyType": "RANGE"},
    ]
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 5
    assert table["TableArn"].startswith("arn:aws:dynamodb:")
    assert music in server.aws("list-tables")["TableNames"]


def test_an_items_life(server, music):
    item = {
        **KEY,
        "AlbumTitle": {"S": "Somewhat Famous"},
        "Awards": {"N": "1"},
        "Plays": {"N": "10"},
        "Genres": {"SS": ["Country", "Folk"]},
        "Meta": {"M": {"Labels": {"L": [{"S": "A"}, {"S": "B"}, {"S": "C"}]}}},
    }
    put = server.aws(
        "put-item", "--table-name", music, "--item", item,
        "--return-consumed-capacity", "TOTAL",
    )  # fmt: skip
    assert put["ConsumedCapacity"] == {"TableName": "Music", "CapacityUnits": 1.0}

    got = server.aws("get-item", "--table-name", music, "--key", KEY, "--consistent-read")
    assert sorted(got["Item"]["Genres"]["SS"]) == ["Country", "Folk"]
    assert {k: v for k, v in got["Item"].items() if k != "Genres"} == {
        k: v for k, v in item.items() if k != "Genres"
    }

    updated = server.aws(
        "update-item", "--table-name", music, "--key", KEY,
        "--update-expression",
        "SET Awards = Awards + :one, Meta.Labels[1] = :b REMOVE AlbumTitle "
        "ADD Plays :five, Tags :tags DELETE Genres :folk",
        "--condition-expression", "attribute_exists(Artist) AND Awards < :ten",
        "--expression-attribute-values",
        {
            ":one": {"N": "1"}, ":b": {"S": "beta"}, ":five": {"N": "5"},
            ":tags": {"SS": ["new"]}, ":folk": {"SS": ["Folk"]}, ":ten": {"N": "10"},
        },
        "--return-values", "ALL_NEW",
    )  # fmt: skip
    assert updated["Attributes"] == {
        **KEY,
        "Awards": {"N": "2"},
        "Plays": {"N": "15"},
        "Genres": {"SS": ["Country"]},
        "Tags": {"SS": ["new"]},
        "Meta": {"M": {"Labels": {"L": [{"S": "A"}, {"S": "beta"}, {"S": "C"}]}}},
    }

    refused = server.aws(
        "update-item", "--table-name", music, "--key", KEY,
        "--update-expression", "SET Awards = :zero",
        "--condition-expression", "Awards < :zero",
        "--expression-attribute-values", {":zero": {"N": "0"}},
        check=False,
    )  # fmt: skip
    assert refused.returncode != 0
    assert "(ConditionalCheckFailedException) when calling the UpdateItem" in refused.stderr
    assert refused.stderr.endswith(": The conditional request failed\n")

    gone = server.aws(
        "delete-item", "--table-name", music, "--key", KEY, "--return-values", "ALL_OLD"
    )
    assert gone["Attributes"]["Awards"] == {"N": "2"}
    assert server.aws("get-item", "--table-name", music, "--key", KEY) is None


def test_batches_queries_and_scans(server, music):
    songs = [
        {"Artist": {"S": artist}, "SongTitle": {"S": f"Song {i:02}"}, "Length": {"N": str(100 + i)}}
        for artist in ("Acme Band", "The Others")
        for i in range(10)
    ]
    written = server.aws(
        "batch-write-item",
        "--request-items", {music: [{"PutRequest": {"Item": song}} for song in songs]},
    )  # fmt: skip
    assert written["UnprocessedItems"] == {}

    page = server.aws(
        "query", "--table-name", music,
        "--key-condition-expression", "Artist = :a AND SongTitle BETWEEN :from AND :to",
        "--filter-expression", "#length > :length",
        "--projection-expression", "SongTitle",
        "--expression-attribute-names", {"#length": "Length"},
        "--expression-attribute-values",
        {
            ":a": {"S": "Acme Band"}, ":from": {"S": "Song 02"}, ":to": {"S": "Song 06"},
            ":length": {"N": "104"},
        },
        "--no-scan-index-forward",
    )  # fmt: skip
    assert page["ScannedCount"] == 5
    assert page["Items"] == [{"SongTitle": {"S": "Song 06"}}, {"SongTitle": {"S": "Song 05"}}]

    # The CLI turns pages by itself, three items a request.
    scanned = server.aws(
        "scan", "--table-name", music, "--page-size", "3",
        "--filter-expression", "#length IN (:a, :b)",
        "--expression-attribute-names", {"#length": "Length"},
        "--expression-attribute-values", {":a": {"N": "101"}, ":b": {"N": "109"}},
    )  # fmt: skip
    assert scanned["Count"] == 4
    assert scanned["ScannedCount"] == 20

    first = server.aws("scan", "--table-name", music, "--max-items", "6", "--page-size", "4")
    rest = server.aws("scan", "--table-name", music, "--starting-token", first["NextToken"])
    keys = [json.dumps(item, sort_keys=True) for item in first["Items"] + rest["Items"]]
    assert len(first["Items"]) == 6
    assert sorted(keys) == sorted(json.dumps(song, sort_keys=True) for song in songs)

    got = server.aws(
        "batch-get-item",
        "--request-items",
        {music: {"Keys": [{k: song[k] for k in ("Artist", "SongTitle")} for song in songs[:7]]}},
    )
    assert len(got["Responses"][music]) == 7
