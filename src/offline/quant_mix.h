// Which element type each tensor of a GGUF file gets: the types that `quantize` knows by name and
// llama.cpp's rules for mixing them (src/llama-quant.cpp there). A file "of type q4_k_m" holds
// several types: tensors that suffer more from rounding get more bits.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "llm/dtype.h"
#include "llm/status.h"
#include "offline/output_tensor.h"

namespace llm::offline {

struct QuantMix {
  std::string_view name;   ///< as llama.cpp spells it, in lower case
  std::string_view alias;  ///< another name; may be empty
  DType base;              ///< of most matrices
  /// general.file_type, a label that other programs print.
  std::int64_t file_type;
  enum class Rule : std::uint8_t {
    same,    ///< matrices are `base`, but output and embedding as below
    small,   ///< the first layers get more bits
    medium,  ///< layers at both ends and every third between do
    nl,      ///< as small, and v matrices that many heads share
  } rule;
};

/// Those that encode_row() can write.
std::span<const QuantMix> quant_mixes();
/// By name or alias, in either case; the error lists the known ones.
Result<const QuantMix*> find_quant_mix(std::string_view name);

/// What the rules look at beside the tensor itself.
struct MixedModel {
  std::int64_t n_layers = 0;
  std::int64_t n_heads = 0;
  std::int64_t n_kv_heads = 0;
  std::int64_t n_experts = 0;
  bool own_rules = false;  ///< ArchSpec::own_quant_mix
};

struct ChosenType {
  DType dtype = DType::f32;
  /// The type that the mix wants, where rows are not a multiple of its block.
  std::optional<DType> instead_of;
};

/// Types of all tensors, in their order. `kept`: the type of each where it is not a matrix to be
/// quantised (norms, biases, routers, vectors). `pure`: every matrix gets the base type.
std::vector<ChosenType> choose_types(const QuantMix& mix, bool pure, const MixedModel& model,
                                     std::span<const OutputTensor> tensors,
                                     std::span<const DType> kept);

}  // namespace llm::offline
