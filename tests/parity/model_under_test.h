// A model from tests/fixtures/models, loaded without the engine, and the reference results that
// were stored beside it (tests/fixtures/README.md).
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/thread_pool.h"
#include "formats/model_file.h"
#include "kernels/kernels.h"
#include "models/load.h"

namespace llm::parity {

/// Path of tests/fixtures/models/<name>.
std::string fixture_path(const std::string& name);

struct Reference {
  std::vector<std::int32_t> tokens;
  std::vector<float> logits;  // (tokens, vocab_size)
  std::vector<std::int32_t> greedy;
};

/// expected.safetensors of a fixture.
Reference read_reference(const std::string& name);

struct ModelOptions {
  std::string dtype;
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

  /// Logits of all positions, computed in slices of `chunk` (0: as large as possible) on pages that
  /// start at `first_page`.
  std::vector<float> logits(const std::vector<std::int32_t>& tokens, std::int64_t chunk,
                            std::int32_t first_page = 0);
  /// The continuation of `prompt` by the likeliest token each time, through decode steps.
  std::vector<std::int32_t> greedy(const std::vector<std::int32_t>& prompt, std::size_t count);

 private:
  std::unique_ptr<formats::ModelFile> file_;
  std::unique_ptr<core::ThreadPool> pool_;
  models::LoadedModel model_;
};

}  // namespace llm::parity
