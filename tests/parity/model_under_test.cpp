#include "parity/model_under_test.h"

#include <algorithm>
#include <numeric>

#include "models/sequence_run.h"

namespace llm::parity {
namespace {

std::int32_t likeliest(std::span<const float> logits) {
  return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

}  // namespace

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
      *under_test->file_,
      {.dtype = options.dtype, .kv_dtype = options.kv_dtype, .max_sequences = 8}, **ops,
      *under_test->pool_);
  EXPECT_TRUE(model) << model.error().message();
  if (!model) return nullptr;
  under_test->model_ = std::move(*model);
  return under_test;
}

std::vector<std::int32_t> ModelUnderTest::all_pages() {
  std::vector<std::int32_t> pages(static_cast<std::size_t>(decoder().cache().pages()));
  std::iota(pages.begin(), pages.end(), 0);
  return pages;
}

std::vector<float> ModelUnderTest::logits(const std::vector<std::int32_t>& tokens,
                                          std::int64_t chunk, std::vector<std::int32_t> pages) {
  models::SequenceRun run(decoder(), pages.empty() ? all_pages() : std::move(pages));
  return run.extend(tokens, chunk, true).value();
}

std::vector<std::int32_t> ModelUnderTest::greedy(const std::vector<std::int32_t>& prompt,
                                                 std::size_t count) {
  models::SequenceRun run(decoder(), all_pages());
  std::vector<std::int32_t> generated = {likeliest(run.extend(prompt, 0, false).value())};
  while (generated.size() < count) {
    const std::int32_t last = generated.back();
    generated.push_back(likeliest(run.extend({&last, 1}, 0, false).value()));
  }
  return generated;
}

}  // namespace llm::parity
