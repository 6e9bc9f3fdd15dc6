// The small parts: digests, addresses, times, routes, comparisons.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "server/auth.h"
#include "server/identity.h"
#include "server/router.h"
#include "server/sha256.h"
#include "server/url.h"

namespace llm::server {
namespace {

std::string hex(std::string_view data) {
  std::string text;
  for (const std::uint8_t byte : sha256(data)) text += fmt::format("{:02x}", byte);
  return text;
}

TEST(Sha256, MatchesThePublishedExamples) {
  EXPECT_EQ(hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Url, TakesPlainHttpOnly) {
  const auto full = parse_url("http://hive.local:8081/api/");
  ASSERT_TRUE(full.has_value());
  EXPECT_EQ(full->host, "hive.local");
  EXPECT_EQ(full->port, "8081");
  EXPECT_EQ(full->base, "/api");
  EXPECT_EQ(full->authority(), "hive.local:8081");
  EXPECT_EQ(parse_url("http://h")->port, "80");
  EXPECT_EQ(parse_url("http://[::1]:5")->authority(), "[::1]:5");
  for (const char* bad : {"", "hive", "https://h", "http://", "http://:80", "http://h:0",
                          "http://h:65536", "http://h:x", "http://h:80x", "http://[::1",
                          "http://u@h", "http://h/?q", "http://h/\r\nX: y"}) {
    EXPECT_FALSE(parse_url(bad).has_value()) << bad;
  }
}

TEST(Url, KnowsLoopbackHosts) {
  for (const char* host : {"localhost", "127.0.0.1", "127.9.9.9", "::1"}) {
    EXPECT_TRUE(is_loopback_host(host)) << host;
  }
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.org", "1270.0.0.1"}) {
    EXPECT_FALSE(is_loopback_host(host)) << host;
  }
}

TEST(Identity, TimesAreRfc3339AndUuidsVersionFour) {
  const std::chrono::system_clock::time_point when{std::chrono::milliseconds(1714566600250)};
  EXPECT_EQ(rfc3339(when), "2024-05-01T12:30:00.250Z");
  const std::string uuid = random_uuid();
  EXPECT_EQ(uuid.size(), 36U);
  EXPECT_EQ(uuid[14], '4');
  EXPECT_NE(random_uuid(), uuid);
}

TEST(Auth, ComparesWholeKeys) {
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abd", "abc"));
  EXPECT_FALSE(equal_in_constant_time("ab", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abcabc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("", "abc"));
}

TEST(Auth, LogsShowSixHexDigitsOfTheKeysDigest) { EXPECT_EQ(key_fingerprint("abc"), "ba7816"); }

TEST(Routes, SegmentsMatchExactly) {
  Router router;
  router.add({.method = "GET", .pattern = "/a/{id}/b", .handle = {}});
  router.add({.method = "DELETE", .pattern = "/a/{id}", .handle = {}});
  EXPECT_EQ(router.match("GET", "/a/x/b").params, std::vector<std::string>{"x"});
  EXPECT_EQ(router.match("DELETE", "/a/b%2Fc+%zz").params, std::vector<std::string>{"b/c+%zz"});
  for (const char* path : {"/a//b", "/a/x/b/", "/a/x/y/b", "/a/x/", "/a"}) {
    const auto match = router.match("GET", path);
    EXPECT_EQ(match.route, nullptr) << path;
    EXPECT_EQ(match.allowed, "") << path;
  }
  EXPECT_EQ(router.match("POST", "/a/x").allowed, "DELETE, OPTIONS");
}

TEST(Routes, TheRestOfAPathMayBeOneParameter) {
  Router router;
  router.add({.method = "GET", .pattern = "/models/{id...}", .handle = {}});
  EXPECT_EQ(router.match("GET", "/models/hf:a/b").params, std::vector<std::string>{"hf:a/b"});
  EXPECT_EQ(router.match("GET", "/models/").route, nullptr);
}

TEST(Targets, WhatALogShowsIsPrintableAndBounded) {
  HttpRequest request;
  request.method = "GET";
  set_target(request, "/v1/\xe0\x1b[2Jx?secret=1");
  EXPECT_EQ(shown_in_log(request), "GET /v1/\\xe0\\x1b[2Jx");
  set_target(request, std::string(5000, 'a'));
  EXPECT_EQ(shown_in_log(request), "GET " + std::string(256, 'a') + "...");
}

TEST(Targets, QueriesAreDecoded) {
  HttpRequest request;
  set_target(request, "/p?a=1&b=%41+c&&d&e=%zz");
  EXPECT_EQ(request.path, "/p");
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"a", "1"}, {"b", "A c"}, {"d", ""}, {"e", "%zz"}};
  EXPECT_EQ(request.query, expected);
}

}  // namespace
}  // namespace llm::server
