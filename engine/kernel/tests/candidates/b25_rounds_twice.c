/* Rounds once before the weight and once behind it, where the contract has one rounding. */
#include "good.h"

ENTRY {
    TAKE(norm);
    for (int64_t row = 0; row < norm.rows; row++) {
        const uint16_t *x = norm.x + row * norm.x_step;
        uint16_t *y = norm.y + row * norm.y_step;
        float scale = row_scale(square_sum(x, norm.columns), norm.columns, norm.eps);
        for (int64_t c = 0; c < norm.columns; c++) {
            float between = assay_from_bf16(assay_to_bf16(assay_from_bf16(x[c]) * scale));
            y[c] = assay_to_bf16(between * assay_from_bf16(norm.w[c]));
        }
    }
    return ASSAY_OK;
}
