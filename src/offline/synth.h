// Writes models with random weights of real shapes, for benchmarks and tests where no weights can
// be had. A tokenizer for plain bytes is written along, so such a model runs. The same shape and
// seed give the same weights in every format (up to the rounding of the type).
#pragma once

#include <cstdint>
#include <string>

#include "formats/model_file.h"
#include "llm/dtype.h"
#include "llm/status.h"

namespace llm::offline {

struct SynthOptions {
  std::string architecture;
  std::string shape;
  DType dtype = DType::f32;  ///< of the matrices; norms are f32 in GGUF
  formats::FileFormat format = formats::FileFormat::safetensors;
  std::string out;  ///< a directory for safetensors, a file for GGUF
  std::int64_t context = 0;  ///< longest sequence that the model states; 0: the shape's own
  std::uint64_t seed = 0;
  int threads = 1;
};

/// Errors: an unknown shape or one of another architecture (listing the known ones), a type that
/// the format or the row length cannot hold, and whatever the disk refuses.
Status synthesize(const SynthOptions& options);

}  // namespace llm::offline
