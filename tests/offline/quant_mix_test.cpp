// Types of tensors by llama.cpp's rules. The numbers of tensors of each type are those that
// published files of these models report.
#include "offline/quant_mix.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

namespace llm::offline {
namespace {

struct Sizes {
  std::int64_t layers, hidden, ffn, heads, kv_heads, vocab;
  std::int64_t experts = 0;
  bool tied = false;
  bool fused_qkv = false;
  bool own_rules = false;
};

constexpr Sizes kLlama2_7b{32, 4096, 11008, 32, 32, 32000};
constexpr Sizes kLlama2_70b{80, 8192, 28672, 64, 8, 32000};
constexpr Sizes kLlama3_8b{32, 4096, 14336, 32, 8, 128256};
constexpr Sizes kMixtral_8x7b{32, 4096, 14336, 32, 8, 32000, 8};

std::vector<OutputTensor> tensors_of(const Sizes& s) {
  std::vector<OutputTensor> tensors;
  const auto add = [&](const std::string& name, core::Shape shape) {
    tensors.push_back({.name = name, .shape = shape, .stored = {}, .read = {}});
  };
  const std::int64_t kv = s.hidden / s.heads * s.kv_heads;
  add("token_embd.weight", {s.vocab, s.hidden});
  for (std::int64_t l = 0; l < s.layers; ++l) {
    const auto at = [l](const char* name) { return fmt::format("blk.{}.{}.weight", l, name); };
    add(at("attn_norm"), {s.hidden});
    if (s.fused_qkv) {
      add(at("attn_qkv"), {s.hidden + 2 * kv, s.hidden});
    } else {
      add(at("attn_q"), {s.hidden, s.hidden});
      add(at("attn_k"), {kv, s.hidden});
      add(at("attn_v"), {kv, s.hidden});
    }
    add(at("attn_output"), {s.hidden, s.hidden});
    add(at("ffn_norm"), {s.hidden});
    if (s.experts > 0) {
      add(at("ffn_gate_inp"), {s.experts, s.hidden});
      add(at("ffn_gate_exps"), {s.experts, s.ffn, s.hidden});
      add(at("ffn_up_exps"), {s.experts, s.ffn, s.hidden});
      add(at("ffn_down_exps"), {s.experts, s.hidden, s.ffn});
    } else {
      add(at("ffn_gate"), {s.ffn, s.hidden});
      add(at("ffn_up"), {s.ffn, s.hidden});
      add(at("ffn_down"), {s.hidden, s.ffn});
    }
  }
  add("output_norm.weight", {s.hidden});
  if (!s.tied) add("output.weight", {s.vocab, s.hidden});
  return tensors;
}

std::map<std::string, DType> types_of(const Sizes& s, const char* mix, bool pure = false) {
  const std::vector<OutputTensor> tensors = tensors_of(s);
  const std::vector<DType> kept(tensors.size(), DType::f32);
  const MixedModel model{.n_layers = s.layers,
                         .n_heads = s.heads,
                         .n_kv_heads = s.kv_heads,
                         .n_experts = s.experts,
                         .own_rules = s.own_rules};
  const auto types = choose_types(**find_quant_mix(mix), pure, model, tensors, kept);
  std::map<std::string, DType> by_name;
  for (std::size_t t = 0; t < tensors.size(); ++t) by_name[tensors[t].name] = types[t].dtype;
  return by_name;
}

using Counts = std::map<DType, int>;

Counts counts_of(const Sizes& s, const char* mix, bool pure = false) {
  Counts counts;
  for (const auto& [name, type] : types_of(s, mix, pure)) ++counts[type];
  return counts;
}

TEST(QuantMix, Llama2AsPublishedFilesHaveIt) {
  EXPECT_EQ(counts_of(kLlama2_7b, "q4_k_m"),
            (Counts{{DType::f32, 65}, {DType::q4_k, 193}, {DType::q6_k, 33}}));
  EXPECT_EQ(counts_of(kLlama2_7b, "q5_k_m"),
            (Counts{{DType::f32, 65}, {DType::q5_k, 193}, {DType::q6_k, 33}}));
  EXPECT_EQ(counts_of(kLlama2_7b, "q4_k_s"),
            (Counts{{DType::f32, 65}, {DType::q4_k, 217}, {DType::q5_k, 8}, {DType::q6_k, 1}}));
  EXPECT_EQ(counts_of(kLlama2_7b, "q5_k_s"),
            (Counts{{DType::f32, 65}, {DType::q5_k, 225}, {DType::q6_k, 1}}));
  EXPECT_EQ(counts_of(kLlama2_7b, "q6_k"), (Counts{{DType::f32, 65}, {DType::q6_k, 226}}));
  EXPECT_EQ(counts_of(kLlama2_7b, "q8_0"), (Counts{{DType::f32, 65}, {DType::q8_0, 226}}));
  EXPECT_EQ(counts_of(kLlama2_7b, "q4_0"),
            (Counts{{DType::f32, 65}, {DType::q4_0, 225}, {DType::q6_k, 1}}));
  EXPECT_EQ(counts_of(kLlama2_7b, "f16"), (Counts{{DType::f32, 65}, {DType::f16, 226}}));
}

TEST(QuantMix, MediumRaisesBothEndsAndEveryThirdLayerBetween) {
  const auto types = types_of(kLlama3_8b, "q4_k_m");
  for (int l = 0; l < 32; ++l) {
    const bool more = l < 4 || l >= 28 || (l - 4) % 3 == 2;
    const DType wanted = more ? DType::q6_k : DType::q4_k;
    EXPECT_EQ(types.at(fmt::format("blk.{}.attn_v.weight", l)), wanted) << l;
    EXPECT_EQ(types.at(fmt::format("blk.{}.ffn_down.weight", l)), wanted) << l;
  }
  EXPECT_EQ(types.at("output.weight"), DType::q6_k);
  EXPECT_EQ(types.at("token_embd.weight"), DType::q4_k);
}

TEST(QuantMix, SmallVMatricesOfThe70bGetMoreBits) {
  const auto types = types_of(kLlama2_70b, "q4_k_m");
  for (int l = 0; l < 80; ++l) {
    const bool more = l < 10 || l >= 70 || (l - 10) % 3 == 2;
    EXPECT_EQ(types.at(fmt::format("blk.{}.attn_v.weight", l)), more ? DType::q6_k : DType::q5_k);
  }
}

TEST(QuantMix, EightExpertsGetEightBitsForKeysAndValues) {
  const auto types = types_of(kMixtral_8x7b, "q4_k_m");
  EXPECT_EQ(types.at("blk.5.attn_k.weight"), DType::q8_0);
  EXPECT_EQ(types.at("blk.5.attn_v.weight"), DType::q8_0);
  EXPECT_EQ(types.at("blk.5.attn_output.weight"), DType::q5_k);
  EXPECT_EQ(types.at("blk.5.attn_q.weight"), DType::q4_k);
  EXPECT_EQ(types.at("blk.5.ffn_gate_inp.weight"), DType::f32);
  EXPECT_EQ(types.at("blk.5.ffn_up_exps.weight"), DType::q4_k);
  EXPECT_EQ(types.at("blk.5.ffn_down_exps.weight"), DType::q4_k);
  EXPECT_EQ(types.at("blk.6.ffn_down_exps.weight"), DType::q6_k);
  EXPECT_EQ(types_of(kMixtral_8x7b, "q5_k_m").at("blk.5.attn_output.weight"), DType::q5_k);
  EXPECT_EQ(types_of(kMixtral_8x7b, "q6_k").at("blk.5.attn_output.weight"), DType::q6_k);
}

TEST(QuantMix, NonLinearTypeRaisesSharedValuesAndFirstLayers) {
  const auto grouped = types_of(kLlama3_8b, "iq4_nl");
  EXPECT_EQ(grouped.at("blk.9.attn_v.weight"), DType::q5_k);
  EXPECT_EQ(grouped.at("blk.3.ffn_down.weight"), DType::q5_k);
  EXPECT_EQ(grouped.at("blk.4.ffn_down.weight"), DType::iq4_nl);
  EXPECT_EQ(types_of(kLlama2_7b, "iq4_nl").at("blk.9.attn_v.weight"), DType::iq4_nl);
}

TEST(QuantMix, AnEmbeddingThatIsTheOutputMatrixIsTreatedAsSuch) {
  Sizes tied = kLlama3_8b;
  tied.tied = true;
  EXPECT_EQ(types_of(tied, "q4_0").at("token_embd.weight"), DType::q6_k);
  EXPECT_EQ(types_of(tied, "q8_0").at("token_embd.weight"), DType::q8_0);
  EXPECT_EQ(types_of(tied, "bf16").at("token_embd.weight"), DType::bf16);
}

TEST(QuantMix, PureMeansOneType) {
  EXPECT_EQ(counts_of(kLlama2_7b, "q4_k_m", true), (Counts{{DType::f32, 65}, {DType::q4_k, 226}}));
  EXPECT_EQ(counts_of(kMixtral_8x7b, "q4_0", true), (Counts{{DType::f32, 97}, {DType::q4_0, 226}}));
}

TEST(QuantMix, AnArchitectureWithRulesOfItsOwn) {
  const Sizes falcon_40b{.layers = 60,
                         .hidden = 8192,
                         .ffn = 32768,
                         .heads = 128,
                         .kv_heads = 8,
                         .vocab = 65024,
                         .fused_qkv = true,
                         .own_rules = true};
  const auto types = types_of(falcon_40b, "q4_k_m");
  EXPECT_EQ(types.at("output.weight"), DType::q8_0);
  EXPECT_EQ(types.at("blk.0.attn_qkv.weight"), DType::q6_k);
  EXPECT_EQ(types.at("blk.2.ffn_down.weight"), DType::q6_k);  // the first sixteenth
  EXPECT_EQ(types.at("blk.5.ffn_down.weight"), DType::q5_k);  // the first eighth
  EXPECT_EQ(types.at("blk.10.ffn_down.weight"), DType::q4_k);
  EXPECT_EQ(types_of(falcon_40b, "q4_k_s").at("blk.0.ffn_down.weight"), DType::q4_k);
}

TEST(QuantMix, RowsThatAreNoMultipleOfTheBlockGetAnotherType) {
  Sizes s = kLlama2_7b;
  s.hidden = 4544;  // 17.75 blocks of 256, 142 of 32
  s.heads = 71;
  s.kv_heads = 1;
  EXPECT_EQ(types_of(s, "q4_k_s").at("blk.9.attn_q.weight"), DType::q5_0);
  EXPECT_EQ(types_of(s, "q5_k_s").at("blk.9.attn_q.weight"), DType::q5_1);
  EXPECT_EQ(types_of(s, "q6_k").at("blk.9.attn_q.weight"), DType::q8_0);
  EXPECT_EQ(types_of(s, "q4_k_s").at("output.weight"), DType::q8_0);
  EXPECT_EQ(types_of(s, "q4_0").at("output.weight"), DType::q8_0);  // q6_k does not fit
  EXPECT_EQ(types_of(s, "q4_k_s").at("blk.9.ffn_down.weight"), DType::q4_k);
  s.hidden = 4550;
  s.heads = 1;
  EXPECT_EQ(types_of(s, "q4_k_s").at("blk.9.attn_q.weight"), DType::f16);
  EXPECT_EQ(types_of(s, "q8_0").at("blk.9.attn_q.weight"), DType::f16);
}

TEST(QuantMix, NamesAreThoseOfLlamaCppInEitherCase) {
  EXPECT_EQ((*find_quant_mix("Q4_K_M"))->name, "q4_k_m");
  EXPECT_EQ((*find_quant_mix("q4_k"))->name, "q4_k_m");
  EXPECT_EQ((*find_quant_mix("Q5_K"))->name, "q5_k_m");
  const auto unknown = find_quant_mix("q7");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().message(),
            "type \"q7\": expected one of f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k_s, "
            "q4_k_m, q4_k (= q4_k_m), q5_k_s, q5_k_m, q5_k (= q5_k_m), q6_k, iq4_nl");
}

}  // namespace
}  // namespace llm::offline
