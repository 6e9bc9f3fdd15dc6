#include "core/error.h"
#include "core/json.h"
#include "core/little_endian.h"
#include "core/quote.h"
#include "formats/safetensors_reader.h"
#include "formats/tensor_writer.h"

namespace llm::formats {

Result<TensorFileWriter> TensorFileWriter::create_safetensors(
    const std::filesystem::path& path, const std::vector<TensorDeclaration>& tensors,
    const std::map<std::string, std::string>& metadata) {
  LLM_ASSIGN_OR_RETURN(std::vector<Slot> slots, make_slots(path, tensors, 1));
  core::Json root = core::Json::object();
  if (!metadata.empty()) root["__metadata__"] = metadata;
  std::size_t begin = 0;
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const TensorDeclaration& tensor = tensors[t];
    const std::string_view dtype = safetensors_dtype_name(tensor.dtype);
    if (dtype.empty() || tensor.name == "__metadata__") {
      return core::invalid_argument(
          "{}: tensor {}: safetensors has no {}", path.string(), core::quote(tensor.name),
          dtype.empty() ? to_string(tensor.dtype) : "tensor of this name");
    }
    core::Json shape = core::Json::array();
    for (std::size_t axis = 0; axis < tensor.shape.rank(); ++axis)
      shape.push_back(tensor.shape[axis]);
    const std::size_t end = begin + slots[t].bytes;
    root[tensor.name] = {
        {"dtype", dtype}, {"shape", std::move(shape)}, {"data_offsets", {begin, end}}};
    begin = end;
  }
  std::string text;
  try {
    text = root.dump();
  } catch (const core::Json::exception&) {
    return core::invalid_argument("{}: a tensor name or metadata value is not valid UTF-8",
                                  path.string());
  }
  text.append((8 - text.size() % 8) % 8, ' ');  // the data begins at a multiple of 8
  if (text.size() > kSafetensorsMaxHeaderBytes) {
    return core::invalid_argument("{}: the header has {} bytes, expected at most {}", path.string(),
                                  text.size(), kSafetensorsMaxHeaderBytes);
  }
  std::string header(8, '\0');
  core::store_le<std::uint64_t>(header.data(), text.size());
  return create(path, header + text, std::move(slots));
}

}  // namespace llm::formats
