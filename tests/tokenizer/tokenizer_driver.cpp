// Runs one tokenizer for another program: tokenizer_driver PATH, a folder with tokenizer.json or a
// GGUF file. A request on standard input is one letter, a length (32 bits, little-endian) and that
// many bytes; the answer is a length and bytes:
//   E, e   text -> ids of 32 bits, with and without the tokens that are put around a text
//   D, d   ids -> text, with and without control tokens
//   S, s   the same, token by token through the streaming decoder
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "engine/load_tokenizer.h"
#include "tokenizer/tokenizer.h"

namespace llm {
namespace {

using tokenizer::Tokenizer;

template <class T>
std::string bytes_of(const std::vector<T>& items) {
  return {reinterpret_cast<const char*>(items.data()), items.size() * sizeof(T)};
}

std::string stream(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids, bool skip) {
  const auto decoder = tokenizer.decode_stream(skip, /*continues_text=*/false);
  std::string text;
  for (const std::int32_t id : ids) {
    std::string piece;
    decoder->push(id, piece);
    text += piece;
  }
  decoder->finish(text);
  return text;
}

Result<std::string> answer(const Tokenizer& tokenizer, char request, const std::string& data) {
  if (request == 'E' || request == 'e') {
    auto ids = tokenizer.encode(data, {.add_special = request == 'E'});
    if (!ids) return ids.error();
    return bytes_of(*ids);
  }
  std::vector<std::int32_t> ids(data.size() / sizeof(std::int32_t));
  std::memcpy(ids.data(), data.data(), ids.size() * sizeof(std::int32_t));
  const bool skip = request == 'd' || request == 's';
  if (request == 'D' || request == 'd') return tokenizer.decode(ids, skip);
  return stream(tokenizer, ids, skip);
}

int run(const char* path) {
  const auto tokenizer = engine::load_tokenizer(std::filesystem::path(path));
  if (!tokenizer) {
    std::fprintf(stderr, "%s\n", tokenizer.error().message().c_str());
    return 1;
  }
  char request = 0;
  std::uint32_t size = 0;
  std::string data;
  while (std::fread(&request, 1, 1, stdin) == 1 && std::fread(&size, sizeof size, 1, stdin) == 1) {
    data.resize(size);
    if (std::fread(data.data(), 1, size, stdin) != size) return 1;
    const auto result = answer(**tokenizer, request, data);
    if (!result) {
      std::fprintf(stderr, "%s\n", result.error().message().c_str());
      return 1;
    }
    size = static_cast<std::uint32_t>(result->size());
    std::fwrite(&size, sizeof size, 1, stdout);
    std::fwrite(result->data(), 1, result->size(), stdout);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace llm

int main(int argc, char** argv) {
  if (argc == 2) return llm::run(argv[1]);
  std::fprintf(stderr, "usage: %s PATH\n", argv[0]);
  return 2;
}
