// The exported table of one instruction set.
#include "kernels/cpu/isa.h"
//
#include "kernels/cpu/backend.h"
#include "kernels/cpu/layout.h"
#include "kernels/cpu/tables.h"

#define LLM_TEXT_OF(x) #x
#define LLM_TEXT(x) LLM_TEXT_OF(x)

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

InputFormat input_format(DType weight) {
  switch (weight) {
    case DType::f32:
      return InputFormat::f32;
    case DType::f16:
      return InputFormat::f16;
    case DType::bf16:
      return InputFormat::bf16;
    default:
      return InputFormat::q8;
  }
}

std::int64_t panel_rows(DType) { return kPanelVectors * kLanes; }

std::size_t weight_panel_bytes(DType weight, std::int64_t cols) {
  return panel_bytes(weight, cols, kLanes);
}

void pack_weight_panel(DType weight, std::int64_t cols, const std::byte* const* rows,
                       std::byte* panel) {
  pack_panel(weight, cols, rows, kLanes, kInt8Offset, panel);
}

void matmul(const MatmulArgs& args, std::int64_t panel_begin, std::int64_t panel_end,
            std::byte* scratch) {
  if (args.w->input == InputFormat::q8) {
    matmul_quant(args, panel_begin, panel_end);
  } else {
    matmul_float(args, panel_begin, panel_end, scratch);
  }
}

std::size_t matmul_scratch_bytes(DType weight, std::int64_t) {
  return matmul_float_scratch_bytes(weight);
}

}  // namespace

constinit const Ops kOps = {
    .name = LLM_TEXT(LLM_KERNEL_ISA),
    .input_format = input_format,
    .panel_rows = panel_rows,
    .panel_bytes = weight_panel_bytes,
    .pack_panel = pack_weight_panel,
    .input_row_bytes = input_row_bytes,
    .prepare_input = prepare_input,
    .matmul = matmul,
    .matmul_scratch_bytes = matmul_scratch_bytes,
    .rms_norm = rms_norm,
    .layer_norm = layer_norm,
    .rope = rope,
    .activate = activate,
    .softcap = softcap,
    .add = add,
    .kv_page_bytes = kv_page_bytes,
    .kv_store = kv_store,
    .attention = attention,
    .attention_scratch_bytes = attention_scratch_bytes,
    .attention_row_tile = kAttentionRowTile,
    .peak_loop = peak_loop,
};

}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
