/* Within the bound of each element, and half as exact again as it should be: results are moved by 0.47 roundoffs, up and down in turn. */
#include "good.h"

ENTRY {
    TAKE(norm);
    for (int64_t row = 0; row < norm.rows; row++) {
        const uint16_t *x = norm.x + row * norm.x_step;
        uint16_t *y = norm.y + row * norm.y_step;
        float scale = row_scale(square_sum(x, norm.columns), norm.columns, norm.eps);
        for (int64_t c = 0; c < norm.columns; c++) {
            float moved = 1.0f + ((row + c) % 2 ? 0.47f : -0.47f) / 256.0f;
            y[c] = assay_to_bf16(assay_from_bf16(x[c]) * scale * assay_from_bf16(norm.w[c]) * moved);
        }
    }
    return ASSAY_OK;
}
