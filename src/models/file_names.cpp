#include "models/file_names.h"

#include <algorithm>
#include <vector>

namespace llm::models {
namespace {

constexpr std::string_view kHfRoot = "model.";

// Buffers that old checkpoints carry along; they hold no weights.
constexpr std::string_view kIgnoredSuffixes[] = {".rotary_emb.inv_freq", ".attention.bias",
                                                 ".attention.masked_bias"};
// Read with the configuration.
constexpr std::string_view kRopeTensors[] = {"rope_freqs.weight", "rope_factors_long.weight",
                                             "rope_factors_short.weight"};

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> found;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) found.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return found;
}

}  // namespace

FileNames::FileNames(const formats::ModelFile& file, const ModelConfig& config)
    : file_(file),
      config_(config),
      gguf_(file.format() == formats::FileFormat::gguf),
      prefix_(kHfRoot) {
  if (gguf_ || file.find(config.names.embedding) != nullptr) return;
  for (const std::string_view candidate : words(config.spec->hf_prefixes)) {
    const std::string_view rest = config.names.embedding.substr(kHfRoot.size());
    if (file.find(std::string(candidate) + std::string(rest)) != nullptr) prefix_ = candidate;
  }
}

std::string FileNames::name(std::string_view pattern, std::int64_t layer) const {
  std::string full = at_layer(pattern, layer);
  if (!gguf_ && prefix_ != kHfRoot && full.starts_with(kHfRoot)) {
    full.replace(0, kHfRoot.size(), prefix_);
  }
  return full;
}

bool FileNames::has(std::string_view pattern, std::int64_t layer) const {
  return !pattern.empty() && file_.find(name(pattern, layer)) != nullptr;
}

Status FileNames::finish(TensorClaims& claims) const {
  if (gguf_) {
    for (const std::string_view tensor : kRopeTensors) claims.ignore(tensor);
  }
  std::vector<std::string_view> ignored = words(config_.spec->ignored_prefixes);
  std::vector<std::string> extra;
  for (std::int64_t l = 0; l < config_.extra_layers; ++l) {
    extra.push_back(name("model.layers.{}.", config_.n_layers + l));
  }
  ignored.insert(ignored.end(), extra.begin(), extra.end());
  return claims.finish(ignored, kIgnoredSuffixes);
}

}  // namespace llm::models
