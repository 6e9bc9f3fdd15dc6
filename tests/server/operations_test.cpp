// Health, readiness, loading, the model's description, metrics, the log.
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/log.h"
#include "server/server_fixture.h"

namespace llm::server {
namespace {

using core::Json;

class Operations : public ServerFixture {};

TEST_F(Operations, WhileTheModelLoadsTheWorkerIsAliveButTakesNoJobs) {
  start({}, {}, false);
  EXPECT_EQ(get("/health").json(), Json({{"status", "healthy"}}));
  EXPECT_EQ(get("/v1/ready").json(), Json({{"ready", false},
                                           {"state", "loading"},
                                           {"model_loaded", false},
                                           {"progress_url", "/v1/loading/progress"}}));
  EXPECT_EQ(get("/v1/ready").status, 503) << "for probes";
  const TestReply refused = post("/v1/jobs", R"({"operation":"infer","prompt":"p"})");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.json()["error"]["code"], "MODEL_LOADING");
  EXPECT_NE(refused.header("retry-after"), "");
  EXPECT_EQ(get("/v1/model").status, 503);
  EXPECT_EQ(post("/tokenize", R"({"content":"x"})").status, 503);
  server->set_engine(engine);
  EXPECT_EQ(get("/v1/ready").json(),
            Json({{"ready", true}, {"state", "idle"}, {"model_loaded", true}}));
  EXPECT_EQ(get("/v1/ready").status, 200);
}

TEST_F(Operations, AnEngineThatFailedMakesTheWorkerUnhealthy) {
  start();
  EXPECT_EQ(get("/health").status, 200);
  engine->break_down(core::internal_error("the engine has failed: no memory"));
  const TestReply reply = get("/health");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.json(),
            Json({{"status", "unhealthy"}, {"reason", "the engine has failed: no memory"}}));
}

TEST_F(Operations, LoadingProgressIsStreamedUntilReady) {
  start({}, {}, false);
  server->set_progress(
      {.layers_loaded = 1, .layers_total = 4, .bytes_loaded = 10, .bytes_total = 40});
  TestConnection reader(server->port());
  reader.send(make_request("GET", "/v1/loading/progress"));
  EXPECT_EQ(reader.read_head().status, 200);
  EXPECT_EQ(Json::parse(reader.read_event().substr(6)), Json({{"stage", "loading"},
                                                              {"layers_loaded", 1},
                                                              {"layers_total", 4},
                                                              {"bytes_loaded", 10},
                                                              {"bytes_total", 40}}));
  server->set_progress(
      {.layers_loaded = 4, .layers_total = 4, .bytes_loaded = 40, .bytes_total = 40});
  EXPECT_NE(reader.read_event().find("\"layers_loaded\":4"), std::string::npos);
  server->set_engine(engine);
  EXPECT_EQ(reader.read_event(), "data: {\"stage\":\"ready\"}");
  EXPECT_EQ(reader.read_event(), "data: [DONE]");
  EXPECT_EQ(events_of(get("/v1/loading/progress").body).size(), 2U) << "later: ready at once";
}

TEST_F(Operations, AFailedLoadIsUnhealthyAndItsStreamHasNoDone) {
  start({}, {}, false);
  server->set_failed(core::corrupt_data("model.safetensors: header is 5 bytes"));
  TestReply reply = get("/health");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.json()["status"], "unhealthy");
  EXPECT_EQ(reply.json()["reason"], "model.safetensors: header is 5 bytes");
  EXPECT_EQ(get("/v1/ready").json()["state"], "error");
  EXPECT_EQ(get("/v1/ready").status, 503);
  EXPECT_EQ(post("/v1/jobs", "{}").status, 503);
  reply = get("/v1/loading/progress");
  EXPECT_FALSE(reply.complete) << "the stream is broken off";
  EXPECT_NE(reply.body.find("error"), std::string::npos);
  EXPECT_EQ(reply.body.find("[DONE]"), std::string::npos);
}

TEST_F(Operations, ReadySaysBusyWhileJobsAreActive) {
  start();
  engine->hold();
  post_job();
  EXPECT_EQ(get("/v1/ready").json()["state"], "busy");
  EXPECT_EQ(get("/v1/ready").json()["ready"], true);
  engine->release();
  EXPECT_TRUE(eventually([&] { return get("/v1/ready").json()["state"] == "idle"; }));
}

TEST_F(Operations, TheModelIsDescribed) {
  start();
  const Json model = get("/v1/model").json();
  EXPECT_EQ(model["architecture_family"], "llama");
  EXPECT_EQ(model["dtype"], "f32");
  EXPECT_EQ(model["kv_dtype"], "f32");
  EXPECT_EQ(model["supported_dtypes"], Json::array({"f32", "f16", "bf16"}));
  EXPECT_EQ(model["loaded_dtypes"], Json::array({"f32"}));
  EXPECT_EQ(model["is_quantized"], false);
  EXPECT_EQ(model["max_context_length"], 64);
  EXPECT_EQ(model["vocab_size"], 256);
  EXPECT_TRUE(model["eos_tokens"].is_array());
  EXPECT_EQ(model["parameters"], 1000);
  EXPECT_EQ(model["memory"]["weights_bytes"], 4000);
  EXPECT_EQ(model["memory"]["total_bytes"], 4096);
  EXPECT_EQ(model["instruction_set"], "ref");
}

TEST_F(Operations, LogLinesCarryTheRequestIdAndNeverTheKey) {
  std::mutex mutex;
  std::string log;
  set_log_sink([&](core::LogLevel, std::string_view line) {
    const std::lock_guard lock(mutex);
    log += std::string(line) + "\n";
  });
  ServerOptions options;
  options.api_key = "very-secret";
  start(options);
  get("/v1/jobs", "x-request-id: find-me\r\nAuthorization: Bearer very-secret\r\n");
  get("/v1/jobs", "x-request-id: find-me-too\r\nAuthorization: Bearer guessed-key\r\n");
  server.reset();
  set_log_sink({});
  EXPECT_NE(log.find("request_id=find-me "), std::string::npos) << log;
  EXPECT_NE(log.find("request_id=find-me-too "), std::string::npos) << log;
  EXPECT_EQ(log.find("very-secret"), std::string::npos) << log;
  EXPECT_EQ(log.find("guessed-key"), std::string::npos) << log;
  EXPECT_NE(log.find("API key b64413"), std::string::npos) << log;
}

TEST_F(Operations, MetricsCountRequestsByOutcomeAndReportTheEngine) {
  start({}, {.max_sequences = 1}, false);
  EXPECT_NE(get("/metrics").body.find("llm_worker_ready 0\n"), std::string::npos);
  EngineStats& stats = engine->fixed_stats;
  stats.prompt_tokens = 11;
  stats.cached_tokens = 5;
  stats.generated_tokens = 7;
  stats.kv_pages_total = 40;
  stats.kv_pages_used = 3;
  stats.refused = 2;
  stats.decode_bytes = 6e9;
  stats.decode_seconds = 2;
  stats.first_token.add(0.003);
  stats.first_token.add(0.2);
  stats.token_gap.add(1000);
  server->set_engine(engine);
  stream(post_job("\"max_tokens\":3"));
  engine->set_stop_text_after(0);
  stream(post_job("\"stop\":\"x\""));
  EXPECT_TRUE(eventually([&] { return get("/v1/ready").json()["state"] == "idle"; }));
  engine->hold();
  post_job();
  post_job();

  const TestReply reply = get("/metrics");
  EXPECT_EQ(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  for (const std::string line : {
           "# TYPE llm_worker_requests_total counter",
           "llm_worker_ready 1",
           "llm_worker_requests_total{outcome=\"max_tokens\"} 1",
           "llm_worker_requests_total{outcome=\"stop_sequence\"} 1",
           "llm_worker_requests_total{outcome=\"error\"} 0",
           "llm_worker_requests_total{outcome=\"refused\"} 2",
           "llm_worker_queue_depth 2",
           "llm_worker_running_sequences 0",
           "llm_worker_prompt_tokens_total 11",
           "llm_worker_prefix_cache_hit_tokens_total 5",
           "llm_worker_generated_tokens_total 7",
           "llm_worker_kv_pages_total 40",
           "llm_worker_kv_pages_used 3",
           "llm_worker_decode_bytes_per_second 3000000000",
           "# TYPE llm_worker_time_to_first_token_seconds histogram",
           "llm_worker_time_to_first_token_seconds_bucket{le=\"0.0025\"} 0",
           "llm_worker_time_to_first_token_seconds_bucket{le=\"0.005\"} 1",
           "llm_worker_time_to_first_token_seconds_bucket{le=\"250\"} 2",
           "llm_worker_time_to_first_token_seconds_sum 0.203",
           "llm_worker_time_to_first_token_seconds_count 2",
           "llm_worker_inter_token_seconds_bucket{le=\"250\"} 0",
           "llm_worker_inter_token_seconds_bucket{le=\"+Inf\"} 1",
       }) {
    EXPECT_NE(("\n" + reply.body).find("\n" + line + "\n"), std::string::npos) << line << "\n"
                                                                               << reply.body;
  }
  const std::string name = "\nllm_worker_resident_memory_bytes ";
  const std::size_t at = reply.body.find(name);
  ASSERT_NE(at, std::string::npos);
  EXPECT_GT(std::stod(reply.body.substr(at + name.size())), 1e6);
}

TEST_F(Operations, ThePageIsPublicAndAsksForNothingFromElsewhere) {
  ServerOptions options;
  options.api_key = "secret";
  start(options);
  const TestReply page = get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.header("content-type"), "text/html; charset=utf-8");
  EXPECT_NE(page.header("content-security-policy").find("default-src 'none'"), std::string::npos);
  EXPECT_NE(page.body.find("<!doctype html>"), std::string::npos);
}

}  // namespace
}  // namespace llm::server
