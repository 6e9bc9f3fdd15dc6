// The events and states of jobs, member by member: what clients read by name.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "core/error.h"
#include "server/server_fixture.h"

namespace llm::server {
namespace {

using core::Json;

class JobEvents : public ServerFixture {};

std::set<std::string> keys_of(const Json& object) {
  std::set<std::string> keys;
  for (const auto& item : object.items()) keys.insert(item.key());
  return keys;
}

TEST_F(JobEvents, HaveExactlyTheMembersOfTheContract) {
  start({}, {.script_tokens = 2});
  const auto events = stream(post_job("\"max_tokens\":9"));
  ASSERT_EQ(events.size(), 5U);
  EXPECT_EQ(keys_of(events[0]), (std::set<std::string>{"type", "job_id", "model", "started_at",
                                                       "dtype", "effective", "ignored"}));
  EXPECT_EQ(keys_of(events[1]), (std::set<std::string>{"type", "t", "i"}));
  EXPECT_EQ(keys_of(events[3]),
            (std::set<std::string>{"type", "tokens_out", "decode_time_ms", "prefill_time_ms",
                                   "prompt_tokens", "cached_tokens", "stop_reason"}));
  const auto with_logprobs = stream(post_job("\"logprobs\":1,\"max_tokens\":1"));
  EXPECT_EQ(keys_of(with_logprobs[1]), (std::set<std::string>{"type", "t", "i", "logprobs"}));
  EXPECT_EQ(keys_of(with_logprobs[1]["logprobs"]),
            (std::set<std::string>{"id", "token", "bytes", "logprob", "top"}));
}

struct Failure {
  StatusCode status;
  std::string code;
};

class JobFailures : public ServerFixture, public ::testing::WithParamInterface<Failure> {};

TEST_P(JobFailures, EndTheStreamWithTheirCodeAndDone) {
  start();
  engine->fail_after(1, Status(GetParam().status, "why"));
  const std::string id = post_job("\"max_tokens\":9");
  const auto events = stream(id);
  ASSERT_GE(events.size(), 3U);
  EXPECT_EQ(events[events.size() - 2],
            (Json{{"type", "error"}, {"code", GetParam().code}, {"message", "why"}}));
  EXPECT_EQ(events.back(), "[DONE]");
  EXPECT_EQ(stream(id), events) << "again the same";
  const Json status = get(job_path(id)).json();
  EXPECT_EQ(status["state"], "failed");
  EXPECT_EQ(status["stop_reason"], "ERROR");
  EXPECT_EQ(status["error"], (Json{{"code", GetParam().code}, {"message", "why"}}));
}

INSTANTIATE_TEST_SUITE_P(
    Codes, JobFailures,
    ::testing::Values(Failure{StatusCode::invalid_argument, "INVALID_REQUEST"},
                      Failure{StatusCode::internal, "INFERENCE_FAILED"},
                      Failure{StatusCode::io_error, "INFERENCE_FAILED"},
                      Failure{StatusCode::deadline_exceeded, "TIMEOUT"},
                      Failure{StatusCode::cancelled, "CANCELLED"},
                      Failure{StatusCode::resource_exhausted, "OUT_OF_MEMORY"}),
    [](const auto& failure) { return fmt::format("status_{}", failure.index); });

TEST_F(JobEvents, TheStatusShowsTheTextSoFarWhileTheJobRuns) {
  start({}, {.context = 100000, .token_time = std::chrono::milliseconds(1)});
  const std::string id = post_job("\"max_tokens\":2048");
  ASSERT_TRUE(eventually([&] { return engine->tokens_made() > 3; }));
  engine->hold();
  const Json status = get(job_path(id)).json();
  EXPECT_EQ(status["state"], "running");
  EXPECT_EQ(status["text"].get<std::string>().substr(0, 9), "t0 t1 t2 ");
  EXPECT_GE(status["tokens_out"], 3);
  EXPECT_TRUE(status.contains("started_at"));
  EXPECT_FALSE(status.contains("ended_at"));
  EXPECT_FALSE(status.contains("stop_reason"));
  const Json entry = get("/v1/jobs").json()["jobs"][0];
  EXPECT_EQ(entry["state"], "running");
  EXPECT_FALSE(entry.contains("text")) << "the list has no texts";
  engine->release();
}

TEST_F(JobEvents, AFinishedJobSaysWhenAndWhy) {
  start();
  const std::string id = post_job("\"max_tokens\":1");
  stream(id);
  EXPECT_EQ(
      keys_of(get(job_path(id)).json()),
      (std::set<std::string>{"job_id", "state", "model", "created_at", "started_at", "ended_at",
                             "prompt_tokens", "tokens_out", "text", "stop_reason"}));
}

TEST_F(JobEvents, ThePromptMayLeaveRoomForOneToken) {
  start({}, {.context = 64});
  const auto post_prompt = [&](std::size_t length) {
    return post("/v1/jobs",
                fmt::format(R"({{"operation":"infer","prompt":"{}"}})", std::string(length, 'x')));
  };
  const TestReply fits = post_prompt(63);
  ASSERT_EQ(fits.status, 200) << fits.body;
  const auto events = stream(fits.json()["job_id"]);
  EXPECT_EQ(events[0]["effective"]["max_tokens"], 1);
  EXPECT_EQ(events[events.size() - 2]["tokens_out"], 1);
  const TestReply refused = post_prompt(64);
  EXPECT_EQ(refused.status, 400);
  const std::string message = refused.json()["errors"][0]["message"];
  EXPECT_NE(message.find("64 tokens and leaves no room in a context of 64"), std::string::npos);
}

TEST_F(JobEvents, HeadersOfAStreamComeBeforeTheJobStarts) {
  start();
  engine->hold();
  const std::string id = post_job();
  TestConnection reader(server->port());
  reader.send(make_request("GET", stream_path(id)));
  const TestReply head = reader.read_head();
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("content-type"), "text/event-stream");
  EXPECT_EQ(state_of(id), "queued");
  engine->release();
  EXPECT_NE(reader.read_event().find("started"), std::string::npos);
}

// Queued jobs have their own state; all others were seen above and in jobs_test.
TEST_F(JobEvents, AQueuedJobHasAPlaceAndNoText) {
  start();
  engine->hold();
  const Json status = get(job_path(post_job())).json();
  EXPECT_EQ(keys_of(status),
            (std::set<std::string>{"job_id", "state", "model", "created_at", "prompt_tokens",
                                   "tokens_out", "text", "queue_position"}));
  EXPECT_EQ(status["state"], "queued");
  EXPECT_EQ(status["text"], "");
  engine->release();
}

}  // namespace
}  // namespace llm::server
