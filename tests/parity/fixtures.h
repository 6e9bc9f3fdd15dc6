// The models of tests/fixtures/models (tests/fixtures/README.md): whatever lies there is tested.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace llm::parity {

/// A checkpoint or GGUF file, and how it is loaded.
struct Fixture {
  std::string name;       ///< of the directory or file
  std::string reference;  ///< the directory whose expected.safetensors it shares
  std::string dtype;      ///< empty: the default (f32), or the type of a GGUF file
  std::string kv_dtype;   ///< of the KV cache; empty: what goes with it

  bool is_gguf() const { return name != reference; }
};

/// Every directory.
std::vector<Fixture> checkpoints(const std::string& dtype = "", const std::string& kv_dtype = "");
/// Every GGUF file: "<directory>.gguf" or "<directory>-<packing>.gguf".
std::vector<Fixture> gguf_files();
/// Every directory in f32, f16 and bf16, and every GGUF file.
std::vector<Fixture> all_types();

/// For googletest: name and type in letters, digits and underscores.
std::string test_name(const ::testing::TestParamInfo<Fixture>& test);

/// Path of tests/fixtures/models/<name>.
std::string fixture_path(const std::string& name);

struct Reference {
  std::vector<std::int32_t> tokens;
  std::vector<float> logits;  // (tokens, vocab_size)
  std::vector<std::int32_t> greedy;
};

/// expected.safetensors of a directory.
Reference read_reference(const std::string& name);

/// Differences of logits from the reference.
struct Difference {
  double largest = 0;  ///< as a share of the largest reference logit
  double rms = 0;      ///< root mean square, as a share of that of the reference
};
Difference difference(const std::vector<float>& found, const std::vector<float>& expected);

}  // namespace llm::parity
