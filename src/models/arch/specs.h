// The specs that arch/ defines, one extern per architecture; listed in specs.cpp.
#pragma once

#include "models/spec.h"

namespace llm::models::arch {

extern const ArchSpec kLlama;
extern const ArchSpec kMistral;

}  // namespace llm::models::arch
