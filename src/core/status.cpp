#include "llm/status.h"

namespace llm {

std::string_view to_string(StatusCode code) {
  switch (code) {
    case StatusCode::ok:
      return "ok";
    case StatusCode::invalid_argument:
      return "invalid_argument";
    case StatusCode::not_found:
      return "not_found";
    case StatusCode::unsupported:
      return "unsupported";
    case StatusCode::corrupt_data:
      return "corrupt_data";
    case StatusCode::resource_exhausted:
      return "resource_exhausted";
    case StatusCode::unavailable:
      return "unavailable";
    case StatusCode::cancelled:
      return "cancelled";
    case StatusCode::deadline_exceeded:
      return "deadline_exceeded";
    case StatusCode::io_error:
      return "io_error";
    case StatusCode::internal:
      return "internal";
  }
  return "unknown";
}

}  // namespace llm
