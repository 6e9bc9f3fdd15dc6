// The jobs API over real sockets: the order of events, streaming again, cancellation, departure.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "server/server_fixture.h"

namespace llm::server {
namespace {

using core::Json;

class Jobs : public ServerFixture {};

// Concatenated text of the token events.
std::string text_of(const std::vector<Json>& events) {
  std::string text;
  for (const Json& event : events) {
    if (event.is_object() && event["type"] == "token") text += event["t"].get<std::string>();
  }
  return text;
}

TEST_F(Jobs, AJobIsAcceptedAndStreamedInTheContractsOrder) {
  start();
  const TestReply reply =
      post("/v1/jobs", R"({"operation":"infer","prompt":"hello","max_tokens":3,)"
                       R"("temperature":1.3,"seed":7,"stop":"zz","colour":1})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.header("content-type"), "application/json");
  const std::string id = reply.json()["job_id"];
  EXPECT_EQ(id.substr(0, 4), "job-");
  EXPECT_EQ(id.size(), 40U);
  EXPECT_EQ(reply.json()["sse_url"], stream_path(id));

  const TestReply sse = get(stream_path(id));
  EXPECT_EQ(sse.status, 200);
  EXPECT_EQ(sse.header("content-type"), "text/event-stream");
  EXPECT_EQ(sse.header("cache-control"), "no-cache");
  EXPECT_EQ(sse.header("x-accel-buffering"), "no");
  EXPECT_TRUE(sse.complete);
  const std::vector<Json> events = events_of(sse.body);
  ASSERT_EQ(events.size(), 6U) << sse.body;
  const Json& started = events[0];
  EXPECT_EQ(started["type"], "started");
  EXPECT_EQ(started["job_id"], id);
  EXPECT_EQ(started["model"], "fake");
  EXPECT_EQ(started["dtype"], "f32");
  EXPECT_EQ(started["started_at"].get<std::string>().size(), 24U);
  EXPECT_EQ(started["ignored"], Json::array({"colour"}));
  EXPECT_EQ(started["effective"]["seed"], 7);
  EXPECT_EQ(started["effective"]["max_tokens"], 3);
  EXPECT_EQ(started["effective"]["temperature"].dump(), "1.3");
  EXPECT_EQ(started["effective"]["stop"], Json::array({"zz"}));
  for (int t = 0; t < 3; ++t) {
    const Json expected = {{"type", "token"}, {"t", fmt::format("t{} ", t)}, {"i", t}};
    EXPECT_EQ(events[static_cast<std::size_t>(t) + 1], expected);
  }
  const Json& end = events[4];
  EXPECT_EQ(end["type"], "end");
  EXPECT_EQ(end["tokens_out"], 3);
  EXPECT_EQ(end["prompt_tokens"], 5);
  EXPECT_EQ(end["cached_tokens"], 0);
  EXPECT_EQ(end["stop_reason"], "MAX_TOKENS");
  EXPECT_TRUE(end["decode_time_ms"].is_number());
  EXPECT_TRUE(end["prefill_time_ms"].is_number());
  EXPECT_FALSE(end.contains("stop_sequence_matched"));
  EXPECT_EQ(events[5], "[DONE]");
}

TEST_F(Jobs, TheStreamHasNothingButDataLines) {
  start();
  const TestReply sse = get(stream_path(post_job()));
  std::string_view rest = sse.body;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    EXPECT_EQ(line.substr(0, 6), "data: ");
    ASSERT_EQ(rest.substr(line.size(), 2), "\n\n");
    rest.remove_prefix(line.size() + 2);
  }
}

TEST_F(Jobs, SamplingReachesTheEngineAndTheDeprecatedRouteNeedsNoOperation) {
  start();
  const TestReply reply = post("/v1/inference", R"({"prompt":"hi","max_tokens":1,"top_k":5,)"
                                                R"("repetition_penalty":1.25,"repeat_last_n":0})");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(engine->last_request().sampling.top_k, 5);
  EXPECT_EQ(engine->last_request().sampling.repetition_penalty, 1.25F);
  EXPECT_EQ(engine->last_request().sampling.repeat_last_n, 0);
}

TEST_F(Jobs, MaxTokensIsClippedToTheContextAndReported) {
  start();
  const auto events = stream(post_job("\"max_tokens\":1000"));
  EXPECT_EQ(events[0]["effective"]["max_tokens"], 59);
  EXPECT_EQ(events[events.size() - 2]["tokens_out"], 59);
}

TEST_F(Jobs, WithoutMaxTokensTheOperatorsLimitHolds) {
  ServerOptions options;
  options.job_limits.max_tokens_limit = 4;
  start(options);
  EXPECT_EQ(stream(post_job("\"top_k\":0"))[0]["effective"]["max_tokens"], 4);
}

TEST_F(Jobs, StopReasonsAreNamed) {
  start({}, {.script_tokens = 2});
  auto events = stream(post_job("\"max_tokens\":10"));
  EXPECT_EQ(events[events.size() - 2]["stop_reason"], "EOS");
  engine->set_stop_text_after(1);
  events = stream(post_job("\"max_tokens\":10,\"stop\":[\"END\"]"));
  EXPECT_EQ(events[events.size() - 2]["stop_reason"], "STOP_SEQUENCE");
  EXPECT_EQ(events[events.size() - 2]["stop_sequence_matched"], "END");
}

TEST_F(Jobs, LogprobsComeWithEachToken) {
  start();
  const auto events = stream(post_job("\"max_tokens\":1,\"logprobs\":2"));
  const Json& logprobs = events[1]["logprobs"];
  EXPECT_EQ(logprobs["id"], 0);
  EXPECT_EQ(logprobs["logprob"], -0.5);
  EXPECT_EQ(logprobs["token"], "\xEF\xBF\xBD") << "half a character is not valid UTF-8";
  EXPECT_EQ(logprobs["bytes"], Json::array({0xC3}));
  EXPECT_EQ(logprobs["top"].size(), 2U);
}

TEST_F(Jobs, AJobCanBeStreamedAgainAndFromAnyToken) {
  start();
  const std::string id = post_job("\"max_tokens\":20");
  const auto first = stream(id);
  const auto second = stream(id);
  EXPECT_EQ(first, second);
  const auto late = stream(id, "?from=18");
  ASSERT_EQ(late.size(), 5U);
  EXPECT_EQ(late[0], first[0]);
  EXPECT_EQ(late[1]["i"], 18);
  EXPECT_EQ(late[3]["type"], "end");
  EXPECT_EQ(stream(id, "?from=100").size(), 3U) << "started, end, [DONE]";
  EXPECT_EQ(get(stream_path(id, "?from=-1")).status, 400);
  EXPECT_EQ(get(stream_path(id, "?from=x")).status, 400);
  EXPECT_EQ(get(stream_path(id, "?form=1")).status, 400);
}

TEST_F(Jobs, AStreamFromALaterTokenWaitsForItWhileTheJobRuns) {
  start({}, {.context = 1000, .token_time = std::chrono::milliseconds(2)});
  const auto events = stream(post_job("\"max_tokens\":50"), "?from=40");
  ASSERT_EQ(events.size(), 13U);
  EXPECT_EQ(events[1]["i"], 40);
}

TEST_F(Jobs, ManyTokensArriveWholeAndInOrder) {
  start({}, {.context = 3000});
  const auto events = stream(post_job("\"max_tokens\":2000"));
  ASSERT_EQ(events.size(), 2003U);
  for (std::size_t t = 0; t < 2000; ++t) ASSERT_EQ(events[t + 1]["i"], t);
}

TEST_F(Jobs, MetricsComeAtMostOnceASecond) {
  start({}, {.context = 3000, .token_time = std::chrono::milliseconds(20)});
  const auto began = std::chrono::steady_clock::now();
  const std::string id = post_job("\"max_tokens\":120");
  const auto events = stream(id);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  int metrics = 0;
  for (const Json& event : events) {
    if (!event.is_object() || event["type"] != "metrics") continue;
    ++metrics;
    EXPECT_GT(event["tokens_per_sec"].get<double>(), 5);
    EXPECT_LT(event["tokens_per_sec"].get<double>(), 51);
    EXPECT_EQ(event["vram_bytes"], 4096);
  }
  EXPECT_GE(metrics, 2);
  EXPECT_LE(metrics, took.count());
  EXPECT_EQ(stream(id), events) << "a second reader sees the same";
}

TEST_F(Jobs, StatusAndListFollowTheJob) {
  start();
  engine->hold();
  const std::string first = post_job();
  const std::string second = post_job();
  Json status = get(job_path(second)).json();
  EXPECT_EQ(status["state"], "queued");
  EXPECT_EQ(status["queue_position"], 1);
  EXPECT_EQ(get(job_path(first)).json()["queue_position"], 0);
  engine->release();
  ASSERT_TRUE(eventually([&] { return state_of(second) == "done"; }));
  status = get(job_path(second)).json();
  EXPECT_EQ(status["text"], "t0 t1 t2 ");
  EXPECT_EQ(status["tokens_out"], 3);
  EXPECT_EQ(status["prompt_tokens"], 5);
  EXPECT_EQ(status["stop_reason"], "MAX_TOKENS");
  EXPECT_FALSE(status.contains("queue_position"));
  const Json list = get("/v1/jobs").json()["jobs"];
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0]["job_id"], first);
  EXPECT_EQ(list[1]["job_id"], second);
}

TEST_F(Jobs, UnknownJobsAre404) {
  start();
  EXPECT_EQ(get("/v1/jobs/job-x").status, 404);
  EXPECT_EQ(get("/v1/jobs/job-x/stream").status, 404);
  EXPECT_EQ(request(server->port(), "DELETE", "/v1/jobs/job-x").status, 404);
}

TEST_F(Jobs, DeleteCancelsARunningJobAndItsStreamEndsWithTheError) {
  start({}, {.context = 1000000, .token_time = std::chrono::milliseconds(1)});
  const std::string id = post_job("\"max_tokens\":2048");
  TestConnection reader(server->port());
  reader.send(make_request("GET", stream_path(id)));
  EXPECT_EQ(reader.read_head().status, 200);
  EXPECT_NE(reader.read_event().find("started"), std::string::npos);
  const TestReply reply = request(server->port(), "DELETE", job_path(id));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.json(), (Json{{"job_id", id}, {"status", "cancelled"}}));
  std::string last;
  std::string before;
  for (std::string event = reader.read_event(); !event.empty(); event = reader.read_event()) {
    before = std::exchange(last, event);
  }
  EXPECT_EQ(last, "data: [DONE]");
  EXPECT_NE(before.find("\"code\":\"CANCELLED\""), std::string::npos) << before;
  EXPECT_TRUE(eventually([&] { return engine->cancelled() == 1; }));
  const Json status = get(job_path(id)).json();
  EXPECT_EQ(status["state"], "cancelled");
  EXPECT_EQ(status["stop_reason"], "CANCELLED");
  EXPECT_EQ(status["error"]["code"], "CANCELLED");
}

TEST_F(Jobs, AQueuedJobThatIsCancelledNeverStarts) {
  start();
  engine->hold();
  const std::string id = post_job();
  EXPECT_EQ(request(server->port(), "DELETE", job_path(id)).status, 200);
  engine->release();
  EXPECT_TRUE(eventually([&] { return engine->cancelled() == 1; }));
  EXPECT_EQ(engine->tokens_made(), 0);
  const auto events = stream(id);
  ASSERT_EQ(events.size(), 3U) << "the order of the stream holds: started, error, [DONE]";
  EXPECT_EQ(events[0]["type"], "started");
  EXPECT_EQ(events[1]["code"], "CANCELLED");
}

TEST_F(Jobs, DeletingAFinishedJobSaysThatItWasDone) {
  start();
  const std::string id = post_job();
  stream(id);
  const TestReply reply = request(server->port(), "DELETE", job_path(id));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.json()["status"], "done");
  EXPECT_EQ(stream(id).size(), 6U) << "its events are kept";
}

TEST_F(Jobs, TheLastReaderThatLeavesCancelsTheJob) {
  start({}, {.context = 1000000, .token_time = std::chrono::milliseconds(1)});
  const std::string id = post_job("\"max_tokens\":2048");
  TestConnection one(server->port());
  TestConnection two(server->port());
  for (TestConnection* reader : {&one, &two}) {
    reader->send(make_request("GET", stream_path(id)));
    reader->read_head();
    reader->read_event();
  }
  one.close();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(state_of(id), "running") << "another reader is still there";
  two.close();
  EXPECT_TRUE(eventually([&] { return state_of(id) == "cancelled"; }));
  EXPECT_TRUE(eventually([&] { return engine->cancelled() == 1; }));
  EXPECT_TRUE(eventually([&] { return engine->stats().running == 0; }));
}

TEST_F(Jobs, AReaderThatLeavesAQueuedJobIsNoticedThoughNothingIsSent) {
  start();
  engine->hold();
  const std::string id = post_job();
  TestConnection reader(server->port());
  reader.send(make_request("GET", stream_path(id)));
  reader.read_head();
  reader.close();
  EXPECT_TRUE(eventually([&] { return state_of(id) == "cancelled"; }));
  engine->release();
  EXPECT_TRUE(eventually([&] { return engine->cancelled() == 1; }));
  EXPECT_EQ(engine->tokens_made(), 0);
}

TEST_F(Jobs, AJobThatNobodyStreamsRunsToItsEnd) {
  start();
  const std::string id = post_job();
  EXPECT_TRUE(eventually([&] { return state_of(id) == "done"; }));
}

TEST_F(Jobs, AFailureEndsTheStreamWithItsCode) {
  start();
  engine->fail_after(2, core::resource_exhausted("no page is left"));
  const auto events = stream(post_job());
  const Json& error = events[events.size() - 2];
  EXPECT_EQ(error["type"], "error");
  EXPECT_EQ(error["code"], "OUT_OF_MEMORY");
  EXPECT_EQ(error["message"], "no page is left");
  EXPECT_EQ(events.back(), "[DONE]");
  const auto next = stream(post_job());
  EXPECT_EQ(next[next.size() - 2]["type"], "end") << "the next job is not harmed";
}

TEST_F(Jobs, APromptThatFillsTheContextIsRefusedWithBothCounts) {
  start();
  const TestReply reply =
      post("/v1/jobs", R"({"operation":"infer","prompt":")" + std::string(64, 'x') + "\"}");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.json()["errors"][0]["field"], "prompt");
  EXPECT_NE(reply.body.find("64 tokens"), std::string::npos) << reply.body;
  EXPECT_EQ(get("/v1/jobs").json()["jobs"].size(), 0U);
}

TEST_F(Jobs, AFullQueueIs429WithRetryAfter) {
  start({}, {.max_sequences = 2, .max_queue = 1});
  engine->hold();
  for (int accepted = 0; accepted < 3; ++accepted) EXPECT_NE(post_job(), "");
  const TestReply reply = post("/v1/jobs", R"({"operation":"infer","prompt":"p"})");
  EXPECT_EQ(reply.status, 429);
  EXPECT_EQ(reply.header("retry-after"), "3") << "the engine said 2.5 seconds";
  EXPECT_EQ(reply.json()["error"]["code"], "QUEUE_FULL");
  engine->release();
  EXPECT_NE(post_job_when_free("\"max_tokens\":3"), "") << "places are free again";
}

TEST_F(Jobs, PlacesOfCancelledAndRefusedJobsAreFreeAgain) {
  start({}, {.context = 64, .max_sequences = 1, .max_queue = 0});
  for (int round = 0; round < 3; ++round) {
    const std::string too_long = std::string(64, 'x');
    EXPECT_EQ(post("/v1/jobs", R"({"operation":"infer","prompt":")" + too_long + "\"}").status,
              400);
    const std::string id = post_job_when_free("\"max_tokens\":50");
    request(server->port(), "DELETE", job_path(id));
    ASSERT_TRUE(eventually([&] { return engine->stats().running + engine->stats().waiting == 0; }));
  }
}

TEST_F(Jobs, AnotherModelIs404) {
  ServerOptions options;
  options.model_aliases = {"hf:some/model"};
  start(options);
  EXPECT_EQ(post("/v1/jobs", R"({"operation":"infer","prompt":"p","model":"gpt"})").status, 404);
  for (const char* name : {"fake", "/models/fake", "hf:some/model"}) {
    EXPECT_NE(post_job(fmt::format("\"model\":\"{}\"", name)), "");
  }
}

TEST_F(Jobs, AnotherDtypeReachesTheEngineAndIsNamedInStarted) {
  start();
  EXPECT_EQ(stream(post_job("\"max_tokens\":1,\"dtype\":\"bf16\""))[0]["dtype"], "bf16");
  EXPECT_EQ(engine->last_request().dtype, DType::bf16);
  EXPECT_EQ(stream(post_job("\"max_tokens\":1"))[0]["dtype"], "f32");
  EXPECT_EQ(engine->last_request().dtype, std::nullopt);
}

TEST_F(Jobs, ADtypeThatDoesNotFitIs422WithTheEnginesNumbers) {
  start();
  engine->dtype_refusal = Status(StatusCode::resource_exhausted, "2000 bytes wanted, 1500 there")
                              .with_shortage({.required_bytes = 2000, .available_bytes = 1500});
  const TestReply reply = post("/v1/jobs", R"({"operation":"infer","prompt":"p","dtype":"bf16"})");
  EXPECT_EQ(reply.status, 422);
  EXPECT_EQ(reply.json()["loaded_bytes"], 4000);
  EXPECT_EQ(reply.json()["required_bytes"], 2000);
  EXPECT_EQ(reply.json()["available_bytes"], 1500);
  EXPECT_EQ(reply.json()["errors"], Json::parse(R"([{"field":"dtype","constraint":"fits_memory",
      "message":"2000 bytes wanted, 1500 there","value":"bf16"}])"));
  EXPECT_EQ(get("/v1/jobs").json()["jobs"], Json::array()) << "a refused job is not kept";
  engine->dtype_refusal = Status(StatusCode::io_error, "the file was cut");
  const TestReply cut = post("/v1/jobs", R"({"operation":"infer","prompt":"p","dtype":"bf16"})");
  EXPECT_EQ(cut.status, 503);
  EXPECT_EQ(cut.json()["error"]["code"], "MODEL_FAILED");
}

TEST_F(Jobs, FieldErrorsComeAllAtOnceWithTheirValues) {
  start();
  const TestReply reply =
      post("/v1/jobs", R"({"operation":"infer","prompt":"secret","temperature":2.5,"top_p":7})");
  EXPECT_EQ(reply.status, 400);
  const Json errors = reply.json()["errors"];
  ASSERT_EQ(errors.size(), 2U);
  EXPECT_EQ(errors[0], (Json{{"field", "temperature"},
                             {"constraint", "range(0.0..=2.0)"},
                             {"message", "temperature must be at most 2.0 (got 2.5)"},
                             {"value", 2.5}}));
  EXPECT_EQ(reply.body.find("secret"), std::string::npos);
}

TEST_F(Jobs, StrictTurnsUnknownFieldsIntoErrors) {
  start();
  const std::string body = R"({"operation":"infer","prompt":"p","colour":1})";
  EXPECT_EQ(post("/v1/jobs", body, "X-Strict: 1\r\n").status, 400);
  EXPECT_EQ(post("/v1/jobs", body, "X-Strict: 0\r\n").status, 200);
}

TEST_F(Jobs, MessagesAreRenderedAndNotGivenASecondBos) {
  chat = [](const ChatRequest& request) -> Result<RenderedChat> {
    const Json messages = Json::parse(request.messages);
    if (messages[0].value("role", "") != "user")
      return core::invalid_argument("roles must begin with user");
    return RenderedChat{.prompt = fmt::format("<{}>", messages[0].value("content", ""))};
  };
  start();
  const TestReply reply = post("/v1/jobs", R"({"operation":"infer","max_tokens":1,)"
                                           R"("messages":[{"role":"user","content":"a"}]})");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(engine->last_request().prompt_tokens, (std::vector<std::int32_t>{'<', 'a', '>'}));
  const TestReply bad = post("/v1/jobs", R"({"operation":"infer","messages":[{"role":"x"}]})");
  EXPECT_EQ(bad.status, 400);
  EXPECT_EQ(bad.json()["errors"][0]["message"], "roles must begin with user");
}

TEST_F(Jobs, EndedJobsAreForgottenAfterTheirTime) {
  ServerOptions options;
  options.job_store.ttl = std::chrono::milliseconds(50);
  start(options);
  const std::string id = post_job();
  EXPECT_TRUE(eventually([&] { return get(job_path(id)).status == 404; }));
}

TEST_F(Jobs, EndedJobsTogetherStayWithinTheirMemory) {
  ServerOptions options;
  options.job_store.ended_bytes = 10000;
  start(options, {.context = 100});
  std::string first;
  std::string last;
  for (int n = 0; n < 8; ++n) {
    last = post_job("\"max_tokens\":30");
    if (first.empty()) first = last;
    stream(last);
  }
  EXPECT_TRUE(eventually([&] { return get(job_path(first)).status == 404; }));
  EXPECT_EQ(get(job_path(last)).status, 200);
}

TEST_F(Jobs, HealthAndMetricsAnswerWhileTheEngineIsStuckInAStep) {
  start();
  engine->hold();
  post_job();
  EXPECT_EQ(get("/health").status, 200);
  EXPECT_EQ(get("/metrics").status, 200);
  EXPECT_EQ(get("/v1/ready").status, 200);
  engine->release();
}

TEST_F(Jobs, ManyClientsAtOnceEachGetTheirOwnStream) {
  start({}, {.context = 500, .max_sequences = 4, .max_queue = 100});
  std::vector<std::thread> clients;
  std::atomic<int> right = 0;
  for (int client = 1; client <= 16; ++client) {
    clients.emplace_back([&, client] {
      for (int round = 0; round < 3; ++round) {
        const int tokens = client * 5 + round;
        const auto events = stream(post_job(fmt::format("\"max_tokens\":{}", tokens)));
        std::string expected;
        for (int t = 0; t < tokens; ++t) expected += fmt::format("t{} ", t);
        if (text_of(events) == expected && events.back() == "[DONE]") ++right;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(right, 48);
}

TEST_F(Jobs, DrainLetsJobsFinishAndTakesNoNewOnes) {
  start({}, {.context = 1000, .token_time = std::chrono::milliseconds(5)});
  const std::string id = post_job("\"max_tokens\":60");
  std::vector<Json> events;
  std::thread reader([&] { events = stream(id); });
  ASSERT_TRUE(eventually([&] { return state_of(id) == "running"; }));
  std::thread drain([&] { server->drain(std::chrono::seconds(20)); });
  EXPECT_TRUE(eventually([&] { return !get("/v1/ready").json()["ready"].get<bool>(); }));
  const TestReply refused = post("/v1/jobs", R"({"operation":"infer","prompt":"p"})");
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(refused.header("retry-after"), "");
  drain.join();
  reader.join();
  ASSERT_GE(events.size(), 63U);
  EXPECT_EQ(events[events.size() - 2]["stop_reason"], "MAX_TOKENS");
}

TEST_F(Jobs, DrainCancelsWhatDoesNotFinishInTime) {
  start({}, {.context = 100000, .token_time = std::chrono::milliseconds(5)});
  const std::string id = post_job("\"max_tokens\":2048");
  std::vector<Json> events;
  std::thread reader([&] { events = stream(id); });
  ASSERT_TRUE(eventually([&] { return engine->tokens_made() > 0; }));
  server->drain(std::chrono::milliseconds(50));
  reader.join();
  ASSERT_GE(events.size(), 3U);
  EXPECT_EQ(events[events.size() - 2]["code"], "CANCELLED");
  EXPECT_EQ(events.back(), "[DONE]");
  EXPECT_TRUE(eventually([&] { return engine->stats().running == 0; }));
}

}  // namespace
}  // namespace llm::server
