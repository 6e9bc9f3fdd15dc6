#include "models/arch/specs.h"

#include <algorithm>
#include <array>

namespace llm::models {
namespace {

constexpr std::array kSpecs = {&arch::kDeepseekV2,
                               &arch::kDeepseekV3,
                               &arch::kFalcon,
                               &arch::kGemma,
                               &arch::kGemma2,
                               &arch::kGemma3,
                               &arch::kGemma3Multimodal,
                               &arch::kLlama,
                               &arch::kMistral,
                               &arch::kMixtral,
                               &arch::kPhi,
                               &arch::kPhi3,
                               &arch::kQwen2,
                               &arch::kQwen2Moe,
                               &arch::kQwen3,
                               &arch::kQwen3Moe,
                               &arch::kSmolLm3,
                               &arch::kStableLm,
                               &arch::kStarcoder2};

const ArchSpec* find_by(std::string_view ArchSpec::*field, std::string_view wanted) {
  if (wanted.empty()) return nullptr;
  const auto* found = std::find_if(kSpecs.begin(), kSpecs.end(),
                                   [&](const ArchSpec* spec) { return spec->*field == wanted; });
  return found == kSpecs.end() ? nullptr : *found;
}

}  // namespace

std::span<const ArchSpec* const> all_specs() { return kSpecs; }

const ArchSpec* find_spec_by_model_type(std::string_view model_type) {
  return find_by(&ArchSpec::model_type, model_type);
}

const ArchSpec* find_spec_by_gguf_architecture(std::string_view architecture) {
  return find_by(&ArchSpec::gguf_architecture, architecture);
}

}  // namespace llm::models
