#include "tests/stress/chain.h"

#include <fmt/format.h>

#include <charconv>

namespace varve::stress {

namespace {

constexpr int kDeleteAhead = 7;
constexpr int kDeleteEvery = 3;

// 1 in 64 goes to a value file, the others stay small.
size_t PaddingBytes(uint64_t n) { return n % 64 == 17 ? 6000 : 20 + n % 180; }

std::string SlotName(int slot) { return fmt::format("slot{:03}", slot); }

}  // namespace

std::string PlacePrefix(int place) { return fmt::format("place{}/", place); }

std::string ChainPrefix(int place, int chain) {
  return fmt::format("{}chain{}/", PlacePrefix(place), chain);
}

std::string HeadKey(int place, int chain) { return ChainPrefix(place, chain) + "head"; }

std::string SlotKey(int place, int chain, int slot) {
  return ChainPrefix(place, chain) + SlotName(slot);
}

void FillBatch(int chain, Link link, engine::WriteBatch* batch) {
  const std::string value = LinkValue(link);
  batch->Clear();
  for (int place = 0; place < kPlaces; ++place) {
    batch->Put(HeadKey(place, chain), value);
    batch->Put(SlotKey(place, chain, static_cast<int>(link.n % kSlots)), value);
    if (link.n % kDeleteEvery == 0) {
      batch->Delete(SlotKey(place, chain, static_cast<int>((link.n + kDeleteAhead) % kSlots)));
    }
  }
}

std::string LinkValue(Link link) {
  std::string value = fmt::format("{}:{}:", link.n, link.seen);
  value.append(PaddingBytes(link.n), static_cast<char>('a' + link.n % 26));
  return value;
}

std::optional<Link> ParseLinkValue(std::string_view value) {
  Link link;
  const char* const end = value.data() + value.size();
  auto parsed = std::from_chars(value.data(), end, link.n);
  if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != ':') return std::nullopt;
  parsed = std::from_chars(parsed.ptr + 1, end, link.seen);
  if (parsed.ec != std::errc() || value != LinkValue(link)) return std::nullopt;
  return link;
}

uint64_t BatchInSlot(uint64_t n, int slot) {
  // The last write of a slot is at most kSlots batches old. A later deletion empties it.
  for (uint64_t m = n; m > 0 && m + kSlots > n; --m) {
    if (static_cast<int>(m % kSlots) == slot) return m;
    if (m % kDeleteEvery == 0 && static_cast<int>((m + kDeleteAhead) % kSlots) == slot) return 0;
  }
  return 0;
}

std::optional<std::string> CheckView(const View& view, Link* head) {
  *head = {};
  if (view.empty()) return std::nullopt;
  const auto at_head = view.find("head");
  if (at_head == view.end()) return "there are slots but no head";
  const std::optional<Link> parsed = ParseLinkValue(at_head->second);
  if (!parsed) return fmt::format("head is garbage: '{:.60}'", at_head->second);
  *head = *parsed;
  size_t expected_keys = 1;
  for (int slot = 0; slot < kSlots; ++slot) {
    const uint64_t expected = BatchInSlot(head->n, slot);
    const auto at_slot = view.find(SlotName(slot));
    if (expected == 0) {
      if (at_slot != view.end()) {
        return fmt::format("slot {} at head {} is '{:.60}', must be empty", slot, head->n,
                           at_slot->second);
      }
      continue;
    }
    ++expected_keys;
    if (at_slot == view.end()) {
      return fmt::format("slot {} at head {} is empty, must be batch {}", slot, head->n, expected);
    }
    const std::optional<Link> link = ParseLinkValue(at_slot->second);
    if (!link || link->n != expected) {
      return fmt::format("slot {} at head {} is '{:.60}', must be batch {}", slot, head->n,
                         at_slot->second, expected);
    }
  }
  if (view.size() != expected_keys) {
    return fmt::format("{} keys at head {}, must be {}", view.size(), head->n, expected_keys);
  }
  return std::nullopt;
}

}  // namespace varve::stress
