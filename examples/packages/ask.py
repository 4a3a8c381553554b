#!/usr/bin/python3
"""Asks the table of packages real questions, with Query, filters and projections."""

from client import arguments, connect


def query(dynamodb, **parameters):
    """The pages of a query, as many as there are."""
    while True:
        page = dynamodb.query(**parameters)
        yield page
        if "LastEvaluatedKey" not in page:
            return
        parameters["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def mib(item):
    return int(item["InstalledSize"]["N"]) / 1024


def largest(dynamodb, table, section, count):
    print(f"The {count} largest packages of section {section}:")
    packages = []
    for page in query(
        dynamodb,
        TableName=table,
        KeyConditionExpression="#section = :section",
        ProjectionExpression="Package, InstalledSize, Description",
        ExpressionAttributeNames={"#section": "Section"},  # a reserved word
        ExpressionAttributeValues={":section": {"S": section}},
    ):
        packages += [item for item in page["Items"] if "InstalledSize" in item]
    packages.sort(key=mib, reverse=True)
    for item in packages[:count]:
        print(f"  {mib(item):8.1f} MiB  {item['Package']['S']:32} {item['Description']['S']}")


def by_prefix(dynamodb, table, section, prefix):
    print(f"\nPackages of section {section} whose names begin with {prefix}:")
    for page in query(
        dynamodb,
        TableName=table,
        KeyConditionExpression="#section = :section AND begins_with(Package, :prefix)",
        ProjectionExpression="Package, Version, Depends[0]",
        ExpressionAttributeNames={"#section": "Section"},
        ExpressionAttributeValues={":section": {"S": section}, ":prefix": {"S": prefix}},
    ):
        for item in page["Items"]:
            depends = item["Depends"]["L"][0]["S"] if "Depends" in item else "nothing"
            print(
                f"  {item['Package']['S']:20} {item['Version']['S']:24} depends first on {depends}"
            )


def dependants(dynamodb, table, section, package, at_least_kib):
    print(
        f"\nPackages of section {section} that depend on {package} and install "
        f"{at_least_kib / 1024:.0f} MiB or more:"
    )
    evaluated = found = 0
    for page in query(
        dynamodb,
        TableName=table,
        KeyConditionExpression="#section = :section",
        FilterExpression="contains(DependsOn, :package) AND InstalledSize >= :size",
        ProjectionExpression="Package, InstalledSize",
        ExpressionAttributeNames={"#section": "Section"},
        ExpressionAttributeValues={
            ":section": {"S": section},
            ":package": {"S": package},
            ":size": {"N": str(at_least_kib)},
        },
    ):
        evaluated += page["ScannedCount"]
        found += page["Count"]
        for item in page["Items"]:
            print(f"  {mib(item):8.1f} MiB  {item['Package']['S']}")
    print(f"  {found} of the section's {evaluated} packages")


def total_size(dynamodb, table, section):
    total_kib = packages = pages = 0
    capacity = 0.0
    for page in query(
        dynamodb,
        TableName=table,
        KeyConditionExpression="#section = :section",
        FilterExpression="attribute_exists(InstalledSize)",
        ProjectionExpression="InstalledSize",
        ExpressionAttributeNames={"#section": "Section"},
        ExpressionAttributeValues={":section": {"S": section}},
        ReturnConsumedCapacity="TOTAL",
    ):
        pages += 1
        packages += page["Count"]
        total_kib += sum(int(item["InstalledSize"]["N"]) for item in page["Items"])
        capacity += page["ConsumedCapacity"]["CapacityUnits"]
    print(
        f"Section {section}, installed whole: {total_kib / 2**20:.1f} GiB in {packages} packages "
        f"(read in {pages} pages, {capacity:g} capacity units)"
    )


def main():
    options = arguments(__doc__).parse_args()
    dynamodb = connect(options.endpoint_url)
    largest(dynamodb, options.table, "games", 5)
    by_prefix(dynamodb, options.table, "editors", "vim-t")
    dependants(dynamodb, options.table, "database", "libssl3", 10 * 1024)
    print()
    for section in ("games", "libs", "python"):
        total_size(dynamodb, options.table, section)


if __name__ == "__main__":
    main()
