#include "formats/gguf_type.h"

#include <fmt/core.h>

namespace llm::formats {

std::string gguf_type_name(std::uint32_t id) {
  static constexpr std::string_view kNames[] = {"u8",  "i8",  "u16",  "i16",    "u32",
                                                "i32", "f32", "bool", "string", "array",
                                                "u64", "i64", "f64"};
  if (id < std::size(kNames)) return std::string(kNames[id]);
  return fmt::format("unknown type {}", id);
}

std::size_t gguf_type_bytes(std::uint32_t id) {
  static constexpr std::size_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 0, 8, 8, 8};
  return id < std::size(kBytes) ? kBytes[id] : 0;
}

std::optional<DType> dtype_from_gguf(std::uint32_t id) {
#define LLM_MATCH(name, gguf_id, elements, bytes) \
  if (gguf_id >= 0 && id == static_cast<std::uint32_t>(gguf_id)) return DType::name;
  LLM_DTYPES(LLM_MATCH)
#undef LLM_MATCH
  return std::nullopt;
}

std::string gguf_tensor_type_name(std::uint32_t id) {
  if (const auto dtype = dtype_from_gguf(id)) return std::string(to_string(*dtype));
  switch (id) {
    case 9:
      return "q8_1";
    case 15:
      return "q8_k";
    case 16:
      return "iq2_xxs";
    case 17:
      return "iq2_xs";
    case 18:
      return "iq3_xxs";
    case 19:
      return "iq1_s";
    case 21:
      return "iq3_s";
    case 22:
      return "iq2_s";
    case 29:
      return "iq1_m";
    case 34:
      return "tq1_0";
    case 35:
      return "tq2_0";
    case 40:
      return "nvfp4";
    case 41:
      return "q1_0";
    case 42:
      return "q2_0";
    default:
      break;
  }
  if (id == 4 || id == 5 || (id >= 31 && id <= 33) || (id >= 36 && id <= 38)) {
    return "a type removed from the format";
  }
  if ((id >= 97 && id <= 99) || (id >= 133 && id <= 158) || id >= 200) {
    return "a type known only to forks of the reference implementation";
  }
  return "an unknown type";
}

}  // namespace llm::formats
