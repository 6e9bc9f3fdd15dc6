// The tokenizer's routes, as in llama-server: /tokenize, /detokenize, /apply-template.
#pragma once

#include <vector>

#include "server/field_schema.h"
#include "server/model_state.h"
#include "server/router.h"

namespace llm::server {

class TokenizerApi {
 public:
  /// `model` must outlive the routes.
  explicit TokenizerApi(ModelState& model) : model_(model) {}

  void add_routes(Router& router);

 private:
  HttpResponse tokenize(const HttpRequest& request) const;
  HttpResponse detokenize(const HttpRequest& request) const;
  HttpResponse apply_template(const HttpRequest& request) const;

  ModelState& model_;
};

// The schemas of the bodies, for documentation.
std::vector<Field> documented_tokenize_fields();
std::vector<Field> documented_detokenize_fields();
std::vector<Field> documented_apply_template_fields();

}  // namespace llm::server
