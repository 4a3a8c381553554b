// Chains: what the writers of the stress write, such that a reader can tell from one number what it
// must see.
//
// A chain belongs to one writer. Its n-th batch (n from 1) puts, in each of kPlaces places of the
// key space that lie in different partitions at first, the same two keys, and sometimes deletes a
// third:
//
//   PLACE/CHAIN/head        n, and what the writer had seen of another chain before
//   PLACE/CHAIN/SLOT(n)     the same, in a ring of kSlots
//   PLACE/CHAIN/SLOT(n+7)   deleted, if n is a multiple of 3
//
// So whoever sees a head n in one place must see n in all (batches are whole), must see in each
// slot exactly what batches 1 to n have left there (the prefix has no gaps), and must see at least
// as much of the other chain as the writer had seen (the prefix is one of all commits).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/write_batch.h"

namespace varve::stress {

inline constexpr int kPlaces = 8;
inline constexpr int kSlots = 50;

// What one key of a chain says.
struct Link {
  uint64_t n = 0;
  uint64_t seen = 0;  // of the next chain, when batch n was written
};

std::string PlacePrefix(int place);             // all keys of a place begin with this
std::string ChainPrefix(int place, int chain);  // and those of a chain in it with this
std::string HeadKey(int place, int chain);
std::string SlotKey(int place, int chain, int slot);

// Fills `batch` with the n-th batch of `chain`.
void FillBatch(int chain, Link link, engine::WriteBatch* batch);

// The value that batch link.n leaves under a key. Sizes differ from batch to batch, some are large.
std::string LinkValue(Link link);
// nullopt unless `value` is what LinkValue makes of some link.
std::optional<Link> ParseLinkValue(std::string_view value);

// Which batch's value stands in `slot` after batches 1 to n; 0 if the slot is empty.
uint64_t BatchInSlot(uint64_t n, int slot);

// What a reader saw of one chain in one place: keys without the chain's prefix.
using View = std::map<std::string, std::string, std::less<>>;

// Checks that `view` is exactly what some number of batches leave, and returns the head's link (all
// zero for an empty view), or a complaint.
std::optional<std::string> CheckView(const View& view, Link* head);

}  // namespace varve::stress
