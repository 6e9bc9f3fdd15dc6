#include "models/layer_windows.h"

#include "core/error.h"
#include "core/quote.h"

namespace llm::models {

Status set_layer_windows(const formats::HfConfig& keys, std::int64_t window,
                         core::FunctionRef<bool(std::int64_t)> slides, ModelConfig& config) {
  if (!keys.has_value("layer_types")) {
    for (std::int64_t l = 0; l < config.n_layers; ++l) {
      config.layers[static_cast<std::size_t>(l)].window = slides(l) ? window : 0;
    }
    return {};
  }
  const core::Json& types = *keys.json().find("layer_types");
  if (!types.is_array() || types.size() != config.layers.size()) {
    return core::corrupt_data("{}: layer_types: expected a list of {} names, found {}",
                              keys.where(), config.n_layers, core::printable(types.dump()));
  }
  for (std::size_t l = 0; l < config.layers.size(); ++l) {
    if (types[l] == "sliding_attention") {
      config.layers[l].window = window;
    } else if (types[l] == "full_attention") {
      config.layers[l].window = 0;
    } else {
      return core::unsupported("{}: layer_types: {} is not supported", keys.where(),
                               core::printable(types[l].dump()));
    }
  }
  return {};
}

}  // namespace llm::models
