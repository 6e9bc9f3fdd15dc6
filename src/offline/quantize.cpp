#include "offline/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "core/error.h"
#include "core/log.h"
#include "core/thread_pool.h"
#include "formats/model_file.h"
#include "formats/tensor_writer.h"
#include "models/tensor_claims.h"
#include "offline/quant_mix.h"
#include "offline/quantize_plan.h"
#include "quant/quant.h"

namespace llm::offline {
namespace {

namespace fs = std::filesystem;
using formats::TensorFileWriter;

constexpr std::int64_t kQuantizationVersion = 2;  // general.quantization_version of these formats

bool is_same_file(const fs::path& a, const fs::path& b) {
  std::error_code error;
  return fs::equivalent(a, b, error) && !error;
}

/// Before anything is done, and again at the end: somebody else may have written it meanwhile.
Status check_output(const QuantizeOptions& options, const formats::ModelFile& input) {
  const fs::path path = options.output;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) return {};
  if (error) return core::io_error("{}: {}", options.output, error.message());
  for (const core::MappedFile& file : input.files()) {
    if (is_same_file(file.path(), path)) {
      return core::invalid_argument("{}: the output is also the input", options.output);
    }
  }
  // Not only weights: config.json and its like are part of the model, too.
  const bool beside_input =
      input.format() == formats::FileFormat::safetensors &&
      is_same_file(path.parent_path().empty() ? "." : path.parent_path(), input.directory());
  if (beside_input && path.extension() != ".gguf") {
    return core::invalid_argument("{}: a file of the input would be overwritten", options.output);
  }
  if (!fs::is_regular_file(status)) {
    return core::invalid_argument("{}: expected a file to write, found something else there",
                                  options.output);
  }
  if (!options.overwrite) {
    return core::invalid_argument("{}: exists already; --force overwrites it", options.output);
  }
  return {};
}

DType stored_type(const OutputTensor& tensor) {
  return tensor.stored.empty() ? DType::f32 : tensor.stored.front()->view.dtype;
}

bool is_copied(const OutputTensor& tensor, DType type) {
  return tensor.same_bytes && stored_type(tensor) == type;
}

Status check_requantized(const formats::ModelFile& file, const std::vector<OutputTensor>& tensors,
                         const std::vector<ChosenType>& types) {
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const DType from = stored_type(tensors[t]);
    if (!is_block_quantized(from) || is_copied(tensors[t], types[t].dtype)) continue;
    return core::invalid_argument(
        "{}: tensor {} is of type {} already; quantising it again loses more than from the "
        "original weights (--allow-requantize does it nevertheless)",
        file.path().string(), tensors[t].name, to_string(from));
  }
  return {};
}

/// Writes the rows of one tensor, slice by slice; the rows of a slice are spread over the threads.
class TensorEncoder {
 public:
  TensorEncoder(const formats::ModelFile& file, const QuantizeOptions& options,
                core::ThreadPool& pool, TensorFileWriter& writer)
      : file_(file), options_(options), pool_(pool), writer_(writer) {}

  Status write(const OutputTensor& tensor, DType type);

 private:
  struct Piece {
    std::vector<float> values;
    std::vector<float> decoded;
  };
  enum class Problem : int { none, not_finite, too_large };

  Problem encode_unit(const OutputTensor& tensor, DType type, std::int64_t unit, Piece& work,
                      std::byte* target) const;
  Status problem(const OutputTensor& tensor, DType type, std::int64_t unit, Problem what) const;

  const formats::ModelFile& file_;
  const QuantizeOptions& options_;
  core::ThreadPool& pool_;
  TensorFileWriter& writer_;
};

TensorEncoder::Problem TensorEncoder::encode_unit(const OutputTensor& tensor, DType type,
                                                  std::int64_t unit, Piece& work,
                                                  std::byte* target) const {
  // Below it, no scale or value of any type leaves f16's range.
  constexpr float kSurelyFits = 32768.0F;
  const std::int64_t columns = tensor.columns();
  const std::size_t row = row_bytes(type, static_cast<std::size_t>(columns));
  if (is_copied(tensor, type)) {
    const std::size_t bytes = row * static_cast<std::size_t>(tensor.rows_of_unit);
    std::memcpy(target, tensor.stored[0]->view.data + static_cast<std::size_t>(unit) * bytes,
                bytes);
    if (tensor.opaque) return Problem::none;
  }
  tensor.read(unit, work.values.data());
  float largest = 0;
  for (const float value : work.values) largest = std::max(largest, std::fabs(value));
  if (!models::all_finite(work.values)) return Problem::not_finite;
  if (is_copied(tensor, type)) return Problem::none;
  for (std::int64_t r = 0; r < tensor.rows_of_unit; ++r) {
    const float* values = work.values.data() + r * columns;
    std::byte* encoded = target + static_cast<std::size_t>(r) * row;
    quant::encode_row(type, values, encoded, columns);
    if (largest < kSurelyFits) continue;
    quant::decode_row(type, encoded, work.decoded.data(), columns);
    if (!models::all_finite(work.decoded)) return Problem::too_large;
  }
  return Problem::none;
}

Status TensorEncoder::problem(const OutputTensor& tensor, DType type, std::int64_t unit,
                              Problem what) const {
  // Of several matrices in one tensor, the one that is to blame.
  std::string name = tensor.name;
  if (const auto parts = static_cast<std::int64_t>(tensor.stored.size()); parts > 0) {
    const std::int64_t rows_of_part = tensor.rows() / parts;
    name = tensor.stored[static_cast<std::size_t>(unit * tensor.rows_of_unit / rows_of_part)]->name;
  }
  const std::string where = fmt::format("{}: tensor {}", file_.path().string(), name);
  if (what == Problem::too_large) {
    return core::invalid_argument("{}: values too large for {}", where, to_string(type));
  }
  return core::corrupt_data("{}: expected finite numbers, found NaN or infinity", where);
}

Status TensorEncoder::write(const OutputTensor& tensor, DType type) {
  constexpr std::int64_t kPieceElements = std::int64_t{1} << 14;
  constexpr std::int64_t kPiecesOfSlice = 256;
  if (tensor.elements() == 0) return {};
  const std::int64_t unit_elements = tensor.rows_of_unit * tensor.columns();
  const std::int64_t units = tensor.rows() / tensor.rows_of_unit;
  const std::size_t unit_bytes = row_bytes(type, static_cast<std::size_t>(tensor.columns())) *
                                 static_cast<std::size_t>(tensor.rows_of_unit);
  const std::int64_t piece_units = std::max<std::int64_t>(1, kPieceElements / unit_elements);
  const std::int64_t slice_units = std::min(units, piece_units * kPiecesOfSlice);
  std::vector<std::byte> encoded(static_cast<std::size_t>(slice_units) * unit_bytes);
  std::vector<Piece> work(static_cast<std::size_t>(pool_.size()));
  for (Piece& piece : work) {
    piece.values.resize(static_cast<std::size_t>(unit_elements));
    piece.decoded.resize(static_cast<std::size_t>(tensor.columns()));
  }
  for (std::int64_t begin = 0; begin < units; begin += slice_units) {
    if (options_.should_stop && options_.should_stop()) {
      return {StatusCode::cancelled, "interrupted"};
    }
    const std::int64_t count = std::min(slice_units, units - begin);
    const std::int64_t pieces = (count + piece_units - 1) / piece_units;
    // Of the pieces with a problem, the first counts, whichever thread finds it.
    std::vector<std::pair<Problem, std::int64_t>> problems(static_cast<std::size_t>(pieces),
                                                           {Problem::none, 0});
    pool_.parallel_for(pieces, [&](std::int64_t piece, int thread) {
      const std::int64_t end = std::min(count, (piece + 1) * piece_units);
      for (std::int64_t unit = piece * piece_units; unit < end; ++unit) {
        const Problem found =
            encode_unit(tensor, type, begin + unit, work[static_cast<std::size_t>(thread)],
                        encoded.data() + static_cast<std::size_t>(unit) * unit_bytes);
        if (found == Problem::none) continue;
        problems[static_cast<std::size_t>(piece)] = {found, begin + unit};
        return;
      }
    });
    for (const auto& [what, unit] : problems) {
      if (what != Problem::none) return problem(tensor, type, unit, what);
    }
    LLM_RETURN_IF_ERROR(writer_.write(
        tensor.name, std::span(encoded).first(static_cast<std::size_t>(count) * unit_bytes)));
  }
  return {};
}

std::size_t total_file_bytes(const formats::ModelFile& file) {
  std::size_t bytes = 0;
  for (const core::MappedFile& mapped : file.files()) bytes += mapped.bytes().size();
  return bytes;
}

void count(const OutputTensor& tensor, const ChosenType& type, std::size_t bytes,
           QuantizeReport& report) {
  QuantizeReport::Share& share = report.shares[type.dtype];
  ++share.tensors;
  share.bytes += bytes;
  report.tensor_bytes += bytes;
  report.elements += static_cast<std::uint64_t>(tensor.elements());
  if (type.instead_of) ++report.fallbacks;
}

}  // namespace

Result<QuantizeReport> quantize(const QuantizeOptions& options) {
  LLM_ASSIGN_OR_RETURN(const QuantMix* mix, find_quant_mix(options.type));
  LLM_ASSIGN_OR_RETURN(const formats::ModelFile file, formats::ModelFile::open(options.input));
  LLM_RETURN_IF_ERROR(check_output(options, file));
  LLM_ASSIGN_OR_RETURN(QuantizePlan plan, plan_quantized(file));
  const models::ModelConfig& config = plan.config;
  const MixedModel model{.n_layers = config.n_layers,
                         .n_heads = config.n_heads,
                         .n_kv_heads = config.n_kv_heads,
                         .n_experts = config.moe.n_experts,
                         .own_rules = config.spec->own_quant_mix};
  const std::vector<ChosenType> types =
      choose_types(*mix, options.pure, model, plan.tensors, plan.kept);
  if (!options.allow_requantize) {
    LLM_RETURN_IF_ERROR(check_requantized(file, plan.tensors, types));
  }
  for (const std::string& warning : plan.warnings) {
    core::log(core::LogLevel::warning, "{}", warning);
  }
  plan.metadata.set("general.file_type", mix->file_type);
  plan.metadata.set("general.quantization_version", kQuantizationVersion);

  std::vector<formats::TensorDeclaration> declared;
  for (std::size_t t = 0; t < plan.tensors.size(); ++t) {
    declared.push_back({plan.tensors[t].name, types[t].dtype, plan.tensors[t].shape});
  }
  LLM_ASSIGN_OR_RETURN(TensorFileWriter writer,
                       TensorFileWriter::create_gguf(options.output, declared, plan.metadata));
  core::ThreadPool pool(options.threads);
  TensorEncoder encoder(file, options, pool, writer);
  QuantizeReport report;
  report.type = mix->name;
  report.warnings = std::move(plan.warnings);
  report.input_bytes = total_file_bytes(file);
  for (std::size_t t = 0; t < plan.tensors.size(); ++t) {
    const OutputTensor& tensor = plan.tensors[t];
    const DType type = types[t].dtype;
    const std::size_t bytes = static_cast<std::size_t>(tensor.rows()) *
                              row_bytes(type, static_cast<std::size_t>(tensor.columns()));
    if (options.on_tensor) {
      options.on_tensor({.number = t + 1,
                         .count = plan.tensors.size(),
                         .name = tensor.name,
                         .shape = tensor.shape,
                         .from = stored_type(tensor),
                         .to = type,
                         .instead_of = types[t].instead_of,
                         .bytes = bytes});
    }
    LLM_RETURN_IF_ERROR(encoder.write(tensor, type));
    for (const formats::TensorEntry* entry : tensor.stored) {
      file.files()[entry->file].release_pages({entry->view.data, entry->view.bytes});
    }
    count(tensor, types[t], bytes, report);
  }
  LLM_RETURN_IF_ERROR(check_output(options, file));
  LLM_RETURN_IF_ERROR(writer.finish());
  std::error_code ignored;
  report.output_bytes = static_cast<std::size_t>(fs::file_size(options.output, ignored));
  return report;
}

}  // namespace llm::offline
