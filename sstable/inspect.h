// Looking at a table file as a whole: what is in it, and whether all of it is right.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/entry.h"
#include "base/status.h"
#include "io/io.h"
#include "io/task.h"
#include "sstable/table_info.h"

namespace varve::sstable {

struct SectionPlace {
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

// The layout of a table file.
struct TableLayout {
  uint32_t version = 0;
  SectionPlace filter;  // 0 bytes: none
  SectionPlace index;
  SectionPlace properties;
  uint64_t blocks = 0;
  uint32_t filter_probes = 0;
};

struct BlockSummary {
  uint64_t number = 0;  // from 0, in file order
  uint64_t offset = 0;
  uint64_t stored_bytes = 0;  // with its trailer
  uint64_t raw_bytes = 0;
  bool compressed = false;
  uint64_t entries = 0;
  std::string_view lower_bound;  // from the index: at most the block's first key
};

// Told what is found. Views are valid during the call.
class TableVisitor {
 public:
  virtual ~TableVisitor() = default;
  virtual void OnTable(const TableInfo& info, const TableLayout& layout) {}
  virtual void OnBlock(const BlockSummary& block) {}
  virtual void OnEntry(const Entry& entry) {}
  // A fault, with its place; the inspection goes on behind it where it can.
  virtual void OnFault(const Status& fault) {}
};

// Reads the table file at `path` from its start to its end, and checks: every checksum, the order
// of entries, that the index leads to each of them, that the filter knows every key, that the
// properties and the bounds in them are right, and that padding is zero. `visitor` may be nullptr.
// Returns the first fault, or OK. `expected` (may be nullptr) is what the manifest knows of the
// table.
io::Task<Status> InspectTable(io::Io& io, std::string path, TableVisitor* visitor,
                              const TableInfo* expected = nullptr);

}  // namespace varve::sstable
