// Items and values as people write them: {"id": 7, "name": "x", "tags": ["a"]}.
//
// A JSON number is a number, a string a string, and so on. What JSON has no form for, sets and
// binaries, is written as DynamoDB writes it: {"SS": ["a", "b"]}, {"B": "aGVsbG8="}. Reading takes
// DynamoDB's form of every type, so its JSON can be pasted: an object with one member that is
// called like a type and fits it is that type's value. A map that only looks like one is written
// {"M": {...}}. Numbers keep all their digits.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "item/value.h"

namespace varve::tools {

// Each reads the whole of `text`. InvalidArgument says what is wrong, for people.
StatusOr<item::Value> ParsePlainValue(std::string_view text);
// A JSON object; its members are the attributes, also if there is only one called "S".
StatusOr<item::Item> ParsePlainItem(std::string_view text);

// Append the value or item in one line.
void AppendPlain(item::ValueView value, std::string& to);
void AppendPlain(const item::ItemView& item, std::string& to);

}  // namespace varve::tools
