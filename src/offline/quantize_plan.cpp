#include "offline/quantize_plan.h"

#include "core/error.h"
#include "models/config_difference.h"
#include "models/gguf_export.h"
#include "offline/gguf_tokenizer.h"
#include "offline/safetensors_to_gguf.h"
#include "quant/quant.h"

namespace llm::offline {
namespace {

using formats::ModelFile;
using formats::TensorEntry;

/// Reads the configuration back from what would be written. Only the tensors that are part of it
/// have bytes.
Status check_expressed(const ModelFile& file, const models::GgufExport& target,
                       const QuantizePlan& plan) {
  std::vector<TensorEntry> entries;
  for (const OutputTensor& tensor : plan.tensors) {
    entries.push_back({.name = tensor.name, .view = {.dtype = DType::f32, .shape = tensor.shape}});
  }
  for (const auto& [name, values] : target.vectors) {
    for (TensorEntry& entry : entries) {
      if (entry.name != name) continue;
      entry.view.data = reinterpret_cast<const std::byte*>(values.data());
      entry.view.bytes = values.size() * sizeof(float);
    }
  }
  const std::string where = file.path().string();
  const ModelFile written =
      ModelFile::planned_gguf(where + " as GGUF", plan.metadata, std::move(entries));
  LLM_ASSIGN_OR_RETURN(const models::ModelConfig found, models::read_config(written));
  models::ModelConfig wanted = plan.config;
  wanted.tie_embeddings = wanted.tie_embeddings || file.find(wanted.names.lm_head) == nullptr;
  if (const auto difference = models::config_difference(wanted, found)) {
    return core::unsupported("{}: GGUF cannot express this model: {}", where, *difference);
  }
  return {};
}

Result<QuantizePlan> plan_safetensors(const ModelFile& file) {
  QuantizePlan plan;
  LLM_ASSIGN_OR_RETURN(plan.config, models::read_config(file));
  auto target = models::export_config(plan.config);
  if (!target) return target.error().with_prefix(file.path().string());
  plan.warnings = std::move(target->warnings);
  LLM_ASSIGN_OR_RETURN(plan.tensors, gguf_tensors(file, plan.config, *target));
  LLM_RETURN_IF_ERROR(
      add_gguf_tokenizer(file, plan.config.vocab_size, target->metadata, plan.warnings));
  plan.kept.assign(plan.tensors.size(), DType::f32);
  plan.metadata = std::move(target->metadata);
  LLM_RETURN_IF_ERROR(check_expressed(file, *target, plan));
  return plan;
}

Result<QuantizePlan> plan_gguf(const ModelFile& file) {
  QuantizePlan plan;
  LLM_ASSIGN_OR_RETURN(plan.config, models::read_config(file));
  plan.metadata = file.gguf();
  for (const char* key : {"split.no", "split.count", "split.tensors.count"}) {
    plan.metadata.erase(key);
  }
  for (const TensorEntry& entry : file.tensors()) {
    const core::TensorView& view = entry.view;
    OutputTensor tensor{.name = entry.name, .shape = view.shape, .stored = {&entry}};
    tensor.same_bytes = true;
    tensor.opaque = !quant::can_decode(view.dtype);
    if (!tensor.opaque) {
      const std::int64_t columns = tensor.columns();
      const std::size_t row = row_bytes(view.dtype, static_cast<std::size_t>(columns));
      tensor.read = [&view, columns, row](std::int64_t at, float* values) {
        quant::decode_row(view.dtype, view.data + static_cast<std::size_t>(at) * row, values,
                          columns);
      };
    }
    plan.tensors.push_back(std::move(tensor));
    plan.kept.push_back(view.dtype);
  }
  return plan;
}

}  // namespace

Result<QuantizePlan> plan_quantized(const ModelFile& file) {
  return file.format() == formats::FileFormat::gguf ? plan_gguf(file) : plan_safetensors(file);
}

}  // namespace llm::offline
