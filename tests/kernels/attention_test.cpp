// Attention over the paged cache against the reference, and the rule that a row's result does not
// depend on the rows computed with it.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/half.h"
#include "kernels/support.h"

namespace llm::kernels {
namespace {

/// A sequence of keys and values, and the cache that one table makes of it. Pages lie in the cache
/// in reverse order with one unused page between them, all bytes 0xff (NaN) before use.
struct Sequence {
  Sequence(const Ops& ops, const KvShape& kv, std::int64_t positions, const std::vector<float>& k,
           const std::vector<float>& v)
      : page_bytes(ops.kv_page_bytes(kv)) {
    const std::int64_t n_pages = (positions + kKvPageTokens - 1) / kKvPageTokens;
    cache = buffer(static_cast<std::size_t>(2 * n_pages) * page_bytes);
    std::memset(cache.data(), 0xff, cache.size());
    for (std::int64_t p = 0; p < n_pages; ++p) {
      pages.push_back(static_cast<std::int32_t>(2 * (n_pages - 1 - p) + 1));
    }
    for (std::int64_t p = 0; p < positions; ++p) {
      std::byte* page =
          cache.data() +
          static_cast<std::size_t>(pages[static_cast<std::size_t>(p / kKvPageTokens)]) * page_bytes;
      ops.kv_store(kv, page, p % kKvPageTokens, k.data() + p * kv.n_kv_heads * kv.k_dim,
                   v.data() + p * kv.n_kv_heads * kv.v_dim);
    }
  }

  std::size_t page_bytes;
  core::AlignedBuffer cache;
  std::vector<std::int32_t> pages;
};

/// One set-up, computed by any table. Query rows are at the positions in `rows`.
struct Case {
  KvShape kv{.dtype = DType::f32, .n_kv_heads = 2, .k_dim = 64, .v_dim = 64};
  int n_heads = 4;
  std::int64_t positions = 40;
  std::vector<std::int64_t> rows = {0, 5, 31, 32, 39};
  float softcap = 0;
  std::int64_t window = 0;
  float q_scale = 1.0f;

  std::int64_t q_size() const { return std::int64_t{n_heads} * kv.k_dim; }
  std::int64_t out_size() const { return std::int64_t{n_heads} * kv.v_dim; }
  std::int64_t n_rows() const { return static_cast<std::int64_t>(rows.size()); }
};

struct Data {
  explicit Data(const Case& c) {
    Random random(21);
    k = random.normals(c.positions * c.kv.n_kv_heads * c.kv.k_dim);
    v = random.normals(c.positions * c.kv.n_kv_heads * c.kv.v_dim);
    q = random.normals(c.n_rows() * c.q_size(), c.q_scale);
  }
  std::vector<float> k, v, q;
};

/// Outputs (rows, n_heads, v_dim); `rows_per_call` rows are given at a time.
std::vector<float> attend(const Ops& ops, const Case& c, const Data& data,
                          std::int64_t rows_per_call) {
  const Sequence sequence(ops, c.kv, c.positions, data.k, data.v);
  AttentionArgs args;
  args.kv = c.kv;
  args.layer = sequence.cache.data();
  args.n_heads = c.n_heads;
  args.scale = 1.0f / std::sqrt(static_cast<float>(c.kv.k_dim));
  args.softcap = c.softcap;
  args.window = c.window;
  std::vector<float> out(static_cast<std::size_t>(c.n_rows() * c.out_size()), -77.0f);
  std::vector<AttentionRow> rows;
  for (std::int64_t r = 0; r < c.n_rows(); ++r) {
    AttentionRow row;
    row.q = data.q.data() + r * c.q_size();
    row.out = out.data() + r * c.out_size();
    row.pages = sequence.pages.data();
    row.position = c.rows[static_cast<std::size_t>(r)];
    rows.push_back(row);
  }
  core::AlignedBuffer scratch = buffer(ops.attention_scratch_bytes(args));
  for (std::int64_t r = 0; r < c.n_rows(); r += rows_per_call) {
    const std::int64_t n = std::min(rows_per_call, c.n_rows() - r);
    for (int h = 0; h < c.kv.n_kv_heads; ++h) {
      ops.attention(args, rows.data() + r, n, h, scratch.data());
    }
  }
  return out;
}

/// Largest error of a logit: its f32 sum over k_dim, the scaling, and the soft cap; with |q|, |k|
/// normal the sum of magnitudes stays below 2 k_dim |q scale|. A logit off by e moves every weight
/// by a factor e^(+-2e), and the weighted mean of values by 2e times their largest magnitude (below
/// 6); exp, the page sums and rescalings (two roundings per page and position) come on top. The
/// integers of q8_0 are the same everywhere; its scales add a rounding for each group to a logit,
/// and one for each value. On tiles, a bf16 cache is multiplied with queries and weights that are
/// rounded to two parts of 8 bits each.
double tolerance(const Ops& ops, const Case& c) {
  const double dot = 2.0 * c.kv.k_dim * static_cast<double>(c.q_scale);
  double logit_error = (c.kv.k_dim + 4.0) * kRoundoff * dot / std::sqrt(c.kv.k_dim);
  if (c.softcap > 0) logit_error += 8.0 * kRoundoff * static_cast<double>(c.softcap);
  double weight_error = (2.0 * static_cast<double>(c.positions) + 16.0) * kRoundoff;
  if (ops.name == "avx512_amx" && c.kv.dtype == DType::bf16 && !c.kv.values_in_keys) {
    logit_error += 0x1p-17 * dot / std::sqrt(c.kv.k_dim);
    weight_error += 0x1p-17;
  }
  return 6.0 * (2.0 * logit_error + weight_error);
}

void expect_close(const Ops& ops, const Case& c) {
  const Data data(c);
  const auto expected = attend(ref_ops(), c, data, 3);
  const auto found = attend(ops, c, data, 100);
  for (std::size_t n = 0; n < expected.size(); ++n) {
    ASSERT_NEAR(found[n], expected[n], tolerance(ops, c))
        << "kv " << to_string(c.kv.dtype) << " k_dim " << c.kv.k_dim << " v_dim " << c.kv.v_dim
        << " element " << n;
  }
}

std::vector<std::int64_t> all_positions(std::int64_t count) {
  std::vector<std::int64_t> rows;
  for (std::int64_t p = 0; p < count; ++p) rows.push_back(p);
  return rows;
}

constexpr DType kKvDtypes[] = {DType::f32, DType::f16, DType::bf16, DType::q8_0};

class Attention : public PerIsa {};

TEST_P(Attention, AgreesWithTheReferenceForEveryDtypeAndHeadSize) {
  for (const DType dtype : kKvDtypes) {
    for (const int k_dim : {1, 2, 7, 16, 33, 64, 96, 128}) {
      for (const int v_dim : {1, 8, 17, 48, 64, 80, 128}) {
        Case c;
        c.kv.dtype = dtype;
        c.kv.k_dim = k_dim;
        c.kv.v_dim = v_dim;
        expect_close(ops(), c);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(Attention, AgreesForEveryPositionAroundPageBoundaries) {
  for (const DType dtype : kKvDtypes) {
    Case c;
    c.kv.dtype = dtype;
    c.positions = 100;
    c.rows = all_positions(100);
    expect_close(ops(), c);
  }
}

TEST_P(Attention, AgreesForEveryRatioOfQueryToKvHeads) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::q8_0}) {
    for (const int group : {1, 2, 3, 4, 5, 7, 8, 9, 16, 71}) {
      Case c;
      c.kv.dtype = dtype;
      c.n_heads = group * c.kv.n_kv_heads;
      expect_close(ops(), c);
    }
  }
}

TEST_P(Attention, AgreesWithAWindow) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::q8_0}) {
    for (const std::int64_t window : {1, 2, 31, 32, 33, 64, 70, 1000}) {
      Case c;
      c.kv.dtype = dtype;
      c.positions = 100;
      c.rows = all_positions(100);
      c.window = window;
      expect_close(ops(), c);
    }
  }
}

TEST_P(Attention, AgreesWithASoftcap) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::q8_0}) {
    Case c;
    c.kv.dtype = dtype;
    c.softcap = 5.0f;
    c.q_scale = 8.0f;  // logits on the bend and far out on both sides
    expect_close(ops(), c);
  }
}

TEST_P(Attention, AgreesWithValuesInTheKeys) {
  for (const DType dtype : kKvDtypes) {
    for (const int v_dim : {1, 16, 24, 64}) {
      for (const int n_heads : {1, 3, 16}) {
        Case c;
        c.kv = {
            .dtype = dtype, .n_kv_heads = 1, .k_dim = 72, .v_dim = v_dim, .values_in_keys = true};
        c.n_heads = n_heads;
        c.positions = 70;
        c.rows = all_positions(70);
        expect_close(ops(), c);
        // 72 components; of q8_0 one byte each and three scales of four.
        const std::int64_t key_bytes = dtype == DType::f32    ? 4 * 72
                                       : dtype == DType::q8_0 ? 72 + 3 * 4
                                                              : 2 * 72;
        EXPECT_EQ(ops().kv_page_bytes(c.kv), static_cast<std::size_t>(kKvPageTokens * key_bytes));
        if (HasFatalFailure()) return;
        const Data data(c);
        const auto alone = attend(ops(), c, data, 1);
        const auto together = attend(ops(), c, data, 70);
        ASSERT_TRUE(same_bits(together.data(), alone.data(), c.n_rows() * c.out_size()));
      }
    }
  }
}

TEST_P(Attention, AgreesWithPeakedDistributions) {
  // Logits of +-60: most weights underflow, the running maximum jumps.
  for (const DType dtype : {DType::f32, DType::bf16}) {
    Case c;
    c.kv.dtype = dtype;
    c.positions = 200;
    c.rows = {199};
    c.q_scale = 30.0f;
    expect_close(ops(), c);
  }
}

TEST_P(Attention, RowHasTheSameBitsAloneAndTogether) {
  for (const auto& [dtype, window] : {std::pair<DType, std::int64_t>{DType::bf16, 0},
                                      {DType::bf16, 40},
                                      {DType::q8_0, 0},
                                      {DType::q8_0, 40}}) {
    for (const int group : {1, 3, 8}) {
      Case c;
      c.kv.dtype = dtype;
      c.kv.v_dim = 80;
      c.n_heads = group * c.kv.n_kv_heads;
      c.positions = 110;
      c.rows = all_positions(110);
      c.window = window;
      c.softcap = group == 3 ? 20.0f : 0.0f;
      const Data data(c);
      const auto alone = attend(ops(), c, data, 1);
      for (const std::int64_t rows_per_call : {2, 3, 16, 64, 110}) {
        const auto together = attend(ops(), c, data, rows_per_call);
        ASSERT_TRUE(same_bits(together.data(), alone.data(), c.n_rows() * c.out_size()))
            << to_string(dtype) << " window " << window << " group " << group << " rows "
            << rows_per_call;
      }
    }
  }
}

void expect_sequences_apart(const Ops& ops, DType dtype) {
  Case c;
  c.kv.dtype = dtype;
  c.kv.n_kv_heads = 1;
  const Data data(c);
  const Sequence first(ops, c.kv, c.positions, data.k, data.v);
  // A second sequence of other contents, through a table of the same length elsewhere.
  const Sequence second(ops, c.kv, c.positions, data.v, data.k);
  AttentionArgs args;
  args.kv = c.kv;
  args.n_heads = c.n_heads;
  args.scale = 0.125f;
  std::vector<float> joint(static_cast<std::size_t>(c.n_rows() * c.out_size()));
  std::vector<float> single = joint;
  core::AlignedBuffer cache = buffer(first.cache.size() + second.cache.size());
  std::memcpy(cache.data(), first.cache.data(), 4 * first.page_bytes);
  std::memcpy(cache.data() + 4 * first.page_bytes, second.cache.data(), 4 * second.page_bytes);
  std::vector<std::int32_t> moved = second.pages;
  for (std::int32_t& page : moved) page += 4;
  args.layer = cache.data();
  core::AlignedBuffer scratch = buffer(ops.attention_scratch_bytes(args));
  std::vector<AttentionRow> rows;
  for (std::int64_t r = 0; r < c.n_rows(); ++r) {
    AttentionRow row;
    row.q = data.q.data() + r * c.q_size();
    row.out = joint.data() + r * c.out_size();
    row.pages = r % 2 == 0 ? first.pages.data() : moved.data();
    row.position = c.rows[static_cast<std::size_t>(r)];
    rows.push_back(row);
  }
  ops.attention(args, rows.data(), c.n_rows(), 0, scratch.data());
  for (std::int64_t r = 0; r < c.n_rows(); ++r) {
    AttentionRow& row = rows[static_cast<std::size_t>(r)];
    row.out = single.data() + r * c.out_size();
    ops.attention(args, &row, 1, 0, scratch.data());
  }
  EXPECT_TRUE(same_bits(joint.data(), single.data(), c.n_rows() * c.out_size()));
}

TEST_P(Attention, SequencesInOneCallDoNotTouchEachOther) {
  for (const DType dtype : kKvDtypes) expect_sequences_apart(ops(), dtype);
}

TEST_P(Attention, StoringAPositionAgainReplacesIt) {
  // A page is reused by another sequence: nothing of its former contents may remain.
  for (const DType dtype : kKvDtypes) {
    Case c;
    c.kv.dtype = dtype;
    const Data data(c);
    Sequence sequence(ops(), c.kv, c.positions, data.v, data.k);
    Sequence fresh(ops(), c.kv, c.positions, data.k, data.v);
    for (std::int64_t p = 0; p < c.positions; ++p) {
      std::byte* page =
          sequence.cache.data() +
          static_cast<std::size_t>(sequence.pages[static_cast<std::size_t>(p / kKvPageTokens)]) *
              sequence.page_bytes;
      ops().kv_store(c.kv, page, p % kKvPageTokens, data.k.data() + p * 128,
                     data.v.data() + p * 128);
    }
    EXPECT_EQ(std::memcmp(sequence.cache.data(), fresh.cache.data(), 4 * fresh.page_bytes), 0)
        << to_string(dtype);
  }
}

/// What a cache of one position gives back: the weight of its only value is 1.
std::vector<float> stored_values(const Ops& ops, const KvShape& kv, const std::vector<float>& v) {
  Case c;
  c.kv = kv;
  c.n_heads = kv.n_kv_heads;
  c.positions = 1;
  c.rows = {0};
  Data data(c);
  (kv.values_in_keys ? data.k : data.v) = v;
  return attend(ops, c, data, 1);
}

TEST_P(Attention, StoredValuesAreTheNearestThatTheTypeHas) {
  // Groups of magnitudes that one scale could not hold, and one that is not full.
  for (const bool in_keys : {false, true}) {
    for (const DType dtype : kKvDtypes) {
      const KvShape kv{
          .dtype = dtype, .n_kv_heads = 1, .k_dim = 112, .v_dim = 112, .values_in_keys = in_keys};
      Random random(4);
      std::vector<float> v;
      for (const float scale : {1.0f, 1e-3f, 1e3f, 1e-1f}) {
        const std::vector<float> group = random.normals(scale == 1e-1f ? 16 : 32, scale);
        v.insert(v.end(), group.begin(), group.end());
      }
      std::vector<float> found = stored_values(ops(), kv, v);
      for (std::size_t n = 0; n < v.size(); ++n) {
        // Half of the distance between two neighbours: of integers, that of 1/127 of the largest.
        const std::size_t group = n / 32 * 32;
        const auto end = v.begin() + static_cast<std::ptrdiff_t>(std::min(group + 32, v.size()));
        const float largest =
            std::abs(*std::max_element(v.begin() + static_cast<std::ptrdiff_t>(group), end,
                                       [](float a, float b) { return std::abs(a) < std::abs(b); }));
        const float bound = dtype == DType::f32    ? 0.0f
                            : dtype == DType::f16  ? std::max(std::abs(v[n]) * 0x1p-11f, 0x1p-25f)
                            : dtype == DType::bf16 ? std::abs(v[n]) * 0x1p-8f
                                                   : largest * (1.0f + 0x1p-20f) / 254.0f;
        ASSERT_LE(std::abs(found[n] - v[n]), bound)
            << to_string(dtype) << " component " << n << ": " << found[n] << " for " << v[n];
      }
      const std::vector<float> expected = stored_values(ref_ops(), kv, v);
      for (std::size_t n = 0; n < v.size(); ++n) {
        ASSERT_NEAR(found[n], expected[n], std::abs(expected[n]) * kRoundoff)
            << to_string(dtype) << " component " << n;
      }
    }
  }
}

TEST_P(Attention, GroupsOfZerosAndOfTheSmallestNumbersAreZeros) {
  const KvShape kv{.dtype = DType::q8_0, .n_kv_heads = 1, .k_dim = 64, .v_dim = 64};
  std::vector<float> v(64, 0.0f);
  v[40] = 1e-38f;
  for (const Ops* table : {&ops(), &ref_ops()}) {
    for (const float found : stored_values(*table, kv, v)) EXPECT_EQ(found, 0.0f);
  }
}

TEST_P(Attention, NanInAVisibleValueShows) {
  for (const DType dtype : kKvDtypes) {
    Case c;
    c.kv.dtype = dtype;
    Data data(c);
    data.v[static_cast<std::size_t>(3 * 128)] = std::numeric_limits<float>::quiet_NaN();
    for (const Ops* table : {&ops(), &ref_ops()}) {
      const auto out = attend(*table, c, data, 100);
      EXPECT_FALSE(std::isnan(out[0])) << "position 0 does not see position 3";
      EXPECT_TRUE(std::isnan(out[static_cast<std::size_t>(c.out_size())])) << "position 5 does";
    }
  }
}

TEST_P(Attention, NanChangesNothingForRowsThatDoNotSeeIt) {
  for (const DType dtype : kKvDtypes) {
    for (const int group : {1, 3, 8}) {
      Case c;
      c.kv.dtype = dtype;
      c.n_heads = group * c.kv.n_kv_heads;
      c.positions = 70;
      c.rows = all_positions(70);
      c.window = 20;
      Data data(c);
      const auto finite = attend(ops(), c, data, 70);
      constexpr std::int64_t kNan = 35;
      for (std::int64_t d = 0; d < 2 * 64; ++d) {
        data.v[static_cast<std::size_t>(kNan * 2 * 64 + d)] =
            std::numeric_limits<float>::quiet_NaN();
      }
      const auto found = attend(ops(), c, data, 70);
      const std::int64_t before = kNan * c.out_size(), after = (kNan + c.window) * c.out_size();
      EXPECT_TRUE(same_bits(found.data(), finite.data(), before)) << to_string(dtype);
      EXPECT_TRUE(same_bits(found.data() + after, finite.data() + after,
                            static_cast<std::int64_t>(found.size()) - after))
          << to_string(dtype);
      for (std::int64_t n = before; n < after; ++n) {
        ASSERT_TRUE(std::isnan(found[static_cast<std::size_t>(n)])) << to_string(dtype);
      }
    }
  }
}

LLM_PER_ISA(Attention);

}  // namespace
}  // namespace llm::kernels
