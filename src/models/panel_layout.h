// panel_layout: a fingerprint of how a table of operations lays out packed weights, taken from what
// it makes of a sample matrix of each type. Unlike a version number, nobody can forget to raise it.
#pragma once

#include <cstdint>
#include <set>

#include "kernels/kernels.h"

namespace llm::models {

std::uint64_t panel_layout(const kernels::Ops& ops, const std::set<DType>& dtypes);

}  // namespace llm::models
