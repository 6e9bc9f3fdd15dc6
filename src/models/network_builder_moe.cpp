// The mixture-of-experts half of NetworkBuilder.
#include "models/network_builder.h"

namespace llm::models {
Result<FfnMoe> NetworkBuilder::load_moe(std::int64_t l) {
  FfnMoe moe;
  moe.routing = config_.moe.routing;
  moe.n_used = config_.moe.n_used;
  LLM_ASSIGN_OR_RETURN(moe.router, loader_.group({{.name = name(config_.names.router, l),
                                                   .rows = config_.moe.n_experts,
                                                   .keep_f32 = true}},
                                                 config_.hidden_size));
  if (has(config_.names.router_bias, l)) {
    LLM_ASSIGN_OR_RETURN(moe.choice_bias,
                         loader_.vector(name(config_.names.router_bias, l), config_.moe.n_experts));
  }
  for (std::int64_t e = 0; e < config_.moe.n_experts; ++e) {
    LLM_ASSIGN_OR_RETURN(FfnDense expert, load_expert(l, e));
    moe.experts.push_back(std::move(expert));
  }
  LLM_RETURN_IF_ERROR(load_shared_expert(l, moe));
  return moe;
}

Result<FfnDense> NetworkBuilder::load_expert(std::int64_t l, std::int64_t e) {
  const TensorNames& names = config_.names;
  const std::int64_t size = config_.moe.ffn_size;
  const std::int64_t hidden = config_.hidden_size;
  // `rows` rows of expert e, from row `first` of its `stored` ones.
  const auto stacked = [&](std::string_view all, std::int64_t rows, std::int64_t stored,
                           std::int64_t first) -> LinearPart {
    return {.name = name(all, l),
            .rows = rows,
            .stored_rows = stored,
            .blocks = {.offset = e * stored + first},
            .stored_matrices = config_.moe.n_experts};
  };
  const auto part = [&](std::string_view all, std::string_view one,
                        std::int64_t rows) -> LinearPart {
    if (has(all, l)) return stacked(all, rows, rows, 0);
    return {.name = of_expert(name(one, l), e), .rows = rows};
  };
  std::vector<LinearPart> gate_up = {part(names.experts_gate, names.expert_gate, size),
                                     part(names.experts_up, names.expert_up, size)};
  if (has(names.experts_gate_up, l)) {
    gate_up = {stacked(names.experts_gate_up, size, 2 * size, 0),
               stacked(names.experts_gate_up, size, 2 * size, size)};
  }
  FfnDense expert{
      .kind = FfnKind::gated, .activation = config_.activation, .gate_up = {}, .down = {}};
  LLM_ASSIGN_OR_RETURN(expert.gate_up, loader_.group(gate_up, hidden));
  LLM_ASSIGN_OR_RETURN(expert.down,
                       loader_.group({part(names.experts_down, names.expert_down, hidden)}, size));
  return expert;
}

Status NetworkBuilder::load_shared_expert(std::int64_t l, FfnMoe& moe) {
  const TensorNames& names = config_.names;
  const std::int64_t size = config_.moe.shared_ffn_size;
  if (size == 0) return {};
  moe.shared.activation = config_.activation;
  LLM_ASSIGN_OR_RETURN(moe.shared.gate_up,
                       loader_.group({{.name = name(names.shared_gate, l), .rows = size},
                                      {.name = name(names.shared_up, l), .rows = size}},
                                     config_.hidden_size));
  LLM_ASSIGN_OR_RETURN(
      moe.shared.down,
      loader_.group({{.name = name(names.shared_down, l), .rows = config_.hidden_size}}, size));
  if (!has(names.shared_router, l)) return {};
  // GGUF drops the dimension of size 1.
  const bool flat = file_.find(name(names.shared_router, l))->view.shape.rank() == 1;
  LLM_ASSIGN_OR_RETURN(moe.shared_router, loader_.group({{.name = name(names.shared_router, l),
                                                          .rows = 1,
                                                          .stored_flat = flat,
                                                          .keep_f32 = true}},
                                                        config_.hidden_size));
  return {};
}

}  // namespace llm::models
