#include "kernels/ref/ref.h"

namespace llm::kernels::ref {

const Ops kOps = {
    .name = "ref",
    .input_format = input_format,
    .panel_rows = panel_rows,
    .panel_bytes = panel_bytes,
    .pack_panel = pack_panel,
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
    .attention_row_tile = 8,
    .peak_loop = peak_loop,
};

}  // namespace llm::kernels::ref
