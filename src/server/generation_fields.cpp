#include "server/generation_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/error.h"

namespace llm::server {
namespace {

using core::Json;

constexpr std::size_t kMostStops = 4;
constexpr std::size_t kLongestStop = 100;  // bytes
constexpr std::int64_t kNoMaximum = std::numeric_limits<std::int64_t>::max();

Field stop_field(GenerationRequest& generation) {
  return {"stop",
          "string or list of strings",
          "[]",
          fmt::format("length(0..={}), each 1..={} bytes", kMostStops, kLongestStop),
          "generation ends before any of these texts",
          [&generation](const Field& field, const Json& value, FieldErrors& errors) {
            const Json list = value.is_string() ? Json::array({value}) : value;
            const bool strings =
                list.is_array() &&
                std::all_of(list.begin(), list.end(), [](const Json& s) { return s.is_string(); });
            if (!strings) {
              errors.push_back(type_error(field, value));
              return;
            }
            if (list.size() > kMostStops) {
              errors.push_back({field.name, field.constraint,
                                fmt::format("stop must have at most {} entries (got {})",
                                            kMostStops, list.size()),
                                nullptr});
              return;
            }
            for (std::size_t s = 0; s < list.size(); ++s) {
              const std::string& text = list[s].get_ref<const std::string&>();
              if (text.empty() || text.size() > kLongestStop) {
                errors.push_back({field.name, field.constraint,
                                  fmt::format("stop[{}] must have 1 to {} bytes (got {})", s,
                                              kLongestStop, text.size()),
                                  nullptr});
                return;
              }
            }
            generation.stop = list.get<std::vector<std::string>>();
          }};
}

Field seed_field(GenerationRequest& generation) {
  return {
      "seed",
      "integer",
      "random, reported in `effective`",
      "range(0..=18446744073709551615)",
      "of the request's random numbers; the same seed gives the same text",
      [&generation](const Field& field, const Json& value, FieldErrors& errors) {
        if (value.is_number_unsigned()) {
          generation.sampling.seed = value.get<std::uint64_t>();
        } else if (value.is_number()) {
          errors.push_back({field.name, field.constraint,
                            fmt::format("seed must be an integer from 0 to {} (got {})",
                                        std::numeric_limits<std::uint64_t>::max(), describe(value)),
                            value});
        } else {
          errors.push_back(type_error(field, value));
        }
      }};
}

// A token id written in decimal as an object key, or -1.
std::int64_t id_from_key(const std::string& key) {
  constexpr std::size_t kMostDigits = 10;
  if (key.empty() || key.size() > kMostDigits || (key.size() > 1 && key[0] == '0')) return -1;
  std::int64_t id = 0;
  for (const char c : key) {
    if (c < '0' || c > '9') return -1;
    id = id * 10 + (c - '0');
  }
  return id;
}

Field logit_bias_field(GenerationRequest& generation, const ModelInfo& model) {
  constexpr Range kBias = {-100.0, 100.0};
  return {"logit_bias",
          "object {id: float}",
          "{}",
          fmt::format("{} per token id of the vocabulary", constraint_text(kBias)),
          "added to the logits of these tokens",
          [&generation, vocab_size = model.capabilities.vocab_size, kBias](
              const Field& field, const Json& value, FieldErrors& errors) {
            if (!value.is_object()) {
              errors.push_back(type_error(field, value));
              return;
            }
            for (const auto& [key, bias] : value.items()) {
              const std::int64_t id = id_from_key(key);
              if (id < 0 || id >= vocab_size) {
                errors.push_back({field.name, field.constraint,
                                  fmt::format("logit_bias: each key must be a token id from 0 to "
                                              "{} (got {})",
                                              vocab_size - 1, describe(Json(key))),
                                  nullptr});
                return;
              }
              const std::string place = fmt::format("logit_bias[{}]", id);
              if (!bias.is_number()) {
                errors.push_back({field.name, "type(float)",
                                  fmt::format("{} must be a float (got {})", place, describe(bias)),
                                  shown_value(bias)});
                return;
              }
              if (!check_float(place, bias, kBias, errors)) return;
              generation.sampling.logit_bias.emplace_back(static_cast<std::int32_t>(id),
                                                          bias.get<float>());
            }
          }};
}

}  // namespace

std::vector<Field> sampling_fields(GenerationRequest& generation, const ModelInfo& model) {
  SamplingParams& sampling = generation.sampling;
  return {
      float_field("temperature", sampling.temperature, {0.0, 2.0}, "0 is greedy"),
      float_field("top_p", sampling.top_p, {0.0, 1.0},
                  "keep the smallest set of tokens with this probability; 1 is off"),
      int_field("top_k", "0", {0, kNoMaximum}, "keep the k most likely tokens; 0 is off",
                [&](std::int64_t value) {
                  sampling.top_k = static_cast<std::int32_t>(
                      std::min<std::int64_t>(value, std::numeric_limits<std::int32_t>::max()));
                }),
      float_field("min_p", sampling.min_p, {0.0, 1.0},
                  "drop tokens below this share of the likeliest; 0 is off"),
      float_field("repetition_penalty", sampling.repetition_penalty, {0.0, 2.0, true},
                  "divides positive and multiplies negative logits of recent tokens; 1 is off"),
      int_field("repeat_last_n", std::to_string(sampling.repeat_last_n), {0, kNoMaximum},
                "tokens that the repetition penalty looks back; 0 is all, the prompt included",
                [&](std::int64_t value) {
                  sampling.repeat_last_n = static_cast<std::int32_t>(
                      std::min<std::int64_t>(value, std::numeric_limits<std::int32_t>::max()));
                }),
      float_field("presence_penalty", sampling.presence_penalty, {-2.0, 2.0},
                  "subtracted once from the logit of each generated token"),
      float_field("frequency_penalty", sampling.frequency_penalty, {-2.0, 2.0},
                  "subtracted from a token's logit for each time it was generated"),
      stop_field(generation),
      seed_field(generation),
      logit_bias_field(generation, model),
  };
}

Field dtype_field(GenerationRequest& generation, const ModelInfo& model) {
  return {"dtype",
          "string",
          "the loaded one",
          "one_of(f32, f16, bf16)",
          "type of weights, matrix inputs and, without `--kv-dtype`, cache; a supported one that "
          "is not loaded is loaded beside it, if its memory fits (a GGUF file has its own type "
          "only, which may be named)",
          [&generation, &capabilities = model.capabilities](const Field& field, const Json& value,
                                                            FieldErrors& errors) {
            if (!value.is_string()) {
              errors.push_back(type_error(field, value));
              return;
            }
            const std::string& name = value.get_ref<const std::string&>();
            if (name == to_string(capabilities.dtype)) return;
            const std::optional<DType> dtype = dtype_from_name(name);
            if (dtype != DType::f32 && dtype != DType::f16 && dtype != DType::bf16) {
              const Json shown = shown_value(value);
              errors.push_back({field.name, field.constraint,
                                fmt::format("Unsupported dtype: {}",
                                            shown.is_null() ? name.substr(0, 64) + "..." : name),
                                shown});
            } else if (!capabilities.supports_dtype(*dtype)) {
              std::vector<std::string_view> supported;
              for (const DType type : capabilities.supported_dtypes) {
                supported.push_back(to_string(type));
              }
              errors.push_back({field.name, fmt::format("one_of({})", fmt::join(supported, ", ")),
                                fmt::format("dtype {} is not supported by this model (supported: "
                                            "{})",
                                            name, fmt::join(supported, ", ")),
                                value});
            } else {
              generation.dtype = dtype;
            }
          }};
}

Result<std::vector<std::int32_t>> read_token_ids(const Json& list, std::string_view name,
                                                 std::int64_t vocab_size) {
  std::vector<std::int32_t> ids;
  ids.reserve(list.size());
  for (const Json& item : list) {
    const bool in_range = item.is_number_unsigned() &&
                          item.get<std::uint64_t>() < static_cast<std::uint64_t>(vocab_size);
    if (!in_range) {
      return core::invalid_argument("{}[{}] must be a token id from 0 to {}", name, ids.size(),
                                    vocab_size - 1);
    }
    ids.push_back(item.get<std::int32_t>());
  }
  return ids;
}

}  // namespace llm::server
