#include "server/server.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <future>
#include <thread>

#include "core/log.h"
#include "server/heartbeat.h"
#include "server/http_listener.h"
#include "server/sha256.h"
#include "server/surfaces.h"

namespace llm::server {

namespace asio = boost::asio;

struct Server::Impl {
  explicit Impl(ServerOptions given)
      : options(std::move(given)),
        jobs(options.job_store),
        surfaces(options, model, jobs, draining),
        app(surfaces.router(), KeyCheck(options.api_key), options.cors_origins) {}

  Heartbeat::Report report() const {
    const ModelState::Snapshot now = model.snapshot();
    std::string name = options.model_name;
    if (name.empty() && now.engine) name = now.engine->info().name;
    const char* const status = stopped                                   ? "stopped"
                               : draining                                ? "stopping"
                               : now.stage == ModelState::Stage::loading ? "starting"
                               : now.stage == ModelState::Stage::failed  ? "stopped"
                               : is_busy(now, jobs)                      ? "busy"
                                                                         : "ready";
    return {.status = status, .model_id = std::move(name)};
  }

  void run() {
    for (;;) {
      try {
        io.run();
        return;
      } catch (const std::exception& error) {  // a library ran out of something: go on serving
        core::log(core::LogLevel::error, "network thread: {}", error.what());
      }
    }
  }

  void purge_regularly() {
    purge_timer.expires_after(std::chrono::seconds(1));
    purge_timer.async_wait([this](boost::system::error_code error) {
      if (error) return;
      jobs.purge();
      purge_regularly();
    });
  }

  // Runs `task` on the network thread and waits for it.
  void on_network_thread(const std::function<void()>& task) {
    std::promise<void> done;
    asio::post(io, [&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }

  const ServerOptions options;
  std::atomic<bool> draining = false;
  std::atomic<bool> stopped = false;
  ModelState model;
  JobStore jobs;
  Surfaces surfaces;
  HttpApp app;
  asio::thread_pool pool{2};
  SessionContext context{.app = app, .limits = options.http, .pool = pool};
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  HttpListener listener{io, context};
  asio::steady_timer purge_timer{io};
  std::unique_ptr<Heartbeat> heartbeat;
  std::thread thread;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Server>> Server::start(ServerOptions options) {
  LLM_RETURN_IF_ERROR(validate(options));
  auto impl = std::make_unique<Impl>(std::move(options));
  const ServerOptions& set = impl->options;
  LLM_RETURN_IF_ERROR(impl->listener.open(set.host, set.port));
  impl->heartbeat =
      std::make_unique<Heartbeat>(impl->io, set.heartbeat, set.version, impl->listener.port(),
                                  [raw = impl.get()] { return raw->report(); });
  core::log(core::LogLevel::info, "listening on {}:{}{}", set.host, impl->listener.port(),
            set.api_key.empty() ? std::string(" without authentication")
                                : " with API key " + key_fingerprint(set.api_key));
  asio::post(impl->io, [raw = impl.get()] {
    raw->listener.start();
    raw->heartbeat->start();
    raw->purge_regularly();
  });
  impl->thread = std::thread([raw = impl.get()] { raw->run(); });
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::~Server() {
  impl_->jobs.close();
  impl_->jobs.cancel_all("the worker has stopped");
  impl_->on_network_thread([this] {
    impl_->heartbeat->stop();
    impl_->purge_timer.cancel();
    impl_->listener.close();
  });
  impl_->pool.join();
  impl_->work.reset();
  impl_->io.stop();
  impl_->thread.join();
}

std::uint16_t Server::port() const { return impl_->listener.port(); }

void Server::set_progress(const LoadProgress& progress) { impl_->model.set_progress(progress); }

void Server::set_engine(std::shared_ptr<Engine> engine) {
  impl_->model.set_ready(std::move(engine));
  asio::post(impl_->io, [raw = impl_.get()] { raw->heartbeat->send(); });
}

void Server::set_failed(Status failure) { impl_->model.set_failed(std::move(failure)); }

void Server::drain(std::chrono::milliseconds timeout, const std::function<bool()>& hurry) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kStep{20};
  constexpr std::chrono::seconds kGrace{2};
  impl_->draining = true;
  impl_->jobs.close();
  asio::post(impl_->io, [raw = impl_.get()] { raw->heartbeat->send(); });
  const auto wait_until = [&](Clock::time_point deadline, const auto& reached) {
    while (!reached() && Clock::now() < deadline && !(hurry && hurry())) {
      std::this_thread::sleep_for(kStep);
    }
  };
  wait_until(Clock::now() + timeout, [&] { return impl_->jobs.active() == 0; });
  if (impl_->jobs.active() > 0) impl_->jobs.cancel_all("the worker is shutting down");
  wait_until(Clock::now() + kGrace, [&] {
    std::size_t open = 0;
    impl_->on_network_thread([&] { open = impl_->context.replies; });
    return open == 0 && impl_->jobs.active() == 0;
  });
  impl_->stopped = true;
  const auto told = std::make_shared<std::promise<void>>();
  asio::post(impl_->io,
             [raw = impl_.get(), told] { raw->heartbeat->send([told] { told->set_value(); }); });
  (void)told->get_future().wait_for(kGrace);
}

}  // namespace llm::server
