// The specs that arch/ defines, one extern per architecture; listed in specs.cpp.
#pragma once

#include "models/spec.h"

namespace llm::models::arch {

extern const ArchSpec kDeepseekV2;
extern const ArchSpec kDeepseekV3;
extern const ArchSpec kFalcon;
extern const ArchSpec kGemma;
extern const ArchSpec kGemma2;
extern const ArchSpec kGemma3;
extern const ArchSpec kGemma3Multimodal;
extern const ArchSpec kLlama;
extern const ArchSpec kMistral;
extern const ArchSpec kMixtral;
extern const ArchSpec kPhi;
extern const ArchSpec kPhi3;
extern const ArchSpec kQwen2;
extern const ArchSpec kQwen2Moe;
extern const ArchSpec kQwen3;
extern const ArchSpec kQwen3Moe;
extern const ArchSpec kSmolLm3;
extern const ArchSpec kStableLm;
extern const ArchSpec kStarcoder2;

}  // namespace llm::models::arch
