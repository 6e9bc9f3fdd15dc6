#include "parity/model_under_test.h"

#include <algorithm>
#include <cstring>

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
  const auto total = static_cast<std::int64_t>(tokens.size());
  const std::int64_t slice =
      chunk > 0 ? std::min(chunk, decoder().max_rows()) : decoder().max_rows();
  std::vector<std::int32_t> pages;
  for (std::int64_t page = 0; page * kernels::kKvPageTokens < total; ++page) {
    pages.push_back(first_page + static_cast<std::int32_t>(page));
  }
  const std::int32_t* table = pages.data();
  std::vector<float> all;
  for (std::int64_t begin = 0; begin < total; begin += slice) {
    std::vector<models::BatchRow> rows;
    for (std::int64_t position = begin; position < std::min(total, begin + slice); ++position) {
      rows.push_back({tokens[static_cast<std::size_t>(position)], position, 0, true});
    }
    decoder().forward({rows, {&table, 1}});
    for (std::int64_t first = 0; first < decoder().wanted_rows();
         first += decoder().max_logit_rows()) {
      const auto part = decoder().logits(
          first, std::min(decoder().max_logit_rows(), decoder().wanted_rows() - first));
      all.insert(all.end(), part.begin(), part.end());
    }
  }
  return all;
}

std::vector<std::int32_t> ModelUnderTest::greedy(const std::vector<std::int32_t>& prompt,
                                                 std::size_t count) {
  std::vector<std::int32_t> pages;
  for (std::int32_t page = 0; page < decoder().cache().pages(); ++page) pages.push_back(page);
  const std::int32_t* table = pages.data();
  const std::vector<float> of_prompt = logits(prompt, 0);
  const auto vocab = static_cast<std::size_t>(vocab_size());
  std::vector<std::int32_t> generated = {
      likeliest(std::span(of_prompt).subspan(of_prompt.size() - vocab))};
  auto position = static_cast<std::int64_t>(prompt.size());
  while (generated.size() < count) {
    const models::BatchRow row{generated.back(), position++, 0, true};
    decoder().forward({{&row, 1}, {&table, 1}});
    generated.push_back(likeliest(decoder().logits(0, 1)));
  }
  return generated;
}

}  // namespace llm::parity
