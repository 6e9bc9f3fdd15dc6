#include "formats/tensor_writer.h"

#include <set>
#include <utility>

#include "core/error.h"
#include "core/quote.h"
#include "formats/tensor_entry.h"

namespace llm::formats {

TensorFileWriter::TensorFileWriter(OutputFile file, std::vector<Slot> slots)
    : file_(std::move(file)), slots_(std::move(slots)) {}

Result<std::vector<TensorFileWriter::Slot>> TensorFileWriter::make_slots(
    const std::filesystem::path& path, const std::vector<TensorDeclaration>& tensors,
    std::size_t alignment) {
  std::vector<Slot> slots;
  std::set<std::string_view> names;
  std::size_t total = 0;
  for (const TensorDeclaration& tensor : tensors) {
    const std::optional<std::size_t> bytes = tensor_bytes(tensor.dtype, tensor.shape);
    const std::size_t padding = bytes ? (alignment - *bytes % alignment) % alignment : 0;
    if (!bytes || __builtin_add_overflow(total, *bytes + padding, &total)) {
      return core::invalid_argument("{}: tensor {}: {} cannot have shape {}", path.string(),
                                    core::quote(tensor.name), to_string(tensor.dtype),
                                    tensor.shape.to_string());
    }
    if (!names.insert(tensor.name).second) {
      return core::invalid_argument("{}: tensor {}: declared twice", path.string(),
                                    core::quote(tensor.name));
    }
    slots.push_back({tensor.name, *bytes, padding});
  }
  return slots;
}

Result<TensorFileWriter> TensorFileWriter::create(const std::filesystem::path& path,
                                                  std::string_view header,
                                                  std::vector<Slot> slots) {
  LLM_ASSIGN_OR_RETURN(OutputFile file, OutputFile::create(path));
  LLM_RETURN_IF_ERROR(file.write(std::as_bytes(std::span(header.data(), header.size()))));
  TensorFileWriter writer(std::move(file), std::move(slots));
  LLM_RETURN_IF_ERROR(writer.pass_full_slots());
  return writer;
}

Status TensorFileWriter::pass_full_slots() {
  while (current_ < slots_.size() && written_ == slots_[current_].bytes) {
    const std::vector<std::byte> zeros(slots_[current_].padding);
    LLM_RETURN_IF_ERROR(file_.write(zeros));
    ++current_;
    written_ = 0;
  }
  return {};
}

Status TensorFileWriter::write(std::string_view name, std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  if (current_ == slots_.size() || slots_[current_].name != name) {
    return core::internal_error(
        "{}: tensor {} written, expected {}", file_.path().string(), core::quote(name),
        current_ == slots_.size() ? "nothing more" : core::quote(slots_[current_].name));
  }
  if (bytes.size() > slots_[current_].bytes - written_) {
    return core::internal_error("{}: tensor {}: {} bytes written, expected {}",
                                file_.path().string(), core::quote(name), written_ + bytes.size(),
                                slots_[current_].bytes);
  }
  LLM_RETURN_IF_ERROR(file_.write(bytes));
  written_ += bytes.size();
  return pass_full_slots();
}

Status TensorFileWriter::finish() {
  if (current_ != slots_.size()) {
    return core::internal_error("{}: tensor {}: {} bytes written, expected {}",
                                file_.path().string(), core::quote(slots_[current_].name), written_,
                                slots_[current_].bytes);
  }
  return file_.commit();
}

}  // namespace llm::formats
