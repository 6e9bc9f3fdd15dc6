#include "parity/model_under_test.h"

#include <algorithm>
#include <cstring>

#include "models/sequence_run.h"

namespace llm::parity {
namespace {

template <class T>
std::vector<T> values_of(const formats::ModelFile& file, const std::string& name) {
  const formats::TensorEntry* entry = file.find(name);
  EXPECT_NE(entry, nullptr) << name;
  if (entry == nullptr) return {};
  std::vector<T> values(entry->view.bytes / sizeof(T));
  std::memcpy(values.data(), entry->view.data, entry->view.bytes);
  return values;
}

std::int32_t likeliest(std::span<const float> logits) {
  return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

}  // namespace

std::string fixture_path(const std::string& name) {
  return std::string(LLM_SOURCE_DIR) + "/tests/fixtures/models/" + name;
}

Reference read_reference(const std::string& name) {
  auto file = formats::ModelFile::open(fixture_path(name) + "/expected.safetensors");
  EXPECT_TRUE(file) << file.error().message();
  if (!file) return {};
  return {values_of<std::int32_t>(*file, "tokens"), values_of<float>(*file, "logits"),
          values_of<std::int32_t>(*file, "greedy")};
}

std::unique_ptr<ModelUnderTest> ModelUnderTest::load(const std::string& path,
                                                     const ModelOptions& options) {
  auto under_test = std::make_unique<ModelUnderTest>();
  auto file = formats::ModelFile::open(path);
  EXPECT_TRUE(file) << file.error().message();
  auto ops = kernels::select_ops(options.instruction_set);
  EXPECT_TRUE(ops) << ops.error().message();
  if (!file || !ops) return nullptr;
  under_test->file_ = std::make_unique<formats::ModelFile>(std::move(*file));
  under_test->pool_ = std::make_unique<core::ThreadPool>(options.threads);
  auto model = models::load_decoder(
      *under_test->file_, {.dtype = options.dtype, .max_sequences = 4}, **ops, *under_test->pool_);
  EXPECT_TRUE(model) << model.error().message();
  if (!model) return nullptr;
  under_test->model_ = std::move(*model);
  return under_test;
}

std::vector<float> ModelUnderTest::logits(const std::vector<std::int32_t>& tokens,
                                          std::int64_t chunk, std::int32_t first_page) {
  std::vector<std::int32_t> pages;
  for (std::int32_t page = first_page; page < decoder().cache().pages(); ++page) {
    pages.push_back(page);
  }
  models::SequenceRun run(decoder(), pages);
  return run.extend(tokens, chunk, true);
}

std::vector<std::int32_t> ModelUnderTest::greedy(const std::vector<std::int32_t>& prompt,
                                                 std::size_t count) {
  std::vector<std::int32_t> pages;
  for (std::int32_t page = 0; page < decoder().cache().pages(); ++page) pages.push_back(page);
  models::SequenceRun run(decoder(), pages);
  std::vector<std::int32_t> generated = {likeliest(run.extend(prompt, 0, false))};
  while (generated.size() < count) {
    const std::int32_t last = generated.back();
    generated.push_back(likeliest(run.extend({&last, 1}, 0, false)));
  }
  return generated;
}

}  // namespace llm::parity
