// Sums of EngineStats, for engines that are shown as one.
#pragma once

#include "llm/engine_stats.h"

namespace llm::engine {

/// What only grows.
void add_totals(EngineStats& sum, const EngineStats& stats);
/// What is so at the moment; of the waiting times, the longest.
void add_gauges(EngineStats& sum, const EngineStats& stats);

}  // namespace llm::engine
