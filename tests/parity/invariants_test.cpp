// A request's result depends on the request alone, bit for bit: however its positions are sliced
// into steps, whoever shares the batch, wherever its pages lie, with any number of threads. For
// every model of the fixtures, every type (of the KV cache as well) and every instruction set that
// this machine runs.
#include <cstring>

#include "parity/model_under_test.h"

namespace llm::parity {
namespace {

// Bitwise: -0.0 and 0.0 differ, equal NaNs are equal.
::testing::AssertionResult same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return ::testing::AssertionFailure() << a.size() << " != " << b.size();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0) {
      return ::testing::AssertionFailure() << "value " << i << ": " << a[i] << " != " << b[i];
    }
  }
  return ::testing::AssertionSuccess();
}

/// Another sequence of the batch: it takes `step` tokens of its own at a time.
struct Stranger {
  std::int64_t step;
  std::vector<std::int32_t> pages;
  std::int64_t position = 0;

  void add_rows(std::int32_t sequence, std::vector<models::BatchRow>& rows) {
    for (std::int64_t end = position + step; position < end; ++position) {
      rows.push_back({.token = static_cast<std::int32_t>((7 * position + 3 * sequence) % 90),
                      .position = position,
                      .sequence = sequence,
                      .wants_logits = position % 2 == 0,
                      .rotary_length = end});
    }
  }
};

/// Logits of the last slice of `tokens`, which run in slices of 1 to 4 rows, each in one batch with
/// rows of two other sequences before and after them.
std::vector<float> last_slice_among_strangers(models::Decoder& decoder,
                                              const std::vector<std::int32_t>& tokens) {
  const auto total = static_cast<std::int64_t>(tokens.size());
  const std::vector<std::int32_t> own = {6, 1, 3};
  Stranger before{.step = 3, .pages = {4, 0}};
  Stranger after{.step = 1, .pages = {5, 2}};
  const std::int32_t* tables[] = {own.data(), before.pages.data(), after.pages.data()};
  std::vector<float> logits;
  std::int64_t done = 0;
  for (std::int64_t slice = 1; done < total; slice = slice % 4 + 1) {
    std::vector<models::BatchRow> rows;
    if (before.position < 60) before.add_rows(1, rows);
    std::size_t first = 0;  // of our rows among those that want logits
    for (const models::BatchRow& row : rows) first += row.wants_logits ? 1 : 0;
    const std::int64_t end = std::min(total, done + slice);
    for (std::int64_t p = done; p < end; ++p) {
      // The frequencies of all its positions are those of the whole sequence's length.
      rows.push_back({tokens[static_cast<std::size_t>(p)], p, 0, true, total});
    }
    after.add_rows(2, rows);
    EXPECT_TRUE(decoder.forward({rows, tables}).ok());
    const auto part = decoder.logits(static_cast<std::int64_t>(first), end - done);
    logits.assign(part.begin(), part.end());
    done = end;
  }
  return logits;
}

class Invariants : public ::testing::TestWithParam<Fixture> {
 protected:
  std::unique_ptr<ModelUnderTest> load(const kernels::Ops& ops, int threads) const {
    return ModelUnderTest::load(fixture_path(GetParam().name),
                                {.dtype = GetParam().dtype,
                                 .kv_dtype = GetParam().kv_dtype,
                                 .instruction_set = std::string(ops.name),
                                 .threads = threads});
  }
};

TEST_P(Invariants, NothingButTheRequestDecides) {
  const Reference reference = read_reference(GetParam().reference);
  const std::vector<std::int32_t>& tokens = reference.tokens;
  for (const kernels::Ops* ops : kernels::available_ops()) {
    SCOPED_TRACE(std::string(ops->name));
    const auto one = load(*ops, 1);
    ASSERT_NE(one, nullptr);
    const std::vector<float> whole = one->logits(tokens);
    for (const std::int64_t chunk : {1, 3, 7, 16, 33}) {
      EXPECT_TRUE(same_bits(one->logits(tokens, chunk), whole)) << "chunk " << chunk;
    }
    EXPECT_TRUE(same_bits(one->logits(tokens, 9, {5, 2, 7}), whole)) << "other pages";
    const std::vector<float> last = last_slice_among_strangers(one->decoder(), tokens);
    const auto size = static_cast<std::ptrdiff_t>(one->vocab_size());
    EXPECT_TRUE(same_bits({last.end() - size, last.end()}, {whole.end() - size, whole.end()}))
        << "strangers";
    for (const int threads : {2, 3}) {
      const auto more = load(*ops, threads);
      ASSERT_NE(more, nullptr);
      EXPECT_TRUE(same_bits(more->logits(tokens), whole)) << threads << " threads";
      EXPECT_TRUE(same_bits(more->logits(tokens, 5), whole)) << threads << " threads, slices";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Invariants, ::testing::ValuesIn(all_types()), test_name);
INSTANTIATE_TEST_SUITE_P(Q8Cache, Invariants, ::testing::ValuesIn(checkpoints("f32", "q8_0")),
                         test_name);

}  // namespace
}  // namespace llm::parity
