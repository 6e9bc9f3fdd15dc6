// Namespace: Jinja's namespace(), the one kind of value that templates can change.
#pragma once

#include <string>
#include <string_view>

#include "chat/object.h"

namespace llm::chat {

class Namespace final : public Object {
 public:
  std::string_view type_name() const override { return "Namespace"; }
  Result<std::string> repr(Runtime& runtime) override;
  Result<Value> attribute(Runtime& runtime, std::string_view name) override;
  void clear() override { attributes_ = Mapping(); }

  /// An error for names that begin with an underscore, which Hugging Face refuses.
  Status set(std::string_view name, Value value);

 private:
  Mapping attributes_;
};

}  // namespace llm::chat
