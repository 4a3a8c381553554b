"""The Debian package catalogue as DynamoDB items.

A machine with Debian on it knows every package it could install: some 60,000 of them. `apt-cache
dumpavail` prints what it knows, a paragraph a package.
"""

import re
import subprocess

TABLE = "Packages"

KEY_SCHEMA = [
    {"AttributeName": "Section", "KeyType": "HASH"},
    {"AttributeName": "Package", "KeyType": "RANGE"},
]
ATTRIBUTE_DEFINITIONS = [
    {"AttributeName": "Section", "AttributeType": "S"},
    {"AttributeName": "Package", "AttributeType": "S"},
]

# What becomes of the fields: texts as they are, numbers as numbers, dependencies as lists, tags as a
# set. "Installed-Size" is in KiB, "Size" in bytes.
TEXTS = {
    "Section": "Section",
    "Package": "Package",
    "Version": "Version",
    "Source": "Source",
    "Maintainer": "Maintainer",
    "Architecture": "Architecture",
    "Priority": "Priority",
    "Homepage": "Homepage",
    "Description": "Description",
    "Filename": "Filename",
    "SHA256": "SHA256",
}
NUMBERS = {"Size": "Size", "Installed-Size": "InstalledSize"}
LISTS = {
    "Depends": "Depends",
    "Pre-Depends": "PreDepends",
    "Recommends": "Recommends",
    "Suggests": "Suggests",
    "Conflicts": "Conflicts",
    "Provides": "Provides",
}


def dump():
    """The catalogue's text, line by line."""
    with subprocess.Popen(["apt-cache", "dumpavail"], stdout=subprocess.PIPE, text=True) as process:
        yield from process.stdout
    if process.returncode != 0:
        raise SystemExit(f"apt-cache dumpavail failed with {process.returncode}")


def paragraphs(lines):
    """The packages as dicts of their fields."""
    fields, name = {}, None
    for line in lines:
        line = line.rstrip("\n")
        if not line:
            if fields:
                yield fields
            fields, name = {}, None
        elif line[0].isspace():
            fields[name] += "\n" + line.strip()
        else:
            name, _, text = line.partition(":")
            fields[name] = text.strip()
    if fields:
        yield fields


def to_item(fields):
    """One package as an item in DynamoDB's notation."""
    item = {}
    for field, attribute in TEXTS.items():
        if fields.get(field):
            item[attribute] = {"S": fields[field]}
    for field, attribute in NUMBERS.items():
        if field in fields:
            item[attribute] = {"N": fields[field]}
    for field, attribute in LISTS.items():
        if fields.get(field):
            clauses = [clause.strip() for clause in fields[field].split(",")]
            item[attribute] = {"L": [{"S": clause} for clause in clauses]}
    # The bare names among the dependencies, so that one can be asked for.
    names = set(re.findall(r"(?:^|[,|])\s*([^\s,|(:]+)", fields.get("Depends", "")))
    if names:
        item["DependsOn"] = {"SS": sorted(names)}
    tags = {tag.strip() for tag in fields.get("Tag", "").split(",")} - {""}
    if tags:
        item["Tags"] = {"SS": sorted(tags)}
    return item


def items(lines=None):
    """Every package once, in the order of the catalogue; of several versions the last."""
    packages = {}
    for fields in paragraphs(dump() if lines is None else lines):
        item = to_item(fields)
        packages[item["Section"]["S"], item["Package"]["S"]] = item
    return list(packages.values())
