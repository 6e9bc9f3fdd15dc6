#include "parity/fixtures.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "formats/model_file.h"

namespace llm::parity {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kGgufSuffix = ".gguf";

std::vector<std::string> names(bool directories) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(fixture_path(""), error)) {
    if (entry.is_directory() == directories) found.push_back(entry.path().filename().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// The longest directory name that the file's begins with.
std::string directory_of(std::string_view file, const std::vector<std::string>& directories) {
  const std::string_view stem = file.substr(0, file.size() - kGgufSuffix.size());
  std::string longest;
  for (const std::string& directory : directories) {
    const bool begins = stem == directory || stem.starts_with(directory + "-");
    if (begins && directory.size() > longest.size()) longest = directory;
  }
  return longest;
}

template <class T>
std::vector<T> values_of(const formats::ModelFile& file, const std::string& name) {
  const formats::TensorEntry* entry = file.find(name);
  EXPECT_NE(entry, nullptr) << name;
  if (entry == nullptr) return {};
  std::vector<T> values(entry->view.bytes / sizeof(T));
  std::memcpy(values.data(), entry->view.data, entry->view.bytes);
  return values;
}

}  // namespace

std::string fixture_path(const std::string& name) {
  return std::string(LLM_SOURCE_DIR) + "/tests/fixtures/models/" + name;
}

std::vector<Fixture> checkpoints(const std::string& dtype, const std::string& kv_dtype) {
  std::vector<Fixture> fixtures;
  for (const std::string& name : names(true)) fixtures.push_back({name, name, dtype, kv_dtype});
  return fixtures;
}

std::vector<Fixture> gguf_files() {
  const std::vector<std::string> directories = names(true);
  std::vector<Fixture> fixtures;
  for (const std::string& name : names(false)) {
    if (name.ends_with(kGgufSuffix))
      fixtures.push_back({name, directory_of(name, directories), "", ""});
  }
  return fixtures;
}

std::vector<Fixture> all_types() {
  std::vector<Fixture> fixtures = gguf_files();
  for (const char* dtype : {"f32", "f16", "bf16"}) {
    for (Fixture& fixture : checkpoints(dtype)) fixtures.push_back(std::move(fixture));
  }
  return fixtures;
}

std::string test_name(const ::testing::TestParamInfo<Fixture>& test) {
  std::string name = test.param.name;
  if (!test.param.dtype.empty()) name += "_" + test.param.dtype;
  if (!test.param.kv_dtype.empty()) name += "_kv_" + test.param.kv_dtype;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

Reference read_reference(const std::string& name) {
  auto file = formats::ModelFile::open_tensors(fixture_path(name) + "/expected.safetensors");
  EXPECT_TRUE(file) << file.error().message();
  if (!file) return {};
  return {values_of<std::int32_t>(*file, "tokens"), values_of<float>(*file, "logits"),
          values_of<std::int32_t>(*file, "greedy")};
}

Difference difference(const std::vector<float>& found, const std::vector<float>& expected) {
  EXPECT_EQ(found.size(), expected.size());
  double largest = 0;
  double largest_expected = 0;
  double squares = 0;
  double squares_expected = 0;
  for (std::size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
    const auto value = static_cast<double>(expected[i]);
    const double delta = std::abs(static_cast<double>(found[i]) - value);
    if (!(delta <= largest)) largest = delta;  // a NaN sticks
    largest_expected = std::max(largest_expected, std::abs(value));
    squares += delta * delta;
    squares_expected += value * value;
  }
  return {largest / largest_expected, std::sqrt(squares / squares_expected)};
}

}  // namespace llm::parity
