#include "offline/inspect.h"

#include "formats/model_file.h"

namespace llm::offline {
namespace {

std::string stated_architecture(const formats::ModelFile& file) {
  if (file.format() == formats::FileFormat::gguf) {
    const auto name = file.gguf().get_string("general.architecture");
    return name && *name ? **name : "";
  }
  const auto type = file.config().find("model_type");
  return type != file.config().end() && type->is_string() ? type->get<std::string>() : "";
}

}  // namespace

Result<ModelDescription> inspect_model(const std::string& path) {
  LLM_ASSIGN_OR_RETURN(const formats::ModelFile file, formats::ModelFile::open(path));
  ModelDescription model;
  model.format = formats::to_string(file.format());
  model.architecture = stated_architecture(file);
  model.tensor_bytes = file.tensor_bytes();
  for (const core::MappedFile& mapped : file.files()) {
    model.files.push_back({mapped.path().string(), mapped.bytes().size()});
  }
  for (const formats::TensorEntry& entry : file.tensors()) {
    model.tensors.push_back({entry.name, entry.view.dtype, entry.view.shape, entry.view.bytes});
  }
  return model;
}

}  // namespace llm::offline
