// Choice of the kernel table by name and by processor.
#include <algorithm>

#include "core/cpu_features.h"
#include "kernels/support.h"

namespace llm::kernels {
namespace {

TEST(Dispatch, EmptyNameGivesTheBestTable) {
  EXPECT_EQ(select_ops("").value(), available_ops().front());
}

TEST(Dispatch, EveryAvailableTableCanBeForced) {
  for (const Ops* ops : available_ops()) {
    const Result<const Ops*> forced = select_ops(ops->name);
    ASSERT_TRUE(forced) << forced.error().message();
    EXPECT_EQ(*forced, ops);
  }
}

TEST(Dispatch, BaselineAndReferenceAreAlwaysThere) {
  EXPECT_TRUE(select_ops("baseline"));
  EXPECT_TRUE(select_ops("ref"));
  EXPECT_EQ(available_ops().back()->name, "ref");
}

TEST(Dispatch, TableIsAvailableExactlyWhenTheProcessorHasItsInstructions) {
  const core::CpuFeatures& has = core::cpu_features();
  const bool avx512 = has.avx512 && has.avx512_vnni;
  for (const auto& [name, runs] :
       {std::pair("avx2", has.avx2), std::pair("avx512", avx512),
        std::pair("avx512_bf16", avx512 && has.avx512_bf16), std::pair("avx512_amx", has.amx)}) {
    const auto known = known_ops();
    if (std::find(known.begin(), known.end(), name) == known.end()) continue;  // not x86-64
    const Result<const Ops*> result = select_ops(name);
    EXPECT_EQ(result.has_value(), runs) << name;
    EXPECT_EQ(result.status().code(), runs ? StatusCode::ok : StatusCode::unsupported) << name;
  }
}

TEST(Dispatch, UnknownNameIsAnErrorThatListsTheChoices) {
  const Result<const Ops*> result = select_ops("sse9");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), StatusCode::invalid_argument);
  for (const std::string_view name : known_ops()) {
    EXPECT_NE(result.error().message().find(name), std::string::npos) << result.error().message();
  }
}

}  // namespace
}  // namespace llm::kernels
