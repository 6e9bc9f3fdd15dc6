// The texts that a chat template needs: the template itself and the spelling of BOS and EOS, from
// tokenizer_config.json and chat_template.jinja, or from GGUF metadata.
#pragma once

#include <string>

#include "formats/model_file.h"
#include "llm/status.h"
#include "tokenizer/tokenizer.h"

namespace llm::engine {

struct ModelTexts {
  std::string chat_template;  ///< empty: none
  std::string bos;
  std::string eos;
};

Result<ModelTexts> find_model_texts(const formats::ModelFile& file,
                                    const tokenizer::Tokenizer& tokenizer);

}  // namespace llm::engine
