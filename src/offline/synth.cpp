#include "offline/synth.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <vector>

#include "core/error.h"
#include "core/quote.h"
#include "core/thread_pool.h"
#include "formats/output_file.h"
#include "formats/tensor_writer.h"
#include "models/gguf_export.h"
#include "offline/model_tensors.h"
#include "offline/random_weights.h"
#include "offline/row_order.h"
#include "offline/synth_shapes.h"
#include "offline/synth_tokenizer.h"
#include "quant/quant.h"

namespace llm::offline {
namespace {

using core::Json;
using formats::FileFormat;

constexpr std::int64_t kLlama3OriginalPositions = 8192;

Result<const SynthShape*> find_shape(const SynthOptions& options) {
  std::vector<std::string_view> names;
  for (const SynthShape& shape : synth_shapes()) {
    if (shape.architecture != options.architecture) continue;
    if (shape.name == options.shape) return &shape;
    names.push_back(shape.name);
  }
  if (!names.empty()) {
    return core::invalid_argument("shape {}: unknown for architecture {}, expected one of {}",
                                  core::quote(options.shape), options.architecture,
                                  fmt::join(names, ", "));
  }
  std::vector<std::string_view> architectures;
  for (const SynthShape& shape : synth_shapes()) {
    if (std::find(architectures.begin(), architectures.end(), shape.architecture) ==
        architectures.end()) {
      architectures.push_back(shape.architecture);
    }
  }
  return core::invalid_argument("architecture {}: expected one of {}",
                                core::quote(options.architecture), fmt::join(architectures, ", "));
}

models::ModelConfig make_config(const SynthShape& shape) {
  models::ModelConfig config;
  config.spec = models::find_spec_by_model_type(shape.architecture);
  config.vocab_size = shape.vocab_size;
  config.hidden_size = shape.hidden_size;
  config.ffn_size = shape.ffn_size;
  config.n_layers = shape.n_layers;
  config.n_heads = shape.n_heads;
  config.n_kv_heads = shape.n_kv_heads;
  config.head_dim = shape.head_dim;
  config.ropes.resize(1);
  config.layers.assign(static_cast<std::size_t>(shape.n_layers), {.window = shape.sliding_window});
  config.max_positions = shape.max_positions;
  config.norm_eps = static_cast<float>(shape.norm_eps);
  config.tie_embeddings = shape.tie_embeddings;
  config.rope().theta = shape.rope_theta;
  config.rope().rotary_dim = static_cast<int>(shape.head_dim);
  if (shape.llama3_rope_factor > 0) {
    config.rope().scaling = models::RopeScaling::llama3;
    config.rope().factor = shape.llama3_rope_factor;
    config.rope().original_positions = kLlama3OriginalPositions;
  }
  return config;
}

Json config_json(const SynthShape& shape, const models::ModelConfig& config, DType dtype) {
  const std::string_view torch_names[] = {"float32", "float16", "bfloat16"};
  const std::size_t index = dtype == DType::f16 ? 1 : dtype == DType::bf16 ? 2 : 0;
  Json json = {{"architectures", {config.spec->hf_class}},
               {"model_type", shape.architecture},
               {"torch_dtype", torch_names[index]},
               {"vocab_size", shape.vocab_size},
               {"hidden_size", shape.hidden_size},
               {"intermediate_size", shape.ffn_size},
               {"num_hidden_layers", shape.n_layers},
               {"num_attention_heads", shape.n_heads},
               {"num_key_value_heads", shape.n_kv_heads},
               {"head_dim", shape.head_dim},
               {"max_position_embeddings", shape.max_positions},
               {"rope_theta", shape.rope_theta},
               {"rms_norm_eps", shape.norm_eps},
               {"tie_word_embeddings", shape.tie_embeddings},
               {"hidden_act", "silu"},
               {"bos_token_id", kSynthBos},
               {"eos_token_id", kSynthEos}};
  if (shape.sliding_window > 0) json["sliding_window"] = shape.sliding_window;
  if (shape.llama3_rope_factor > 0) {
    json["rope_scaling"] = {{"rope_type", "llama3"},
                            {"factor", shape.llama3_rope_factor},
                            {"low_freq_factor", config.rope().low_freq_factor},
                            {"high_freq_factor", config.rope().high_freq_factor},
                            {"original_max_position_embeddings", kLlama3OriginalPositions}};
  }
  return json;
}

Result<models::GgufExport> gguf_export(const SynthShape& shape, const models::ModelConfig& config) {
  LLM_ASSIGN_OR_RETURN(models::GgufExport target, models::export_config(config));
  target.metadata.set("general.name", std::string(shape.name) + " with random weights");
  target.metadata.set("general.quantization_version", std::int64_t{2});
  add_synth_tokenizer(shape.vocab_size, target.metadata);
  return target;
}

Status write_tensor(const ModelTensor& tensor, DType dtype, std::uint64_t seed,
                    core::ThreadPool& pool, formats::TensorFileWriter& writer) {
  constexpr std::int64_t kPieceElements = std::int64_t{1} << 16;
  const RandomWeights weights(seed, tensor.hf_name);
  const std::int64_t cols = tensor.shape.back();
  const std::int64_t rows = tensor.is_matrix() ? tensor.shape[0] : 1;
  // Variance 1 / cols keeps activations of the same size through the layers; norms stay near 1.
  const float mean = tensor.is_matrix() ? 0.0F : 1.0F;
  const float deviation = tensor.is_matrix() ? 1.0F / std::sqrt(static_cast<float>(cols)) : 0.1F;

  const std::size_t stride = row_bytes(dtype, static_cast<std::size_t>(cols));
  const std::int64_t piece_rows = std::max<std::int64_t>(1, kPieceElements / cols);
  const std::int64_t chunk_rows = std::min(rows, piece_rows * 64);
  std::vector<std::byte> encoded(static_cast<std::size_t>(chunk_rows) * stride);
  std::vector<std::vector<float>> row_values(static_cast<std::size_t>(pool.size()),
                                             std::vector<float>(static_cast<std::size_t>(cols)));
  for (std::int64_t begin = 0; begin < rows; begin += chunk_rows) {
    const std::int64_t count = std::min(chunk_rows, rows - begin);
    pool.parallel_for((count + piece_rows - 1) / piece_rows, [&](std::int64_t piece, int thread) {
      std::vector<float>& values = row_values[static_cast<std::size_t>(thread)];
      const std::int64_t end = std::min(count, (piece + 1) * piece_rows);
      for (std::int64_t row = piece * piece_rows; row < end; ++row) {
        const std::int64_t source = interleaved_row(begin + row, tensor.interleaved_head_dim);
        weights.fill(source, mean, deviation, values);
        quant::encode_row(dtype, values.data(),
                          encoded.data() + static_cast<std::size_t>(row) * stride, cols);
      }
    });
    LLM_RETURN_IF_ERROR(writer.write(
        tensor.name, std::span(encoded).first(static_cast<std::size_t>(count) * stride)));
  }
  return {};
}

DType stored_dtype(const ModelTensor& tensor, const SynthOptions& options) {
  return tensor.is_matrix() || options.format == FileFormat::safetensors ? options.dtype
                                                                         : DType::f32;
}

Status check_dtype(const SynthOptions& options, const std::vector<ModelTensor>& tensors) {
  const bool plain =
      options.dtype == DType::f32 || options.dtype == DType::f16 || options.dtype == DType::bf16;
  if (options.format == FileFormat::safetensors && !plain) {
    return core::invalid_argument("dtype {}: a safetensors model is f32, f16 or bf16",
                                  to_string(options.dtype));
  }
  if (!quant::can_encode(options.dtype)) {
    return core::invalid_argument("dtype {}: cannot be written", to_string(options.dtype));
  }
  const auto block = static_cast<std::int64_t>(dtype_info(options.dtype).block_elements);
  for (const ModelTensor& tensor : tensors) {
    if (!tensor.is_matrix() || tensor.shape.back() % block == 0) continue;
    return core::invalid_argument("dtype {}: tensor {} has rows of {}, expected a multiple of {}",
                                  to_string(options.dtype), tensor.name, tensor.shape.back(),
                                  block);
  }
  return {};
}

Status write_text_file(const std::filesystem::path& path, const std::string& text) {
  LLM_ASSIGN_OR_RETURN(formats::OutputFile file, formats::OutputFile::create(path));
  LLM_RETURN_IF_ERROR(file.write(std::as_bytes(std::span(text))));
  return file.commit();
}

// Everything of a Hugging Face directory but the weights.
Status write_companions(const std::filesystem::path& directory, const SynthShape& shape,
                        const models::ModelConfig& config, DType dtype) {
  LLM_RETURN_IF_ERROR(
      write_text_file(directory / "config.json", config_json(shape, config, dtype).dump(2) + "\n"));
  LLM_RETURN_IF_ERROR(write_text_file(
      directory / "generation_config.json",
      Json({{"bos_token_id", kSynthBos}, {"eos_token_id", kSynthEos}}).dump(2) + "\n"));
  LLM_RETURN_IF_ERROR(write_text_file(directory / "tokenizer_config.json",
                                      synth_tokenizer_config_json().dump(2) + "\n"));
  return write_text_file(directory / "tokenizer.json",
                         synth_tokenizer_json(shape.vocab_size).dump() + "\n");
}

}  // namespace

Status synthesize(const SynthOptions& options) {
  LLM_ASSIGN_OR_RETURN(const SynthShape* known, find_shape(options));
  SynthShape shape = *known;
  if (options.context > 0) shape.max_positions = options.context;
  const models::ModelConfig config = make_config(shape);
  const std::vector<ModelTensor> tensors = model_tensors(config, options.format);
  LLM_RETURN_IF_ERROR(check_dtype(options, tensors));

  const bool gguf = options.format == FileFormat::gguf;
  models::GgufExport target;
  if (gguf) {
    LLM_ASSIGN_OR_RETURN(target, gguf_export(shape, config));
  }
  std::vector<formats::TensorDeclaration> declared;
  for (const auto& [name, values] : target.vectors) {
    declared.push_back({name, DType::f32, {static_cast<std::int64_t>(values.size())}});
  }
  for (const ModelTensor& tensor : tensors) {
    declared.push_back({tensor.name, stored_dtype(tensor, options), tensor.shape});
  }
  std::filesystem::path path = options.out;
  if (!gguf) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return core::io_error("{}: {}", path.string(), error.message());
    LLM_RETURN_IF_ERROR(write_companions(path, shape, config, options.dtype));
    path /= "model.safetensors";
  }
  LLM_ASSIGN_OR_RETURN(
      formats::TensorFileWriter writer,
      gguf ? formats::TensorFileWriter::create_gguf(path, declared, target.metadata)
           : formats::TensorFileWriter::create_safetensors(path, declared, {{"format", "pt"}}));
  for (const auto& [name, values] : target.vectors) {
    LLM_RETURN_IF_ERROR(writer.write(name, std::as_bytes(std::span(values))));
  }
  core::ThreadPool pool(options.threads);
  for (const ModelTensor& tensor : tensors) {
    LLM_RETURN_IF_ERROR(
        write_tensor(tensor, stored_dtype(tensor, options), options.seed, pool, writer));
  }
  return writer.finish();
}

}  // namespace llm::offline
