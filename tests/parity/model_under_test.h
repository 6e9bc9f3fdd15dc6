// A model loaded without the engine, from tests/fixtures/models.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/thread_pool.h"
#include "formats/model_file.h"
#include "kernels/kernels.h"
#include "models/load.h"
#include "parity/fixtures.h"

namespace llm::parity {

struct ModelOptions {
  std::string dtype;
  std::string kv_dtype;
  std::string instruction_set;
  int threads = 1;
};

class ModelUnderTest {
 public:
  /// `path`: a directory or a GGUF file. Fails the test when the model does not load.
  static std::unique_ptr<ModelUnderTest> load(const std::string& path, const ModelOptions& options);

  std::int64_t vocab_size() const { return model_.config.vocab_size; }
  const models::LoadedModel& model() const { return model_; }
  models::Decoder& decoder() { return *model_.decoder; }

  /// Logits of all positions, computed in slices of `chunk` (0: as large as possible) on these
  /// pages of the cache (empty: all of them in order).
  std::vector<float> logits(const std::vector<std::int32_t>& tokens, std::int64_t chunk = 0,
                            std::vector<std::int32_t> pages = {});
  /// The continuation of `prompt` by the likeliest token each time, through decode steps.
  std::vector<std::int32_t> greedy(const std::vector<std::int32_t>& prompt, std::size_t count);

 private:
  std::vector<std::int32_t> all_pages();

  std::unique_ptr<formats::ModelFile> file_;
  std::unique_ptr<core::ThreadPool> pool_;
  models::LoadedModel model_;
};

}  // namespace llm::parity
