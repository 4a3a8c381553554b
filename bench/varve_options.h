// Varve's options for what a benchmark asks for.
#pragma once

#include "bench/engine.h"
#include "engine/db.h"

namespace varve::bench {

inline engine::Options VarveOptions(const EngineConfig& config) {
  engine::Options options;
  options.durability = config.durable ? engine::Durability::kDurable : engine::Durability::kRelaxed;
  options.block_cache_bytes = config.cache_bytes;
  options.memtable_bytes_max = config.memtable_bytes;
  options.memtable_budget_bytes = config.memtable_budget_bytes;
  options.compression_level = config.compression_level;
  options.filter_bits_per_key = config.filter_bits_per_key;
  options.background_workers = config.background_threads;
  options.layout = engine::LayoutNamed(config.layout).value_or(options.layout);
  return options;
}

}  // namespace varve::bench
