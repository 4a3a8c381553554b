// Bytes that claim to be an item, as they come from a client of the binary protocol, from a page
// token or off a disk. Views must stay within them, whatever they are; if ValidateItem passes them,
// they are the one encoding of an item that JSON can say as well.
#include <simdjson.h>

#include <string>

#include "base/checksum.h"
#include "base/coding.h"
#include "item/base64.h"
#include "item/json.h"
#include "item/keys.h"
#include "item/partiql/token.h"
#include "item/shard_iterator.h"
#include "item/value.h"
#include "tests/fuzz/fuzz.h"

namespace varve::item {
namespace {

using fuzz::Require;

// Reads all that views of `value` show, at most `steps` of it: malformed elements may overlap, so
// that there are more of them than bytes. Returns something of every byte, so that each is read.
uint64_t Walk(ValueView value, int depth, int* steps) {
  if (depth > 100 || --*steps < 0) return 0;
  uint64_t sum = value.encoded().size();
  switch (value.type()) {
    case ValueType::kBool:
      return sum + value.boolean();
    case ValueType::kString:
    case ValueType::kBinary:
      return sum + Hash(value.text());
    case ValueType::kStringSet:
    case ValueType::kNumberSet:
    case ValueType::kBinarySet: {
      const SetView set = value.set();
      for (size_t i = 0; i < set.count() && --*steps >= 0; ++i) {
        sum += Hash(set.at(i)) + set.Contains(set.at(i));
      }
      return sum;
    }
    case ValueType::kList: {
      const ListView list = value.list();
      for (size_t i = 0; i < list.count() && *steps >= 0; ++i) {
        sum += Walk(list.at(i), depth + 1, steps);
      }
      return sum;
    }
    case ValueType::kMap: {
      const MapView map = value.map();
      for (size_t i = 0; i < map.count() && *steps >= 0; ++i) {
        const NamedValue named = map.at(i);
        sum += Hash(named.name) + map.Find(named.name).has_value();
        sum += Walk(named.value, depth + 1, steps);
      }
      return sum;
    }
    default:
      return sum;
  }
}

// Writes `value` anew, element by element.
void Rebuild(ValueView value, ValueBuilder& builder) {
  switch (value.type()) {
    case ValueType::kNull:
      builder.Null();
      break;
    case ValueType::kBool:
      builder.Bool(value.boolean());
      break;
    case ValueType::kNumber:
      builder.Number(value.number());
      break;
    case ValueType::kString:
      builder.String(value.text());
      break;
    case ValueType::kBinary:
      builder.Binary(value.text());
      break;
    case ValueType::kStringSet:
    case ValueType::kNumberSet:
    case ValueType::kBinarySet: {
      const SetView set = value.set();
      builder.BeginSet(value.type());
      for (size_t i = set.count(); i-- > 0;) builder.Element(set.element_type(), set.at(i));
      Require(builder.EndSet(), "a set's elements are all different");
      break;
    }
    case ValueType::kList: {
      builder.BeginList();
      const ListView list = value.list();
      for (size_t i = 0; i < list.count(); ++i) Rebuild(list.at(i), builder);
      builder.EndList();
      break;
    }
    case ValueType::kMap: {
      builder.BeginMap();
      const MapView map = value.map();
      for (size_t i = map.count(); i-- > 0;) {
        builder.Name(map.at(i).name);
        Rebuild(map.at(i).value, builder);
      }
      builder.EndMap();
      break;
    }
  }
}

void CheckValid(const ItemView& item) {
  Require(item.value().depth() <= kNestingDepthMax, "a valid item is nested as deep as may be");
  ValueBuilder builder;
  Rebuild(item.value(), builder);
  Require(builder.Finish() == item.encoded(), "a valid item has one encoding");

  std::string json;
  AppendJson(item, json);
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  Require(parser.parse(json).get(document) == simdjson::SUCCESS, "an item's JSON is JSON");
  // What JSON may not say is what an encoding need not refuse: names that are empty, for one.
  if (StatusOr<Item> read = ItemFromJson(document); read.ok()) {
    Require(read->encoded() == item.encoded(), "an item is the same after a way through JSON");
  }

  const TableKey numbers{{"p", ValueType::kNumber}, TableKey::Part{"s", ValueType::kNumber}};
  const TableKey strings{{"p", ValueType::kString}, TableKey::Part{"s", ValueType::kBinary}};
  for (const TableKey* key : {&numbers, &strings}) {
    if (!CheckItemKey(*key, item).ok()) continue;
    const Item of_item = KeyOfItem(*key, item);
    Require(ValidateItem(of_item.encoded()).ok(), "an item's key is an item");
    Require(CheckKey(*key, of_item).ok(), "an item's key is a key");
    Require(EngineKey(7, *key, item) == EngineKey(7, *key, of_item), "the key says where it lies");
  }
}

// Tokens that clients hand back: their checksum is no secret, so anything may come with a good one.
void CheckTokens(std::string_view bytes) {
  const std::string fingerprint(16, 'f');
  std::string decoded = "\1" + fingerprint;
  decoded += bytes;
  AppendFixed(decoded, Hash(decoded, 0x6e657874746f6b31));
  std::string text;
  AppendBase64(decoded, text);
  if (StatusOr<partiql::PageToken> token = partiql::DecodeToken(text, fingerprint); token.ok()) {
    Require(ValidateItem(token->cursor.encoded()).ok(), "a token's cursor is an item");
  }
  (void)partiql::DecodeToken(bytes, fingerprint);
  (void)DecodeShardIterator(bytes);
}

}  // namespace
}  // namespace varve::item

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace varve;
  const std::string_view bytes = fuzz::BytesOf(data, size);
  item::CheckTokens(bytes);
  if (bytes.empty()) return 0;
  int steps = 10'000;
  volatile uint64_t sum = item::Walk(item::ValueView(bytes), 0, &steps);
  (void)sum;
  if (item::ValidateItem(bytes).ok()) item::CheckValid(item::ItemView(bytes));
  return 0;
}
