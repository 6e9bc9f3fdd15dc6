#include "models/edited_fixture.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "formats/tensor_writer.h"
#include "support/temp_dir.h"

namespace llm::models {
namespace {

namespace fs = std::filesystem;

fs::path fixture_path(const std::string& name) {
  return fs::path(LLM_SOURCE_DIR) / "tests/fixtures/models" / name;
}

}  // namespace

Result<ModelConfig> read_json(const core::Json& json) {
  const TempDir directory;
  const std::string no_tensors("\x02\0\0\0\0\0\0\0{}", 10);
  directory.write("model.safetensors", no_tensors);
  directory.write("config.json", json.dump());
  LLM_ASSIGN_OR_RETURN(const formats::ModelFile model, formats::ModelFile::open(directory.path()));
  return read_config(model);
}

Result<ModelConfig> read_edited(const std::string& fixture,
                                const std::function<void(core::Json&)>& edit) {
  std::ifstream file(fixture_path(fixture) / "config.json");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  core::Json json = core::parse_json(text, "config.json").value();
  edit(json);
  return read_json(json);
}

void GgufParts::erase(std::string_view tensor) {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(),
                   [&](const formats::TensorEntry& entry) { return entry.name == tensor; });
  ASSERT_NE(found, tensors.end()) << tensor;
  tensors.erase(found);
}

Result<ModelConfig> read_edited_gguf(const std::string& fixture,
                                     const std::function<void(GgufParts&)>& edit) {
  LLM_ASSIGN_OR_RETURN(const formats::ModelFile file,
                       formats::ModelFile::open(fixture_path(fixture + ".gguf")));
  GgufParts parts{file.gguf(), file.tensors()};
  edit(parts);
  std::vector<formats::TensorDeclaration> declared;
  for (const formats::TensorEntry& entry : parts.tensors) {
    declared.push_back({entry.name, entry.view.dtype, entry.view.shape});
  }
  const TempDir directory;
  const fs::path path = directory.path() / "edited.gguf";
  LLM_ASSIGN_OR_RETURN(formats::TensorFileWriter writer,
                       formats::TensorFileWriter::create_gguf(path, declared, parts.metadata));
  for (const formats::TensorEntry& entry : parts.tensors) {
    LLM_RETURN_IF_ERROR(writer.write(entry.name, {entry.view.data, entry.view.bytes}));
  }
  LLM_RETURN_IF_ERROR(writer.finish());
  LLM_ASSIGN_OR_RETURN(const formats::ModelFile model, formats::ModelFile::open(path));
  return read_config(model);
}

}  // namespace llm::models
