// Health, readiness, loading, the model's description, the tokenizer routes, the heartbeat.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

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

TEST_F(Operations, TokenizeAndDetokenizeAreEachOthersInverse) {
  start();
  EXPECT_EQ(post("/tokenize", R"({"content":"hi"})").json(), Json({{"tokens", {104, 105}}}));
  EXPECT_EQ(post("/tokenize", R"({"content":"hi","add_special":true})").json()["tokens"][0], 1);
  EXPECT_EQ(post("/detokenize", R"({"tokens":[104,105]})").json(), Json({{"content", "hi"}}));
  EXPECT_EQ(post("/detokenize", R"({"tokens":[195]})").json()["content"], "\xEF\xBF\xBD");
  EXPECT_EQ(post("/tokenize", R"({"content":"","x":1})").json(),
            Json({{"tokens", Json::array()}, {"ignored", {"x"}}}));
}

TEST_F(Operations, TokenizerRoutesRefuseWhatTheyCannotDo) {
  start();
  for (const char* body :
       {"{}", R"({"content":5})", R"({"content":"x","with_pieces":true})",
        R"({"content":"x","parse_special":false})", R"({"content":"x","add_special":1})"}) {
    EXPECT_EQ(post("/tokenize", body).status, 400) << body;
  }
  for (const char* body : {"{}", R"({"tokens":"x"})", R"({"tokens":[256]})", R"({"tokens":[-1]})",
                           R"({"tokens":[1.5]})"}) {
    EXPECT_EQ(post("/detokenize", body).status, 400) << body;
  }
  EXPECT_EQ(post("/tokenize", R"({"content":"","x":1})", "X-Strict: 1\r\n").status, 400);
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

// Takes connections one after the other, keeps what they send, and answers each with `status`.
class Hive {
 public:
  explicit Hive(int status) : status_(status) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_, raw, size), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    EXPECT_EQ(::getsockname(listener_, raw, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~Hive() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/base/"; }
  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void run() {
    for (int peer = 0; (peer = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(peer)) {
      std::string text;
      char buffer[4096];
      while (text.find("\"timestamp\"") == std::string::npos || text.back() != '}') {
        const ssize_t n = ::recv(peer, buffer, sizeof buffer, 0);
        if (n <= 0) break;
        text.append(buffer, static_cast<std::size_t>(n));
      }
      const std::string reply =
          "HTTP/1.1 " + std::to_string(status_) + " X\r\nContent-Length: 0\r\n\r\n";
      (void)!::write(peer, reply.data(), reply.size());
      const std::lock_guard lock(mutex_);
      requests_.push_back(text);
    }
  }

  int status_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

TEST_F(Operations, TheHeartbeatComesAtOnceAndRegularly) {
  Hive hive(200);
  ServerOptions options;
  options.heartbeat = {.url = hive.url(),
                       .worker_id = "w-1",
                       .device = "cpu:0",
                       .interval = std::chrono::milliseconds(40)};
  options.version = "1.2.3";
  options.model_name = "hf:x/y";
  start(options, {}, false);
  ASSERT_TRUE(eventually([&] { return !hive.requests().empty(); }));
  const std::string first = hive.requests()[0];
  EXPECT_EQ(first.find("POST /base/v1/worker-heartbeat HTTP/1.1\r\n"), 0U) << first;
  const Json body = Json::parse(first.substr(first.find("\r\n\r\n") + 4));
  EXPECT_EQ(body["worker"], Json({{"id", "w-1"},
                                  {"model_id", "hf:x/y"},
                                  {"device", "cpu:0"},
                                  {"port", server->port()},
                                  {"status", "starting"},
                                  {"implementation", "llm-worker"},
                                  {"version", "1.2.3"}}));
  EXPECT_EQ(body["timestamp"].get<std::string>().back(), 'Z');
  server->set_engine(engine);
  const auto saw = [&](const std::string& status) {
    return eventually([&] {
      const auto requests = hive.requests();
      return !requests.empty() &&
             requests.back().find("\"status\":\"" + status + "\"") != std::string::npos;
    });
  };
  EXPECT_TRUE(saw("ready"));
  engine->hold();
  post_job();
  EXPECT_TRUE(saw("busy"));
  engine->release();
  EXPECT_TRUE(saw("ready"));
  server->drain(std::chrono::seconds(1));
  EXPECT_TRUE(saw("stopped"));
}

TEST_F(Operations, AHiveWithoutHeartbeatRouteIsLoggedOnceAndServingGoesOn) {
  std::atomic<int> lines = 0;
  set_log_sink([&](core::LogLevel, std::string_view line) {
    if (line.find("(404)") != std::string_view::npos) ++lines;
  });
  {
    Hive hive(404);
    ServerOptions options;
    options.heartbeat = {
        .url = hive.url(), .worker_id = "w", .interval = std::chrono::milliseconds(10)};
    start(options);
    ASSERT_TRUE(eventually([&] { return hive.requests().size() > 3; }));
    EXPECT_EQ(stream(post_job()).size(), 6U);
    server.reset();
  }
  set_log_sink({});
  EXPECT_EQ(lines, 1);
}

TEST_F(Operations, ApplyTemplatePassesTheConversationOnInTheClientsOrder) {
  ChatRequest seen;
  chat = [&](const ChatRequest& request) -> Result<RenderedChat> {
    seen = request;
    return RenderedChat{.prompt = "rendered", .unused_kwargs = {"colour"}};
  };
  start();
  const std::string body = R"({"messages":[{"role":"user","content":"x"}],"tools":[{"z":1,"a":2}],)"
                           R"("chat_template_kwargs":{"colour":1},"continue_final_message":true})";
  const TestReply reply = post("/apply-template", body);
  EXPECT_EQ(reply.json(),
            (Json{{"prompt", "rendered"}, {"ignored", {"chat_template_kwargs.colour"}}}))
      << reply.body;
  EXPECT_EQ(seen.messages, R"([{"role":"user","content":"x"}])");
  EXPECT_EQ(seen.tools, R"([{"z":1,"a":2}])");
  EXPECT_EQ(seen.template_kwargs, R"({"colour":1})");
  EXPECT_TRUE(seen.continue_final_message);
  EXPECT_FALSE(seen.add_generation_prompt) << "not together with continue_final_message";
  EXPECT_EQ(post("/apply-template", body, "X-Strict: 1\r\n").status, 400);
}

TEST_F(Operations, ApplyTemplateWithoutATemplateSaysSo) {
  start();
  const TestReply reply =
      post("/apply-template", R"({"messages":[{"role":"user","content":"x"}]})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.json()["errors"][0]["message"],
            "messages cannot be used: the model has no chat template");
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

TEST_F(Operations, AHiveThatIsNotThereDisturbsNothing) {
  ServerOptions options;
  options.heartbeat = {
      .url = "http://127.0.0.1:9", .worker_id = "w", .interval = std::chrono::milliseconds(5)};
  start(options);
  EXPECT_EQ(stream(post_job()).size(), 6U);
  options.heartbeat.url = "https://hive";
  options.port = 0;
  EXPECT_FALSE(Server::start(options).has_value());
}

}  // namespace
}  // namespace llm::server
