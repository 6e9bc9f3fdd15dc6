#include "engine/engine_set.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <tuple>

#include "core/error.h"
#include "core/log.h"
#include "core/memory.h"
#include "engine/describe_model.h"
#include "engine/sum_stats.h"

namespace llm::engine {
namespace {

double milliseconds(Sequence::Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

}  // namespace

EngineSet::EngineSet(LoadedParts first, const LoadOptions& options, RunnerHooks hooks)
    : options_(options),
      hooks_(hooks),
      shared_(first.shared),
      first_(std::make_unique<LocalEngine>(std::move(first), options, std::move(hooks))) {
  loader_ = std::thread([this] { loader_main(); });
}

EngineSet::~EngineSet() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  loader_.join();
}

std::vector<DType> EngineSet::loaded_dtypes() const {
  std::vector<DType> dtypes = {info().capabilities.dtype};
  const std::lock_guard lock(mutex_);
  for (const Precision& precision : precisions_) {
    if (precision.engine) dtypes.push_back(precision.dtype);
  }
  return dtypes;
}

EngineStats EngineSet::stats() const {
  EngineStats sum = first_->stats();
  const std::lock_guard lock(mutex_);
  add_totals(sum, retired_);
  for (const auto& engine : dropped_) add_totals(sum, engine->stats());
  for (const Precision& precision : precisions_) {
    sum.waiting += static_cast<int>(precision.waiting.size());
    if (!precision.engine) continue;
    const EngineStats stats = precision.engine->stats();
    add_gauges(sum, stats);
    add_totals(sum, stats);
  }
  sum.refused += refused_;
  return sum;
}

// ---- Requests -----------------------------------------------------------------------------------

Result<RequestId> EngineSet::submit(GenerationRequest request,
                                    std::shared_ptr<GenerationObserver> observer) {
  const ModelCapabilities& can = info().capabilities;
  const DType dtype = request.dtype.value_or(can.dtype);
  request.dtype.reset();
  if (dtype == can.dtype) return first_->submit(std::move(request), std::move(observer));
  if (!can.supports_dtype(dtype)) {
    return core::invalid_argument("dtype {} is not supported by this model", to_string(dtype));
  }
  LLM_RETURN_IF_ERROR(first_->check(request));
  return submit_to(dtype, std::move(request), std::move(observer));
}

void EngineSet::cancel(RequestId id) {
  // Numbers are given out once, so it is in one place at most.
  first_->cancel(id);
  const std::lock_guard lock(mutex_);
  for (Precision& precision : precisions_) {
    for (Waiting& waiting : precision.waiting) {
      if (waiting.id == id) waiting.cancelled = true;
    }
    if (precision.engine) precision.engine->cancel(id);
  }
}

EngineSet::Precision* EngineSet::find(DType dtype) {
  const auto found =
      std::find_if(precisions_.begin(), precisions_.end(),
                   [dtype](const Precision& precision) { return precision.dtype == dtype; });
  return found == precisions_.end() ? nullptr : &*found;
}

Result<RequestId> EngineSet::submit_to(DType dtype, GenerationRequest request,
                                       std::shared_ptr<GenerationObserver> observer) {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (stopping_) return core::unavailable("the engine is stopping");
      Precision* precision = find(dtype);
      // One that has failed is loaded anew, once its last request has been told.
      if (precision != nullptr && precision->idle() && !precision->engine->health().ok()) {
        drop(*precision);
        precision = nullptr;
      }
      if (precision != nullptr) {
        precision->last_used = ++uses_;
        if (!precision->engine) {
          return wait_for(*precision, std::move(request), std::move(observer));
        }
        ++precision->submitting;  // it stays where it is
        lock.unlock();
        Result<RequestId> id = precision->engine->submit(std::move(request), std::move(observer));
        lock.lock();
        --precision->submitting;
        return id;
      }
    }
    const std::lock_guard admission(admission_);
    LLM_RETURN_IF_ERROR(make_room(dtype));
  }
}

Result<RequestId> EngineSet::wait_for(Precision& precision, GenerationRequest request,
                                      std::shared_ptr<GenerationObserver> observer) {
  const auto most = static_cast<std::size_t>(first_->capacity());
  if (precision.waiting.size() >= most) {
    ++refused_;
    constexpr std::int64_t kRetryMs = 2000;  // how long loading takes is not known
    return Status(StatusCode::unavailable,
                  fmt::format("queue full: {} requests wait until the model is loaded in {}", most,
                              to_string(precision.dtype)),
                  kRetryMs);
  }
  Waiting waiting{.id = shared_->next_request.fetch_add(1),
                  .request = std::move(request),
                  .observer = std::move(observer),
                  .submitted = hooks_.now()};
  waiting.deadline = deadline_of(waiting.request, waiting.submitted);
  precision.waiting.push_back(std::move(waiting));
  return precision.waiting.back().id;
}

// ---- Memory -------------------------------------------------------------------------------------

// Decides that the precision will be loaded, and what is dropped for it; or says why not. The
// caller holds admission_.
Status EngineSet::make_room(DType dtype) {
  for (;;) {
    std::vector<Resident> kept;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return core::unavailable("the engine is stopping");
      if (find(dtype) != nullptr) return {};  // somebody else was quicker
      kept = residents();
    }
    std::vector<DType> leaving;
    Result<Precision> planned = plan(dtype, kept);
    while (!planned && planned.error().code() == StatusCode::resource_exhausted) {
      const auto oldest =
          std::min_element(kept.begin(), kept.end(), [](const Resident& a, const Resident& b) {
            return std::tuple(!a.idle, a.last_used) < std::tuple(!b.idle, b.last_used);
          });
      if (oldest == kept.end() || !oldest->idle) break;
      leaving.push_back(oldest->dtype);
      kept.erase(oldest);
      planned = plan(dtype, kept);
    }
    if (!planned) return planned.error();
    const std::lock_guard lock(mutex_);
    const auto in_use = [this](DType other) {
      const Precision* found = find(other);
      return found != nullptr && !found->idle();
    };
    if (std::any_of(leaving.begin(), leaving.end(), in_use)) continue;
    for (const DType other : leaving) {
      if (const Precision* found = find(other)) drop(*found);
    }
    planned->last_used = ++uses_;
    precisions_.push_back(std::move(*planned));
    wake_.notify_all();
    return {};
  }
}

std::vector<EngineSet::Resident> EngineSet::residents() const {
  std::vector<Resident> all = {{.dtype = info().capabilities.dtype,
                                .weight_bytes = info().memory.weights,
                                .total_bytes = info().memory.total(),
                                .idle = false}};
  for (const Precision& precision : precisions_) {
    all.push_back({.dtype = precision.dtype,
                   .weight_bytes = precision.memory.weights,
                   .total_bytes = precision.memory.total(),
                   .idle = precision.idle(),
                   .last_used = precision.last_used});
  }
  return all;
}

Result<EngineSet::Precision> EngineSet::plan(DType dtype, const std::vector<Resident>& kept) const {
  std::size_t total = 0;
  std::size_t weights = 0;
  std::string names;
  for (const Resident& resident : kept) {
    total += resident.total_bytes;
    weights += resident.weight_bytes;
    names += fmt::format("{}{}", names.empty() ? "" : " and ", to_string(resident.dtype));
  }
  // What this process may have in all, less what the others were promised, used so far or not.
  core::AvailableMemory available = core::available_memory();
  const core::ResidentMemory resident = core::resident_memory();
  // Pages of mapped weights can be dropped: they count as available already.
  available.bytes += resident.anonymous + std::min(resident.file, info().memory.program);
  available.bytes -= std::min(available.bytes, total);

  Precision precision;
  precision.dtype = dtype;
  precision.options = decoder_options_beside(options_, dtype);
  precision.options.context = info().capabilities.max_context_length;
  precision.options.max_sequences = info().max_sequences;
  precision.options.available = available;
  if (std::optional<std::size_t>& most = precision.options.max_weights) {
    *most -= std::min(*most, weights);
  }
  Result<models::LoadedModel> model =
      models::plan_decoder(*shared_->file, precision.options, *shared_->ops, *shared_->pool);
  if (!model) {
    return model.error().with_prefix(
        fmt::format("dtype {} cannot be loaded beside {}", to_string(dtype), names));
  }
  precision.memory = model->memory;
  add_engine_memory(*model, options_, precision.memory);
  return precision;
}

void EngineSet::drop(const Precision& precision) {
  core::log(core::LogLevel::info, "dropping dtype {}", to_string(precision.dtype));
  dropped_.push_back(precision.engine);
  precisions_.remove_if([&](const Precision& other) { return &other == &precision; });
  wake_.notify_all();
}

// ---- Loading ------------------------------------------------------------------------------------

void EngineSet::loader_main() {
  for (;;) {
    Precision* next = nullptr;
    {
      std::unique_lock lock(mutex_);
      const auto to_load = [this] {
        return std::find_if(precisions_.begin(), precisions_.end(),
                            [](const Precision& precision) { return !precision.engine; });
      };
      wake_.wait(lock,
                 [&] { return stopping_ || !dropped_.empty() || to_load() != precisions_.end(); });
      if (const auto found = to_load(); found != precisions_.end()) next = &*found;
      if (stopping_ && next == nullptr) return;
    }
    destroy_dropped();
    if (next != nullptr) load(*next);
  }
}

void EngineSet::destroy_dropped() {
  for (;;) {
    std::shared_ptr<LocalEngine> engine;
    {
      const std::lock_guard lock(mutex_);
      if (dropped_.empty()) break;
      engine = dropped_.front();
    }
    engine->stop();  // what it counts until then counts
    const std::lock_guard lock(mutex_);
    add_totals(retired_, engine->stats());
    dropped_.pop_front();
  }
  core::release_free_heap();
}

void EngineSet::load(Precision& precision) {
  Result<std::shared_ptr<LocalEngine>> engine = core::internal_error("not loaded");
  try {
    engine = make_engine(precision);
  } catch (const std::bad_alloc&) {
    engine = core::resource_exhausted("out of memory");
  } catch (const std::exception& error) {
    engine = core::internal_error("{}", error.what());
  }
  core::release_free_heap();
  if (engine) return hand_over(precision, std::move(*engine));
  const Status error =
      engine.error().with_prefix(fmt::format("loading dtype {}", to_string(precision.dtype)));
  core::log(core::LogLevel::error, "{}", error.message());
  std::vector<Waiting> waiting;
  {
    const std::lock_guard lock(mutex_);
    waiting.swap(precision.waiting);
    precisions_.remove_if([&](const Precision& other) { return &other == &precision; });
  }
  for (const Waiting& request : waiting) {
    if (stopping_ || request.cancelled) {
      end(request, StopReason::cancelled, {});
    } else {
      end(request, StopReason::error, error);
    }
  }
}

Result<std::shared_ptr<LocalEngine>> EngineSet::make_engine(const Precision& precision) {
  models::DecoderOptions options = precision.options;
  // A few threads of its own: those of the pool belong to the engines that are running.
  core::ThreadPool pool(std::max(1, shared_->pool->size() / 4));
  options.loading_pool = &pool;
  options.on_progress = [this](const LoadProgress&) { end_gone(); };
  options.stop = &stopping_;
  LoadedParts parts{.shared = shared_};
  LLM_ASSIGN_OR_RETURN(
      parts.model, models::load_decoder(*shared_->file, options, *shared_->ops, *shared_->pool));
  parts.info = first_->info();
  parts.info.capabilities.dtype = precision.dtype;
  parts.info.memory = precision.memory;
  core::log(core::LogLevel::info, "loaded dtype {} beside {}: {} bytes", to_string(precision.dtype),
            to_string(info().capabilities.dtype), precision.memory.total());
  return std::make_shared<LocalEngine>(std::move(parts), options_, hooks_);
}

void EngineSet::hand_over(Precision& precision, std::shared_ptr<LocalEngine> engine) {
  std::vector<Waiting> gone;
  std::vector<std::pair<Waiting, Status>> refused;
  {
    const std::lock_guard lock(mutex_);
    // In their order, and before any request that comes from now on.
    for (Waiting& waiting : precision.waiting) {
      if (waiting.cancelled) {
        gone.push_back(std::move(waiting));
        continue;
      }
      const Result<RequestId> id = engine->submit(waiting.request, waiting.observer,
                                                  {.id = waiting.id, .time = waiting.submitted});
      if (!id) refused.emplace_back(std::move(waiting), id.error());
    }
    precision.waiting.clear();
    precision.engine = std::move(engine);
  }
  for (const Waiting& request : gone) end(request, StopReason::cancelled, {});
  for (const auto& [request, error] : refused) end(request, StopReason::error, error);
}

// Those that wait for any precision and were cancelled, or whose time is over.
void EngineSet::end_gone() {
  std::vector<Waiting> gone;
  const Clock::time_point now = hooks_.now();
  {
    const std::lock_guard lock(mutex_);
    for (Precision& precision : precisions_) {
      std::vector<Waiting>& waiting = precision.waiting;
      const auto first_gone = std::stable_partition(
          waiting.begin(), waiting.end(),
          [now](const Waiting& entry) { return !entry.cancelled && entry.deadline > now; });
      std::move(first_gone, waiting.end(), std::back_inserter(gone));
      waiting.erase(first_gone, waiting.end());
    }
  }
  for (const Waiting& request : gone) {
    if (request.cancelled) {
      end(request, StopReason::cancelled, {});
    } else {
      end(request, StopReason::error,
          {StatusCode::deadline_exceeded,
           fmt::format("timed out after {} ms, while the model was loaded in another precision",
                       *request.request.timeout_ms)});
    }
  }
}

void EngineSet::end(const Waiting& waiting, StopReason reason, const Status& error) const {
  EndEvent event;
  event.reason = reason;
  event.error = error;
  event.queue_ms = milliseconds(hooks_.now() - waiting.submitted);
  try {
    waiting.observer->on_end(event);
  } catch (const std::exception& failure) {
    core::log(core::LogLevel::error, "request {}: {}", waiting.id, failure.what());
  }
}

}  // namespace llm::engine
