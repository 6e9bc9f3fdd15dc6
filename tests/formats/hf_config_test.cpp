#include "formats/hf_config.h"

#include <gtest/gtest.h>

namespace llm::formats {
namespace {

using core::Json;

const Json kConfig = Json::parse(R"({
  "layers": 3, "theta": 1e6, "whole": 5, "tied": false, "act": "silu", "window": null,
  "wrong": "3", "fraction": 2.5, "huge": 18446744073709551615, "list": [1],
  "rope": {"factor": 8.0, "kind": 7}
})");
const HfConfig kKeys(kConfig, "config.json");

TEST(HfConfig, TellsAbsentFromNull) {
  EXPECT_TRUE(kKeys.is_null("window"));
  EXPECT_FALSE(kKeys.has_value("window"));
  EXPECT_FALSE(kKeys.is_null("absent"));
  EXPECT_FALSE(kKeys.has_value("absent"));
  EXPECT_TRUE(kKeys.has_value("tied")) << "false is a value";
  EXPECT_EQ(*kKeys.get_int("window", 4096), 4096);
  EXPECT_EQ(*kKeys.get_int("absent", 7), 7);
}

TEST(HfConfig, ReadsValues) {
  EXPECT_EQ(*kKeys.get_int("layers", 0), 3);
  EXPECT_EQ(*kKeys.get_float("theta", 0), 1e6);
  EXPECT_EQ(*kKeys.get_float("whole", 0), 5.0);
  EXPECT_EQ(*kKeys.get_bool("tied", true), false);
  EXPECT_EQ(*kKeys.get_string("act", ""), "silu");
  EXPECT_EQ(*kKeys.require_int("layers"), 3);
  const auto rope = kKeys.get_object("rope");
  ASSERT_TRUE(rope);
  EXPECT_EQ(*rope->require_float("factor"), 8.0);
  EXPECT_FALSE(kKeys.get_object("absent")->has_value("factor"));
}

TEST(HfConfig, ErrorsNameSourceKeyExpectedAndFound) {
  EXPECT_EQ(kKeys.get_int("wrong", 0).error().message(),
            R"(config.json: wrong: expected an integer, found "3")");
  EXPECT_EQ(kKeys.get_int("fraction", 0).error().message(),
            "config.json: fraction: expected an integer, found 2.5");
  EXPECT_EQ(kKeys.get_int("huge", 0).error().message(),
            "config.json: huge: expected an integer, found 18446744073709551615");
  EXPECT_FALSE(kKeys.get_float("act", 0));
  EXPECT_FALSE(kKeys.get_bool("layers", false));
  EXPECT_FALSE(kKeys.get_string("layers", ""));
  EXPECT_FALSE(kKeys.get_object("list"));
  EXPECT_FALSE(kKeys.require_int("absent"));
  EXPECT_FALSE(kKeys.require_float("window"));
  const auto rope = kKeys.get_object("rope");
  EXPECT_EQ(rope->get_string("kind", "").error().message(),
            "config.json: rope: kind: expected a string, found 7");
}

}  // namespace
}  // namespace llm::formats
